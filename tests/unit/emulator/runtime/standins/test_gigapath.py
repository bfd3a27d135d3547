"""The stand-in for Prov-GigaPath: its contract, and an archive that torch can read."""

from __future__ import annotations

import base64
import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.emulator.runtime.standins import ScoringError
from deploy.emulator.runtime.standins.gigapath import score
from tests.unit.emulator.runtime.standins.samples import encoded, nearly, request, sample

TILE = sample("gigapath/probe/tile.png")


class Reader(pickle.Unpickler):
    """Reads the archive the way torch does, with stand-ins for the names that torch would look up."""

    def __init__(self, archive):
        super().__init__(io.BytesIO(archive.read("archive/data.pkl")))
        self.archive = archive

    def find_class(self, module, name):
        return {
            ("torch._utils", "_rebuild_tensor_v2"): self.rebuilt,
            ("torch", "FloatStorage"): "<f4",
            ("collections", "OrderedDict"): dict,
        }[module, name]

    def persistent_load(self, saved):
        what, kind, key, device, count = saved
        assert (what, device) == ("storage", "cpu")
        numbers = np.frombuffer(self.archive.read(f"archive/data/{key}"), kind)
        assert len(numbers) == count
        return numbers

    @staticmethod
    def rebuilt(storage, offset, size, stride, needs_gradient, hooks):
        assert (offset, needs_gradient, hooks) == (0, False, {})
        return np.lib.stride_tricks.as_strided(storage, size, [4 * step for step in stride])


def tensor(image=TILE):
    [answer] = score(request(["image"], [image]))
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(answer["image_features"], validate=True))) as archive:
        assert archive.testzip() is None
        assert archive.read("archive/version") == b"3\n"
        assert archive.read("archive/byteorder") == b"little"
        return Reader(archive).load()


@settings(deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=8)))
def test_the_tensor_is_one_row_of_1536_numbers(pixels):
    """Any tile: float32, [1, 1536], length 1."""
    found = tensor(encoded(pixels))
    assert (found.shape, found.dtype) == ((1, 1536), np.float32)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_the_numbers_follow_the_image():
    """The same tile gives the same bytes, a mirrored one gives other numbers."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = (200, 80, 160)
    assert score(request(["image"], [TILE])) == score(request(["image"], [TILE]))
    assert not np.array_equal(tensor(encoded(pixels)), tensor(encoded(pixels[:, ::-1])))
    assert not np.array_equal(tensor(encoded(pixels)), tensor(encoded(pixels[..., ::-1])))


def test_several_rows_give_as_many_answers():
    """One answer per row, in order."""
    other = encoded(np.zeros((8, 8)))
    assert score(request(["image"], [TILE], [other])) == [
        *score(request(["image"], [TILE])),
        *score(request(["image"], [other])),
    ]


REFUSED = {
    "no table": ([], 400, "'input_data'"),
    "no image column": (request(["text"], ["x"]), 400, r"missing inputs \['image'\]"),
    "too many rows": (request(["image"], *[["x"]] * 257), 400, "1 to 256 rows, it has 257"),
    "image is null": (request(["image"], [None]), 400, "'image' must be text"),
    "not base64": (request(["image"], ["%"]), 500, "'image' is not base64"),
    "not an image": (request(["image"], ["aGVsbG8="]), 500, "not an image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_model_refuses_is_refused(name):
    """A wrong table is 400, an image that cannot be read is 500, each with its reason."""
    body, status, words = REFUSED[name]
    with pytest.raises(ScoringError, match=words) as refused:
        score(body)
    assert refused.value.status == status


@given(nearly(["image"]))
def test_any_json_raises_only_scoring_errors(body):
    """For any JSON."""
    with pytest.raises(ScoringError):
        score(body)

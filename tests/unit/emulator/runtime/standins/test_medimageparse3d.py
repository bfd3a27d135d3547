"""The stand-in for MedImageParse 3D: its contract, and labels that depend on the volume."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.emulator.runtime.standins import ScoringError, nifti
from deploy.emulator.runtime.standins.medimageparse3d import bodies, score
from tests.project import ROOT
from tests.unit.emulator.runtime.standins.samples import nearly, request, sample
from tests.unit.probes.given import TYPES
from tests.unit.probes.given import nifti as written

COLUMNS = ("image", "text")
LEFT_BACK_HEAD = np.diag([-1.0, -1.0, 1.0])


def packed(values, **more):
    return base64.b64encode(written(values, **more)).decode()


def labels(image, text):
    [answer] = score(request(COLUMNS, (image, text)))
    assert isinstance(answer["nifti_file"], str)
    return nifti.read(base64.b64decode(json.loads(answer["nifti_file"])["data"]))


def scene():
    """Tissue in air, a hole on each side (the larger on the patient's right), bone below; x left, y back, z head."""
    values = np.full((40, 30, 20), -1000, np.int16)
    values[3:37, 3:27, 1:19] = 40
    values[8:16, 10:20, 8:16] = -950
    values[26:32, 10:20, 8:16] = -950
    values[17:23, 20:26, 2:18] = 700
    return values


def flooded(volume):
    """Each connected body as a set of voxels, by walking from neighbour to neighbour."""
    left = set(map(tuple, np.argwhere(volume).tolist()))
    found = []
    while left:
        body, todo = set(), [left.pop()]
        while todo:
            x, y, z = todo.pop()
            body.add((x, y, z))
            near = {(x + 1, y, z), (x - 1, y, z), (x, y + 1, z), (x, y - 1, z), (x, y, z + 1), (x, y, z - 1)} & left
            left -= near
            todo += near
        found.append(body)
    return found


@settings(deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_bodies_are_those_of_a_flood_fill(volume):
    """Components joined slice by slice give the same bodies, sizes, centres and cuts as walking from voxel to voxel."""
    found, walked = bodies(volume), flooded(volume)
    drawn = [set(map(tuple, np.argwhere(found.number == n + 1).tolist())) for n in range(len(found.size))]
    assert sorted(map(sorted, drawn)) == sorted(map(sorted, walked))
    assert list(found.size) == sorted(map(len, walked), reverse=True)
    for n, body in enumerate(drawn):
        places = np.array(sorted(body))
        assert np.allclose(found.centre[n], places.mean(axis=0))
        assert found.cut[n] == bool((places == 0).any() or (places == np.array(volume.shape) - 1).any())


def test_the_samples_lungs_are_found():
    """Each label covers its ellipsoid, but for the part that the heart covers."""
    loader = SourceFileLoader("samples_script", str(ROOT / "scripts" / "samples"))
    script = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(script)
    seen = labels(sample("medimageparse3d/probe/torso.nii.gz"), "left lung & right lung").values
    truth = script.torso() == -820
    right, left = truth.copy(), truth.copy()
    right[48:], left[:48] = False, False
    for label, true in ((1, left), (2, right)):
        assert np.array_equal(seen == label, true)


def test_words_select_bodies():
    """Side, tone and size words each select the described body."""
    affine = np.hstack([LEFT_BACK_HEAD, np.zeros((3, 1))])
    seen = labels(packed(scene(), affine=affine), "left lung & right lung & spine & smallest dark hole").values
    assert (seen[29, 15, 12], seen[12, 15, 12], seen[20, 22, 4]) == (1, 2, 3)
    assert set(np.unique(seen)) == {0, 1, 2, 3}  # the fourth prompt's voxels are the first one's already
    assert (seen == 2).sum() == 8 * 10 * 8
    lower, upper = (labels(packed(scene(), affine=affine), f"{word} lungs").values for word in ("lower", "upper"))
    assert not lower.any()
    assert upper.any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_left_follows_the_affine(axis):
    """Stored in the other direction, with a matching affine, the same lung is the left one."""
    signs = np.where(np.arange(3) == axis, -1, 1)
    plain = labels(packed(scene(), affine=np.hstack([LEFT_BACK_HEAD, np.zeros((3, 1))])), "left lung").values
    flipped = packed(np.flip(scene(), axis), affine=np.hstack([LEFT_BACK_HEAD * signs, np.zeros((3, 1))]))
    assert np.array_equal(np.flip(labels(flipped, "left lung").values, axis), plain)
    assert plain.sum() == 6 * 10 * 8


def test_a_uniform_volume_has_no_labels():
    """There is nothing to segment."""
    assert not labels(packed(np.full((4, 5, 6), 7, np.int16)), "lung & liver").values.any()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(TYPES)).flatmap(lambda kind: arrays(np.dtype(kind), array_shapes(min_dims=3, max_dims=3))),
    st.sampled_from("<>"),
    st.lists(st.sampled_from(["left lung", "bone", "upper liver", "", "smallest"]), min_size=1, max_size=4),
)
@example(np.array([[[-1.7e308, 1.7e308]]]), "<", ["bone"])
def test_the_answer_is_a_volume_like_the_one_sent(values, order, prompts):
    """Any volume of any type: the same size, affine and byte order, labels up to the number of prompts."""
    affine = np.hstack([LEFT_BACK_HEAD * 2, np.ones((3, 1))])
    seen = labels(packed(values, order=order, affine=affine), "&".join(prompts))
    assert seen.values.shape == values.shape
    assert seen.values.dtype == np.uint8
    assert seen.values.max() <= len(prompts)
    assert struct.unpack_from(seen.order + "h", seen.header, 254) == (1,)
    assert np.array_equal(seen.orientation, LEFT_BACK_HEAD * 2)


def test_the_same_volume_gives_the_same_bytes():
    """The answer does not depend on the time."""
    asked = request(COLUMNS, (sample("medimageparse3d/probe/torso.nii.gz"), "left lung"))
    assert score(asked) == score(asked)


def broken(**more):
    return packed(scene(), **more)


REFUSED = {
    "no table": ({}, 400, "'input_data'"),
    "two rows": (request(COLUMNS, ("a", "b"), ("a", "b")), 400, "1 to 1 rows, it has 2"),
    "no text column": (request(["image"], ["x"]), 400, r"missing inputs \['text'\]"),
    "text is null": (request(COLUMNS, (broken(), None)), 400, "'text' must be text"),
    "not base64": (request(COLUMNS, ("%", "lung")), 500, "'image' is not base64"),
    "a PNG": (request(COLUMNS, (sample("gigapath/probe/tile.png"), "lung")), 500, "not gzipped"),
    "not packed": (request(COLUMNS, (broken(packed=False), "lung")), 500, "not gzipped"),
    "not NIfTI": (
        request(COLUMNS, (base64.b64encode(gzip.compress(bytes(400))).decode(), "lung")),
        500,
        "no NIfTI-1 header",
    ),
    "a plane": (request(COLUMNS, (broken(change={40: b"\2\0"}), "lung")), 500, "three dimensions expected"),
    "too large": (request(COLUMNS, (broken(change={42: b"\xff\x7f" * 3}), "lung")), 500, "more than memory allows"),
    "colours": (request(COLUMNS, (broken(change={70: b"\x80\0"}), "lung")), 500, "numbers of type 128"),
    "data missing": (request(COLUMNS, (broken(change={42: b"\x29\0"}), "lung")), 500, "bytes of data expected"),
    "too many prompts": (request(COLUMNS, (broken(), "&" * 255)), 500, "256 prompts, labels go up to 255"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_model_refuses_is_refused(name):
    """A wrong table is 400, a volume that cannot be read is 500, each with its reason."""
    body, status, words = REFUSED[name]
    with pytest.raises(ScoringError, match=words) as refused:
        score(body)
    assert refused.value.status == status


@given(nearly(COLUMNS))
def test_any_json_raises_only_scoring_errors(body):
    """For any JSON."""
    with pytest.raises(ScoringError):
        score(body)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 347), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_header_is_scored_or_refused(changes):
    """Change bytes of a header anywhere: there is an answer or a ScoringError."""
    image = broken(change={at: bytes([value]) for at, value in changes})
    try:
        answers = len(score(request(COLUMNS, (image, "left lung"))))
    except ScoringError as refused:
        answers = refused.status
    assert answers in (1, 500)

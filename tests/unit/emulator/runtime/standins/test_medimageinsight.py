"""The stand-in for MedImageInsight: its contract, and vectors that depend on the input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.emulator.runtime.standins import ScoringError
from deploy.emulator.runtime.standins.medimageinsight import score
from tests.unit.emulator.runtime.standins.samples import encoded, nearly, request, sample

COLUMNS = ("image", "text")
CHEST = sample("medimageinsight/probe/chest.png")
images = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=8))


def vector(image=CHEST, text="x-ray", key="image_features"):
    [answer] = score(request(COLUMNS, (image, text)))
    [numbers] = answer[key]
    return np.array(numbers)


@settings(deadline=None)
@given(images, st.text(min_size=1, max_size=30))
def test_each_vector_has_1024_numbers_and_length_1(pixels, text):
    """Any image, black ones and single pixels too, and any text."""
    for key in ("image_features", "text_features"):
        numbers = vector(encoded(pixels), text, key)
        assert numbers.shape == (1024,)
        assert np.linalg.norm(numbers) == pytest.approx(1, abs=1e-5)


@settings(deadline=None)
@given(images, images)
def test_equal_images_agree_and_different_ones_differ(one, other):
    """The vector is the image's: same pixels, same numbers; one other histogram, other numbers."""
    assert np.array_equal(vector(encoded(one)), vector(encoded(one.copy())))
    assume(sorted(one.ravel() / one.size) != sorted(other.ravel() / other.size))
    assume(not np.array_equal(np.unique(one), np.unique(other)))
    assert not np.array_equal(vector(encoded(one)), vector(encoded(other)))


def test_near_images_are_near():
    """A chest is nearer to a slightly brighter chest than to a tile of tissue."""
    chest = vector()
    brighter = vector(sample("cxrreportgen/probe/chest.png"))
    assert chest @ brighter > chest @ vector(sample("gigapath/probe/tile.png"))


def test_position_and_colour_matter():
    """A mirrored image and a coloured one have other vectors."""
    half = np.zeros((64, 64), np.uint8)
    half[:, 32:] = 200
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    assert not np.array_equal(vector(encoded(half)), vector(encoded(half[:, ::-1])))
    assert not np.array_equal(vector(encoded(red)), vector(encoded(red[..., ::-1])))


def test_texts_that_share_spelling_are_near():
    """Case and spaces do not count, letters do."""
    texts = [vector(text=text, key="text_features") for text in ("x-ray chest", "X-Ray  Chest ", "x-ray hand", "mri")]
    assert np.array_equal(texts[0], texts[1])
    assert texts[0] @ texts[2] > texts[0] @ texts[3]


@pytest.mark.parametrize(
    ("image", "text", "keys"),
    [(CHEST, "", {"image_features"}), (None, "x-ray", {"text_features"}), (CHEST, None, {"image_features"})],
)
def test_an_empty_column_has_no_vector(image, text, keys):
    """Either column can be empty or null."""
    [answer] = score(request(COLUMNS, (image, text)))
    assert set(answer) == keys | {"scaling_factor"}


@pytest.mark.parametrize(
    "params", [{"get_scaling_factor": asked} for asked in (True, "true", False, "False", None)] + [{}, None, 7]
)
def test_the_scaling_factor_is_returned_unless_it_is_refused(params):
    """For both published ways to write a boolean."""
    [answer] = score(request(COLUMNS, ("", "x-ray"), params=params))
    refused = params in ({"get_scaling_factor": False}, {"get_scaling_factor": "False"})
    assert answer.get("scaling_factor") == (None if refused else 4.5)


def test_several_rows_give_as_many_answers():
    """One answer per row, in order."""
    first, second = score(request(COLUMNS, (CHEST, "a"), ("", "b")))
    assert first["image_features"] == score(request(COLUMNS, (CHEST, "a")))[0]["image_features"]
    assert list(second) == ["text_features", "scaling_factor"]


REFUSED = {
    "no table": ({}, 400, "'input_data'"),
    "no text column": (request(["image"], ["x"]), 400, r"missing inputs \['text'\]"),
    "too many rows": (request(COLUMNS, *[("x", "y")] * 1025), 400, "1 to 1024 rows, it has 1025"),
    "nothing in a row": (request(COLUMNS, ("", None)), 400, "a row must hold an image or a text"),
    "text is a number": (request(COLUMNS, ("", 7)), 400, "'text' must be text"),
    "not base64": (request(COLUMNS, ("%", "x")), 500, "'image' is not base64"),
    "not an image": (request(COLUMNS, ("aGVsbG8=", "x")), 500, "not an image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_model_refuses_is_refused(name):
    """A wrong table is 400, an image that cannot be read is 500, each with its reason."""
    body, status, words = REFUSED[name]
    with pytest.raises(ScoringError, match=words) as refused:
        score(body)
    assert refused.value.status == status


@given(nearly(COLUMNS))
def test_any_json_raises_only_scoring_errors(body):
    """For any JSON."""
    with pytest.raises(ScoringError):
        score(body)

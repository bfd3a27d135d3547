"""The stand-in for CxrReportGen: its contract, and the comparison of left and right."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.emulator.runtime.standins import ScoringError, cxrreportgen
from deploy.emulator.runtime.standins.cxrreportgen import NOTICE, score
from tests.unit.emulator.runtime.standins.samples import encoded, nearly, request, sample

COLUMNS = ["frontal_image", "indication", "technique", "comparison"]


def scene(*spots):
    """Grey with a dark area on each side, and spots (left, top, right, bottom) of middle grey."""
    pixels = np.full((256, 256), 150, np.uint8)
    pixels[40:200, 30:110] = 20
    pixels[40:200, 146:226] = 20
    pixels[0:40, 120:136] = 250
    for left, top, right, bottom in spots:
        pixels[top:bottom, left:right] = 150
    return pixels


def findings(pixels):
    [answer] = score(request(COLUMNS, (encoded(pixels), "", "", "None")))
    assert isinstance(answer["output"], str)
    first, *others = json.loads(answer["output"])
    assert first == [NOTICE, None]
    return others


def test_the_dark_areas_are_boxed():
    """Each half's dark area is named with its share and boxed to a pixel or two."""
    (left, [left_box]), (right, [right_box]), (same, none) = findings(scene())
    assert left == "The dark area on the image's left fills 19.5% of the square."
    assert right == "The dark area on the image's right fills 19.5% of the square."
    assert left_box == pytest.approx([30 / 256, 40 / 256, 110 / 256, 200 / 256], abs=2 / 256)
    assert right_box == pytest.approx([146 / 256, 40 / 256, 226 / 256, 200 / 256], abs=2 / 256)
    assert (same, none) == ("Inside the dark areas, left and right are equally bright.", None)


def test_a_spot_brighter_than_its_mirror_image_is_boxed():
    """With its difference; a spot on both sides is no difference."""
    *_, (text, [box]) = findings(scene((50, 90, 80, 120)))
    assert re.fullmatch(r"Brighter than its mirror image by 1[0-3]\d grey values\.", text)
    assert box == pytest.approx([50 / 256, 90 / 256, 80 / 256, 120 / 256], abs=3 / 256)
    assert findings(scene((50, 90, 80, 120), (176, 90, 206, 120)))[-1][1] is None


def test_the_answer_follows_the_image():
    """Mirror the image, and the box is mirrored."""
    *_, (_, [box]) = findings(scene((50, 90, 80, 120)))
    *_, (_, [mirrored]) = findings(scene((50, 90, 80, 120))[:, ::-1])
    assert mirrored == pytest.approx([1 - box[2], box[1], 1 - box[0], box[3]], abs=0.002)


def test_boxes_refer_to_the_middle_square():
    """What is above and below the square changes nothing."""
    tall = np.pad(scene((50, 90, 80, 120)), ((60, 60), (0, 0)), constant_values=77)
    assert findings(tall) == findings(scene((50, 90, 80, 120)))


def test_a_uniform_image_has_nothing_to_compare():
    """It has no findings."""
    assert findings(np.full((50, 40), 9)) == [["All of the image is equally bright.", None]]


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_every_box_is_valid(pixels):
    """For any image: inside the square, with an area."""
    for text, boxes in findings(pixels):
        assert text
        for left, top, right, bottom in boxes or ():
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1


def test_only_the_frontal_image_is_needed():
    """The other columns may be absent, empty or null, in any order."""
    image = encoded(scene())
    whole = score(request(COLUMNS, (image, "Pneumonia", "One view", "None")))
    assert score(request(["frontal_image"], [image])) == whole
    columns = ["prior_report", "lateral_image", "frontal_image", "prior_image"]
    assert score(request(columns, (None, "", image, sample("cxrreportgen/probe/chest.png")))) == whole


IMAGE = encoded(scene())
REFUSED = {
    "no table": (None, 400, "'input_data'"),
    "no frontal image": (request(["indication"], ["x"]), 400, r"missing inputs \['frontal_image'\]"),
    "too many rows": (request(["frontal_image"], *[["x"]] * 11), 400, "1 to 10 rows, it has 11"),
    "image is null": (request(["frontal_image"], [None]), 400, "'frontal_image' must be text"),
    "indication is a number": (request(COLUMNS, (IMAGE, 7, "", "")), 400, "'indication' must be text"),
    "not base64": (request(["frontal_image"], ["%"]), 500, "'frontal_image' is not base64"),
    "lateral is no image": (
        request(["frontal_image", "lateral_image"], (IMAGE, "aGVsbG8=")),
        500,
        "'lateral_image' is not an image",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_model_refuses_is_refused(name):
    """A wrong table is 400, an image that cannot be read is 500, each with its reason."""
    body, status, words = REFUSED[name]
    with pytest.raises(ScoringError, match=words) as refused:
        score(body)
    assert refused.value.status == status


@given(nearly(COLUMNS[:1]) | st.none())
def test_any_json_raises_only_scoring_errors(body):
    """For any JSON."""
    with pytest.raises(ScoringError):
        score(body)


def test_the_notice_names_the_stand_in():
    """It cannot be mistaken for the model."""
    assert re.search("stand-in.*not the model.*no medical meaning", cxrreportgen.NOTICE)

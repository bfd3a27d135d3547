"""What a right answer of MedImageInsight is, and each way in which one can be wrong."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.probes import WrongAnswer, medimageinsight
from deploy.probes.vectors import cosine
from tests.unit.probes import given as shared
from tests.unit.probes.given import answer_of_the_stand_in, template

PROBE = {"type": "medimageinsight", "image": "probe/chest.png", "text": "x-ray chest", "status": 200}
FOLDER = template("medimageinsight")
UNIT = [0.0] * 1023 + [1.0]


def answered(image=(UNIT,), text=(UNIT,), **more):
    return json.dumps([{"image_features": image, "text_features": text, **more}]).encode()


def checked(body, **change):
    return medimageinsight.check({**PROBE, **change}, FOLDER, 200, body)


@pytest.mark.parametrize(("text", "sent"), [("x-ray chest", "x-ray chest"), (None, "")])
def test_the_request_is_one_row_of_image_and_text(text, sent):
    """The image travels as it is; without a text the column is empty."""
    body = json.loads(medimageinsight.request({**PROBE, "text": text}, FOLDER))
    assert body["input_data"]["columns"] == ["image", "text"]
    assert body["input_data"]["data"][0][1] == sent
    assert base64.b64decode(body["input_data"]["data"][0][0]) == (FOLDER / "probe/chest.png").read_bytes()


def test_an_image_that_is_not_png_is_refused_before_sending():
    """The model takes PNG."""
    with pytest.raises(DeployError, match=r"'pipeline.yml.j2' is not a PNG image"):
        medimageinsight.request({**PROBE, "image": "pipeline.yml.j2"}, FOLDER)


def test_the_stand_ins_answer_is_right():
    """Request, stand-in and check fit together."""
    seen = checked(answer_of_the_stand_in(PROBE, "MedImageInsight"))
    assert seen.data["norms"] == {"image": pytest.approx(1, abs=1e-5), "text": pytest.approx(1, abs=1e-5)}
    assert -1 <= seen.data["cosine"] <= 1
    assert seen.summary.startswith("image vector of 1024 numbers, norm 1 and text vector of 1024 numbers, norm 1")
    assert {name: len(each) for name, each in json.loads(seen.files["chest-vectors.json"]).items()} == {
        "image": 1024,
        "text": 1024,
    }


def test_three_published_shapes_are_understood():
    """A list of one object, one object, and one object per key mean the same."""
    keys = {"image_features": [UNIT], "text_features": [UNIT], "scaling_factor": 4.5}
    whole = checked(json.dumps([keys]).encode())
    assert whole.data["scaling_factor"] == 4.5
    assert whole.data["cosine"] == 1
    assert checked(json.dumps(keys).encode()) == whole
    assert checked(json.dumps([{key: value} for key, value in keys.items()]).encode()) == whole
    assert checked(answered(UNIT, UNIT, scaling_factor=4.5)) == whole


def test_without_a_text_no_text_vector_is_expected():
    """What was not asked for may be missing, empty or null."""
    for text in (None, " "):
        seen = checked(json.dumps({"image_features": [UNIT], "text_features": None}).encode(), text=text)
        assert seen.data["cosine"] is None
        assert seen.summary == "image vector of 1024 numbers, norm 1"


def one(value):
    return [[*UNIT[:-1], value]]


DAMAGE = {
    "not JSON": (b"oops", r"expected JSON, got something else"),
    "two rows": (
        b'[{"image_features": 1, "text_features": 1}, {}]',
        r"expected one object for the one row sent, got 2",
    ),
    "one key twice": (b'[{"image_features": 1}, {"image_features": 1}]', r"for the one row sent, got 2"),
    "no image": (b'[{"text_features": []}]', r"expected the key 'image_features' .* got only 'text_features'"),
    "no text": (json.dumps([{"image_features": [UNIT]}]).encode(), r"expected the key 'text_features'"),
    "a number": (answered(7), r"expected a list of one vector in 'image_features', got a number"),
    "prose": (answered("none"), r"expected JSON inside the string 'image_features', got 'none'"),
    "nothing": (answered([]), r"expected 1024 numbers in 'image_features', got 0"),
    "two vectors": (answered([UNIT, UNIT]), r"expected one vector in 'image_features' for the one row sent, got 2"),
    "short": (answered([UNIT[:512]]), r"expected 1024 numbers in 'image_features', got 512"),
    "long text": (answered(text=[UNIT * 2]), r"expected 1024 numbers in 'text_features', got 2048"),
    "a string inside": (answered(one("1")), r"expected a number in 'image_features' at 1023, got a string"),
    "a truth inside": (answered(one(True)), r"expected a number in 'image_features' at 1023, got a boolean"),
    "null inside": (answered(one(None)), r"at 1023, got null"),
    "not a number": (answered(one(math.nan)), r"expected a finite number in 'image_features' at 1023, got nan"),
    "infinite": (answered(text=one(-math.inf)), r"expected a finite number in 'text_features' at 1023, got -inf"),
    "too large": (answered(one(10**400)), r"expected a finite number in 'image_features' at 1023, got 1000"),
    "zeros": (answered([[0] * 1024]), r"a vector with values other than zero in 'image_features', got 1024 zeros"),
    "factor of words": (answered(scaling_factor="4.5"), r"expected a number in 'scaling_factor', got a string"),
    "factor of zero": (answered(scaling_factor=0), r"expected a number above zero in 'scaling_factor', got 0"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_message(name):
    """The reason contains what was expected and what the answer contains."""
    body, words = DAMAGE[name]
    with pytest.raises(WrongAnswer, match=words):
        checked(body)


def test_another_status_is_wrong_whatever_the_body():
    """A right body with a wrong status is a wrong answer."""
    with pytest.raises(WrongAnswer, match="expected HTTP status 200, got 500"):
        medimageinsight.check(PROBE, FOLDER, 500, answered())


@given(shared.bodies("image_features", "text_features", "scaling_factor"))
def test_no_answer_raises_anything_but_wrong_answer(body):
    """Any response raises nothing but WrongAnswer."""
    with pytest.raises(WrongAnswer):
        checked(body)


numbers = st.lists(st.floats(-1e150, 1e150), min_size=3, max_size=3).filter(
    lambda each: any(abs(n) > 1e-150 for n in each)
)


@given(numbers, numbers)
def test_a_cosine_lies_between_minus_one_and_one(one, other):
    """Whatever the size of the numbers, the angle is an angle, and a vector is like itself."""
    assert -1.000001 <= cosine(one, other) <= 1.000001
    assert cosine(one, one) == pytest.approx(1)

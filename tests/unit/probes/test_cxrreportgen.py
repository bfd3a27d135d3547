"""What a right answer of CxrReportGen is, and each way in which one can be wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
from hypothesis import given

from deploy.errors import DeployError
from deploy.probes import WrongAnswer, cxrreportgen
from tests.project import ROOT
from tests.unit.probes import given as shared
from tests.unit.probes.given import answer_of_the_stand_in, template

PROBE = {"type": "cxrreportgen", "image": "probe/chest.png", "text": "Pneumonia", "status": 200}
FOLDER = template("cxrreportgen")
FINDINGS = [["The heart size is normal.", None], ["The aorta is tortuous.", [[0.25, 0.0, 0.5, 1.0]]]]


def answered(findings):
    return json.dumps([{"output": json.dumps(findings)}]).encode()


def checked(body):
    return cxrreportgen.check(PROBE, FOLDER, 200, body)


@pytest.mark.parametrize(("text", "indication"), [("Pneumonia", "Pneumonia"), (None, "")])
def test_the_request_is_one_row_of_image_and_circumstances(text, indication):
    """The image travels as it is; the probe's text is the indication; nothing is compared with."""
    body = json.loads(cxrreportgen.request({**PROBE, "text": text}, FOLDER))
    assert body["input_data"]["columns"] == ["frontal_image", "indication", "technique", "comparison"]
    [[image, *words]] = body["input_data"]["data"]
    assert base64.b64decode(image) == (FOLDER / "probe/chest.png").read_bytes()
    assert words == [indication, "", "None"]


def test_an_image_that_is_not_png_is_refused_before_sending():
    """The boxes are placed by the PNG's size, so there must be one."""
    with pytest.raises(DeployError, match=r"is not a PNG image"):
        cxrreportgen.request({**PROBE, "image": "pipeline.yml.j2"}, FOLDER)


def test_the_stand_ins_answer_is_right():
    """Request, stand-in and check fit together, and the shadow of the sample is boxed."""
    seen = checked(answer_of_the_stand_in(PROBE, "CxrReportGen"))
    assert "stand-in" in seen.summary
    boxes = [box for finding in seen.data["findings"] for box in finding["pixels"]]
    shadow = (448 * (1 - 0.42), 512 - 448 * 0.24)
    assert any(
        left < shadow[0] < right and top < shadow[1] < bottom and right - left < 200
        for left, top, right, bottom in boxes
    )
    assert list(seen.files) == ["chest-findings.png"] == [seen.data["picture"]]
    json.dumps(seen.data)


def test_boxes_are_shares_of_the_middle_square():
    """The sample is 896 x 1024: shares are of 896 pixels, from 64 pixels below its top."""
    seen = checked(answered(FINDINGS))
    assert seen.data["findings"][1]["pixels"] == [[224.0, 64.0, 448.0, 960.0]]
    assert seen.data["findings"][0]["boxes"] == []
    assert seen.summary == "2 findings with 1 box, first 'The heart size is normal.'"


def test_published_shapes_are_understood():
    """A string or a list in `output`, with a list around the row or without."""
    whole = checked(answered(FINDINGS))
    assert checked(json.dumps([{"output": FINDINGS}]).encode()) == whole
    assert checked(json.dumps({"output": FINDINGS}).encode()) == whole
    assert checked(json.dumps({"output": json.dumps(FINDINGS)}).encode()) == whole


def boxed(*box):
    return answered([["Fine.", None], ["There.", [list(box)]]])


DAMAGE = {
    "not JSON": (b"oops", r"expected JSON, got something else"),
    "two rows": (b"[{}, {}]", r"expected one object for the one row sent, got 2"),
    "other key": (b'[{"findings": []}]', r"expected the key 'output' in the answer, got only 'findings'"),
    "prose": (b'[{"output": "The heart is normal."}]', r"expected JSON inside the string 'output', got 'The heart is"),
    "single quotes": (b'[{"output": "[[\'a\', None]]"}]', r"expected JSON inside the string 'output'"),
    "an object": (answered({"text": "x"}), r"expected a list of findings in 'output', got an object"),
    "nothing": (answered([]), r"expected at least one finding in 'output', got an empty list"),
    "a sentence alone": (answered(["Fine."]), r"expected \[sentence, boxes\] as finding 1, got a string"),
    "three things": (answered([["a", None, 1]]), r"a sentence and its boxes as finding 1, got a list of 3"),
    "no sentence": (answered([["a", None], [None, None]]), r"expected a sentence in finding 2, got null"),
    "empty sentence": (answered([[" ", None]]), r"expected a sentence in finding 1, got an empty string"),
    "boxes are words": (answered([["a", "left"]]), r"a list of boxes or null in finding 1, got a string"),
    "box not in a list": (answered([["a", [0, 0, 1, 1]]]), r"as box 1 of finding 1, got a number"),
    "three numbers": (
        boxed(0, 0, 1),
        r"expected \[x_min, y_min, x_max, y_max\] as box 1 of finding 2, got a list of 3",
    ),
    "a word in a box": (boxed(0, 0, 1, "1"), r"expected numbers in box 1 of finding 2, got a string"),
    "truth in a box": (boxed(0, 0, 1, True), r"expected numbers in box 1 of finding 2, got a boolean"),
    "pixels": (boxed(10, 20, 300, 400), r"expected shares from 0 to 1 in box 1 of finding 2, got 10"),
    "negative": (boxed(-0.1, 0, 1, 1), r"shares from 0 to 1 in box 1 of finding 2, got -0.1"),
    "not a number": (boxed(float("nan"), 0, 1, 1), r"shares from 0 to 1 in box 1 of finding 2, got nan"),
    "x reversed": (boxed(0.6, 0, 0.4, 1), r"expected x_min below x_max in box 1 of finding 2, got 0.6 and 0.4"),
    "x flat": (boxed(0.5, 0, 0.5, 1), r"expected x_min below x_max in box 1 of finding 2, got 0.5 and 0.5"),
    "y flat": (boxed(0, 0.5, 1, 0.5), r"expected y_min below y_max in box 1 of finding 2, got 0.5 and 0.5"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_message(name):
    """The reason contains what was expected and what the answer contains."""
    body, words = DAMAGE[name]
    with pytest.raises(WrongAnswer, match=words):
        checked(body)


def test_another_status_is_wrong_whatever_the_body():
    """A right body with a wrong status is a wrong answer."""
    with pytest.raises(WrongAnswer, match="expected HTTP status 200, got 424"):
        cxrreportgen.check(PROBE, FOLDER, 424, answered(FINDINGS))


@given(shared.bodies("output", "findings"))
def test_no_answer_raises_anything_but_wrong_answer(body):
    """Any response raises nothing but WrongAnswer."""
    with pytest.raises(WrongAnswer):
        checked(body)


def test_remote_words_are_made_safe():
    """A sentence can carry no control characters into a report."""
    seen = checked(answered([["a\x1b[31m\nb", None]]))
    assert seen.data["findings"][0]["text"] == "a b"


def test_without_numpy_everything_is_checked_and_the_picture_is_excused(tmp_path):
    """On a machine without numpy and pillow the answer is still read; only the picture is missing."""
    (tmp_path / "answer").write_bytes(answered(FINDINGS))
    done = subprocess.run(
        [sys.executable, "-c", shared.WITHOUT_PICTURES, json.dumps(PROBE)],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "2 findings with 1 box, first 'The heart size is normal.'"
    assert "numpy is not installed" in done.stdout

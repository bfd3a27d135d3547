"""What a right answer of MedImageParse 3D is, and each way in which one can be wrong."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from deploy.errors import DeployError
from deploy.probes import WrongAnswer, medimageparse3d, nifti
from tests.project import ROOT
from tests.unit.probes import given as shared
from tests.unit.probes.given import answer_of_the_stand_in, template

PROBE = {"type": "medimageparse3d", "image": "probe/torso.nii.gz", "text": "left lung & right lung", "status": 200}
FOLDER = template("medimageparse3d")
SHAPE = (96, 96, 64)


def labels(kind="u1"):
    """20 voxels of the first prompt, 6 of the second."""
    values = np.zeros(SHAPE, kind)
    values[5:9, 5, 5:10] = 1
    values[40:42, 40:43, 40] = 2
    return values


def answered(content, *, packed=True, **more):
    file = {"data": base64.b64encode(content).decode()}
    return json.dumps([{"nifti_file": json.dumps(file) if packed else file, **more}]).encode()


@pytest.fixture(scope="module")
def good():
    return shared.nifti(labels())


def checked(body, **change):
    return medimageparse3d.check({**PROBE, **change}, FOLDER, 200, body)


def test_the_request_is_one_row_of_volume_and_text():
    """The volume travels as it is, in base64, beside the prompts."""
    body = json.loads(medimageparse3d.request(PROBE, FOLDER))
    assert body["input_data"]["columns"] == ["image", "text"]
    [[image, text]] = body["input_data"]["data"]
    assert base64.b64decode(image) == (FOLDER / PROBE["image"]).read_bytes()
    assert text == PROBE["text"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": None}, "needs 'image'"),
        ({"text": None}, "needs 'text'"),
        ({"text": "liver & "}, "empty prompt"),
        ({"image": "probe/none.nii.gz"}, "No such file"),
        ({"image": "pipeline.yml.j2"}, r"'pipeline.yml.j2': expected a NIfTI-1 header"),
    ],
)
def test_an_invalid_probe_is_refused_before_sending(change, words):
    """Missing keys are reported before a request is sent."""
    with pytest.raises(DeployError, match=words):
        medimageparse3d.request({**PROBE, **change}, FOLDER)


def test_the_stand_ins_answer_is_right():
    """Request, stand-in and check fit together, and each lung is found where the sample has it."""
    seen = checked(answer_of_the_stand_in(PROBE, "MedImageParse3D"))
    left, right = seen.data["labels"]
    assert (left["prompt"], left["label"], right["prompt"], right["label"]) == ("left lung", 1, "right lung", 2)
    assert left["millilitres"] == pytest.approx(1295, abs=15)
    assert right["millilitres"] == pytest.approx(1675, abs=15)
    assert seen.data["warnings"] == []
    assert list(seen.files) == ["torso-labels.png", "torso-labels.nii.gz"]
    assert Image.open(io.BytesIO(seen.files["torso-labels.png"])).width >= 1536
    _, values = nifti.volume(seen.files["torso-labels.nii.gz"], SHAPE)
    places = np.argwhere(np.array(values).reshape(SHAPE, order="F") == 1)
    assert places[:, 0].min() > 48  # the sample stores x towards the patient's left
    json.dumps(seen.data)


def test_voxels_are_counted_exactly(good):
    """Voxels, share and millilitres of each label are those of the answer."""
    seen = checked(answered(good))
    assert [each["voxels"] for each in seen.data["labels"]] == [20, 6]
    assert seen.data["labels"][0]["share"] == 20 / (96 * 96 * 64)
    assert seen.data["labels"][0]["millilitres"] == round(20 * 3.75 * 3.75 * 5 / 1000, 1)
    assert seen.summary == "labels of 96 x 96 x 64 voxels: left lung 20 voxels (1.4 ml), right lung 6 voxels (0.4 ml)"


@pytest.mark.parametrize("kind", ["f8", "i2", "u8"])
def test_labels_of_any_type_and_scale_are_understood(kind):
    """Writers store labels as whatever they have at hand, and some with a slope."""
    assert [each["voxels"] for each in checked(answered(shared.nifti(labels(kind)))).data["labels"]] == [20, 6]
    halved = shared.nifti((labels(kind) * 2).astype(kind), scale=(0.5, 0))
    assert [each["voxels"] for each in checked(answered(halved)).data["labels"]] == [20, 6]


def test_a_bare_object_and_a_bare_file_are_accepted(good):
    """Some versions send no list around the row, or no string around the file."""
    bare = json.dumps(json.loads(answered(good, packed=False))[0]).encode()
    assert checked(bare).summary == checked(answered(good)).summary


def test_a_prompt_without_voxels_and_a_label_without_prompt_are_warnings():
    """They are reported, and the answer still counts."""
    seen = checked(answered(shared.nifti(labels() * np.uint8(2))), text="liver & spleen & kidney")
    assert seen.data["warnings"] == ["'liver' found nothing", "'kidney' found nothing", "label 4 belongs to no prompt"]
    assert seen.data["picture"]
    assert "'liver' found nothing" in seen.summary


def changed(values):
    return answered(shared.nifti(values))


DAMAGE = {
    "not JSON": (b"Bad gateway", r"expected JSON, got something else"),
    "two rows": (b"[{}, {}]", r"expected one object for the one row sent, got 2"),
    "other key": (b'[{"image_features": 1}]', r"expected the key 'nifti_file' .* got only 'image_features'"),
    "file is prose": (b'[{"nifti_file": "none"}]', r"expected JSON inside the string 'nifti_file', got 'none'"),
    "file is null": (b'[{"nifti_file": null}]', r"expected an object with data in 'nifti_file', got null"),
    "no data": (b'[{"nifti_file": "{}"}]', r"expected the key 'data'"),
    "not base64": (b'[{"nifti_file": {"data": "%"}}]', r"expected base64 text in 'data', got '%'"),
    "not NIfTI": (answered(b"\x89PNG" * 100), r"expected a NIfTI-1 header"),
    "cut off": (lambda good: answered(good[:-20]), r"got one that ends in"),
    "other size": (changed(labels()[:48]), r"a volume of 96 x 96 x 64 voxels like the one sent, got 48 x 96 x 64"),
    "nothing": (changed(labels() * np.uint8(0)), r"expected labels and background, got 0 for all 589824 voxels"),
    "everything": (changed(labels() * np.uint8(0) + np.uint8(1)), r"got 1 for all 589824 voxels"),
    "probabilities": (changed(labels("f4") * np.float32(0.4)), r"labels 0, 1, 2 and so on, got a voxel of 0.4"),
    "negative": (changed(-labels("i2")), r"labels 0, 1, 2 and so on, got a voxel of -[12]"),
    "not a number": (changed(labels("f4") * np.float32(np.nan)), r"got a voxel of nan"),
    "infinite": (changed(np.where(labels(), np.float32(np.inf), np.float32(0))), r"got a voxel of inf"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_message(good, name):
    """The reason contains what was expected and what the answer contains."""
    damage, words = DAMAGE[name]
    with pytest.raises(WrongAnswer, match=words):
        checked(damage if isinstance(damage, bytes) else damage(good))


def test_another_status_is_wrong_whatever_the_body(good):
    """A right body with a wrong status is a wrong answer."""
    with pytest.raises(WrongAnswer, match="expected HTTP status 200, got 424"):
        medimageparse3d.check(PROBE, FOLDER, 424, answered(good))


@given(shared.bodies("nifti_file", "data"))
def test_no_answer_raises_anything_but_wrong_answer(body):
    """Any response raises nothing but WrongAnswer."""
    with pytest.raises(WrongAnswer):
        checked(body)


def test_without_numpy_everything_is_checked_and_the_picture_is_excused(good, tmp_path):
    """On a machine without numpy and pillow the answer is still measured; only the picture is missing."""
    (tmp_path / "answer").write_bytes(answered(good))
    done = subprocess.run(
        [sys.executable, "-c", shared.WITHOUT_PICTURES, json.dumps(PROBE)],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert "left lung 20 voxels" in done.stdout
    assert "numpy is not installed" in done.stdout

"""What a right answer of MedImageParse is, and each way in which one can be wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.runtime import standins
from deploy.errors import DeployError
from deploy.probes import WrongAnswer, medimageparse

SIDE = 1024
MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"


def features(count=2, height=SIDE, width=SIDE, dtype="uint8", data=None):
    """The array of an answer: a square in each mask."""
    plane = bytearray(height * width)
    for y in range(min(100, height)):
        plane[y * width + 10 : y * width + 60] = b"\x80" * min(50, max(0, width - 10))
    data = bytes(plane) * count if data is None else data
    return {"data": base64.b64encode(data).decode(), "shape": [count, height, width], "dtype": dtype}


def answered(array, **more):
    row = {"image_features": json.dumps(array), "text_features": ["lung", "lung"], **more}
    return json.dumps([row]).encode()


@pytest.fixture(scope="module")
def good():
    return features()


def test_the_request_is_one_row_of_image_and_text(phantom, template):
    """The image travels as it is, in base64, beside the prompts."""
    body = json.loads(medimageparse.request(phantom, template))
    assert body["params"] == {}
    assert body["input_data"]["columns"] == ["image", "text"]
    assert body["input_data"]["index"] == [0]
    [[image, text]] = body["input_data"]["data"]
    assert base64.b64decode(image) == (template / "probe/phantom.png").read_bytes()
    assert text == "left lung & right lung"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": None}, "needs 'image'"),
        ({"text": " "}, "needs 'text'"),
        ({"text": "a & & b"}, "empty prompt"),
        ({"text": "a &"}, "empty prompt"),
        ({"image": "probe/none.png"}, "No such file"),
        ({"image": "../medimageparse/../../pyproject.toml"}, "outside the template's folder"),
        ({"image": "/etc/hostname"}, "outside the template's folder"),
    ],
)
def test_an_invalid_probe_is_refused_before_sending(phantom, template, change, words):
    """Missing keys are reported before a request is sent."""
    with pytest.raises(DeployError, match=words):
        medimageparse.request({**phantom, **change}, template)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 a JPEG", b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT" + b"\0" * 20])
def test_an_image_that_is_not_png_is_refused(phantom, tmp_path, content):
    """The size of the masks is checked against the PNG's header, so there must be one."""
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DeployError, match=r"'x\.png' is not a PNG image"):
        medimageparse.request({**phantom, "image": "x.png"}, tmp_path)


def test_the_stand_ins_answer_is_right(phantom, template):
    """Request, stand-in and check fit together, and the two dark ellipses of the phantom are found."""
    request = json.loads(medimageparse.request(phantom, template))
    body = json.dumps(standins.find(MODEL)(request)).encode()
    seen = medimageparse.check(phantom, template, 200, body)
    left, right = seen.data["masks"]
    assert (left["prompt"], right["prompt"]) == ("left lung", "right lung")
    assert left["category"] == "lung"
    assert seen.data["warnings"] == []
    assert left["centroid"] == pytest.approx((624.6, 511.5), abs=3)
    assert right["centroid"] == pytest.approx((399.4, 511.5), abs=4)
    assert left["area"] == pytest.approx(0.0268, abs=0.001)
    assert right["area"] == pytest.approx(0.0515, abs=0.002)
    assert seen.summary == "2 masks of 1024 x 1024 pixels: left lung 2.7%, right lung 5.0%"
    assert list(seen.files) == ["phantom-masks.png"] == [seen.data["picture"]]
    json.dumps(seen.data)


def test_a_mask_is_measured_to_the_pixel(phantom, template, good):
    """Box (right and bottom exclusive), pixels and centroid of a square are exact."""
    left = medimageparse.check(phantom, template, 200, answered(good)).data["masks"][0]
    assert left["pixels"] == 5000
    assert left["box"] == (10, 0, 60, 100)
    assert left["centroid"] == (34.5, 49.5)


def test_a_pixel_belongs_to_the_mask_from_128_upwards(phantom, template):
    """127 is background, 128 is foreground."""
    plane = bytes([127, 128, 255]) + bytes(SIDE * SIDE - 3)
    seen = medimageparse.check(phantom, template, 200, answered(features(data=plane * 2)))
    assert [mask["box"] for mask in seen.data["masks"]] == [(1, 0, 3, 1)] * 2


def test_a_bare_object_and_a_bare_array_are_accepted(phantom, template, good):
    """Some versions send no list around the row, or no string around the array."""
    body = json.dumps({"image_features": good}).encode()
    seen = medimageparse.check(phantom, template, 200, body)
    assert [mask["category"] for mask in seen.data["masks"]] == [None, None]


@pytest.mark.parametrize(
    ("fill", "words"), [(0, "'right lung' found nothing"), (255, "'right lung' covers the whole image")]
)
def test_one_empty_mask_is_a_warning(phantom, template, fill, words):
    """An empty or a full mask is reported, and the answer still counts."""
    size = SIDE * SIDE
    array = features(data=bytes([255]) + bytes(size - 1) + bytes([fill]) * size)
    seen = medimageparse.check(phantom, template, 200, answered(array))
    assert seen.data["warnings"] == [words]
    assert words in seen.summary


def redact_values(array, key):
    return {name: value for name, value in array.items() if name != key}


DAMAGE = {
    "not JSON": (
        b"Internal Server Error",
        r"expected JSON, got something else .*'Internal Server Error'",
    ),
    "HTML": (b"<!doctype html><title>Sign in</title>", r"an HTML page, 'Sign in'"),
    "empty": (b"", r"expected JSON, got something else: an empty body"),
    "cut off": (lambda good: answered(good)[:-200], r"expected JSON, got something else"),
    "encoded once more": (
        lambda good: json.dumps(answered(good).decode()).encode(),
        r"expected an object for the row sent, got a string: the whole answer is encoded once more",
    ),
    "no row": (b"[]", r"expected one object for the one row sent, got 0"),
    "two rows": (b"[{}, {}]", r"got 2"),
    "row is a number": (b"[7]", r"got a number"),
    "other key": (b'[{"nifti_file": ""}]', r"expected the key 'image_features' .* got only 'nifti_file'"),
    "no key": (b"[{}]", r"got only an empty object"),
    "features are prose": (
        b'[{"image_features": "none"}]',
        r"expected JSON inside the string 'image_features', got 'none'",
    ),
    "features are a list": (b'[{"image_features": "[1]"}]', r"expected an object .* got a list"),
    "no dtype": (lambda good: answered(redact_values(good, "dtype")), r"expected the key 'dtype'"),
    "no shape": (lambda good: answered(redact_values(good, "shape")), r"expected the key 'shape'"),
    "no data": (lambda good: answered(redact_values(good, "data")), r"expected the key 'data'"),
    "one mask too few": (lambda _: answered(features(count=1)), r"expected 2 masks for 2 prompts, got 1"),
    "other size": (
        lambda _: answered(features(height=512, width=256)),
        r"expected masks as large as the image, 1024 x 1024, got 256 x 512",
    ),
    "flat": (lambda good: answered({**good, "shape": [2 * SIDE * SIDE]}), r"a shape of .*, got \[2097152\]"),
    "shape of words": (lambda good: answered({**good, "shape": ["2", 1, 1]}), r"expected a shape of"),
    "shape of truth": (lambda good: answered({**good, "shape": [True, 1, 1]}), r"expected a shape of"),
    "float": (lambda good: answered({**good, "dtype": "float32"}), r"expected dtype uint8, got 'float32'"),
    "bytes missing": (
        lambda _: answered(features(data=bytes(100))),
        r"expected 2097152 bytes for the shape \[2, 1024, 1024\], got 100",
    ),
    "base64 cut": (lambda good: answered({**good, "data": good["data"][:-1]}), r"expected base64 text in 'data'"),
    "not base64": (lambda good: answered({**good, "data": "b'\\x00'"}), r"expected base64 text in 'data', got 'b'"),
    "data is null": (lambda good: answered({**good, "data": None}), r"expected base64 text in 'data', got null"),
    "no mask says anything": (
        lambda _: answered(features(data=bytes(SIDE * SIDE) + b"\xff" * SIDE * SIDE)),
        r"expected a mask of a part of the image, got 1 empty and 1 full",
    ),
    "categories are a string": (
        lambda good: answered(good, text_features="lung"),
        r"expected a list of categories in 'text_features', got a string",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_message(phantom, template, good, name):
    """The reason contains what was expected and what the answer contains."""
    damage, words = DAMAGE[name]
    with pytest.raises(WrongAnswer, match=words):
        medimageparse.check(phantom, template, 200, damage if isinstance(damage, bytes) else damage(good))


def test_another_status_is_wrong_whatever_the_body(phantom, template, good):
    """A right body with a wrong status is a wrong answer."""
    with pytest.raises(WrongAnswer, match="expected HTTP status 200, got 424"):
        medimageparse.check(phantom, template, 424, answered(good))


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["image_features", "data", "shape", "dtype"]), inner)
)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_answer_raises_anything_but_wrong_answer(body):
    """Any response raises nothing but WrongAnswer."""
    probe = {"type": "medimageparse", "image": "probe/phantom.png", "text": "lung"}
    with pytest.raises(WrongAnswer) as wrong:
        medimageparse.check(probe, Path(__file__).parents[3] / "templates/medimageparse", 200, body)
    assert "\x1b" not in wrong.value.reason


def test_without_numpy_everything_is_checked_and_the_picture_is_excused(template, good, tmp_path):
    """On a machine without numpy and pillow the answer is still measured; only the picture is missing."""
    (tmp_path / "answer").write_bytes(answered(good))
    code = (
        "import sys; sys.modules.update(numpy=None, PIL=None); from pathlib import Path; from deploy import probes;"
        "probe = {'type': 'medimageparse', 'image': 'probe/phantom.png', 'text': 'a & b'};"
        f"seen = probes.find('medimageparse').check(probe, Path({str(template)!r}), 200, Path('answer').read_bytes());"
        "print(seen.data['masks'][0]['pixels'], len(seen.files), seen.data['no_picture'])"
    )
    repository = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {repository!r}); {code}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "5000 0 numpy is not installed; pip install 'amldeploy[local]' adds pictures\n"

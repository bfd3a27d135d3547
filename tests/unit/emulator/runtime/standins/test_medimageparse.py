"""The stand-in for MedImageParse: its contract, and masks that depend on the image."""

from __future__ import annotations

import base64
import io
import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deploy.emulator.runtime.standins import ScoringError, find, medimageparse
from deploy.emulator.runtime.standins.prompts import parse_prompt

REPOSITORY = Path(__file__).parents[5]
CATEGORIES = {
    "liver", "lung", "kidney", "pancreas", "heart anatomies", "brain anatomies", "eye anatomies", "vessel",
    "other organ", "tumor", "infection", "other lesion", "fluid disturbance", "other abnormality",
    "histology structure", "other",
}  # fmt: skip
MODES = ["RGB", "L", "1", "P", "RGBA", "LA", "I;16"]


def encoded(pixels, mode="RGB"):
    image = Image.fromarray(pixels) if mode != "I;16" else Image.fromarray(pixels.astype(np.uint16) * 257)
    out = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def request(*rows):
    return {
        "input_data": {"columns": ["image", "text"], "index": list(range(len(rows))), "data": [list(r) for r in rows]}
    }


def masks(answer):
    array = json.loads(answer["image_features"])
    assert isinstance(answer["image_features"], str)
    assert array["dtype"] == "uint8"
    return np.frombuffer(base64.b64decode(array["data"]), np.uint8).reshape(array["shape"])


def scene():
    """A grey body on black, a dark hole on each side, a bright spot in the middle of its lower half."""
    pixels = np.zeros((200, 300), np.uint8)
    pixels[20:180, 30:270] = 110
    pixels[60:120, 60:110] = 5
    pixels[60:120, 200:240] = 5
    pixels[140:160, 140:160] = 250
    return pixels


def found(text, pixels=None):
    [answer] = medimageparse.score(request((encoded(scene() if pixels is None else pixels), text)))
    return masks(answer) > 127


def loaded_phantom():
    loader = SourceFileLoader("phantom_script", str(REPOSITORY / "scripts" / "phantom"))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_the_phantoms_dark_ellipses_are_found():
    """Left is on the image's right; each mask covers its ellipse, up to the part that a brighter one overlaps."""
    script = loaded_phantom()
    sample = (REPOSITORY / "templates/medimageparse/probe/phantom.png").read_bytes()
    row = (base64.b64encode(sample).decode(), "left lung & right lung")
    [answer] = medimageparse.score(request(row))
    seen = masks(answer) > 127
    for mask, ellipse in zip(seen, (script.RIGHT_ON_THE_IMAGE, script.LEFT_ON_THE_IMAGE), strict=True):
        true = script.inside(ellipse, 1024)
        assert (mask & true).sum() / (mask | true).sum() > 0.95
    assert answer["text_features"] == ["lung", "lung"]


def test_words_select_components():
    """Side, tone and size words each select the described component."""
    left, right, both, spot, body, largest = found(
        "left lung & right lung & lungs & bright spot & liver & largest dark hole"
    )
    assert (left[90, 220], left[90, 80]) == (True, False)
    assert (right[90, 220], right[90, 80]) == (False, True)
    assert np.array_equal(both, left | right)
    assert spot[150, 150]
    assert spot.sum() == pytest.approx(400, abs=80)
    assert body[30, 150]
    assert not body[90, 80]
    assert np.array_equal(largest, right)


def test_the_answer_follows_the_image():
    """Mirror the image, and the masks are mirrored and exchanged: nothing is painted from memory."""
    plain, mirrored = found("left lung & right lung"), found("left lung & right lung", scene()[:, ::-1])
    assert np.array_equal(mirrored[0], plain[1][:, ::-1])
    assert np.array_equal(mirrored[1], plain[0][:, ::-1])


def test_a_uniform_image_has_empty_masks():
    """There is nothing to segment."""
    assert not found("lung & skull", np.full((40, 50), 77, np.uint8)).any()


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    mode=st.sampled_from(MODES),
    seed=st.integers(0, 9),
    prompts=st.lists(st.text("abc lungleftrightbrightdark", max_size=20), min_size=1, max_size=4),
)
def test_n_prompts_give_n_masks_of_the_images_size(size, mode, seed, prompts):
    """Any image of any size and mode: one 0/255 mask a prompt, as large as the image."""
    pixels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    [answer] = medimageparse.score(request((encoded(pixels, mode), "&".join(prompts))))
    seen = masks(answer)
    assert seen.shape == (len(prompts), *size)
    assert set(np.unique(seen)) <= {0, 255}
    assert len(answer["text_features"]) == len(prompts)
    assert set(answer["text_features"]) <= CATEGORIES


def test_several_rows_give_as_many_answers():
    """One answer per row, in order."""
    small, large = encoded(scene()[:50, :50]), encoded(scene())
    answers = medimageparse.score(request((small, "lung"), (large, "lung & liver")))
    assert [masks(answer).shape for answer in answers] == [(1, 50, 50), (2, 200, 300)]


def test_columns_can_have_another_order():
    """They are found by name."""
    image = encoded(scene())
    turned = {"input_data": {"columns": ["text", "image"], "data": [["lung", image]]}}
    assert medimageparse.score(turned) == medimageparse.score(request((image, "lung")))


def test_line_breaks_in_base64_are_allowed():
    """Some clients encode with line breaks."""
    image = encoded(scene())
    broken = base64.encodebytes(base64.b64decode(image)).decode()
    assert medimageparse.score(request((broken, "lung"))) == medimageparse.score(request((image, "lung")))


def table(**change):
    whole = request((encoded(scene()), "lung"))
    whole["input_data"].update(change)
    return whole


REFUSED = {
    "no table": ({}, 400, "'input_data'"),
    "a list": ([], 400, "'input_data'"),
    "no columns": (table(columns=None), 400, "'columns'"),
    "no text column": (table(columns=["image", "words"]), 400, r"missing inputs \['text'\]"),
    "ragged rows": (table(data=[["x"]]), 400, "rows of 2"),
    "no rows": (table(data=[], index=[]), 400, "1 to 256 rows, it has 0"),
    "too many rows": (table(data=[["x", "y"]] * 257, index=None), 400, "1 to 256 rows, it has 257"),
    "index of another length": (table(index=[0, 1]), 400, "'index'"),
    "text is null": (table(data=[["", None]]), 400, "'text' must be text"),
    "image is null": (table(data=[[None, "lung"]]), 400, "'image' must be text"),
    "not base64": (table(data=[["%%%", "lung"]]), 500, "'image' is not base64"),
    "not ASCII": (table(data=[["\u00e9", "lung"]]), 500, "'image' is not base64"),
    "not an image": (table(data=[[base64.b64encode(b"hello").decode(), "lung"]]), 500, "not an image"),
    "cut off": (table(data=[[encoded(scene())[:200], "lung"]]), 500, "not an image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_model_refuses_is_refused(name):
    """A wrong table is 400, an image that cannot be read is 500, each with its reason."""
    body, status, words = REFUSED[name]
    with pytest.raises(ScoringError, match=words) as refused:
        medimageparse.score(body)
    assert refused.value.status == status


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["input_data", "columns", "data", "index", "image"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(ANYTHING | st.tuples(ANYTHING, ANYTHING).map(lambda two: table(columns=["image", "text"], data=[list(two)])))
def test_any_json_raises_only_scoring_errors(body):
    """For any JSON."""
    with pytest.raises(ScoringError):
        medimageparse.score(body)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_image_is_scored_or_refused(data):
    """Change bytes of a PNG anywhere: there is an answer or a ScoringError."""
    raw = bytearray(base64.b64decode(encoded(scene())))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=5)):
        raw[place] = data.draw(st.integers(0, 255))
    assert outcome(request((base64.b64encode(bytes(raw)).decode(), "lung"))) in (500, 1)


def outcome(body):
    """The status of a refusal, or how many masks there are."""
    try:
        [answer] = medimageparse.score(body)
    except ScoringError as refused:
        return refused.status
    return len(masks(answer))


@pytest.mark.parametrize(
    ("prompt", "category"),
    [
        ("left lung", "lung"),
        ("neoplastic cells in breast pathology", "histology structure"),
        ("lung nodule", "other lesion"),
        ("right kidney", "kidney"),
        ("left heart ventricle", "heart anatomies"),
        ("COVID-19 infection", "infection"),
        ("pleural effusion", "fluid disturbance"),
        ("spleen", "other organ"),
        ("aorta", "vessel"),
        ("brain tumor", "tumor"),
        ("zebra", "other"),
        ("", "other"),
    ],
)
def test_a_prompt_has_one_of_the_documented_categories(prompt, category):
    """Words decide the category; a lesion counts more than its organ."""
    assert parse_prompt(prompt).category == category
    assert category in CATEGORIES


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("azureml://registries/azureml/models/MedImageParse/versions/17", True),
        ("azureml://registries/azureml/models/medimageparse/labels/latest", True),
        ("azureml://registries/azureml/models/MedImageParse3D/versions/6", True),
        ("azureml://registries/azureml/models/MedImageInsight/versions/13", True),
        ("azureml://registries/azureml/models/CxrReportGen/versions/12", True),
        ("azureml://registries/azureml/models/Prov-GigaPath/versions/3", True),
        ("azureml://registries/azureml/models/GigaTIME/versions/1", False),
        ("/subscriptions/s/models/MedImageParse/versions/1", False),
        ("", False),
        (None, False),
    ],
)
def test_registry_models_are_found_by_name(model, known):
    """None for any other model."""
    assert (find(model) is not None) == known

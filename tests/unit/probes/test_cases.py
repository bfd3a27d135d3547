"""The shipped cases: right answers pass, also with harmless changes; wrong ones of a right form fail."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import io
import json
from datetime import date
from functools import cache
from importlib.machinery import SourceFileLoader

import numpy as np
import pytest
from PIL import Image

from benchmarks.wrong_answers.inputs import MODELS
from deploy.config.validation import cases as case_files
from deploy.documents import yaml12
from deploy.emulator.runtime import standins
from deploy.emulator.runtime.standins.gigapath import serialize
from deploy.probes import cases, differences
from tests.project import ROOT
from tests.unit.probes.given import template

TODAY = date(2026, 11, 30)


def probe_of(name):
    return {"type": name, "status": 200, "image": None, "text": None, "cases": "probe/cases"}


@cache
def shipped(name):
    """The cases of a template."""
    source = yaml12.parse("probe: {cases: probe/cases}", "pipeline.yml")
    named, problems = case_files.read(source, probe_of(name), template(name), ROOT)
    assert problems == []
    return named


@cache
def answer(name, request):
    """The answer of the stand-in, computed once."""
    model = f"azureml://registries/azureml/models/{MODELS[name]}/versions/1"
    return json.dumps(standins.find(model)(json.loads(request)))


def failures_of(name, change=None, request=None, seconds=0.1, named=None):
    """The failures of all cases when `change(row, name of the case)` alters each answer, and `request` each request."""
    found = []
    for each in named or shipped(name):

        def ask(body, each=each):
            row = json.loads(answer(name, request(body) if request else body))[0]
            return 200, json.dumps([change(row, each["name"]) if change else row]).encode(), seconds

        with cases.prepared(each, probe_of(name), template(name)) as ready:
            found.append(cases.run(each, ready, ask))
    return cases.failures(named or shipped(name), found, {}, TODAY)


def masks(change):
    """A change of the array of masks, [prompts, height, width]."""

    def of_row(row, _):
        packed = json.loads(row["image_features"])
        array = np.frombuffer(base64.b64decode(packed["data"]), np.uint8).reshape(packed["shape"])
        data = base64.b64encode(np.ascontiguousarray(change(array)).astype(np.uint8).tobytes()).decode()
        return {**row, "image_features": json.dumps({**packed, "data": data})}

    return of_row


def labels(change):
    """A change of the label volume, in the order it is stored."""

    def of_row(row, _):
        raw = bytearray(gzip.decompress(base64.b64decode(json.loads(row["nifti_file"])["data"])))
        shape = np.frombuffer(bytes(raw[42:48]), "<i2")
        array = np.frombuffer(bytes(raw[352:]), np.uint8).reshape(shape, order="F")
        raw[352:] = np.asarray(change(array)).astype(np.uint8).tobytes(order="F")
        data = base64.b64encode(gzip.compress(bytes(raw), 1)).decode()
        return {**row, "nifti_file": json.dumps({"data": data})}

    return of_row


def vector(change):
    """A change of the image's vector."""
    return lambda row, _: {**row, "image_features": [np.asarray(change(np.array(row["image_features"][0]))).tolist()]}


def tensor(change):
    def of_row(row, _):
        import zipfile

        with zipfile.ZipFile(io.BytesIO(base64.b64decode(row["image_features"]))) as archive:
            numbers = np.frombuffer(archive.read("archive/data/0"), "<f4")
        saved = serialize(np.asarray(change(numbers), np.float32))
        return {**row, "image_features": base64.b64encode(saved).decode()}

    return of_row


def report(change):
    return lambda row, _: {**row, "output": json.dumps(change(json.loads(row["output"])))}


def moved(array, step, axis):
    after = np.roll(array, step, axis)
    np.moveaxis(after, axis, 0)[:step] = 0
    return after


def half(array):
    """The mask in half of its size, in the upper left corner."""
    after = np.zeros_like(array)
    small = array[:, ::2, ::2]
    after[:, : small.shape[1], : small.shape[2]] = small
    return after


def edge(array):
    """One percent of the pixels at the edge of each mask, changed."""
    after = array.copy()
    for plane in after:
        inside = plane > 127
        shifted = [np.roll(inside, step, axis) for step in (1, -1) for axis in (0, 1)]
        places = np.flatnonzero(np.any([each != inside for each in shifted], axis=0))
        chosen = np.random.default_rng(1).choice(places, max(1, len(places) // 100), replace=False)
        flat = plane.reshape(-1)
        flat[chosen] = 255 - flat[chosen]
    return after


def one_pixel(array):
    after = np.zeros_like(array)
    after[..., 5, 5] = 255
    return after


def boxes(change):
    """A change of each box in shares of the square; a sentence without boxes stays."""
    return report(lambda found: [[text, [change(box) for box in some] if some else None] for text, some in found])


def shuffled(array, axis):
    return np.random.default_rng(3).permutation(array, axis=axis)


WRONG = {
    "medimageparse": {
        "left and right swapped": masks(lambda a: a[::-1]),
        "shifted by 8 pixels to the right": masks(lambda a: moved(a, 8, 2)),
        "shifted by 8 pixels down": masks(lambda a: moved(a, 16, 1)),
        "half the size": masks(half),
        "inverted": masks(lambda a: 255 - a),
        "empty": masks(lambda a: a * 0),
        "one mask empty": masks(lambda a: np.stack([a[0], a[1] * 0])),
        "one pixel": masks(one_pixel),
        "full": masks(lambda a: a * 0 + 255),
        "rows permuted": masks(lambda a: shuffled(a, 1)),
        "noise": masks(lambda a: np.random.default_rng(1).integers(0, 256, a.shape)),
        "the same mask twice": masks(lambda a: np.stack([a[0], a[0]])),
        "mirrored": masks(lambda a: a[:, :, ::-1]),
    },
    "medimageparse3d": {
        "left and right swapped": labels(lambda a: np.array([0, 2, 1])[a]),
        "shifted by 8 voxels": labels(lambda a: moved(a, 8, 0)),
        "one label lost": labels(lambda a: a * (a != 2)),
        "mirrored": labels(lambda a: a[::-1]),
        "inverted": labels(lambda a: (a == 0).astype(np.uint8)),
        "planes permuted": labels(lambda a: shuffled(a, 2)),
    },
    "medimageinsight": {
        "constant": vector(lambda v: v * 0 + 0.03),
        "permuted": vector(lambda v: shuffled(v, 0)),
        "negative": vector(lambda v: -v),
        "half as long": vector(lambda v: v / 2),
        "noise": vector(lambda v: np.random.default_rng(1).normal(size=v.shape)),
        "not a number": lambda row, _: {**row, "image_features": [[float("nan"), *row["image_features"][0][1:]]]},
        "the text's": lambda row, _: {**row, "image_features": row["text_features"]},
    },
    "gigapath": {
        "constant": tensor(lambda v: v * 0 + 0.03),
        "permuted": tensor(lambda v: shuffled(v, 0)),
        "half as long": tensor(lambda v: v / 2),
        "not a number": tensor(lambda v: np.where(np.arange(len(v)) == 7, np.nan, v)),
    },
    "cxrreportgen": {
        "a sentence lost": report(lambda f: f[:2] + f[3:]),
        "the first sentence lost": report(lambda f: f[1:]),
        "a sentence repeated": report(lambda f: [*f, f[1]]),
        "boxes in a wrong frame": boxes(lambda b: [x if i % 2 else (x * 400 + 120) / 640 for i, x in enumerate(b)]),
        "all boxes the same": boxes(lambda _: [0.2, 0.2, 0.6, 0.6]),
        "boxes without size": boxes(lambda _: [0.2, 0.2, 0.2, 0.2]),
        "mirrored": boxes(lambda b: [1 - b[2], b[1], 1 - b[0], b[3]]),
        "no boxes": report(lambda f: [[text, None] for text, _ in f]),
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "change"), [(name, each) for name, some in WRONG.items() for each in some])
def test_a_wrong_answer_fails(name, change):
    """Of a right form, and wrong: at least one case fails."""
    assert failures_of(name, WRONG[name][change]), change


@pytest.mark.parametrize("name", MODELS)
def test_the_answer_of_another_input_fails(name):
    """A model that always gives the answer to the last case; the shape of the masks may give it away."""
    last = shipped(name)[-1]
    with cases.prepared(last, probe_of(name), template(name)) as ready:
        stale = ready.requests[0][1]
    assert failures_of(name, request=lambda _: stale)


@pytest.mark.parametrize("name", MODELS)
def test_the_stand_ins_answer_passes(name):
    """Unchanged, and 20 % slower."""
    assert failures_of(name) == []
    assert failures_of(name, seconds=0.12) == []


def reordered(row, _):
    return dict(sorted(row.items(), reverse=True))


def half_precision(numbers):
    return np.asarray(numbers, np.float16).astype(float)


HARMLESS = {
    "medimageparse": {"edge": masks(edge), "keys": reordered},
    "medimageparse3d": {"keys": reordered},
    "medimageinsight": {"float16": vector(half_precision), "keys": reordered},
    "gigapath": {"float16": tensor(half_precision)},
    "cxrreportgen": {
        "keys": reordered,
        "boxes of two digits": boxes(lambda b: [round(x, 2) for x in b]),
    },
}


@pytest.mark.parametrize(("name", "change"), [(name, each) for name, some in HARMLESS.items() for each in some])
def test_a_harmless_change_passes(name, change):
    """Rounding, the order of keys, some pixels at an edge."""
    assert failures_of(name, HARMLESS[name][change]) == []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "medimageparse3d"])
def test_a_recompressed_input_passes(name):
    """The same picture as JPEG of quality 90."""

    def as_jpeg(body):
        table = json.loads(body)
        row = table["input_data"]["data"][0]
        out = io.BytesIO()
        Image.open(io.BytesIO(base64.b64decode(row[0]))).convert("RGB").save(out, "JPEG", quality=90)
        row[0] = base64.b64encode(out.getvalue()).decode()
        return json.dumps(table).encode()

    assert failures_of(name, request=as_jpeg) == []


def test_the_shipped_cases_are_what_the_script_makes(request):
    """Same inputs, masks and numbers, and less than 300 kB for each template; with `--laws full`, all of them."""
    loader = SourceFileLoader("made_cases", str(ROOT / "scripts" / "cases"))
    script = importlib.util.module_from_spec(importlib.util.spec_from_loader("made_cases", loader))
    loader.exec_module(script)
    made = {"cxrreportgen": script.cxr()}
    if request.config.getoption("--laws") == "full":
        made = script.templates()
        assert set(made) == set(MODELS)
    for name, files in made.items():
        folder = template(name) / "probe" / "cases"
        assert {path.name for path in folder.iterdir()} == set(files)
        for file, content in files.items():
            committed = (folder / file).read_bytes()
            if file.endswith(".png"):
                one, other = (np.asarray(Image.open(io.BytesIO(each))) for each in (committed, content))
                assert np.array_equal(one, other)
            elif not file.endswith(".gz"):
                assert committed == content
    sizes = [sum(p.stat().st_size for p in (template(name) / "probe" / "cases").iterdir()) for name in MODELS]
    assert max(sizes) < 300_000


def changed_case(name, number=0, **more):
    named = shipped(name)[number]
    return {**named, "case": {**named["case"], **more}}


def test_the_worst_failure_comes_first_and_a_waiver_ends():
    """An accepted failure is listed last, and counts again after its day."""
    accept = {"reason": "ticket 7", "until": "2026-11-30"}
    named = [changed_case("medimageparse", 0, accept=accept), *shipped("medimageparse")[1:]]
    found = failures_of("medimageparse", masks(lambda a: a[::-1]), named=named)
    assert [each.name for each in found] == ["phantom", "wide", "low"] or found[-1].name == "low"
    assert found[-1].waiver == "accepted until 2026-11-30: ticket 7"
    gaps = [each.gap for each in found[:-1]]
    assert gaps == sorted(gaps, reverse=True)
    results = [cases.Result("low", problem="wrong")]
    later = cases.failures(named[:1], results, {}, date(2026, 12, 1))
    assert [each.waiver for each in later] == [""]


def test_a_repeated_case_has_a_spread_and_its_worst_answer_counts():
    """Three answers, of which the second one is wrong."""
    named = changed_case("medimageparse", 0, repeat=3)
    asked = []

    def change(row, case):
        asked.append(case)
        return masks(lambda a: a[::-1])(row, case) if len(asked) == 2 else row

    def ask(body):
        return 200, json.dumps([change(json.loads(answer("medimageparse", body))[0], "low")]).encode(), 0.1 * len(asked)

    with cases.prepared(named, probe_of("medimageparse"), template("medimageparse")) as ready:
        result = cases.run(named, ready, ask)
    assert len(asked) == 3
    assert result.low["dice"] < 0.1 < 0.9 < result.high["dice"]
    assert result.seconds == pytest.approx((0.1, 0.3))
    assert cases.failures([named], [result], {}, TODAY)


def test_too_slow_and_worse_than_live():
    """max_seconds of the case; a value above its floor, more than the margin below the live deployment's."""
    named = changed_case("medimageparse", 0, max_seconds=0.15)
    slow = failures_of("medimageparse", seconds=0.2, named=[named])
    assert [each.words for each in slow] == ["expected an answer within 0.15 s (max_seconds), it took 0.20 s"]
    new, live = cases.Result("low", {"dice": 0.92}, {"dice": 0.92}), cases.Result("low", {"dice": 0.99}, {"dice": 0.99})
    [worse] = cases.failures([named], [new], {"low": live}, TODAY)
    assert worse.is_relative
    assert "0.940 or more (0.05 below the live deployment), got 0.920" in worse.words
    assert cases.failures([changed_case("medimageparse", 0, margin=0.1)], [new], {"low": live}, TODAY) == []


@pytest.mark.parametrize(
    ("new", "limits", "slow"),
    [
        ((1.0, 1.0), (1.5, 1.5), True),
        ((1.0, 0.7), (1.5, 1.5), False),  # one case is fast enough
        ((0.8, 1.0), (1.5, 2.5), False),  # its limit is higher
        ((0.74, 0.74), (1.0, 1.0), False),  # less than 0.25 s
    ],
)
def test_slower_than_the_live_deployment(new, limits, slow):
    """Only if every case is."""
    named = [
        {"name": name, "folder": ".", "case": changed_case("medimageparse", 0, max_slowdown=most)["case"]}
        for name, most in zip("ab", limits, strict=True)
    ]
    results = [cases.Result(name, seconds=(time, time + 5)) for name, time in zip("ab", new, strict=True)]
    live = {name: cases.Result(name, seconds=(0.1, 0.5)) for name in "ab"}

    found = cases.failures(named, results, live, TODAY)
    assert [(each.name, each.is_relative) for each in found] == ([("a", True)] if slow else [])
    assert not slow or "within 0.75 s (1.5 times that of the live deployment, max_slowdown)" in found[0].words
    assert cases.failures(named, results, {}, TODAY) == []


def test_a_second_look_keeps_the_shortest_and_the_longest_time():
    """So a deployment is slower only if it was twice."""
    first, second = [cases.Result("a", seconds=(1.0, 1.2))], [cases.Result("a", seconds=(0.4, 0.6))]
    assert cases.with_times(first, second)[0].seconds == (0.4, 1.2)


@pytest.mark.parametrize("name", ["medimageparse", "medimageparse3d", "cxrreportgen"])
def test_a_difference_is_drawn(name):
    """A PNG for masks, volumes and boxes; none for vectors."""
    named = shipped(name)[0]
    with cases.prepared(named, probe_of(name), template(name)) as ready:
        result = cases.run(named, ready, lambda body: (200, answer(name, body).encode(), 0.1))
    drawn = differences.picture(result)
    assert isinstance(drawn, bytes)
    assert min(Image.open(io.BytesIO(drawn)).size) > 500


def test_the_nearest_label_is_chosen():
    """Zero-shot: the label whose text vector is nearest to the image's."""
    vectors = {"ill": [1.0, 0.1], "well": [0.1, 1.0]}
    expect = {"label": "well", "labels": ["ill", "well"]}
    named = changed_case("medimageinsight", 0, expect=expect, floors={})

    def ask(body):
        text = json.loads(body)["input_data"]["data"][0][1]
        pad = [0.0] * 1022
        row = {"image_features": [[0.2, 0.9, *pad]], "text_features": [[*vectors[text], *pad]]}
        return 200, json.dumps([row]).encode(), 0.1

    with cases.prepared(named, probe_of("medimageinsight"), template("medimageinsight")) as ready:
        right = cases.run(named, ready, ask)
        vectors.update(ill=[0.1, 1.0], well=[1.0, 0.1])
        wrong = cases.run(named, ready, ask)
    assert right.low == {"label": 1.0}
    [failure] = cases.failures([named], [wrong], {}, TODAY)
    assert "expected 'well', answered 'ill'" in failure.words

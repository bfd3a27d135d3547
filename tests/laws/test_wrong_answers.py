"""A response with exactly one error fails its probe, and the message names the error. The emulator sends the
response.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, emulator
from tests.project import make_project
from tests.unit.probes.given import answer_of_the_stand_in

MODELS = {
    "medimageparse": ("MedImageParse", 17),
    "medimageparse3d": ("MedImageParse3D", 6),
    "medimageinsight": ("MedImageInsight", 13),
    "cxrreportgen": ("CxrReportGen", 12),
    "gigapath": ("Prov-GigaPath", 3),
    "http": ("MedImageInsight", 13),
}
Spoil = Callable[[Any], Any]
"""Takes the correct row and returns what is sent instead: a row, or raw text."""
EVERYWHERE: list[tuple[Spoil, str]] = [
    (lambda _: "<html><title>Sign in</title></html>", "an HTML page, 'Sign in'"),
    (lambda _: "\n", "an empty body"),
    (lambda row: json.dumps([row])[:-9], "expected JSON, got something else"),
    (lambda row: json.dumps([json.dumps(row)]), "encoded once more than expected"),
    (lambda _: "[]", "expected one object for the one row sent, got 0"),
]


def redact_values(key: str) -> tuple[Spoil, str]:
    return lambda row: {k: v for k, v in row.items() if k != key}, f"expected the key '{key}'"


def inside(key: str, change: Callable[[Any], Any]) -> Spoil:
    """The JSON inside the string `key`, changed."""
    return lambda row: {**row, key: json.dumps(change(json.loads(row[key])))}


def cut(text: str) -> str:
    return text[: len(text) // 4 * 2 + 1]


def vector_with(value: Any, length: int = 1024) -> Spoil:
    return lambda row: {**row, "image_features": [[value, *[0.5] * (length - 1)]]}


WRONG: dict[str, list[tuple[Spoil, str]]] = {
    "medimageparse": [
        redact_values("image_features"),
        (inside("image_features", lambda f: {**f, "shape": [1, *f["shape"][1:]]}), "mask"),
        (inside("image_features", lambda f: {**f, "shape": [2, 512, 2048]}), "1024"),
        (inside("image_features", lambda f: {**f, "dtype": "float32"}), "float32"),
        (inside("image_features", lambda f: {**f, "data": cut(f["data"])}), "base64"),
        (inside("image_features", lambda f: {**f, "data": f["data"][: len(f["data"]) // 8 * 4]}), "bytes"),
        (inside("image_features", lambda f: {"shape": f["shape"], "dtype": f["dtype"]}), "expected the key 'data'"),
        (lambda row: {**row, "image_features": "{'data': 1}"}, "expected JSON inside the string 'image_features'"),
        (lambda row: {**row, "text_features": row["text_features"][:1]}, "expected 2 categories .* got 1"),
    ],
    "medimageparse3d": [
        redact_values("nifti_file"),
        (inside("nifti_file", lambda f: {**f, "data": cut(f["data"])}), "base64"),
        (inside("nifti_file", lambda f: {**f, "data": f["data"][: len(f["data"]) // 8 * 4]}), "gzip|cut|end"),
        (
            inside("nifti_file", lambda f: {**f, "data": base64.b64encode(b"no gzip").decode()}),
            "expected 348 bytes for the header, got 7",
        ),
        (lambda row: {**row, "nifti_file": "oops"}, "expected JSON inside the string 'nifti_file'"),
    ],
    "medimageinsight": [
        redact_values("image_features"),
        (vector_with(0.1, 1023), "expected 1024 numbers in 'image_features', got 1023"),
        (vector_with(float("nan")), "expected a finite number in 'image_features' at 0, got nan"),
        (vector_with("0.1"), "expected a number in 'image_features' at 0, got a string"),
        (lambda row: {**row, "image_features": [[0.0] * 1024]}, "with values other than zero"),
        (lambda row: {**row, "image_features": row["image_features"] * 2}, "expected one vector"),
    ],
    "cxrreportgen": [
        redact_values("output"),
        (lambda row: {**row, "output": "a report"}, "expected JSON inside the string 'output'"),
        (inside("output", lambda _: []), "at least one finding"),
        (inside("output", lambda _: [["Shadow.", [[0.1, 0.1, 1.4, 0.5]]]]), "box 1 of finding 1"),
        (inside("output", lambda _: [["Shadow.", [[0.1, 0.1, 0.5]]]]), "box 1 of finding 1"),
        (inside("output", lambda _: [["Shadow.", [[0.1, 0.1, float("nan"), 0.5]]]]), "box 1 of finding 1"),
        (inside("output", lambda _: [["", None]]), "expected a sentence in finding 1"),
    ],
    "gigapath": [
        redact_values("image_features"),
        (lambda row: {**row, "image_features": cut(row["image_features"])}, "base64"),
        (
            lambda row: {**row, "image_features": row["image_features"][: len(row["image_features"]) // 8 * 4]},
            "zip",
        ),
        (lambda row: {**row, "image_features": [0.1, 0.2]}, "expected base64 text in 'image_features', got a list"),
        (lambda row: {**row, "image_features": ""}, "expected a zip archive .* got nothing"),
    ],
}


TEMPLATE = {
    "endpoint.yml.j2": 'name: "{{ values.name }}"\nauth_mode: key\n',
    "deployment.yml": (
        "name: blue\nendpoint_name: one\nmodel: azureml://registries/azureml/models/MedImageInsight/versions/13\n"
        "instance_type: Standard_NC24ads_A100_v4\ninstance_count: 1\n"
    ),
    "pipeline.yml": (
        "probe:\n  type: http\n  attempts: 1\n"
        "  answer: {type: object, required: [label], properties: {label: {enum: [ill, well]}}}\n"
    ),
}
"""What `http` expects of an endpoint without its own probe type."""
HTTP: list[tuple[Any, str]] = [
    ({"kind": "refuse", "status": 202, "body": '{"label": "well"}'}, "202"),
    ("<html><title>Sign in</title></html>", "an HTML page, 'Sign in'"),
    ('{"label": "we', "expected JSON, got something else"),
    ('{"lable": "well"}', r'at \$: required \["label"\], got \{"lable": "well"\}'),
    ('{"label": "dead"}', r'at \$\.label: enum \["ill", "well"\], got "dead"'),
]
"""What is sent instead of an answer, and what is said of it."""


def project_of(folder: Path, kind: str, answers: list[Any]) -> commands.Project:
    """A world with an endpoint of this type that receives traffic and sends the given response."""
    folder.mkdir()
    root = make_project(folder)
    for name, text in TEMPLATE.items():
        (root / "templates" / "http").mkdir(exist_ok=True)
        (root / "templates" / "http" / name).write_text(text)
    model, version = MODELS[kind]
    place = "subscription_id: 00000000-0000-0000-0000-000000000001\nresource_group: rg-local\nworkspace: mlw-local\n"
    body = f"cloud: local\n{place}endpoints: {{one: {{template: {kind}, values: {{name: one}}}}}}\n"
    (root / "environments" / "wrong.yml").write_text(body)
    deployment = {
        "name": "blue",
        "model": f"azureml://registries/azureml/models/{model}/versions/{version}",
        "instance_type": "Standard_NC24ads_A100_v4",
    }
    there = {"name": "one", "workspace": "mlw-local", "traffic": {"blue": 100}, "deployments": [deployment]}
    (root / "world.yml").write_text(json.dumps({"endpoints": [there]}))
    orders = [
        {"plane": "scoring", "number": n}
        | (body if isinstance(body, dict) else {"kind": "refuse", "status": 200, "body": body})
        for n, body in enumerate(answers, 1)
    ]
    (root / "faults.yml").write_text(json.dumps({"faults": orders}))
    project = commands.Project(root)
    emulator.begin(project.state, world=root / "world.yml", faults=root / "faults.yml")
    return project


def as_sent(spoiled: Any) -> str:
    return spoiled if isinstance(spoiled, str) else json.dumps([spoiled])


@pytest.mark.parametrize("kind", WRONG)
def test_each_error_is_named(tmp_path: Path, kind: str) -> None:
    """One error, one sentence about it; after all of them, the correct response passes."""
    probe = next(
        spec.pipeline.probe.model_dump(mode="json")
        for spec in commands.validate(project_of(tmp_path / "a", kind, []), "wrong")[1]
        if spec.pipeline.probe
    )
    answer = json.loads(answer_of_the_stand_in(probe, MODELS[kind][0]))
    row = answer[0] if isinstance(answer, list) else answer
    cases = [*EVERYWHERE, *WRONG[kind]]
    project = project_of(tmp_path / "b", kind, [as_sent(spoil(row)) for spoil, _ in cases])
    for _, words in cases:
        [outcome] = commands.probe(project, "wrong", emit=lambda _: None).report.outcomes
        assert outcome.error is not None, words
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(outcome.error["message"])
        assert outcome.attempts == 1

    [right] = commands.probe(project, "wrong", emit=lambda _: None).report.outcomes
    assert right.error is None


@pytest.mark.parametrize(("answer", "words"), HTTP, ids=[words[:20] for _, words in HTTP])
def test_errors_of_any_response_are_named(tmp_path: Path, answer: Any, words: str) -> None:
    """Status and format of an endpoint without its own probe type; a response of this format passes."""
    right = '{"label": "well"}'
    project = project_of(tmp_path / "a", "http", [answer, right])
    [outcome] = commands.probe(project, "wrong", emit=lambda _: None).report.outcomes
    assert outcome.error is not None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(outcome.error["message"])

    [again] = commands.probe(project, "wrong", emit=lambda _: None).report.outcomes
    assert again.error is None


def test_a_slow_response_fails(tmp_path: Path) -> None:
    """For every probe type, even if the response is correct; in time, the same response passes."""
    project = project_of(tmp_path / "a", "medimageinsight", [{"kind": "drip", "seconds": 3}])
    pipeline = project.root / "templates" / "medimageinsight" / "pipeline.yml.j2"
    pipeline.write_text(
        pipeline.read_text().replace("type: medimageinsight", "type: medimageinsight\n  max_seconds: 2s")
    )
    [late] = commands.probe(project, "wrong", emit=lambda _: None).report.outcomes
    [timely] = commands.probe(project, "wrong", emit=lambda _: None).report.outcomes

    assert late.error is not None
    assert late.error["code"] == "AML376"
    assert "expected an answer within 2 s (max_seconds), it took 3." in late.error["message"]
    assert timely.error is None

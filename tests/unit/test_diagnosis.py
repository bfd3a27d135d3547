"""Why a deployment failed: the cause, the field to change, the lines that say so."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.diagnosis import LINES, diagnose
from tests.project import ROOT

SCHEMA = json.loads((ROOT / "deploy" / "schemas" / "report.json").read_text())
SCRIPT = "Traceback (most recent call last):\n  File 'score.py', line 3\nModuleNotFoundError: No module named 'monai'"
TABLE = [
    ("AML310", "Not enough quota available", {}, "quota", "instance_type"),
    ("AML340", "ResourceNotReady", {"InferenceServer": "Killed: OOMKilled"}, "out_of_memory", "instance_type"),
    ("AML313", "x", {}, "disk", "instance_type"),
    ("AML342", "SecretsInjectionError", {}, "secrets", "environment_variables"),
    ("AML344", "x", {}, "role", "roles"),
    ("AML347", "x", {}, "image_pull", "environment.image"),
    ("AML341", "x", {}, "image_build", "environment.conda_file"),
    ("AML340", "x", {"StorageInitializer": "Download of model failed: BlobNotFound"}, "model_download", "model"),
    ("AML340", "User container has crashed", {"InferenceServer": SCRIPT}, "init_failed", "code_configuration"),
    ("AML340", "Liveness probe failed", {"InferenceServer": "loading"}, "probe_too_early", "liveness_probe"),
    ("AML300", "whatever", {"InferenceServer": "all is well"}, "unknown", ""),
]


@pytest.mark.parametrize(("code", "words", "logs", "cause", "field"), TABLE, ids=[row[3] for row in TABLE])
def test_each_cause_is_told(code: str, words: str, logs: dict[str, str], cause: str, field: str) -> None:
    """By our code, by Azure's words, or by what a container said last."""
    found = diagnose(code, words, logs)

    assert found.cause == cause
    assert found.field.startswith(field)
    assert bool(found.evidence) == (cause != "unknown")


def test_the_last_lines_are_kept() -> None:
    """Some lines of each container; the whole log is a file."""
    log = "\n".join(f"line {n}" for n in range(100))
    assert diagnose("AML340", "x", {"InferenceServer": log}).logs["InferenceServer"][-1] == "line 99"
    assert len(diagnose("AML340", "x", {"InferenceServer": log}).logs["InferenceServer"]) == LINES


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["StorageInitializer", "InferenceServer"]), st.text()))
def test_any_text_gives_a_diagnosis_of_the_schema(code: str, words: str, logs: dict[str, str]) -> None:
    """Whatever was said, the report's JSON is as promised."""
    body = json.loads(json.dumps(diagnose(code, words, logs, azure_codes=["A"], state="Failed").as_json()))
    jsonschema.validate(body, {**SCHEMA["$defs"]["diagnosis"]})

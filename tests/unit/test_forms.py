"""Every form that `-o` offers, of every verb that only looks: it works, and JSON fits the schema of its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import deploy
from tests.project import ROOT, make_project

SCHEMAS = Path(deploy.__file__).parent / "schemas"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with an endpoint that serves callers."""
    root = make_project(tmp_path_factory.mktemp("forms"))
    assert run(root, "apply", "-e", "local").returncode == 0
    return root


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", "deploy", *words], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def fits(name: str, text: str) -> Any:
    body = json.loads(text)
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text())).validate(body)
    return body


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("render", ("render",)),
        ("validate", ("validate",)),
        ("plan", ("plan",)),
        ("status", ("status",)),
        ("logs", ("logs", "mip")),
        ("report", ("probe",)),
        ("report", ("apply",)),
    ],
)
def test_each_verb_speaks_each_form(project: Path, schema: str, words: tuple[str, ...]) -> None:
    """JSON is one document that fits its schema; the other forms are words."""
    verb, *rest = words
    ran = {form: run(project, verb, "-e", "local", *rest, "-o", form) for form in ("json", "markdown", "text")}
    assert [each.returncode for each in ran.values()] == [0, 0, 0]
    assert fits(schema, ran["json"].stdout)
    assert all(ran[form].stdout.strip() for form in ("markdown", "text"))
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(ran["markdown"].stdout)


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (64, ("plan", "-e", "local", "nobody")),
        (3, ("plan", "-e", "nowhere")),
        (4, ("rollback", "-e", "local", "--yes")),
    ],
)
def test_a_failure_is_json_too(project: Path, exit_code: int, words: tuple[str, ...]) -> None:
    """Whoever asked for JSON reads the failure in it, with the exit code that the process leaves."""
    ran = run(project, *words, "-o", "json")
    assert ran.returncode == exit_code
    assert fits("error", ran.stdout)["error"]["exit"] == exit_code

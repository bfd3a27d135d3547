"""Every form that `-o` offers, of every verb that only looks: it works, and JSON fits the schema of its name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import deploy
from deploy.errors import CloudError, DeployError, Finding, Place, Problem, Refused, SpecError, StalePlan
from deploy.reporter import error_json
from tests.fork_server import ForkServer
from tests.project import ROOT, make_project

SCHEMAS = Path(deploy.__file__).parent / "schemas"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer) -> Path:
    """One with an endpoint that serves callers."""
    root = make_project(tmp_path_factory.mktemp("forms"))
    assert amldeploy.run(root, "apply", "-e", "local").returncode == 0
    return root


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
def test_each_verb_speaks_each_form(amldeploy: ForkServer, project: Path, schema: str, words: tuple[str, ...]) -> None:
    """JSON is one document that fits its schema; the other forms are words."""
    verb, *rest = words
    ran = {
        form: amldeploy.run(project, verb, "-e", "local", *rest, "-o", form) for form in ("json", "markdown", "text")
    }
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
        (4, ("rollback", "-e", "local", "--all", "--yes")),
    ],
)
def test_a_failure_is_json_too(amldeploy: ForkServer, project: Path, exit_code: int, words: tuple[str, ...]) -> None:
    """Whoever asked for JSON reads the failure in it, with the exit code that the process leaves."""
    ran = amldeploy.run(project, *words, "-o", "json")
    assert ran.returncode == exit_code
    assert fits("error", ran.stdout)["error"]["exit"] == exit_code


def test_the_emulator_speaks_json(amldeploy: ForkServer, tmp_path: Path) -> None:
    """Each of its commands prints one document, which fits the part of the schema that has its name."""
    whole = json.loads((SCHEMAS / "emulator.json").read_text())
    order = (
        ("start",),
        ("status",),
        ("env",),
        ("clock",),
        ("requests",),
        ("reset",),
        ("stop",),
        ("status",),
        ("stop",),
    )
    for words in order:
        ran = amldeploy.run(tmp_path, "emulator", *words, "-o", "json")
        assert ran.returncode == 0, ran.stderr
        part = {**whole["$defs"][words[0]], "$schema": whole["$schema"]}
        jsonschema.Draft202012Validator(part).validate(json.loads(ran.stdout))
        fits("emulator", ran.stdout)


@pytest.mark.parametrize("words", [("explain",), ("explain", "AML310")])
def test_explain_speaks_json(amldeploy: ForkServer, tmp_path: Path, words: tuple[str, ...]) -> None:
    """One code or all of them."""
    assert fits("explain", amldeploy.run(tmp_path, *words, "-o", "json").stdout)


def test_import_speaks_json(amldeploy: ForkServer, project: Path, tmp_path: Path) -> None:
    """What was written, and what was not."""
    project = shutil.copytree(project, tmp_path / "copy")
    (row,) = json.loads(amldeploy.run(project, "status", "-e", "local", "-o", "json").stdout)["endpoints"]
    there = (project / "environments" / "local.yml").read_text()
    (project / "environments" / "other.yml").write_text(there.replace("  mip:", "  elsewhere:"))
    ran = amldeploy.run(project, "import", "-e", "other", "--endpoint", row["name"], "--key", "again", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert fits("import", ran.stdout)["key"] == "again"


def test_a_watch_prints_a_document_a_line(project: Path) -> None:
    """JSON lines: whoever reads them needs no parser that looks for the end of a document."""
    command = [sys.executable, "-m", "deploy", "status", "-e", "local", "--watch", "--every", "1", "-o", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout
            lines = [watching.stdout.readline() for _ in range(2)]
            watching.send_signal(signal.SIGINT)
            watching.stdout.read()
    finally:
        signal.signal(signal.SIGINT, before)
    assert [bool(fits("status", line)["endpoints"]) for line in lines] == [True, True]


@pytest.mark.parametrize("group", [(), ("emulator",), ("github",)])
def test_help_says_each_command_in_one_line(amldeploy: ForkServer, tmp_path: Path, group: tuple[str, ...]) -> None:
    """On 80 columns, nothing is cut."""
    said = amldeploy.run(tmp_path, *group, "--help", COLUMNS="80").stdout
    listed = said.partition("Commands:")[2].strip().splitlines()

    assert listed
    assert [line for line in listed if "..." in line or not line.endswith(".")] == []


@pytest.mark.parametrize(
    "error",
    [
        Refused([Finding("endpoint/mip", "AML240", "it is so", "Mend it")]),
        StalePlan("apply the plan", "the world moved", "Plan again", code="AML700"),
        CloudError("create endpoint/mip", "no", "Mend it", code="AML300"),
        SpecError([Problem(Place("a.yml"), "AML101", "It is so.", "Mend it.")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_message_does_not_begin_with_its_code(error: DeployError) -> None:
    """The code has a field of its own beside it."""
    told = error_json(error)["error"]
    assert not told["message"].startswith("AML")
    assert told["message"].startswith(("cannot ", "a.yml:1:1: "))

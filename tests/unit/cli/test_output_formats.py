"""Every form of `-o`, of every command without a change, and `--help`. JSON matches the schema of its name."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

import deploy
from deploy.cli import app
from deploy.errors import CloudError, DeployError, Exit, Finding, Place, Problem, Refused, SpecError, StalePlan
from deploy.reporter import error_json
from tests.fork_server import ForkServer
from tests.project import ROOT, make_project

SCHEMAS = Path(deploy.__file__).parent / "schemas"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer) -> Path:
    """A project with an endpoint that receives traffic."""
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
def test_each_command_prints_each_form(
    amldeploy: ForkServer, project: Path, schema: str, words: tuple[str, ...]
) -> None:
    """JSON is one document that matches its schema; the other forms are text."""
    verb, *rest = words
    ran = {
        form: amldeploy.run(project, verb, "-e", "local", *rest, "-o", form) for form in ("json", "markdown", "text")
    }
    assert [each.returncode for each in ran.values()] == [0, 0, 0]
    assert fits(schema, ran["json"].stdout)
    assert all(ran[form].stdout.strip() for form in ("markdown", "text"))
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(ran["markdown"].stdout)


def test_validate_warns_of_keys_without_effect(amldeploy: ForkServer, tmp_path: Path) -> None:
    """On stderr, and in the JSON document; the files are valid."""
    root = make_project(tmp_path)
    (root / "templates" / "shown").mkdir()
    for name, text in {
        "templates/shown/endpoint.yml": "name: shown\nscoring_uri: https://x\n",
        "templates/shown/blue-deployment.yml": "model: azureml:m:1\ninstance_type: Standard_F2s_v2\ninstance_count: 1",
        "environments/local.yml": (root / "environments" / "local.yml").read_text().partition("endpoints:")[0]
        + "endpoints: {shown: {template: shown}}\n",
    }.items():
        (root / name).write_text(text)
    ran = amldeploy.run(root, "validate", "-e", "local", "-o", "json")
    words = "templates/shown/endpoint.yml:2:1: AML147 Azure sets scoring_uri, so it is ignored here. Remove it."
    assert (ran.returncode, fits("validate", ran.stdout)["warnings"]) == (0, [words])
    assert f"Warning: {words}" in " ".join(ran.stderr.split())


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (64, ("plan", "-e", "local", "unknown")),
        (3, ("plan", "-e", "nowhere")),
        (4, ("rollback", "-e", "local", "--all", "--yes")),
    ],
)
def test_an_error_is_json_too(amldeploy: ForkServer, project: Path, exit_code: int, words: tuple[str, ...]) -> None:
    """With -o json the error is a JSON document with the exit code of the process."""
    ran = amldeploy.run(project, *words, "-o", "json")
    assert ran.returncode == exit_code
    assert fits("error", ran.stdout)["error"]["exit"] == exit_code


def test_the_emulator_commands_print_json(amldeploy: ForkServer, tmp_path: Path) -> None:
    """Each prints one document that matches the part of the schema with its name."""
    python = tmp_path / "python"  # its venv is a copy of itself, and its pip does nothing
    python.write_text('#!/bin/sh\n[ "$2" = venv ] && mkdir -p "$4/bin" && cp "$0" "$4/bin/python"\nexit 0\n')
    python.chmod(0o755)
    whole = json.loads((SCHEMAS / "emulator.json").read_text())
    order = (
        ("start",),
        ("status",),
        ("env",),
        ("clock",),
        ("requests",),
        ("scoring", "--python", str(python)),
        ("scoring",),
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
def test_explain_prints_json(amldeploy: ForkServer, tmp_path: Path, words: tuple[str, ...]) -> None:
    """One code or all of them."""
    assert fits("explain", amldeploy.run(tmp_path, *words, "-o", "json").stdout)


def test_import_prints_json(amldeploy: ForkServer, project: Path, tmp_path: Path) -> None:
    """The files that were written, and the values that were left out."""
    project = shutil.copytree(project, tmp_path / "copy")
    (row,) = json.loads(amldeploy.run(project, "status", "-e", "local", "-o", "json").stdout)["endpoints"]
    there = (project / "environments" / "local.yml").read_text()
    (project / "environments" / "other.yml").write_text(there.replace("  mip:", "  elsewhere:"))
    ran = amldeploy.run(project, "import", "-e", "other", "--endpoint", row["name"], "--key", "again", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert fits("import", ran.stdout)["key"] == "again"


def test_init_prints_json(amldeploy: ForkServer, tmp_path: Path) -> None:
    """What was written and what was kept; markdown and text are the same."""
    assert fits("init", amldeploy.run(tmp_path, "init", "--github", "-o", "json").stdout)["notes"]
    ran = amldeploy.run(tmp_path, "init", "-o", "json")
    assert fits("init", ran.stdout)["written"] == []
    assert ran.stderr == ""
    text = amldeploy.run(tmp_path, "init")
    assert text.stdout.splitlines()[0] == "kept     templates/medimageparse"
    assert text.stderr == "Next: amldeploy apply -e local, then amldeploy invoke -e local\n"


def test_schemas_are_written(amldeploy: ForkServer, tmp_path: Path) -> None:
    """Those of the user's files, into a folder; a single name is printed."""
    ran = amldeploy.run(tmp_path, "schema", "--write", "editor")
    assert sorted(ran.stdout.splitlines()) == sorted(f"editor/{path.name}" for path in (tmp_path / "editor").iterdir())
    assert len(ran.stdout.splitlines()) == 6
    assert amldeploy.run(tmp_path, "schema", "endpoint", "--write", "editor").returncode == Exit.USAGE


def test_a_watch_prints_one_document_per_line(project: Path) -> None:
    """JSON lines, so that a reader needs no parser that finds the end of a document."""
    command = [sys.executable, "-m", "deploy", "status", "-e", "local", "--watch", "--every", "1", "-o", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    try:
        with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout
            lines = [watching.stdout.readline() for _ in range(2)]
            watching.send_signal(signal.SIGINT)
            watching.stdout.read()
    finally:
        signal.signal(signal.SIGINT, before)
    assert [bool(fits("status", line)["endpoints"]) for line in lines] == [True, True]


def helps(root: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path and the help of the command line and of every command in it, at 80 columns."""
    ran = CliRunner().invoke(app, [*path, "-h"], env={"COLUMNS": "80"}, prog_name="amldeploy")
    assert ran.exit_code == 0
    yield path, ran.stdout
    found = root
    for name in path:
        found = found.commands[name]
    for name in getattr(found, "commands", {}):
        yield from helps(root, (*path, name))


HELPS = dict(helps(typer.main.get_command(app)))


@pytest.mark.parametrize("path", [(), ("emulator",), ("github",), ("lease",)])
def test_a_group_lists_each_command_in_one_line(path: tuple[str, ...]) -> None:
    """At 80 columns, without a cut."""
    listed = [line for line in HELPS[path].partition("-h, --help")[2].splitlines()[1:] if line.startswith("  ")]

    assert listed
    assert [line for line in listed if "..." in line or not line.endswith(".")] == []


def test_help_lists_at_most_twenty_commands() -> None:
    """More is not read. A new command goes into a group, or becomes an option of one that exists."""
    listed = re.findall(r"^  [a-z]", HELPS[()].partition("-h, --help")[2], re.MULTILINE)

    assert 10 < len(listed) <= 20


def test_commands_are_grouped() -> None:
    """In the order in which a user needs them."""
    headings = [line for line in HELPS[()].splitlines() if line.endswith(":") and not line.startswith((" ", "Usage"))]

    assert headings == ["Options:", "Deploy:", "Inspect:", "Set up:", "Emulator:"]


@pytest.mark.parametrize("path", HELPS, ids=" ".join)
def test_help_is_complete(path: tuple[str, ...]) -> None:
    """No Python types; each command has an example, and a docs page that exists; no line is longer than 80 columns."""
    text = HELPS[path]

    assert not re.search(r"<(list|int|float|path|str|bool)|\b(TEXT|INTEGER|PATH)\b", text)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    if not re.search(r"\nCommands:|\nDeploy:", text):
        example = re.search(r"\nExample: (.*)", text)
        docs = re.search(r"\nDocs: +(.*)", text)
        assert example
        assert docs
        assert example[1].startswith(" ".join(("amldeploy", *path)))
        assert (ROOT / docs[1]).is_file()


def test_the_version_is_printed(amldeploy: ForkServer, tmp_path: Path) -> None:
    """As `amldeploy VERSION`."""
    assert amldeploy.run(tmp_path, "--version").stdout == f"amldeploy {version('amldeploy')}\n"


def test_no_arguments_print_the_help(amldeploy: ForkServer, tmp_path: Path) -> None:
    """The same text as --help."""
    assert amldeploy.run(tmp_path).stdout == amldeploy.run(tmp_path, "--help").stdout


@pytest.mark.parametrize(
    "error",
    [
        Refused([Finding("endpoint/mip", "AML240", "it is so", "Fix it")]),
        StalePlan("apply the plan", "the world moved", "Plan again", code="AML700"),
        CloudError("create endpoint/mip", "no", "Fix it", code="AML300"),
        SpecError([Problem(Place("a.yml"), "AML101", "It is so.", "Fix it.")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_message_does_not_begin_with_its_code(error: DeployError) -> None:
    """The code has a field of its own beside it."""
    told = error_json(error)["error"]
    assert not told["message"].startswith("AML")
    assert told["message"].startswith(("cannot ", "a.yml:1:1: "))

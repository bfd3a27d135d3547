"""The emulator's commands: what they print, what they refuse, and with which exit code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from typer.testing import CliRunner

from deploy import emulator
from deploy.cli import emulator_commands, runner
from deploy.cli.emulator_commands import Shell
from deploy.errors import Exit
from tests.project import ROOT

DOCS = ROOT / "docs" / "emulator"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    emulator.stop(tmp_path / "state")


def said(*words: str) -> str:
    """What a command prints on stdout."""
    ran = CliRunner().invoke(emulator_commands.app, list(words))
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_start_uses_its_options(state: Path) -> None:
    """A world file, faults, a faster clock. A second start finds the running emulator."""
    options = ["--world", str(DOCS / "world.yml"), "--faults", str(DOCS / "faults.yml"), "--time-scale", "60"]
    first = said("start", "--state", str(state), "--profile", "realistic", "--throttle", *options)
    assert said("start", "--state", str(state)) == first
    assert json.loads(said("status", "--state", str(state), "-o", "json"))["running"] is True
    assert "ARM_CLOUD_METADATA_URL=" in said("env", "--state", str(state))
    assert said("reset", "--state", str(state)) == "The emulator's data is reset.\n"
    assert said("stop", "--state", str(state)) == "The emulator is stopped.\n"


@given(some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_value_is_quoted_for_sh(value: str) -> None:
    """As the words of a shell are split."""
    assert shlex.split(emulator_commands.assignment(Shell.SH, "NAME", value)) == ["export", f"NAME={value}"]


@given(some.text() | some.text("'\u2018\u2019\u201a\u201b$`\"\n a"))
def test_any_value_is_quoted_for_powershell(value: str) -> None:
    """By its rule: a text in single quotes is verbatim, except for two quotes in a row, which mean the second."""
    quotes = "'\u2018\u2019\u201a\u201b"
    line = emulator_commands.assignment(Shell.POWERSHELL, "NAME", value)
    assert line.startswith("$env:NAME = '")
    read, rest = "", line.removeprefix("$env:NAME = '")
    while rest[0] not in quotes or (len(rest) > 1 and rest[1] in quotes):
        skipped = 1 if rest[0] in quotes else 0
        read, rest = read + rest[skipped], rest[skipped + 1 :]
    assert (read, rest) == (value, "'")


def test_env_prints_the_same_variables_for_each_shell(state: Path) -> None:
    """With the token of the control API, and the bundle in both variables."""
    said("start", "--state", str(state))
    values = json.loads(said("env", "--state", str(state), "-o", "json"))
    assert values["SSL_CERT_FILE"] == values["REQUESTS_CA_BUNDLE"] == str(state / "tls" / "bundle.pem")
    assert len(values["AMLDEPLOY_EMULATOR_TOKEN"]) > 30
    sh = said("env", "--state", str(state)).splitlines()
    assert sh == said("env", "--state", str(state), "--shell", "sh").splitlines()
    assert [line.partition("=")[0].split()[1] for line in sh] == list(values)
    powershell = said("env", "--state", str(state), "--shell", "powershell").splitlines()
    assert powershell == [f"$env:{name} = '{value}'" for name, value in values.items()]


def test_requests_are_a_table_or_json(state: Path) -> None:
    """With what they did, how long they took, and what the emulator noted."""
    import requests

    with emulator.embed(state, faults=[{"kind": "refuse", "status": 503, "path": "*/metadata/*"}]) as running:
        for _ in range(2):
            requests.get(f"{running.url}/metadata/endpoints", verify=running.ca, timeout=10)
    heading, refused, answered = said("requests", "--state", str(state)).splitlines()
    assert heading.split() == ["number", "method", "status", "ms", "operation", "path"]
    assert refused.split()[:3] == ["1", "GET", "503"]
    assert refused.endswith("Metadata_Endpoints  /metadata/endpoints  [fault 1: refuse]")
    assert answered.split()[:3] == ["2", "GET", "200"]
    rows = json.loads(said("requests", "--state", str(state), "--after", "1", "-o", "json"))
    assert [(row["number"], row["milliseconds"] > 0) for row in rows] == [(2, True)]
    assert json.loads(said("requests", "--state", str(state), "--mutating", "-o", "json")) == []


def test_an_invalid_file_is_reported(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3, as for every invalid file; nothing is started."""
    (tmp_path / "faults.yml").write_text("faults:\n  - {kind: los}\n")
    left = runner.exit_code(
        lambda: emulator_commands.app(
            ["start", "--state", str(state), "--faults", str(tmp_path / "faults.yml")], standalone_mode=False
        )
    )
    assert left == Exit.FILES
    told = capsys.readouterr().err
    assert "faults.yml:2:12" in told
    assert "AML150" in told
    assert emulator.find(state) is None


def test_a_port_in_use_is_reported(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 64, with a cure."""
    with emulator.embed(tmp_path / "other") as running:
        port = running.url.rpartition(":")[2]
        left = runner.exit_code(
            lambda: emulator_commands.app(["start", "--state", str(state), "--port", port], standalone_mode=False)
        )
    assert left == Exit.USAGE
    assert "Choose another --port" in " ".join(capsys.readouterr().err.split())


def test_start_stop_and_reset_print_json(state: Path) -> None:
    """Whether it was started, whether one was stopped, where a broken world went."""
    words = ("--state", str(state), "-o", "json")
    first, second = (json.loads(said("start", *words)) for _ in range(2))
    assert (first["started"], second["started"]) == (True, False)
    assert (first["running"], first["url"], first["pid"]) == (True, second["url"], second["pid"])
    assert [json.loads(said("stop", *words)) for _ in range(2)] == [{"stopped": True}, {"stopped": False}]
    assert json.loads(said("reset", *words)) == {"reset": True, "aside": None}
    for siblings in state.glob("world.sqlite*"):
        siblings.write_bytes(b"no world, whatever its name may say")
    assert json.loads(said("reset", *words))["aside"].endswith("world.broken")


def test_an_unreadable_record_is_reported(state: Path) -> None:
    """`status` ignores it, and the next `status` does not mention it again."""
    state.mkdir()
    (state / "emulator.json").write_text("{")
    first, second = (CliRunner().invoke(emulator_commands.app, ["status", "--state", str(state)]) for _ in range(2))
    assert first.stdout == second.stdout == "No emulator is running.\n"
    assert "emulator.json cannot be read" in first.stderr
    assert second.stderr == ""

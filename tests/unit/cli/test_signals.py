"""Signals: the first one interrupts, with the exit code of the signal."""

from __future__ import annotations

import signal

import pytest
import typer

from deploy.cli import runner
from deploy.cli.signals import SignalHandler, exit_code, message
from deploy.errors import Exit, Terminated


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)]
)
def test_only_the_first_signal_interrupts(number: int, kind: type[BaseException]) -> None:
    """A second signal at once is ignored: the report is being written."""
    handler = SignalHandler()
    with pytest.raises(kind):
        handler(number, None)
    for echo in (signal.SIGINT, signal.SIGTERM):
        handler(echo, None)


def test_a_later_ctrl_c_interrupts_again() -> None:
    """Some seconds later; a runner's SIGTERM after 7.5 s is still ignored."""
    handler = SignalHandler()
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGINT, None)
    assert handler._first is not None
    handler._first -= 7.5
    handler(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGINT, None)


def test_exit_codes() -> None:
    """Also of an exception that typer wrapped."""
    wrapped = typer.Abort()
    wrapped.__cause__ = Terminated()
    assert [exit_code(stop) for stop in (KeyboardInterrupt(), Terminated(), wrapped, typer.Abort())] == [
        Exit.INTERRUPTED, Exit.TERMINATED, Exit.TERMINATED, Exit.INTERRUPTED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "typed", "again"),
    [
        ("teardown", ["mip"], "amldeploy teardown -e prod mip"),
        ("renew", [], "amldeploy lease renew -e prod"),
        ("adopt", ["mip"], "amldeploy import --adopt -e prod mip"),
        ("reap", [], "amldeploy lease reap -e prod --yes"),
        ("restore", ["kept/a b"], "amldeploy lease restore -e prod 'kept/a b'"),
    ],
)
def test_the_message_names_the_interrupted_command(command: str, typed: list[str], again: str) -> None:
    """An apply after an interrupted teardown would recreate what was deleted."""
    said = message(command, "prod", typed)

    assert said.endswith(f": {again}")
    assert "apply" not in said
    assert message("status", "prod") == "Interrupted."


def test_an_interrupted_rotation_of_keys_is_not_simply_run_again() -> None:
    """Each run makes a new key."""
    said = message("keys", "prod")
    assert said == "Interrupted. If this was a rotation, the key may be new: look at it before you rotate it again."


def test_an_early_interruption_names_the_whole_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the command has read its plan, also one of a group."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    for words in (["apply", "-e", "prod"], ["lease", "renew", "-e", "prod"]):
        monkeypatch.setattr("sys.argv", ["amldeploy", *words])
        assert runner.exit_code(interrupted) == Exit.INTERRUPTED
        assert capsys.readouterr().err.endswith(f"run the same command again: amldeploy {' '.join(words)}\n")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("apply -e prod", "apply"),
        ("-C folder apply -e prod", "apply"),
        ("-C a -C b lease reap -e prod", "reap"),
        ("import -e prod --endpoint x", "import"),
        ("import -e prod --adopt", "adopt"),
        ("", ""),
    ],
)
def test_the_interrupted_command_is_found(line: str, command: str) -> None:
    """On the command line, before it is parsed."""
    assert runner._command_name(line.split()) == command

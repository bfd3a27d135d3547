"""Being told to stop: once, with the code of the signal."""

from __future__ import annotations

import signal

import pytest
import typer

from deploy.cli.signals import Stopping, code, words
from deploy.errors import Exit, Terminated


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_the_first_signal_stops_and_its_echo_does_not(number: int, kind: type[BaseException]) -> None:
    """The report is being written when the second one comes, whichever it is."""
    stopping = Stopping()
    with pytest.raises(kind):
        stopping(number, None)
    for echo in (signal.SIGINT, signal.SIGTERM):
        stopping(echo, None)


def test_a_later_ctrl_c_is_a_person() -> None:
    """Who presses it again some seconds later will not wait; a runner's SIGTERM after 7.5 s still adds nothing."""
    stopping = Stopping()
    with pytest.raises(KeyboardInterrupt):
        stopping(signal.SIGINT, None)
    assert stopping._asked is not None
    stopping._asked -= 7.5
    stopping(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        stopping(signal.SIGINT, None)


def test_the_codes() -> None:
    """Also through what typer makes of it."""
    wrapped = typer.Abort()
    wrapped.__cause__ = Terminated()
    assert [code(stop) for stop in (KeyboardInterrupt(), Terminated(), wrapped, typer.Abort())] == [
        Exit.INTERRUPTED, Exit.TERMINATED, Exit.TERMINATED, Exit.INTERRUPTED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "typed", "again"),
    [
        ("teardown", ["mip"], "amldeploy teardown -e prod mip"),
        ("renew", [], "amldeploy renew -e prod"),
        ("reap", [], "amldeploy reap -e prod --yes"),
        ("restore", ["kept/a b"], "amldeploy restore -e prod 'kept/a b'"),
    ],
)
def test_the_advice_names_the_command_that_was_interrupted(command: str, typed: list[str], again: str) -> None:
    """To apply after a teardown that was cut off would make again what was to go."""
    said = words(command, "prod", typed)

    assert said.endswith(f": {again}")
    assert "apply" not in said
    assert words("status", "prod") == "Interrupted."

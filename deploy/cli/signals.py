"""Being told to stop: Ctrl-C and SIGTERM break off whatever waits, once. The report is written on the way out.

A runner of GitHub Actions that is cancelled sends SIGINT, 7.5 s later SIGTERM and 2.5 s later kills.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Sequence
from types import FrameType

from deploy.errors import Exit, Terminated

_CHANGING = frozenset({"adopt", "apply", "reap", "renew", "restore", "rollback", "teardown"})
"""Commands that begin operations in Azure."""
_ECHO = 2.0
"""Seconds in which a second Ctrl-C is the first one's echo."""


def words(command: str, environment: str | None = None, endpoints: Sequence[str] = ()) -> str:
    """What is said of a command that was interrupted: the same command finishes what it began, and no other does.
    `endpoints`: what was typed after it, which may be a plan file or a folder.
    """
    if command not in _CHANGING:
        return "Interrupted."
    options = [*(["-e", environment] if environment else []), *(["--yes"] if command == "reap" else [])]
    again = shlex.join(["amldeploy", command, *options, *endpoints])
    return f"Interrupted. Operations that have begun continue in Azure. To finish, run the same command again: {again}"


class Stopping:
    """A signal handler. What follows a signal adds nothing: wrappers pass on what the terminal has sent already.
    A Ctrl-C some seconds later is a person who will not wait.
    """

    def __init__(self) -> None:
        self._asked: float | None = None

    def listen(self) -> None:
        """From now on. A process that was started to ignore Ctrl-C goes on ignoring it."""
        signal.signal(signal.SIGTERM, self)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self)

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        since = None if self._asked is None else now - self._asked
        if since is None:
            self._asked = now
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        if number == signal.SIGINT and since > _ECHO:
            raise KeyboardInterrupt


def code(stop: BaseException) -> Exit:
    """The code to leave with; typer wraps what it was told."""
    return Exit.TERMINATED if isinstance(stop.__cause__ or stop, Terminated) else Exit.INTERRUPTED

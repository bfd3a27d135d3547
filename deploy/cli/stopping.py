"""Being told to stop: Ctrl-C and SIGTERM break off whatever waits, once. The report is written on the way out.

A runner of GitHub Actions that is cancelled sends SIGINT, 7.5 s later SIGTERM and 2.5 s later kills.
"""

from __future__ import annotations

import signal
import time
from types import FrameType

from deploy.errors import Exit, Terminated

WORDS = "Interrupted. Operations that were started in Azure continue there."

_ECHO = 2.0
"""Seconds in which a second Ctrl-C is the first one's echo."""


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

"""Being told to stop: Ctrl-C and SIGTERM break off whatever waits, once. The report is written on the way out.

A runner of GitHub Actions that is cancelled sends SIGINT, 7.5 s later SIGTERM and 2.5 s later kills.
"""

from __future__ import annotations

import signal
from types import FrameType

from deploy.errors import Exit, Terminated

WORDS = "Interrupted. What was begun in Azure goes on there: apply again to see it through."


class Stopping:
    """A signal handler. A SIGTERM that follows a signal adds nothing; a second Ctrl-C is a person who will not wait."""

    def __init__(self) -> None:
        self._asked = False

    def listen(self) -> None:
        """From now on. A process that was started to ignore Ctrl-C goes on ignoring it."""
        signal.signal(signal.SIGTERM, self)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self)

    def __call__(self, number: int, _: FrameType | None) -> None:
        again, self._asked = self._asked, True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if not again:
            raise Terminated


def code(stop: BaseException) -> Exit:
    """The code to leave with; typer wraps what it was told."""
    return Exit.TERMINATED if isinstance(stop.__cause__ or stop, Terminated) else Exit.INTERRUPTED

"""Ctrl-C, SIGTERM and SIGHUP: the first one interrupts whatever waits, and the report is still written.

When a job of GitHub Actions is cancelled, the runner sends SIGINT, 7.5 s later SIGTERM, and 2.5 s later kills.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Sequence
from types import FrameType

from deploy.errors import Exit, Terminated

_CHANGING = frozenset({"adopt", "apply", "reap", "renew", "restore", "rollback", "teardown"})
"""Commands that start operations in Azure; `adopt` is import --adopt."""
_LEASE = frozenset({"reap", "renew", "restore"})
"""Those of the group `lease`."""
_REPEAT = 2.0
"""Seconds in which a second Ctrl-C counts as the same one: wrappers send it again."""


def message(command: str, environment: str | None = None, arguments: Sequence[str] = ()) -> str:
    """What is printed after an interruption, with the command that finishes the work: the same one.

    `arguments`: the endpoints, the plan file or the folder of the interrupted command.
    """
    if command == "keys":  # the same command again would make another key
        return "Interrupted. If this was a rotation, the key may be new: look at it before you rotate it again."
    if command not in _CHANGING:
        return "Interrupted."
    options = [*(["-e", environment] if environment else []), *(["--yes"] if command == "reap" else [])]
    group = ["lease"] if command in _LEASE else []
    words = ["import", "--adopt"] if command == "adopt" else [*group, command]
    again = shlex.join(["amldeploy", *words, *options, *arguments])
    return f"Interrupted. Started operations continue in Azure. To finish, run the same command again: {again}"


class SignalHandler:
    """Raises KeyboardInterrupt or Terminated on the first signal, and on a Ctrl-C some seconds later.

    Other signals after the first are ignored, so that the report can be written.
    """

    def __init__(self) -> None:
        self._first: float | None = None

    def install(self) -> None:
        """Handle the signals. A process that was started with one of them ignored (nohup) keeps ignoring it."""
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):  # Windows has no SIGHUP
            number = getattr(signal, name, None)
            if number is not None and (name == "SIGTERM" or signal.getsignal(number) is not signal.SIG_IGN):
                signal.signal(number, self)

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        since = None if self._first is None else now - self._first
        if since is None:
            self._first = now
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        if number == signal.SIGINT and since > _REPEAT:
            raise KeyboardInterrupt


def exit_code(stop: BaseException) -> Exit:
    """The exit code of an interruption; typer wraps the exception."""
    return Exit.TERMINATED if isinstance(stop.__cause__ or stop, Terminated) else Exit.INTERRUPTED

"""Runs `amldeploy` in the project, one command at a time, and ends it on a signal or at the time limit.

Each command has a process group of its own: Ctrl-C reaches only this process, which passes it on. So a second Ctrl-C
does not end a teardown.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

Json = Any
GRACE = 90.0
"""Seconds for which a command can go on after a signal; then it is killed."""
_TICK = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """The run stops: a signal was received, or the time is up. `code` is the exit code."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Ended:
    """The end of a command: its exit code, its JSON document (None if it printed none), the file of its progress."""

    code: int
    document: Json
    log: Path


def say(text: str = "") -> None:
    """Print a line. A closed terminal or pipe does not stop the run: it must still tear down."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class Commands:
    """Runs commands. `program` is the start of each command line; outputs are written to `outputs`."""

    def __init__(self, program: Sequence[str], project: Path, outputs: Path, variables: Mapping[str, str]) -> None:
        self._program, self._project, self._outputs = program, project, outputs
        self._variables = {**os.environ, **variables}
        self._signal: int | None = None
        """The first signal."""
        self._received = self._noticed = self._number = 0

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Inside, a signal does not end this process; the next or current `run` raises Stopped."""
        before = {number: signal.signal(number, self._remember) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self, *words: str, seconds: float) -> Ended:
        """Run a command. Raises Stopped after a signal, and when it takes longer than `seconds`."""
        self._raise_if_stopped()
        with self._started(words) as (process, log):
            end, stopping = time.monotonic() + seconds, False
            while self._is_running(process):
                late = time.monotonic() > end
                if not stopping and (late or self._signal is not None):
                    stopping, end = True, time.monotonic() + GRACE
                    process.send_signal(signal.SIGINT if self._signal == signal.SIGINT else signal.SIGTERM)
                elif late:
                    os.killpg(process.pid, signal.SIGKILL)
        self._raise_if_stopped()
        if stopping:
            raise Stopped("The time limit is reached.", 5)
        return Ended(process.returncode, _document(log.with_suffix(".json")), log)

    def run_to_the_end(self, *words: str, seconds: float) -> Ended:
        """Run a command that signals do not end. After `seconds` it is killed, and its exit code is negative."""
        with self._started(words) as (process, log):
            end = time.monotonic() + seconds
            while self._is_running(process):
                if time.monotonic() > end:
                    os.killpg(process.pid, signal.SIGKILL)
        return Ended(process.returncode, _document(log.with_suffix(".json")), log)

    def _is_running(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether a command runs, after a short wait. Prints a line when a signal was received."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TICK)
        if self._received > self._noticed:
            self._noticed = self._received
            say("Stopping. The teardown comes next, or runs already: do not close this terminal.")
        return process.returncode is None

    @contextlib.contextmanager
    def _started(self, words: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        self._number += 1
        log = self._outputs / f"{self._number:02}-{words[0]}.log"
        with _writable(log) as progress, _writable(log.with_suffix(".json")) as document:
            yield (
                subprocess.Popen(
                    [*self._program, *words, "-o", "json"],
                    cwd=self._project, env=self._variables, stdin=subprocess.DEVNULL, stdout=document, stderr=progress,
                    start_new_session=True,
                ),
                log,
            )  # fmt: skip

    def _remember(self, number: int, _: object) -> None:
        """Only this: a handler that prints could interrupt another print."""
        self._signal = number if self._signal is None else self._signal
        self._received += 1

    def _raise_if_stopped(self) -> None:
        if self._signal is not None:
            raise Stopped(f"Received {signal.Signals(self._signal).name}.", 128 + self._signal)


def _writable(file: Path) -> BinaryIO:
    """The file, or nowhere: a full disk does not stop a teardown."""
    try:
        return file.open("wb")
    except OSError:
        return Path(os.devnull).open("wb")


def _document(file: Path) -> Json:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None

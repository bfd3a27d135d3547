"""The exception that a container's log ends with, in one line: its type and message, and the file and line. Pure.

Python prints a chain of exceptions with the first one on top, so the root cause is the first of the last chain. A log
may start in the middle of a traceback, and each of its lines may have a prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LONGEST = 500
"""Characters of one exception that are shown."""
_MOST_LINES = 5000
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z?\s(?:std(?:err|out) [FP] )?")
"""What a container runtime writes before each line."""
_FRAME = re.compile(r"(?:^|\s)File \"([^\"]{1,1000})\", line (\d{1,9})")
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?::(?: .*)?)?$")
_BARE = re.compile(r"(?:[a-z]\w*\.)*[A-Z]\w*(?:Error|Exception): \S.*$")
_LINK = re.compile(r"During handling of the above exception|The above exception was the direct cause of")
_LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib/python\d|^<")
_ENDS = ("SystemExit", "KeyboardInterrupt", "GeneratorExit")
"""Exceptions with which a server ends after the one that made it fail."""


@dataclass
class _Raised:
    """One exception: its text, its place, and whether it follows from the one before it in the log."""

    text: str
    place: str
    is_linked: bool

    def __str__(self) -> str:
        whole = self.text + (f" ({self.place})" if self.place else "")
        return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


def root_cause(log: str) -> str:
    """`KeyError: 'weights' (score.py, line 3), which led to RuntimeError: no model (score.py, line 5)`; "" for none.

    The place is the last line of the user's own code in the traceback, or of a library if there is none. Of what the
    exception led to, the wrappers of the server are left out.
    """
    lines = [_TIME.sub("", line.rstrip()) for line in log.splitlines()[-_MOST_LINES:]]
    chains: list[list[_Raised]] = []
    for each in _exceptions(lines):
        if each.is_linked and chains:
            chains[-1].append(each)
        else:
            chains.append([each])
    telling = [chain for chain in chains if not chain[0].text.startswith(_ENDS)] or chains
    if telling:
        own = [each for each in telling[-1] if not _LIBRARY.search(each.place)]
        first, last = telling[-1][0], (own or telling[-1])[-1]
        return str(first) if last is first else f"{first}, which led to {last}"
    bare = [line.strip() for line in lines if _BARE.match(line.strip())]
    return str(_Raised(bare[-1], "", is_linked=False)) if bare else ""


def of_containers(logs: Sequence[str]) -> str:
    """The root cause in the last of these logs that has one: a container starts after the one before it has ended."""
    return next((found for log in reversed(logs) if (found := root_cause(log))), "")


def _exceptions(lines: Sequence[str]) -> Iterator[_Raised]:
    """Each exception that follows lines of a traceback, in the order of the log."""
    frames: list[tuple[str, str]] = []
    prefix, is_linked = "", False
    for line in lines:
        if frame := _FRAME.search(line):
            prefix = line[: frame.start()].rstrip()
            frames.append((frame[1], frame[2]))
            continue
        own = line.removeprefix(prefix)
        own = own.removeprefix(" ") if prefix else own
        if frames and own.strip() and not own[0].isspace() and not own.startswith("[Previous line repeated"):
            if _EXCEPTION.match(own):
                yield _Raised(own, _place(frames), is_linked)
            frames, is_linked = [], False
        elif not frames and _LINK.search(own):
            is_linked = True


def _place(frames: Sequence[tuple[str, str]]) -> str:
    """`score.py, line 3`: of the user's code, if the traceback has some."""
    own = [frame for frame in frames if not _LIBRARY.search(frame[0])]
    file, line = (own or frames)[-1]
    return f"{file}, line {line}"

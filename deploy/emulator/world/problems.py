"""Errors of the emulator's files: an invalid input file, and a world file that cannot be opened.

A module of its own, so that other modules can catch them without heavy imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FileProblem:
    """One problem: message, line and column (from 1)."""

    message: str
    line: int = 1
    column: int = 1


class InvalidFile(ValueError):
    """An invalid file or request body, with every problem found."""

    def __init__(self, file: str, problems: Sequence[FileProblem]) -> None:
        self.file, self.problems = file, tuple(problems)
        super().__init__("\n".join(f"{file}:{t.line}:{t.column}: {t.message}" for t in self.problems))


class WorldUnavailable(RuntimeError):
    """A world file that cannot be opened: the reason, and the cure."""

    def __init__(self, file: object, reason: object, cure: str) -> None:
        self.reason, self.cure = str(reason), cure
        super().__init__(f"cannot open {file}: {reason}. {cure}.")

"""Files that stop the emulator, as errors: a wrong one with every trouble's place, a world that cannot be opened.

Light, for those who catch them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FileProblem:
    """One thing wrong: where in the file (lines and columns count from 1) and in words."""

    message: str
    line: int = 1
    column: int = 1


class InvalidFile(ValueError):
    """A file, or a request's body, that cannot be obeyed. Holds every trouble found."""

    def __init__(self, file: str, problems: Sequence[FileProblem]) -> None:
        self.file, self.problems = file, tuple(problems)
        super().__init__("\n".join(f"{file}:{t.line}:{t.column}: {t.message}" for t in self.problems))


class WorldUnavailable(RuntimeError):
    """A world file that cannot be opened: why, and what to do."""

    def __init__(self, file: object, reason: object, cure: str) -> None:
        self.reason, self.cure = str(reason), cure
        super().__init__(f"cannot open {file}: {reason}. {cure}.")

"""Files that stop the emulator, as errors: a wrong one with every trouble's place, a world that cannot be opened.

Light, for those who catch them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """One thing wrong: where in the file (lines and columns count from 1) and in words."""

    words: str
    line: int = 1
    column: int = 1


class WrongFile(ValueError):
    """A file, or a request's body, that cannot be obeyed. Holds every trouble found."""

    def __init__(self, file: str, troubles: Sequence[Trouble]) -> None:
        self.file, self.troubles = file, tuple(troubles)
        super().__init__("\n".join(f"{file}:{t.line}:{t.column}: {t.words}" for t in self.troubles))


class Unopened(RuntimeError):
    """A world file that cannot be opened: why, and what to do."""

    def __init__(self, file: object, why: object, cure: str) -> None:
        self.why, self.cure = str(why), cure
        super().__init__(f"cannot open {file}: {why}. {cure}.")

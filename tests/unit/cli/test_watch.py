"""`status --watch`: looks again and again, on a clock that is told what time it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy import commands
from tests.project import make_project


@dataclass
class Interrupted:
    """A clock on which somebody presses Ctrl-C in the last of so many pauses."""

    pauses: int
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return float(sum(self.slept))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.pauses:
            raise KeyboardInterrupt


def test_it_looks_until_it_is_interrupted(tmp_path: Path) -> None:
    """One look before each pause, all through one door, and each look is a new one."""
    clock, looks = Interrupted(3), []
    project = commands.Project(make_project(tmp_path), clock)

    with pytest.raises(KeyboardInterrupt):
        commands.watch(project, "local", show=looks.append, every=7.0)

    assert [[row.state for row in rows] for rows in looks] == [["absent"]] * 3
    assert clock.slept == [7.0] * 3

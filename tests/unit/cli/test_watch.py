"""`status --watch` refreshes until an interrupt. The clock is a test clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy import commands
from tests.project import make_project


@dataclass
class Interrupted:
    """A clock that raises KeyboardInterrupt in the last of `pauses` pauses."""

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


def test_it_refreshes_until_an_interrupt(tmp_path: Path) -> None:
    """One refresh before each pause, all through one connection, each with new reads."""
    clock, looks = Interrupted(3), []
    project = commands.Project(make_project(tmp_path), clock)

    with pytest.raises(KeyboardInterrupt):
        commands.watch(project, "local", show=looks.append, every=7.0)

    assert [[row.state for row in rows] for rows in looks] == [["absent"]] * 3
    assert clock.slept == [7.0] * 3

"""A stage for each scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import emulator
from tests.workflows.stage import Stage, open_stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = open_stage(tmp_path)
    with found.github.serving():
        yield found
    assert found.github.leaks == []
    emulator.stop(tmp_path / "azure")

"""Provides a stage for each scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import emulator
from tests.fork_server import ForkServer
from tests.workflows.stage import Stage, open_stage


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture
def stage(tmp_path: Path, worlds: Path, amldeploy: ForkServer) -> Iterator[Stage]:
    found = open_stage(tmp_path, worlds, amldeploy)
    with found.github.serving():
        yield found
    assert found.github.leaks == []
    emulator.stop(tmp_path / "azure")

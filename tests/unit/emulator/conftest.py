"""A fresh world for each test; one signing key for all, because creating one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.emulator.entra.access_tokens import Tokens
from tests.unit.emulator.azure import Azure


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(tmp_path_factory.mktemp("tokens"))


@pytest.fixture
def azure(tmp_path: Path, tokens: Tokens) -> Iterator[Azure]:
    found = Azure(tmp_path, tokens)
    yield found
    found.world.close()

"""An emulator for each module, reached by the real SDKs over real TLS, pointed at by environment variables alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import emulator
from deploy.emulator import Running


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="module")
def running(state: Path) -> Iterator[Running]:
    """A live emulator, with its variables in this process's environment until the module ends."""
    before = dict(os.environ)
    with emulator.embed(state) as found:
        os.environ.update(found.variables())
        yield found
        os.environ.clear()
        os.environ.update(before)

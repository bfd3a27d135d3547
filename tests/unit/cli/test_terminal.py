"""The layout of text depends on the stream's encoding and on the environment."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest

from deploy.cli.console import layout

NAMES = ("LC_ALL", "LC_CTYPE", "LANG", "TERM")


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Remove the variables, and restore them afterwards."""
    before = {name: os.environ.pop(name) for name in NAMES if name in os.environ}
    yield
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(before)


@pytest.mark.parametrize(
    ("variables", "encoding", "plain"),
    [
        ({}, "utf-8", False),
        ({}, "ascii", True),
        ({"TERM": "dumb"}, "utf-8", True),
        ({"TERM": "xterm"}, "utf-8", False),
        ({"LC_ALL": "C"}, "utf-8", True),
        ({"LANG": "POSIX"}, "utf-8", True),
        ({"LANG": "C", "LC_ALL": "de_DE.UTF-8"}, "utf-8", False),
        ({"LC_ALL": "C.UTF-8"}, "utf-8", False),
    ],
)
def test_plain_terminals_get_plain_text(variables: dict[str, str], encoding: str, plain: bool) -> None:
    """An explicit C locale, a dumb terminal, an encoding without the characters."""
    os.environ.update(variables)

    assert layout(io.TextIOWrapper(io.BytesIO(), encoding=encoding))["ascii"] is plain

"""What was asked for: two entries that cannot both be meant."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.config.selection import shared_aliases
from deploy.config.validation import Entry, EnvironmentFile
from deploy.documents.locations import Node
from deploy.domain.spec import EndpointSpec
from deploy.errors import Place
from tests.unit.specs import environment, spec

ROOT = Path("/project")


def entry(key: str, alias: dict[str, Any]) -> EndpointSpec:
    return replace(spec(pipeline={"lease": {"alias": alias}}), key=key)


def problems(one: dict[str, Any], two: dict[str, Any], *chosen: str) -> list[str]:
    entries = {key: Entry("t", Place("dev.yml", line), Node({}, Place("")), {}) for key, line in (("a", 3), ("b", 7))}
    file = EnvironmentFile(environment(), entries)
    found = shared_aliases(file, [entry("a", one), entry("b", two)], chosen or ("a", "b"), ROOT)
    return [str(each) for each in found]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"file": "live/mip.json"}, {"file": "./live/../live//mip.json"}),
        ({"file": "live/mip.json"}, {"file": "/project/live/mip.json"}),
        ({"github_variable": "LIVE"}, {"github_variable": "live"}),
        ({"github_variable": "LIVE", "repository": "o/r"}, {"github_variable": "LIVE", "repository": "O/R"}),
        ({"github_variable": "LIVE", "repository": "me/here"}, {"github_variable": "LIVE"}),
    ],
)
def test_one_alias_of_two_entries_is_refused(one: Any, two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is written; both places are named, also when one of the two is not chosen."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/here")
    (found,) = problems(one, two)

    assert found.startswith("dev.yml:7:1: AML143 Endpoints a (at dev.yml:3:1) and b have the same alias")
    assert problems(one, two, "a") == [found]
    assert problems(one, two, "c") == []


@given(st.lists(st.sampled_from(["..", ".", "live", "x"]), max_size=5), st.sampled_from(["mip.json", "other.json"]))
def test_two_files_are_one_when_their_paths_are(way: list[str], name: str) -> None:
    """Never two that differ, always two that do not."""
    written = "/".join([*way, name])
    same = os.path.normpath(ROOT / written) == "/project/live/mip.json"

    assert bool(problems({"file": "live/mip.json"}, {"file": written})) == same


def test_two_variables_of_two_repositories_are_two() -> None:
    """The target of a command is unknown."""
    assert problems({"github_variable": "L", "repository": "o/r"}, {"github_variable": "L", "repository": "o/s"}) == []
    assert problems({"command": ["move"]}, {"command": ["move"]}) == []

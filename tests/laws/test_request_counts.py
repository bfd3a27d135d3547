"""Requests of reap and renew: two lists however many endpoints exist, and one more request for each deleted one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.planning.reaping import Rules
from tests.laws.weeks import HOUR, Weeks, settle

ENDPOINTS = 60


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weeks]:
    found = settle(tmp_path_factory.mktemp("requests"), ENDPOINTS, 3)
    with found.wire:
        yield found
    emulator.stop(found.world.state)


def sent(weeks: Weeks, work: Any) -> tuple[Any, list[Any]]:
    """The result of a command, and its requests to Azure Resource Manager."""
    before = emulator.requests(weeks.world.state)
    done = work()
    rows = emulator.requests(weeks.world.state, after=before[-1]["number"] if before else 0)
    return done, [row for row in rows if "/metadata" not in row["path"] and "token" not in row["path"]]


def plan(weeks: Weeks, **rules: Any) -> commands.ReapResult:
    quiet: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None, "show": lambda _: None}
    return commands.reap(weeks.world.project, "law", Rules(most=1000, force=True, **rules), yes=False, **quiet)


@pytest.mark.parametrize("within", [None, 24, 100])
def test_a_dry_run_of_reap_sends_few_requests(weeks: Weeks, within: float | None) -> None:
    """At most 1 + 1 + the number of candidates; nothing is changed."""
    weeks.at(weeks.begin + timedelta(minutes=1))
    reaped, rows = sent(weeks, lambda: plan(weeks, within=within))

    assert len(rows) <= 2 + len(reaped.judged.candidates)
    assert [row for row in rows if row["mutating"]] == []
    assert (within is None) == (reaped.judged.candidates == ())


def test_a_renewal_with_nothing_due_sends_one_list(weeks: Weeks) -> None:
    """One list, whatever its length, when nothing is due."""
    weeks.at(weeks.begin + HOUR)
    weeks.renew(0.5)
    done, rows = sent(weeks, lambda: weeks.renew(0.5))

    assert done.plan.steps == ()
    assert [row["method"] for row in rows] == ["GET"]

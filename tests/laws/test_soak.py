"""Four weeks of renew and reap every quarter of an hour: no endpoint expires unplanned, no unmanaged resource is
deleted, all notices are sent.

`--laws full` runs four weeks in a workspace of a thousand endpoints, of which a hundred are renewed; otherwise nine
days with fewer. Endpoints end in groups, as they were deployed. Two runners alternate; in every second run that renews,
one request is refused or loses its answer, and the next run must repair that.

What is sampled: of the runs at which nothing can be due (no lease crosses a threshold since the run before) every
twentieth is executed, and must do nothing with one list (renew) and two (reap). For the others only the decisions
(renewal, reaping, notices) are computed from the current world, and must be empty. Of the endpoints, five get requests
at each executed run, those that are renewed at every move and every deletion, and all of them every four days.
"""

from __future__ import annotations

import collections
import gc
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from deploy import emulator
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG
from tests.laws.weeks import HOUR, Weeks, resident, settle

QUARTER = timedelta(minutes=15)
RENEW, REAP = 24.0, 2.0
CROSSED = (*leases.THRESHOLDS, RENEW, REAP, 0, -0.1)
"""Hours before an end at which a run has work; the last one is after Azure deleted protected endpoints."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--laws", default="some") == "full"
    size, lines, days = (1000, 100, 28) if full else (30, 2, 9)
    metafunc.parametrize(("size", "lines", "days"), [(size, lines, days)], ids=[f"{size} endpoints, {days} days"])


@pytest.fixture
def weeks(tmp_path: Path, size: int, lines: int) -> Iterator[Weeks]:
    found = settle(tmp_path, size, lines)
    with found.wire:
        yield found
    emulator.stop(found.world.state)


def test_weeks(weeks: Weeks, days: int, record_property: Callable[[str, object], None]) -> None:
    """No unplanned expiry, no deletion of unmanaged resources, each notice once, no failed request, and constant
    memory.
    """
    chance = random.Random(7)
    before = there = weeks.endpoints()
    idle = due = broken = 0
    held: list[tuple[float, float]] = []
    renewed, began, day = 0, time.monotonic(), weeks.begin
    mend, disturb = False, cycle((False, True))
    for when in visits(weeks.begin, chance, days):
        last = weeks.clock.world
        crossed = _crosses(there, last, when, CROSSED) or mend or not due
        if not crossed:
            idle += 1
            if idle % 20:
                assert weeks.due({n: body for n, body in there.items() if _is_ours(body)}, when, RENEW, REAP) == []
                continue
        weeks.at(when)
        weeks.clock.off = timedelta(hours=chance.uniform(-48, 48))
        disturbed = not mend and _crosses(there, last, when, (RENEW,)) and next(disturb)
        made, mend = _visit(weeks, idle=not crossed, fault=_fault(chance) if disturbed else None)
        renewed, broken = renewed + made, broken + mend
        there = weeks.endpoints()
        _none_expired(weeks, there, halves=mend)
        if when - day >= timedelta(days=4):
            day = when
            _call_all(weeks)
        due += 1
        if due % 10 == 0:
            gc.collect()
            held.append((resident(os.getpid()), resident(weeks.running.pid)))

    _nothing_unmanaged(weeks, before, there)
    record_property(
        "weeks",
        f"{due} visits made in {time.monotonic() - began:.0f} s, {idle} had nothing due; {renewed} renewals begun, "
        f"{broken} cut off; {weeks.called} calls; {held[-1]} MB",
    )
    assert weeks.failures == []
    assert renewed >= len(weeks.lines) * (days * 24 // 168)
    _memory_is_constant(held)


def visits(begin: datetime, chance: random.Random, days: int) -> Iterator[datetime]:
    """Every quarter of an hour, with a gap of six hours in each three days."""
    gaps = [begin + timedelta(days=3 * n, hours=chance.uniform(0, 66)) for n in range(days // 3 + 1)]
    for n in range(1, days * 96):
        when = begin + n * QUARTER
        if not any(gap <= when < gap + 6 * HOUR for gap in gaps):
            yield when


def _crosses(there: dict[str, Any], before: datetime, now: datetime, marks: Sequence[float]) -> bool:
    """Whether a lease of ours crosses one of the marks between two runs."""
    for body in there.values():
        lease = leases.of(body)
        if lease and _is_ours(body):
            first, then = lease.hours_left(before), lease.hours_left(now)
            if any(then <= mark < first for mark in marks):
                return True
    return False


def _fault(chance: random.Random) -> dict[str, Any]:
    """A fault at one of the requests of a renewal."""
    kinds: tuple[dict[str, Any], ...] = ({"kind": "refuse", "status": 403}, {"kind": "lose", "times": 4})
    return {**chance.choice(kinds), "operation": "Online*", "mutating": True, "number": chance.randint(1, 6)}


def _call_all(weeks: Weeks) -> None:
    for line in weeks.lines:
        weeks.call(line)


def _visit(weeks: Weeks, *, idle: bool, fault: dict[str, Any] | None) -> tuple[int, bool]:
    """Renew, then reap; the number of renewals, and whether one was interrupted. Each due notice is sent once, by the
    first run that finds it.
    """
    weeks.world.said.clear()
    emulator.begin(weeks.world.state, faults=[fault] if fault else [])
    done = weeks.renew(RENEW)
    cut_off = bool(done.report.exit)
    emulator.begin(weeks.world.state, faults=[])
    assert fault or [o for o in done.report.outcomes if o.error] == []
    assert _said(weeks) == _expected_notices(weeks)
    weeks.world.said.clear()
    reaped = weeks.reap(REAP)
    assert reaped.ok, reaped
    assert weeks.world.said == []
    if idle:
        assert done.plan.steps == ()
        assert reaped.plan.steps == ()
    for line in weeks.lines[:: max(1, len(weeks.lines) // 5)]:
        weeks.call(line)
    return sum(step.kind == "endpoint" and step.verb == "create" for step in done.plan.steps), cut_off


def _said(weeks: Weeks) -> set[tuple[str, int]]:
    found = [(w.split(" ")[0], int(w.partition("less than ")[2].split(" ")[0])) for w in weeks.world.said]
    assert len(found) == len(set(found))
    return set(found)


def _expected_notices(weeks: Weeks) -> set[tuple[str, int]]:
    """The notices that were not sent yet for the existing endpoints, by our own record."""
    wanted = set()
    for name, body in weeks.endpoints().items():
        lease = leases.of(body)
        if lease is None or not _is_ours(body) or lease.hours_left(weeks.clock.world) <= 0:
            continue
        passed = [hours for hours in leases.THRESHOLDS if lease.hours_left(weeks.clock.world) <= hours]
        told = weeks.told.setdefault(name, set())
        if passed and min(passed) not in told:
            wanted.add((name, min(passed)))
            told |= set(passed)
    return wanted


def _none_expired(weeks: Weeks, there: dict[str, Any], *, halves: bool) -> None:
    """One endpoint per entry; two where a renewal was interrupted just now."""
    owners = collections.Counter((body["tags"] or {}).get(OWNER_TAG) for body in there.values())
    for line in weeks.lines:
        assert 1 <= owners[f"law/{line}"] <= 1 + halves, (weeks.clock.world, line)


def _nothing_unmanaged(weeks: Weeks, before: dict[str, Any], there: dict[str, Any]) -> None:
    """Mutating requests contain only our names, and resources that have no lease and are not ours are unchanged."""
    foreign = {name for name, body in before.items() if not _is_ours(body)}
    rows = [r for r in emulator.requests(weeks.world.state, mutating=True) if "/onlineEndpoints/" in r["path"]]
    touched = {r["path"].split("/onlineEndpoints/")[1].split("/")[0].split("?")[0] for r in rows}
    assert touched & foreign == set()
    assert {n: _lasting(there.get(n)) for n in foreign if leases.of(before[n]) is None} == {
        n: _lasting(before[n]) for n in foreign if leases.of(before[n]) is None
    }
    ended = {r["path"].split("/onlineEndpoints/")[1].split("?")[0] for r in rows if r["method"] == "DELETE"}
    lines = {name for name, body in before.items() if str((body["tags"] or {}).get(OWNER_TAG)).startswith("law/line")}
    assert lines <= ended | there.keys()


def _lasting(body: Any) -> Any:
    return body and {key: value for key, value in body.items() if key != "properties"}


def _is_ours(body: Any) -> bool:
    return str((body["tags"] or {}).get(OWNER_TAG)).startswith("law/")


def _memory_is_constant(held: list[tuple[float, float]]) -> None:
    """After the first quarter neither process grows by more than a fifth."""
    first, last = held[len(held) // 4], held[-1]
    for early, late in zip(first, last, strict=True):
        assert late < early * 1.2 + 10, held

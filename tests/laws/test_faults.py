"""Laws 2 and 3, and every other fault: whatever fails at whichever request, traffic is safe and a re-run heals.

Each case is one fault at one request of an apply. The apply must succeed or end with one of our codes; nothing is sent
more than four times; all traffic is on one whole release at every event; and a re-run has the same result as an
undisturbed apply. The emulator counts in an undisturbed apply how many requests each plane has for each kind of fault.
`--laws full` runs half of the kinds at every request of a first deploy and of a new release, each kind at every second
request; otherwise a selection runs.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import pytest

from deploy.error_codes import explanations
from deploy.errors import BUG, Exit
from tests.laws.stage import ENDS, End, Stage, end_state, spread, too_often

Fault = Mapping[str, Any]
Case = tuple[str, Fault]
ANYWHERE: tuple[Fault, ...] = (
    {"kind": "refuse", "status": 200, "effect": True, "body": [7]},
    {"kind": "refuse", "status": 200, "effect": True, "body": {"properties": 7, "value": [7]}},
    {"kind": "refuse"},
    {"kind": "refuse", "status": 403},
    {"kind": "refuse", "status": 404},
    {"kind": "refuse", "status": 409, "code": "Conflict", "message": "Endpoint is in Updating provisioning state"},
    {"kind": "refuse", "status": 503},
    {"kind": "refuse", "status": 500, "effect": True},
    {"kind": "throttle"},
    {"kind": "throttle", "form": "date", "retry_after": 90},
    {"kind": "throttle", "form": "none", "times": "always"},
    {"kind": "unauthorized"},
    {"kind": "reset"},
    {"kind": "lose"},
    {"kind": "truncate"},
    {"kind": "html"},
    {"kind": "html", "status": 200, "effect": True},
    {"kind": "drip", "seconds": 0.1},
)
PLANES = ("arm", "registry", "identity", "scoring")
READS: tuple[Fault, ...] = ({"kind": "stale"}, {"kind": "ghost"})
OPERATIONS: tuple[Fault, ...] = (
    {"kind": "operation_failed"},
    {"kind": "operation_failed", "code": "ResourceNotReady", "message": "User container has crashed"},
    {"kind": "operation_canceled"},
    {"kind": "operation_stuck", "seconds": 0.2},
    {"kind": "operation_vanished"},
)
OUTLASTING: tuple[Fault, ...] = tuple(
    {**fault, "times": "always", "operation": operation}
    for fault in ({"kind": "reset"}, {"kind": "lose"}, {"kind": "refuse", "status": 503}, {"kind": "truncate"})
    for operation in ("OnlineEndpoints_CreateOrUpdate", "OnlineDeployments_CreateOrUpdate", "RoleAssignments_Create")
)
RELEASES = ("1", "2")
SORTS: tuple[tuple[Fault, Sequence[Fault]], ...] = (
    *(({"plane": plane}, ANYWHERE) for plane in PLANES),
    *((fault, (fault,)) for fault in READS),
    ({"kind": "operation_failed"}, OPERATIONS),
    *(({"operation": name}, [f for f in OUTLASTING if f["operation"] == name]) for name in
      dict.fromkeys(f["operation"] for f in OUTLASTING)),
)  # fmt: skip
"""Which requests, and the faults that can strike one of them."""
SOME, ALL = 16, 160
"""The number of tests that share the cases: for the selection, and for all cases."""
NEVER = 10**6
"""A request number that no apply reaches."""


@functools.cache
def undisturbed(stage: Stage, release: str) -> tuple[End, Any, tuple[int, ...]]:
    """What an apply sends and leaves without faults, and how many of its requests fit each of SORTS."""
    stage.begin(RELEASES[-1])  # requests that the SDK sends once per process are sent now
    stage.begin(release)
    stage.order(*({"kind": "refuse", **fits, "number": NEVER} for fits, _ in SORTS))
    end = stage.apply()
    fitting = tuple(stage.counted())
    stage.order()
    assert end.exit == 0
    return end, end_state(stage), fitting


def places(lasts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Every request number up to the last, in alternating releases where both have one."""
    return [
        (next(release for release in (RELEASES[number % 2 :] + RELEASES) if number <= lasts[release]), number)
        for number in range(1, max(lasts.values()) + 1)
    ]


def _choice(fitting: Mapping[str, Sequence[int]]) -> Iterator[Case]:
    """Every fault at some request, and every request of every plane with some fault."""
    anywhere = cycle(ANYWHERE)
    for sort, (fits, faults) in enumerate(SORTS):
        struck = places({release: fitting[release][sort] for release in RELEASES})
        pairs = zip(struck, anywhere, strict=False) if faults is ANYWHERE else zip(cycle(struck), faults, strict=False)
        yield from ((release, {**fits, **fault, "number": number}) for (release, number), fault in pairs)


def _everything(fitting: Mapping[str, Sequence[int]]) -> Iterator[Case]:
    """Every second fault at each request that it fits. Faults that last longer than the apply start with the first."""
    for release in RELEASES:
        for (fits, faults), last in zip(SORTS, fitting[release], strict=True):
            lasting = [fault for fault in faults if fault in OUTLASTING]
            passing = [fault for fault in faults if fault not in OUTLASTING]
            every = 2 if len(passing) > 1 else 1
            struck = spread(lasting, range(1, min(last, 1) + 1)) + spread(passing, range(1, last + 1), every)
            yield from ((release, {**fits, **fault}) for fault in struck)


Kind = Callable[[Mapping[str, Sequence[int]]], Iterator[Case]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "share" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        kind, shares = (_everything, ALL) if full else (_choice, SOME)
        metafunc.parametrize(
            ("kind", "share"), [(kind, (n, shares)) for n in range(shares)], ids=map(str, range(shares))
        )


def test_faults(stage: Stage, kind: Kind, share: tuple[int, int]) -> None:
    """Success, or a code that `explain` knows; at most four sends; a re-run heals and leaves nothing over."""
    first, step = share
    cases = list(kind({release: undisturbed(stage, release)[2] for release in RELEASES}))[first::step]
    broken = {str(case): promises for case in cases if (promises := _broken(stage, *case))}

    assert cases
    assert not broken, json.dumps(broken, indent=1)


def _broken(stage: Stage, release: str, fault: Fault) -> list[str]:
    """The promises that are broken under one fault."""
    usual, wanted, _ = undisturbed(stage, release)
    stage.begin(release)
    stage.order(fault)
    end = stage.apply()
    left = stage.seen()
    stage.order()
    again = stage.apply().exit
    promises = {
        "the fault strikes": end.strikes > 0,
        "it ends well or with one of our exit codes": end.exit == 0 or end.exit in ENDS,
        "its codes are explained, and none is a bug": {*end.codes} <= {*explanations()} - {BUG},
        "nothing is sent too often": not too_often(end, usual, lasting=fault.get("times") == "always"),
        "callers are on one release": len(left["live"]) <= 1 or end.exit == Exit.RESCUE_FAILED,
        "a re-run heals": again == 0,
        "and brings what an undisturbed apply brings": end_state(stage) == wanted,
        "traffic was lawful at every event": not stage.broken,
    }
    return [f"{promise}: {end}" for promise, kept in promises.items() if not kept]


def test_signing_in_waits_by_our_clock(stage: Stage) -> None:
    """A throttled token endpoint is retried by our clock, without hidden sleeps."""
    stage.begin("1")
    clock = stage.world.project.clock
    before = clock.ahead
    stage.order({"kind": "throttle", "plane": "identity", "retry_after": 40})
    end = stage.apply()

    assert (end.strikes, end.exit) == (1, 0)
    assert clock.ahead - before >= 40


def test_a_stale_list_does_not_change_the_live_slot(stage: Stage) -> None:
    """A stale list shows a slot without traffic: the second read, under the lock, shows that the plan is wrong."""
    stage.begin("2")
    before = stage.seen()
    stage.order({"kind": "stale", "operation": "OnlineEndpoints_List"})
    end = stage.apply()
    after = stage.seen()
    stage.order()

    assert (end.strikes, end.exit, end.codes) == (1, Exit.STALE, ("AML700",))
    assert after == before
    assert stage.apply().exit == 0
    assert end_state(stage) == undisturbed(stage, "2")[1]


def test_the_selection_covers_every_fault_and_request(stage: Stage) -> None:
    """Every fault runs, and every request of every plane is hit, in one release or the other."""
    fitting = {release: undisturbed(stage, release)[2] for release in RELEASES}
    chosen = list(_choice(fitting))
    faults = [{**fits, **fault} for fits, faults in SORTS if faults is not ANYWHERE for fault in faults]
    struck = {(fault.get("plane"), fault["number"]) for _, fault in chosen}

    assert [f for f in faults if not any(f.items() <= fault.items() for _, fault in chosen)] == []
    assert [f for f in ANYWHERE if not any(f.items() <= fault.items() for _, fault in chosen)] == []
    for plane, lasts in zip(PLANES, zip(*fitting.values(), strict=True), strict=False):
        assert {(plane, number) for number in range(1, max(lasts) + 1)} <= struck
    assert all(release in {release for release, _ in chosen} for release in RELEASES)

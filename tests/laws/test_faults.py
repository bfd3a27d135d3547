"""Laws 2 and 3, and every other fault: whatever goes wrong at whichever request, callers are safe and a re-run heals.

Each case is one fault at one request of an apply. It must succeed or end with one of our codes; nothing is sent more
than four times; callers are on one whole release at every event; and a re-run brings what an undisturbed apply brings.
`--laws full` plays every kind at every request of a first deploy and of a new release; otherwise a choice is played.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from deploy.errors import Exit
from deploy.explain import explanations
from tests.laws.stage import ENDS, End, Stage, end_state, too_often

ANYWHERE: tuple[dict[str, Any], ...] = (
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
READS: tuple[dict[str, Any], ...] = ({"kind": "stale"}, {"kind": "ghost"})
OPERATIONS: tuple[dict[str, Any], ...] = (
    {"kind": "operation_failed"},
    {"kind": "operation_failed", "code": "ResourceNotReady", "message": "User container has crashed"},
    {"kind": "operation_canceled"},
    {"kind": "operation_stuck", "seconds": 0.2},
    {"kind": "operation_vanished"},
)
OUTLASTING: tuple[dict[str, Any], ...] = tuple(
    {**fault, "times": "always", "operation": operation}
    for fault in ({"kind": "reset"}, {"kind": "lose"}, {"kind": "refuse", "status": 503}, {"kind": "truncate"})
    for operation in ("OnlineEndpoints_CreateOrUpdate", "OnlineDeployments_CreateOrUpdate", "RoleAssignments_Create")
)
RELEASES = ("1", "2")
REQUESTS, LOOKS, CHANGES = 40, 14, 3
"""As many as an apply sends at least, of each sort; a number beyond the last one strikes nobody."""


def _everything() -> list[tuple[str, dict[str, Any]]]:
    found = [(fault, REQUESTS) for fault in ANYWHERE]
    found += [(fault, LOOKS) for fault in READS] + [(fault, CHANGES) for fault in OPERATIONS]
    return [
        (release, {**fault, "number": number})
        for release in RELEASES
        for fault, last in found
        for number in range(1, last + 1)
    ] + [(release, fault) for release in RELEASES for fault in OUTLASTING]


def _choice() -> list[tuple[str, dict[str, Any]]]:
    """Every kind with some requests and every request with some kind: one case in so many, of each release in turn."""
    whole = _everything()
    return whole[::37]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        cases = _everything() if full else _choice()
        metafunc.parametrize(("release", "fault"), cases, ids=[_name(*case) for case in cases])


def _name(release: str, fault: dict[str, Any]) -> str:
    return "-".join(str(v) for v in (f"release{release}", *fault.values()) if not (isinstance(v, str) and " " in v))


@functools.cache
def undisturbed(stage: Stage, release: str) -> tuple[End, Any]:
    """What an apply sends and leaves when nothing goes wrong."""
    stage.begin(release)
    end = stage.apply()
    assert end.exit == 0
    return end, end_state(stage)


def test_one_fault_at_one_request(
    stage: Stage, release: str, fault: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    """Success, or a code that is explained; four sends at most; a re-run heals and leaves nothing over."""
    usual, wanted = undisturbed(stage, release)
    stage.begin(release)
    stage.order(fault)
    end = stage.apply()
    left = stage.seen()
    stage.order()
    record_property("end", f"{end.exit} {' '.join(end.codes)} strikes {min(end.strikes, 1)}")

    assert end.exit == 0 or end.exit in ENDS
    assert [code for code in end.codes if code not in explanations() or code == "AML001"] == []
    assert too_often(end, usual) == {}
    assert len(left["live"]) <= 1 or end.exit == Exit.RESCUE_FAILED
    assert stage.apply().exit == 0, end
    assert end_state(stage) == wanted
    assert stage.broken == []

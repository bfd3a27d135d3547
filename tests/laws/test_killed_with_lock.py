"""A process that holds a lock is killed at a request that touches the endpoint or the lock."""

from __future__ import annotations

import pytest

from tests.interleaving.schedules import REQUESTS
from tests.laws.stage import End, Stage, Victims, end_state


def test_killed_with_its_lock(stage: Stage, victims: Victims, request: pytest.FixtureRequest) -> None:
    """Until the lock expires, the next run exits with 8 and writes nothing; a minute later it heals. If the lock was
    not taken yet, or was released, it heals at once.
    """
    stage.begin("2")
    assert stage.apply().exit == 0
    wanted = end_state(stage)
    full = request.config.getoption("--laws", default="some") == "full"
    places = range(1, 60) if full else (20,)
    soon: list[End] = []
    for number in places:
        stage.begin("2")
        at = {"operation": REQUESTS, "number": number}
        if not victims.kill_one(stage, at, at_once=lambda: soon.append(stage.apply())):
            break
        assert soon[-1].exit in (0, 8), number
        if soon[-1].exit == 8:
            assert [path for _, path in soon[-1].sent if "onlineEndpoints" in path] == [], number
        assert stage.apply().exit == 0, number
        assert end_state(stage) == wanted, number
        assert stage.broken == [], number
    assert 8 in {end.exit for end in soon}

"""The SDK reads once, and without our session, what the cloud is made of: a hiccup there heals like any other."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.errors import Exit
from tests.laws.stage import Stage

HICCUPS: tuple[dict[str, Any], ...] = (
    {"kind": "throttle"},
    {"kind": "reset"},
    {"kind": "refuse", "status": 503},
    {"kind": "truncate"},
)


@pytest.mark.parametrize("fault", HICCUPS, ids=lambda fault: fault["kind"])
def test_one_hiccup_is_tried_again(stage: Stage, fault: dict[str, Any]) -> None:
    """With tries to spare the apply succeeds; no step is given up for a request that changes nothing."""
    stage.begin("1")
    stage.world.want(attempts=3)
    stage.order({**fault, "plane": "metadata"})
    end = stage.apply()

    assert (end.exit, end.codes) == (Exit.OK, ())
    assert stage.broken == []


def test_a_cloud_that_never_says_it(stage: Stage) -> None:
    """Whatever is answered there for ever: no change, or success without it; never a bug, and a re-run heals."""
    stage.begin("1")
    stage.order({"kind": "refuse", "status": 503, "times": "always", "plane": "metadata"})
    end = stage.apply()
    stage.order()

    assert (end.exit, end.codes) in ((Exit.OK, ()), (Exit.STEP_FAILED, ("AML364",)))
    assert stage.apply().exit == 0

"""The traffic step type: what a plan says of mirrored traffic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.domain.plan import Plan, Verb
from deploy.domain.spec import EndpointSpec
from deploy.errors import Refused
from deploy.planning import planner
from tests.addresses import addr
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec


def two(mirror: dict[str, int] | None, traffic: dict[str, int], **main: Any) -> EndpointSpec:
    """An endpoint with the deployments main and shadow, both of the user's naming."""
    one = spec(traffic=traffic)
    written = [{**one.deployments[0], "name": name} for name in ("main", "shadow")]
    written[0] |= main
    endpoint = {**one.endpoint, **({} if mirror is None else {"mirror_traffic": mirror})}
    return replace(
        one, endpoint=endpoint, deployments=tuple(written), releases={"main": "r1", "shadow": "r1"}, traffic=traffic
    )


def planned(wanted: EndpointSpec, traffic: dict[str, int], mirror: dict[str, int]) -> Plan:
    body = endpoint_body(traffic)
    body["properties"]["mirrorTraffic"] = mirror
    there = facts(body, (deployment_body("main"), deployment_body("shadow")))
    return planner.plan_release(environment(), [wanted], {"mip": there})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"shadow": 20}, "mirroring 20 % to shadow starts"),
        ({"shadow": 20}, {}, "mirroring 20 % to shadow stops"),
        ({"shadow": 20}, {"shadow": 0}, "mirroring 20 % to shadow stops"),
        ({"shadow": 20}, {"shadow": 10}, "mirroring to shadow 20 % -> 10 %"),
    ],
)
def test_a_change_of_mirrored_traffic_is_in_the_reason(
    before: dict[str, int], after: dict[str, int], said: str
) -> None:
    """Where only the mirrored traffic changes, the reason says that and nothing else; the body has it for programs."""
    (shift,) = [step for step in planned(two(after, {"main": 100}), {"main": 100}, before).steps if step.changes]

    assert shift.why == said
    assert (shift.body["mirror_before"], shift.body["mirror_after"]) == (before, {n: s for n, s in after.items() if s})


def test_mirroring_that_stops_with_a_shift_is_in_the_reason() -> None:
    """Azure takes no deployment for both: one that gets traffic gets no mirrored traffic any more."""
    (shift,) = [s for s in planned(two(None, {"shadow": 100}), {"main": 100}, {"shadow": 20}).steps if s.changes]

    assert shift.why == "main 100 % -> shadow 100 %; mirroring 20 % to shadow stops"


def test_a_shift_without_mirrored_traffic_does_not_mention_it() -> None:
    (shift,) = [s for s in planned(two(None, {"shadow": 100}), {"main": 100}, {}).steps if s.changes]

    assert (shift.why, "mirror_after" in shift.body) == ("main 100 % -> shadow 100 %", False)


BIGGER = {"instance_type": "Standard_NC40ads_H100_v5"}


@pytest.mark.parametrize("target", [{}, {"shadow": 100}])
def test_traffic_that_the_files_take_away_moves_first(target: dict[str, int]) -> None:
    """A deployment that must be recreated loses its traffic in the same files: first that, then it is recreated."""
    plan = planned(two(None, target, **BIGGER), {"main": 100}, {})
    done = [(step.verb, step.address) for step in plan.steps if step.changes]

    assert done == [
        (Verb.SHIFT, addr("traffic/mip")),
        (Verb.DELETE, addr("deployment/mip/main")),
        (Verb.CREATE, addr("deployment/mip/main")),
    ]
    assert next(s for s in plan.steps if s.changes).body["after"] == target
    assert plan.rescue == ()


def test_mirrored_traffic_that_the_files_take_away_stops_first() -> None:
    """Likewise a deployment that gets mirrored traffic alone."""
    plan = planned(two({}, {"shadow": 100}, **BIGGER), {"shadow": 100}, {"main": 20})

    first, *others = [step for step in plan.steps if step.changes]
    assert first.why == "mirroring 20 % to main stops; the deployment without traffic is recreated"
    assert first.body["after"] == {"shadow": 100}
    assert [step.verb for step in others] == [Verb.DELETE, Verb.CREATE]


@pytest.mark.parametrize(
    ("target", "shadow"),
    [({"main": 100}, {}), ({"main": 50, "shadow": 50}, {}), ({"shadow": 100}, {"description": "new"})],
)
def test_what_keeps_its_traffic_is_not_recreated(target: dict[str, int], shadow: dict[str, Any]) -> None:
    """Neither one that has traffic in the files, nor one whose traffic would go to a deployment that changes, too."""
    wanted = two(None, target, **BIGGER)
    wanted = replace(wanted, deployments=(wanted.deployments[0], {**wanted.deployments[1], **shadow}))
    with pytest.raises(Refused, match=r"AML222.*first apply only a change of"):
        planned(wanted, {"main": 100}, {})

"""A number and its noun: right for one and for many, in every sentence that puts the one before the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from deploy.domain.plan import Step, Verb
from deploy.domain.spec import ServiceLimits
from deploy.preflight import core_quota, guards, limits, model_support
from deploy.text import count, noun
from tests.addresses import addr
from tests.unit.specs import environment, spec

ASKED = {"name": "mip-ab", "endpoints": 0, "deployments": 0, "siblings": 20, "roles": 0}
ASKED |= {"granted": {"endpoints": 100, "deployments_per_endpoint": 20}}
FULL = {"region": "eastus", "endpoints": 100, "assignments": 4000, "free": True, "unread": "", "source": ""}
GRANTED = replace(environment(), service_limits=ServiceLimits(deployments=500))
SUMS = {"instances": 1, "held": 0, "capacity": "dedicated", "reserve": False, "limit": None, "left": None}


def lacks(of: str) -> Callable[[int], str]:
    return lambda n: limits.check(ASKED | {of: n}, FULL).reasons[0].cause


def beyond(there: int) -> Callable[[int], str]:
    """The deployments of a region, with so many there and n more wanted."""
    steps = [Step(Verb.CREATE, addr(f"deployment/mip/n{n}"), {}, "") for n in range(500)]
    facts = {"mip": {addr(f"deployment/mip/d{n}"): {} for n in range(there)}}
    return lambda n: limits.too_many(steps[:n], facts, GRANTED)[0][0].cause


def small(n: int) -> str:
    looked = {"reference": "m", "exists": True, "source": "", "smallest": [n, n, 0, 0]}
    machine = {"cores": 0, "gpus": 0, "memory": 1, "disk": 1024}
    return model_support.check(looked, "S", machine, shared=False, also="").reasons[0].cause


def guarded(n: int) -> str:
    wanted = spec(instance_count=n)
    steps = [Step(Verb.CREATE, addr("deployment/mip/blue"), {"document": wanted.deployments[0]}, "")]
    return guards.too_many(environment(max_instances=0), [wanted], {}, steps, {})[0].cause


SAID: dict[str, tuple[Callable[[int], str], str, str]] = {
    "endpoints": (lacks("endpoints"), "1 more endpoint in eastus, 0 left", "2 more endpoints in eastus, 0 left"),
    "deployments": (lacks("deployments"), "1 more deployment of mip-ab", "2 more deployments of mip-ab"),
    "roles": (lacks("roles"), "1 more role assignment of", "2 more role assignments of"),
    "region": (beyond(500), "existing: 500 deployments, planned: 1 more", "existing: 500 deployments, planned: 2 more"),
    "cores": (
        lambda n: core_quota.arithmetic(SUMS | {"cores_per_instance": n, "needed": n}),
        "need 1 core (1 instance x 1)",
        "need 2 cores (1 instance x 2)",
    ),
    "smallest": (small, "0 of 1 core, 0 of 1 GPU (", "0 of 2 cores, 0 of 2 GPUs ("),
    "guard": (guarded, "1 instance would run", "2 instances would run"),
}


@pytest.mark.parametrize("which", SAID)
def test_for_one_and_for_many(which: str) -> None:
    """Every sentence, with 1 and with 2."""
    say, one, many = SAID[which]

    assert one in say(1)
    assert many in say(2)
    assert not re.search(r"\b1 (more )?(role )?(endpoint|deployment|assignment|core|GPU|instance)s\b", say(1))


def test_one_deployment_in_the_folder() -> None:
    """The last way to come to the limit."""
    assert beyond(1)(500) == "existing: 1 deployment, planned: 500 more; the limit of a region is 500"


@pytest.mark.parametrize("number", [0, 1, 2, 1_000])
def test_count(number: int) -> None:
    """One is one thing; none, two and a thousand are many, with their commas."""
    assert count(number, "check") == f"{number:,} check" + ("" if number == 1 else "s")
    assert noun(number, "box", "boxes") == ("box" if number == 1 else "boxes")

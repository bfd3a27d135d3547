"""What plans cost, over 200 generated ones: hours times the prices of the emulator's list, to the cent.

The list is read from the emulator as any client reads it. What runs is added up here a second time, in whole
thousandths of a cent and without code of deploy/preflight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import commands, emulator, reporter
from deploy.cloud import quota
from deploy.diff import autoscale_settings
from deploy.documents.scale import Scale
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG
from deploy.domain.history import LIVE_TAG
from deploy.domain.plan import Plan, Verb
from deploy.domain.spec import EndpointSpec
from deploy.emulator.quota import vm_sizes
from deploy.planning import planner
from tests.addresses import addr
from tests.laws.conftest import World, write_project
from tests.unit.specs import deployment_body, endpoint_body, environment, spec

OWN_PRICES = {"Standard_DS3_v2": 0.3334, "Standard_NC24ads_A100_v4": 4.785}
SIZES = [size.name for size in vm_sizes.SIZES if size.supports_endpoints]
STEPS = 100_000
"""Parts of a dollar: a price of the list has four decimals at most."""


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """What `plan` reads of the region of a world with two prices of its own."""
    project = write_project(tmp_path_factory.mktemp("prices")).project
    world = {"regions": {"eastus": {"prices": OWN_PRICES}}}
    (project.root / "world.yml").write_text(yaml.safe_dump(world))
    emulator.launch(project.state, profile="instant", world=project.root / "world.yml")
    found, _ = commands.project.validate(project, "law")
    with project.connect(found) as cloud:
        yield quota.read_region(cloud, "eastus")
    emulator.stop(project.state)


@dataclass(frozen=True)
class Case:
    """One endpoint: what runs, and what its files request."""

    wanted: EndpointSpec
    facts: Mapping[Any, Any]
    running: Mapping[str, tuple[str, int]]
    scaled: Mapping[str, tuple[int, int]]
    live: str


@st.composite
def cases(draw: st.DrawFn, key: str) -> Case:
    size, counts = st.sampled_from(SIZES), st.integers(1, 5)
    limits = draw(st.none() | st.tuples(st.integers(1, 3), st.integers(3, 6)))
    slots = draw(st.sampled_from([(), ("blue",), ("green",), ("blue", "green")]))
    running = {slot: (draw(size), draw(counts)) for slot in slots}
    live = draw(st.sampled_from(slots)) if slots else ""
    scaled = {live: limits} if live and limits and draw(st.booleans()) else {}
    pipeline: dict[str, Any] = {"rollout": {"strategy": draw(st.sampled_from(["blue_green", "in_place"]))}}
    if pipeline["rollout"]["strategy"] == "blue_green":
        pipeline["rollout"] |= {"keep_previous": draw(st.sampled_from([0, "24h"])), "stages": [20, 100]}
    pipeline |= {"scale": {"min": limits[0], "max": limits[1]}} if limits else {}
    wanted = spec(
        release=draw(st.sampled_from(["r1", "r2"])), pipeline=pipeline,
        instance_type=draw(size), instance_count=draw(counts),
    )  # fmt: skip
    document = {**wanted.deployments[0], "endpoint_name": f"{key}-ab"}
    endpoint = {"name": f"{key}-ab", "auth_mode": "key"}
    wanted = replace(wanted, key=key, owner=f"test/{key}", endpoint=endpoint, deployments=(document,))
    return Case(wanted, _facts(key, running, scaled, live), running, scaled, live)


def _facts(key: str, running: Any, scaled: Any, live: str) -> dict[Any, Any]:
    tags = {OWNER_TAG: f"test/{key}"}
    found: dict[Any, Any] = {}
    if running:
        records = {**tags, LIVE_TAG: f"{live}=r1@2026-11-29T12:00:00Z"}
        found[addr(f"endpoint/{key}")] = {**endpoint_body({live: 100}), "name": f"{key}-ab", "tags": records}
    for slot, (size, count) in running.items():
        body = deployment_body(slot, size=size, count=count)
        body |= {"id": f"/ws/onlineEndpoints/{key}-ab/deployments/{slot}"}
        found[addr(f"deployment/{key}/{slot}")] = {
            **body,
            "tags": {**tags, RELEASE_TAG: "r1" if slot == live else "r0"},
        }
    for slot, (least, most) in scaled.items():
        profiles = autoscale_settings.profiles_of(Scale(min=least, max=most))
        target = f"/ws/onlineEndpoints/{key}-ab/deployments/{slot}"
        setting = {"id": f"/as/{slot}", "name": slot, "target": target, "tags": tags, "enabled": True}
        found[addr(f"autoscale/{key}/{slot}")] = {**setting, "profiles": profiles}
    return found


def expected(case: Case, plan: Plan) -> dict[str, Any]:
    """Costs of one endpoint as (least, most) in parts of a dollar."""
    running, scaled, live = dict(case.running), dict(case.scaled), {case.live}
    moments = [_sum(running, scaled)]
    for step in (s for s in plan.steps if s.endpoint == case.wanted.key):
        name, body = step.address.name, step.body
        if step.kind == "deployment" and step.verb is Verb.DELETE:
            del running[name]
            scaled.pop(name, None)
        elif step.kind == "deployment" and "document" in body:
            running[name] = (body["document"]["instance_type"], body["document"]["instance_count"])
        elif step.kind == "deployment" and "count" in body:
            running[name] = (running[name][0], body["count"])
        elif step.kind == "autoscale" and step.verb is Verb.DELETE:
            scaled.pop(name, None)
        elif step.kind == "autoscale":
            scale = case.wanted.pipeline.scale
            scaled[name] = (scale.min, scale.max)
        elif step.kind == "traffic":
            live = {slot for slot, share in body["after"].items() if share}
        moments.append(_sum(running, scaled))
    idle = {slot: each for slot, each in running.items() if slot not in live}
    return {
        "now": _sum(case.running, {}),
        "after": moments[-1],
        "peak": (max(most for _, most in moments),) * 2,
        "idle": _sum(idle, scaled),
    }


def _sum(running: Mapping[str, tuple[str, int]], scaled: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    least = sum(_price(size) * scaled.get(slot, (n, n))[0] for slot, (size, n) in running.items())
    return least, sum(_price(size) * scaled.get(slot, (n, n))[1] for slot, (size, n) in running.items())


def _price(size: str) -> int:
    found = vm_sizes.find(size)
    assert found
    return round(OWN_PRICES.get(size, found.price) * STEPS)


def _cents(parts: int, hours: int) -> float:
    return floor(Fraction(parts * hours * 100, STEPS) + Fraction(1, 2)) / 100


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.tuples(cases("mip"), cases("two")))
def test_a_plan_costs_hours_times_prices(region: Mapping[str, Any], pair: tuple[Case, Case]) -> None:
    """Before, after, at the peak and without traffic; for each endpoint and in total."""
    facts = {case.wanted.key: {**case.facts, addr(f"quota/{case.wanted.key}/in/eastus"): region} for case in pair}
    # Cores are no subject here: nothing is in use, and there is no limit.
    facts = {key: _without_limits(seen) for key, seen in facts.items()}
    plan = planner.plan_release(environment(), [case.wanted for case in pair], facts)
    wanted = {case.wanted.key: expected(case, plan) for case in pair}
    found = reporter.plan_json(plan)["cost"]

    assert wanted.keys() == found["endpoints"].keys()
    total = {name: tuple(sum(each[name][end] for each in wanted.values()) for end in (0, 1)) for name in wanted["mip"]}
    for costs, sums in [(found, total), *((found["endpoints"][key], wanted[key]) for key in wanted)]:
        for name, (least, most) in sums.items():
            cost = costs[name]
            assert cost["currency"] == "USD"
            assert cost["unknown"] == []
            assert (round(cost["hourly"] * STEPS), round(cost["max_hourly"] * STEPS)) == (least, most), name
            assert (cost["monthly"], cost["max_monthly"]) == (_cents(least, 730), _cents(most, 730)), name


def _without_limits(seen: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        where: {**body, "usages": {}, "quotas": None, "own": {}} if where.kind == "quota" else body
        for where, body in seen.items()
    }


def test_a_report_says_what_status_says_next(world: World) -> None:
    """After a first release, a second one, more instances, and a release whose probe fails."""
    for values in ({"release": "1"}, {"release": "2"}, {"release": "2", "count": 2}, {"release": "3", "expect": 201}):
        world.want(**values)
        result = world.apply()
        (row,) = commands.status(world.project, "law")

        assert result.report.ok == ("expect" not in values)
        assert result.report.cost == row.cost
        assert row.cost
        assert row.cost.least == Decimal("3.673") * sum(slot.instances for slot in row.slots) > 0


def test_status_reads_the_list_of_a_region_once(world: World) -> None:
    """For two endpoints, also while it is watched; a plan reads it once, as before."""
    world.want()
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    path.write_text(
        yaml.safe_dump({**body, "endpoints": {"mip": body["endpoints"]["mip"], "two": body["endpoints"]["mip"]}})
    )
    assert world.apply().report.ok
    shown: list[Sequence[reporter.EndpointRow]] = []

    def show(rows: Sequence[reporter.EndpointRow]) -> None:
        shown.append(rows)
        if len(shown) == 3:
            raise KeyboardInterrupt

    def watched() -> None:
        with pytest.raises(KeyboardInterrupt):
            commands.watch(world.project, "law", show=show, every=1.0)

    for work in (lambda: commands.status(world.project, "law"), watched, lambda: commands.plan(world.project, "law")):
        before = emulator.requests(world.state)[-1]["number"]
        work()
        rows = emulator.requests(world.state, after=before)
        assert len([row for row in rows if "/vmSizes" in row["path"]]) == 1
    assert [row.cost.least for rows in shown for row in rows if row.cost] == [Decimal("3.673")] * 6

"""Laws of the fallback: an endpoint that finds the shared pool full goes to dedicated quota, if its files allow it.

The pool is a setting of the emulator, full as long as a test needs; the clock moves forward in each sleep.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from deploy import commands, emulator, reporter
from deploy.domain import leases
from deploy.domain.report import State
from deploy.errors import Exit
from deploy.execution.progress import Event, EventKind
from tests.laws.conftest import WORKSPACE, World, write_project
from tests.laws.stage import Ahead

FAMILY = "standardNCADSA100v4Family"
SLOW = 10.0
"""Seconds that a busy machine can take in addition to the sleeps."""
LENT = {
    "quota": {"capacity": "shared"},
    "roles": [{"role": "Storage Blob Data Contributor", "scope": "workspace_storage"}],
    "probe": {"type": "http", "body": "request.json", "attempts": 1},
    "retry": {"attempts": 2, "deadline": "20m"},
    "lease": {"alias": {"file": "live/mip.json"}, "drain": "0s"},
}


@dataclass
class Pool:
    """A project on an emulator in a separate process, and the size of the shared pool."""

    world: World
    server: Any
    free_after: int = 0
    retried: int = 0
    notes: list[str] = field(default_factory=list)

    def size(self, instances: int) -> None:
        self._put("settings", {"shared_quota_instances": instances})

    def want(self, fallback: bool, **more: Any) -> None:
        quota = {**LENT["quota"], **({"fallback": "dedicated"} if fallback else {})}
        text = yaml.safe_dump({**LENT, "quota": quota, **more})
        (self.world.project.root / "templates" / "plain" / "pipeline.yml.j2").write_text(text)

    def apply(self, **how: Any) -> commands.Result:
        return commands.apply(self.world.project, "law", approve=lambda *_: None, emit=self.watch, **how)

    def watch(self, event: Event) -> None:
        """Check the traffic law, and free the pool after a number of attempts."""
        self.world.watch(event)
        self.notes += [event.text] if event.kind is EventKind.NOTE else []
        if event.kind is EventKind.RETRYING:
            self.retried += 1
            if self.retried == self.free_after:
                self.size(8)

    def endpoints(self) -> list[Any]:
        return self._get(f"{WORKSPACE}/onlineEndpoints")

    def deployments(self, endpoint: str) -> list[Any]:
        return self._get(f"{WORKSPACE}/onlineEndpoints/{endpoint}/deployments")

    def roles(self) -> list[str]:
        """Return the principals of all role assignments but that of the signed-in identity."""
        rows = self._get(f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments", "2022-04-01")
        return [row["properties"]["principalId"] for row in rows]

    def used(self) -> int:
        """Return the cores of the family in use."""
        subscription = WORKSPACE.split("/resourceGroups/")[0]
        path = f"{subscription}/providers/Microsoft.MachineLearningServices/locations/eastus/usages"
        rows = self._get(path)
        return sum(r["currentValue"] for r in rows if FAMILY.lower() in r["name"]["value"].lower())

    def alias(self) -> dict[str, str]:
        return json.loads((self.world.project.root / "live" / "mip.json").read_text())

    def advance(self, hours: float) -> None:
        self._put("clock", {"advance": hours * 3600}, "POST")
        self.world.project.clock.sleep(hours * 3600)

    def renew(self) -> commands.Result:
        return commands.renew(
            self.world.project, "law", within=24, approve=lambda *_: None, emit=self.watch, show=self.world.said.append
        )

    def _put(self, what: str, body: Any, method: str = "PUT") -> None:
        url = f"{self.server.url}/emulator/{what}"
        assert requests.request(
            method, url, json=body, headers=self.server.control_headers, verify=self.server.ca, timeout=10
        ).ok

    def _get(self, path: str, version: str = "2024-10-01") -> list[Any]:
        values = self.server.variables()
        token = requests.get(
            values["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
            headers={"X-IDENTITY-HEADER": values["IDENTITY_HEADER"]},
            timeout=10,
        ).json()["access_token"]
        answer = requests.get(
            self.server.url + path,
            params={"api-version": version},
            headers={"Authorization": f"Bearer {token}"},
            verify=self.server.ca,
            timeout=10,
        )
        return list(answer.json()["value"])


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    world = write_project(tmp_path, clock=Ahead())
    found = Pool(world, emulator.launch(world.state, profile="instant"))
    yield found
    emulator.stop(world.state)
    assert world.broken == []


def states(done: commands.Result) -> list[str]:
    """`verb address: state` of every change."""
    return [f"{o.verb} {o.address}: {o.state}" for o in done.report.outcomes if o.verb != "check"]


def test_a_pool_that_frees_in_time_is_used(pool: Pool) -> None:
    """Full for more attempts than retry.attempts, then free: the endpoint is on shared quota, without fallback."""
    pool.want(fallback=True)
    pool.size(0)
    pool.free_after = 4
    done = pool.apply()
    (endpoint,) = pool.endpoints()

    assert done.report.exit is Exit.OK
    assert pool.retried == 4
    assert {o.state for o in done.report.outcomes} == {State.DONE}
    assert leases.of(endpoint) is not None
    assert pool.used() == 0


def test_a_pool_that_stays_full_leads_to_dedicated_quota(pool: Pool) -> None:
    """Full until the deadline: one endpoint on dedicated quota receives traffic, with its own roles only; a second
    apply does nothing.
    """
    pool.want(fallback=True)
    before = pool.roles()
    pool.size(0)
    done = pool.apply()
    (endpoint,) = pool.endpoints()
    (deployment,) = pool.deployments(endpoint["name"])

    assert done.report.exit is Exit.OK
    assert endpoint["properties"]["traffic"] == {deployment["name"]: 100}
    assert leases.of(endpoint) is None
    assert leases.ENDS_TAG not in endpoint["tags"]
    assert pool.used() == 24
    assert set(pool.roles()) - set(before) == {endpoint["identity"]["principalId"]}
    assert pool.alias() == {**pool.alias(), "endpoint": endpoint["name"], "lease_ends": ""}
    replaced = [o for o in done.report.outcomes if o.state is State.SUPERSEDED]
    assert [o.error["code"] for o in replaced if o.error] == ["AML311"]
    assert 1000 < replaced[0].seconds <= 1200 + SLOW
    assert any("the shared pool stayed full" in note for note in pool.notes)
    again = pool.apply()
    assert again.plan.steps == ()
    assert any("is on dedicated quota, not on shared" in note for note in again.plan.notes)
    assert commands.teardown(pool.world.project, "law", approve=lambda *_: None, emit=pool.watch).report.ok
    assert sorted(pool.roles()) == sorted(before)


def test_without_a_fallback_a_full_pool_fails(pool: Pool) -> None:
    """Exit 5 after retry.attempts; the endpoint stays on shared quota without traffic."""
    pool.want(fallback=False)
    pool.size(0)
    done = pool.apply()
    (endpoint,) = pool.endpoints()

    assert done.report.exit is Exit.STEP_FAILED
    assert pool.retried == 1
    assert leases.of(endpoint) is not None
    assert endpoint["properties"]["traffic"] == {}
    assert State.SUPERSEDED not in {o.state for o in done.report.outcomes}


def test_a_fallback_added_later_is_used(pool: Pool) -> None:
    """A first apply failed; with the fallback in the file the next apply uses it, since the endpoint has no traffic
    yet.
    """
    pool.want(fallback=False)
    pool.size(0)
    pool.apply()
    pool.want(fallback=True)
    done = pool.apply()
    (endpoint,) = pool.endpoints()

    assert done.report.exit is Exit.OK
    assert leases.of(endpoint) is None
    assert sum(endpoint["properties"]["traffic"].values()) == 100
    assert pool.apply().plan.steps == ()


class Killed(BaseException):
    """Simulates a killed process."""


@pytest.mark.parametrize("cut", ["delete endpoint/mip", "create endpoint/mip", "create deployment/mip/blue"])
def test_an_interrupted_fallback_is_continued(pool: Pool, cut: str) -> None:
    """Killed after any step of it, the next apply ends with one endpoint on dedicated quota that receives traffic."""
    pool.want(fallback=True)
    pool.size(0)

    def dies(event: Event) -> None:
        pool.watch(event)
        if pool.notes and event.kind is EventKind.DONE and f"{event.verb} {event.address}" == cut:
            raise Killed

    with pytest.raises(Killed):
        commands.apply(pool.world.project, "law", approve=lambda *_: None, emit=dies)
    done = pool.apply()
    (endpoint,) = pool.endpoints()

    assert done.report.exit is Exit.OK
    assert leases.of(endpoint) is None
    assert endpoint["properties"]["traffic"] == {"blue": 100}
    assert pool.apply().plan.steps == ()


def test_an_interrupted_plan_file_keeps_its_fallback(pool: Pool) -> None:
    """Killed after the endpoint on shared quota exists; the same file continues, finds the pool full, and
    falls back.
    """
    pool.want(fallback=True)
    pool.size(0)
    file = pool.world.project.root / "agreed.json"
    file.write_text(reporter.plan_dump(commands.plan(pool.world.project, "law")))

    def dies(event: Event) -> None:
        if event.kind is EventKind.DONE and f"{event.verb} {event.address}" == "create endpoint/mip":
            raise Killed

    with pytest.raises(Killed):
        commands.apply(pool.world.project, None, approve=lambda *_: None, emit=dies, plan_file=file)
    done = commands.apply(pool.world.project, None, approve=lambda *_: None, emit=pool.watch, plan_file=file)

    assert done.report.exit is Exit.OK
    assert leases.of(pool.endpoints()[0]) is None


def test_both_pools_full_is_reported_and_deletes_nothing(pool: Pool) -> None:
    """Neither pool nor family has room: exit 5 with both causes; the endpoint stays on shared quota for another try."""
    pool.want(fallback=True)
    file = pool.world.project.root / "templates" / "plain" / "deployment.yml.j2"
    file.write_text(file.read_text().replace("default(1)", "default(5)"))
    pool.size(0)
    done = pool.apply()
    (endpoint,) = pool.endpoints()
    codes = [o.error["code"] for o in done.report.outcomes if o.error]

    assert any("need 120, 96 free" in note for note in done.plan.notes)
    assert done.report.exit is Exit.STEP_FAILED
    assert codes == ["AML311", "AML200"]
    assert leases.of(endpoint) is not None
    pool.size(8)
    assert pool.apply().report.exit is Exit.OK
    assert leases.of(pool.endpoints()[0]) is not None


def test_a_successor_falls_back_too(pool: Pool) -> None:
    """A renewal that finds the pool full creates the successor on dedicated quota, moves the alias, deletes the old
    endpoint.
    """
    pool.want(fallback=True)
    assert pool.apply().report.exit is Exit.OK
    first = pool.alias()["endpoint"]
    pool.size(0)
    pool.advance(150)
    done = pool.renew()
    (endpoint,) = pool.endpoints()

    assert done.report.exit is Exit.OK
    assert endpoint["name"] != first
    assert pool.alias()["endpoint"] == endpoint["name"]
    assert leases.of(endpoint) is None
    assert sum(endpoint["properties"]["traffic"].values()) == 100
    assert pool.renew().plan.steps == ()
    assert pool.apply().plan.steps == ()


def test_a_renewal_tries_a_full_pool_once(pool: Pool) -> None:
    """One attempt and exit 5, unless pipeline.yml sets how long to wait."""
    pool.want(fallback=False)
    assert pool.apply().report.exit is Exit.OK
    pool.size(0)
    pool.advance(150)
    assert pool.renew().report.exit is Exit.STEP_FAILED
    assert pool.retried == 1
    text = yaml.safe_dump({key: value for key, value in LENT.items() if key != "retry"})
    (pool.world.project.root / "templates" / "plain" / "pipeline.yml.j2").write_text(text)
    assert pool.renew().report.exit is Exit.STEP_FAILED
    assert pool.retried == 1
    pool.size(8)
    assert pool.renew().report.exit is Exit.OK

"""The laws of leases, on the emulator: what Azure's deletion leaves behind is reaped, what ends is renewed in time."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests
import yaml

from deploy import emulator, leases, verbs
from deploy.cloud import holdings
from deploy.errors import UsageError
from deploy.model import RELEASE_TAG
from deploy.reaper import Rules
from tests.laws.conftest import WORKSPACE, World
from tests.laws.test_laws import everything, failures

HOUR = 3600.0


def lend(world: World, roles: bool = True, drain: str = "0s") -> None:
    """The plain template on shared quota, with an alias in a file and people to be told."""
    pipeline: dict[str, Any] = {
        "quota": {"capacity": "shared"},
        "probe": {"type": "http", "body": "request.json", "attempts": 1},
        "retry": {"attempts": 1, "deadline": "60s"},
        "lease": {"alias": {"file": "live/mip.json"}, "drain": drain},
    }
    if roles:
        pipeline["roles"] = [{"role": "Storage Blob Data Contributor", "scope": "workspace_storage"}]
    (world.project.root / "templates" / "plain" / "pipeline.yml.j2").write_text(yaml.safe_dump(pipeline))
    path = world.project.root / "environments" / "law.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "notices": [{"to": "stdout"}]}))


def running(world: World) -> AbstractContextManager[Any]:
    """An emulator that stays for the block, so that its clock can be turned."""
    return emulator.embed(world.state)


def advance(server: Any, hours: float) -> None:
    requests.post(f"{server.url}/emulator/clock", json={"advance": hours * HOUR}, verify=server.ca, timeout=10)


def reap(world: World, **rules: Any) -> verbs.Reaped:
    return verbs.reap(
        world.project,
        "law",
        Rules(**rules),
        yes=True,
        approve=lambda *_: None,
        tell=world.watch,
        show=world.said.append,
    )


def renew(world: World, within: float = 24, **how: Any) -> verbs.Done:
    return verbs.renew(
        world.project, "law", within=within, approve=lambda *_: None, tell=world.watch, show=world.said.append, **how
    )


def alias(world: World) -> dict[str, str]:
    return json.loads((world.project.root / "live" / "mip.json").read_text())


@pytest.mark.parametrize("roles", [True, False], ids=["roles of ours", "only Azure's roles"])
def test_after_azures_deletion_nothing_is_left(world: World, roles: bool) -> None:
    """Deploy on shared quota, let Azure delete the endpoint, reap: the world is what it was, down to its roles."""
    lend(world, roles=roles)
    before = everything(world)
    assert failures(world.apply()) == []
    assert world.apply().plan.steps == ()
    advance_alone(world, 169)
    left = everything(world)

    assert left["endpoints"] == []
    assert left != before
    assert reap(world).ok
    assert everything(world) == before
    assert reap(world).judged.candidates == ()


def advance_alone(world: World, hours: float) -> None:
    with running(world) as server:
        advance(server, hours)


@pytest.mark.parametrize("roles", [True, False], ids=["roles of ours", "only Azure's roles"])
def test_teardown_after_azures_deletion(world: World, roles: bool) -> None:
    """Teardown by name finds the same leftovers."""
    lend(world, roles=roles)
    before = everything(world)
    world.apply()
    advance_alone(world, 169)

    assert failures(world.teardown()) == []
    assert everything(world) == before


def test_a_lease_is_renewed_once(world: World) -> None:
    """Near its end an endpoint gets a successor; the alias moves; the old one goes; asked again, nothing is done."""
    lend(world)
    world.apply()
    first = alias(world)
    advance_alone(world, 140)
    assert renew(world).plan.steps == ()
    advance_alone(world, 10)
    done = renew(world)
    second = alias(world)

    assert failures(done) == []
    assert second["endpoint"] != first["endpoint"]
    assert leases.is_of_line(first["endpoint"], second["endpoint"])
    assert [e["name"] for e in everything(world)["endpoints"]] == [second["endpoint"]]
    assert renew(world).plan.steps == ()
    assert world.apply().plan.steps == ()
    assert verbs.status(world.project, "law")[0].name == second["endpoint"]


def test_generations_follow_each_other(world: World) -> None:
    """Four weeks of renewals: every name is new, one endpoint at a time, and teardown ends it all."""
    lend(world)
    before = everything(world)
    world.apply()
    names = [alias(world)["endpoint"]]
    for _ in range(4):
        advance_alone(world, 150)
        assert failures(renew(world)) == []
        names.append(alias(world)["endpoint"])

    assert len(set(names)) == 5
    assert failures(world.teardown()) == []
    assert everything(world) == before


def test_each_notice_is_given_once(world: World) -> None:
    """Looked at every quarter of an hour, each threshold is said once."""
    lend(world)
    world.apply()
    advance_alone(world, 118.5)
    for hours in (1, 0.25, 0.25, 24, 0.25, 18, 0.25, 5, 0.25):
        advance_alone(world, hours)
        assert reap(world).ok

    assert [words.partition("than ")[2].partition(" left")[0] for words in world.said] == ["48 h", "24 h", "6 h", "1 h"]


def test_in_place_states_the_outage(world: World) -> None:
    """--in-place deletes first; the successor has another name and callers find it through the alias."""
    lend(world)
    world.apply()
    first = alias(world)
    advance_alone(world, 150)
    done = renew(world, in_place=True)

    assert failures(done) == []
    verbs_ = [step.verb for step in done.plan.steps if step.room == "endpoint"]
    assert [str(verb) for verb in verbs_] == ["delete", "create"]
    assert alias(world)["endpoint"] != first["endpoint"]


def test_what_is_reaped_can_be_restored(world: World) -> None:
    """Kept, deleted, restored: deployments, traffic, tags and roles are what they were; again is nothing."""
    lend(world)
    world.apply()
    world.want(release="2")
    lend(world)
    world.apply()
    before = alike(world)
    assert reap(world, older_than=0, force=True).ok
    assert everything(world)["endpoints"] == []
    (folder,) = (world.state / "reaped").glob("*/*")
    done = verbs.restore(world.project, "law", folder, approve=lambda *_: None, tell=world.watch)

    assert failures(done) == []
    assert alike(world) == before
    again = verbs.restore(world.project, "law", folder, approve=lambda *_: None, tell=world.watch)
    assert again.plan.steps == ()


def alike(world: World) -> Any:
    """What is there without what Azure makes anew each time: moments, identities, ids, the lease's end."""
    environment, _ = verbs.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        found = []
        for endpoint in world.read(f"{WORKSPACE}/onlineEndpoints"):
            behind = world.read(f"{WORKSPACE}/onlineEndpoints/{endpoint['name']}/deployments")
            rows = [(b["name"], b["sku"], _wanted(b), sorted(set(b["tags"]) - {RELEASE_TAG})) for b in behind]
            tags = {k: v for k, v in endpoint["tags"].items() if not k.startswith("amldeploy-lease")}
            found.append((endpoint["name"], endpoint["properties"]["traffic"], tags, sorted(rows, key=str)))
            found += sorted(holdings.given(cloud, endpoint), key=str)
        return found


def _wanted(deployment: dict[str, Any]) -> dict[str, Any]:
    names = ("model", "instanceType", "environmentVariables", "requestSettings", "livenessProbe")
    return {name: deployment["properties"].get(name) for name in names}


def test_a_folder_that_is_no_export(world: World) -> None:
    """Whatever is named instead of a kept endpoint is said, and nothing is changed."""
    for folder in (world.project.root, world.project.root / "nowhere"):
        with pytest.raises(UsageError, match="Name the folder of one endpoint") as refused:
            verbs.restore(world.project, "law", folder, approve=lambda *_: None, tell=world.watch)
        assert refused.value.code == "AML664"

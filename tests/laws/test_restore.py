"""restore recreates what reap deleted: the resources are the same except for what only the server sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.domain import leases
from deploy.domain.plan import Verb
from deploy.errors import Refused, UsageError
from deploy.execution.progress import Event, EventKind
from deploy.planning.reaping import Rules
from tests.addresses import addr
from tests.laws.conftest import WORKSPACE, World
from tests.laws.stage import Stage
from tests.laws.test_laws import failures
from tests.laws.test_leases import advance_alone, alias, lend, renew
from tests.laws.test_renewals import pool
from tests.outsider import Outsider

SERVERS = {
    "id", "systemData", "AzureAsyncOperationUri", "azureml.onlineendpointid", "azureml.onlinedeploymentid",
    "principalId", "tenantId", "scoringUri", "swaggerUri", leases.DEADLINE, leases.ENDS_TAG, leases.NOTICED_TAG,
    leases.RESTORED_TAG,
}  # fmt: skip
"""What the server sets, and the moment at which a lease ends: the new one has time of its own."""


def lasting(value: Any) -> Any:
    """A body without what cannot be the same again."""
    if isinstance(value, Mapping):
        return {key: lasting(item) for key, item in value.items() if key not in SERVERS}
    return [lasting(item) for item in value] if isinstance(value, list) else value


def world_of(world: World) -> dict[str, Any]:
    """Endpoints and deployments without what cannot be the same again, and (role, scope) of every assignment."""
    environment, _ = commands.validate(world.project, "law")
    group = f"/subscriptions/{environment.subscription_id}"
    with world.project.connect(environment):
        endpoints = world.read(f"{WORKSPACE}/onlineEndpoints")
        rows = world.read(f"{group}/providers/Microsoft.Authorization/roleAssignments")
        return {
            "endpoints": lasting(endpoints),
            "deployments": [
                lasting(world.read(f"{WORKSPACE}/onlineEndpoints/{e['name']}/deployments")) for e in endpoints
            ],
            "roles": sorted((r["properties"]["roleDefinitionId"], r["properties"]["scope"]) for r in rows),
        }


def marked(world: World) -> list[tuple[str, bool]]:
    """Each endpoint, and whether it has the tag that `restore` writes."""
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment):
        bodies = world.read(f"{WORKSPACE}/onlineEndpoints")
    return sorted((body["name"], leases.RESTORED_TAG in body["tags"]) for body in bodies)


def shift(world: World, name: str, **traffic: int) -> None:
    """Another person moves the traffic of an endpoint."""
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment):
        outsider = Outsider()
        body = outsider.send("GET", f"/onlineEndpoints/{name}")
        body["properties"]["traffic"] = traffic
        outsider.put(f"/onlineEndpoints/{name}", body)


def reap(world: World) -> Path:
    """Reap everything of ours; return the folder of the last export."""
    advance_alone(world, 0.01)  # an endpoint's age is counted in whole seconds
    done = commands.reap(
        world.project, "law", Rules(older_than=0, force=True), yes=True,
        approve=lambda *_: None, emit=world.watch, show=world.said.append,
    )  # fmt: skip
    assert done.ok, done
    return max((world.state / "reaped").glob("*/*"))


def restore(world: World, folder: Path, name: str = "law") -> commands.Result:
    return commands.restore(world.project, name, folder, approve=lambda *_: None, emit=world.watch)


@pytest.fixture(params=["dedicated", "shared"])
def deployed(world: World, request: pytest.FixtureRequest) -> World:
    """Two releases behind one endpoint with traffic on both, tags and settings of all kinds."""
    pipeline = {
        "quota": {"capacity": request.param},
        "roles": [
            {"role": "Storage Blob Data Contributor", "scope": "workspace_storage"},
            {
                "role": "AzureML Data Scientist",
                "scope": "endpoint",
                "principal": {"object_id": "00000000-0000-0000-0000-00000000abcd", "type": "ServicePrincipal"},
            },
        ],
    }
    plain = world.project.root / "templates" / "plain"
    (plain / "deployment.yml.j2").unlink()
    (plain / "pipeline.yml.j2").write_text(yaml.safe_dump(pipeline))
    (plain / "endpoint.yml.j2").write_text(
        "name: '{{ endpoint }}-{{ unique(5) }}'\nauth_mode: aad_token\ndescription: for rounds\n"
        "tags: {team: imaging}\ntraffic: {old: 80, new: 20}\nproperties: {contract: '7'}\n"
    )
    for name, count in (("old", 2), ("new", 1)):
        (plain / f"{name}-deployment.yml.j2").write_text(
            f"name: {name}\nendpoint_name: '{{{{ endpoint }}}}-{{{{ unique(5) }}}}'\n"
            "model: azureml://registries/azureml/models/MedImageParse/versions/17\n"
            f"instance_type: Standard_NC24ads_A100_v4\ninstance_count: {count}\napp_insights_enabled: true\n"
            f"environment_variables: {{RELEASE: '{{{{ values.release }}}}', WORKER_COUNT: '{count}'}}\n"
            f"tags: {{stage: {name}}}\n"
            "request_settings: {request_timeout_ms: 90000, max_concurrent_requests_per_instance: 3}\n"
            "liveness_probe: {initial_delay: 600, period: 10, failure_threshold: 30}\n"
        )
    with_user(world)
    assert failures(world.apply()) == []
    return world


def with_user(world: World) -> None:
    """A user in the directory for role assignments."""
    path = world.project.root / "world.yml"
    path.write_text("principals: [{id: 00000000-0000-0000-0000-00000000abcd, name: friend}]\n")
    emulator.begin(world.state, world=path)


def test_reap_then_restore_is_identical(deployed: World) -> None:
    """reap --yes, then restore: endpoint, deployments, traffic, tags and roles are as before; a second restore does
    nothing.
    """
    before = world_of(deployed)
    folder = reap(deployed)
    assert world_of(deployed)["endpoints"] == []
    assert failures(restore(deployed, folder)) == []

    assert world_of(deployed) == before
    assert [is_marked for _, is_marked in marked(deployed)] == [True]
    assert restore(deployed, folder).plan.steps == ()
    assert deployed.apply().plan.steps == ()


def test_folders_without_an_export_are_refused(world: World, tmp_path: Path) -> None:
    """Missing, incomplete, of another environment: each is named, and nothing is sent."""
    cases = (
        (None, "No such file or directory"),
        ("{", "not JSON: Expecting property name"),
        ("[]", "does not describe"),
    )
    for text, cause in cases:
        folder = tmp_path / f"kept{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        if text:
            (folder / "endpoint.json").write_text(text)
        with pytest.raises(UsageError) as caught:
            restore(world, folder)
        assert caught.value.code == "AML664"
        assert cause in caught.value.cause
    folder = tmp_path / "prod"
    folder.mkdir()
    body = {"name": "x", "properties": {"traffic": {}}, "tags": {"amldeploy-owner": "prod/x"}}
    (folder / "endpoint.json").write_text(json.dumps(body))
    with pytest.raises(UsageError, match="Use -e prod"):
        restore(world, folder)
    assert world.mutating() == 0


def test_nothing_is_restored_over_a_live_release(world: World) -> None:
    """A successor receives traffic, or the same name with another release: exit 4, nothing changes, and the
    alternatives are listed.
    """
    lend(world)
    world.apply()
    first = alias(world)["endpoint"]
    folder = reap(world)
    world.want(release="2")
    lend(world)
    world.apply()
    assert alias(world)["endpoint"] == first
    refused(world, folder, f"endpoint {first} receives traffic")
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    after = alias(world)
    refused(world, folder, f"endpoint {after['endpoint']} receives traffic")
    assert (alias(world), [body["name"] for body in world_of(world)["endpoints"]]) == (after, [after["endpoint"]])

    assert failures(world.teardown()) == []
    assert failures(restore(world, folder)) == []
    assert alias(world)["endpoint"] == first


def refused(world: World, folder: Path, cause: str) -> None:
    """Restoring is refused for this cause with a fix, and sends nothing."""
    before, sent = world_of(world), world.mutating()
    with pytest.raises(Refused, match=cause) as caught:
        restore(world, folder)
    assert ([finding.code for finding in caught.value.findings], caught.value.exit) == (["AML277"], 4)
    assert "amldeploy teardown -e law mip" in caught.value.cure
    assert (world_of(world), world.mutating()) == (before, sent)


def test_a_restored_endpoint_is_probed_first(world: World) -> None:
    """With the probe of its entry: a wrong response leaves it without traffic, and a second restore heals it."""
    lend(world)
    world.apply()
    folder = reap(world)
    pipeline = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    asked = yaml.safe_load(pipeline.read_text())
    pipeline.write_text(yaml.safe_dump({**asked, "probe": {**asked["probe"], "status": 418}}))
    done = restore(world, folder)
    (there,) = world_of(world)["endpoints"]
    assert ([o.address for o in done.report.outcomes if o.error], there["properties"]["traffic"]) == (
        [addr("probe/mip/blue")],
        {},
    )
    pipeline.write_text(yaml.safe_dump(asked))
    done = restore(world, folder)
    (there,) = world_of(world)["endpoints"]
    assert (failures(done), there["properties"]["traffic"]) == ([], {"blue": 100})


def test_a_restored_endpoint_is_renewed(world: World) -> None:
    """With nothing due `renew` does not change it; near its end it is exported and gets a successor."""
    lend(world)
    world.apply()
    advance_alone(world, 150)
    renew(world)
    second = alias(world)["endpoint"]
    folder = reap(world)
    assert failures(restore(world, folder)) == []
    assert (alias(world)["endpoint"], renew(world).plan.steps, world.apply().plan.steps) == (second, (), ())
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    third = alias(world)["endpoint"]
    assert [body["name"] for body in world_of(world)["endpoints"]] == [third] != [second]
    assert len(list((world.state / "reaped").glob(f"*/{second}/endpoint.json"))) == 2


def test_a_restored_endpoint_beside_the_one_that_serves_is_no_predecessor(world: World) -> None:
    """The older endpoint of the line was restored while its successor had no traffic. Both serve now, and a renewal
    with nothing due deletes neither.
    """
    lend(world)
    world.apply()
    first = alias(world)["endpoint"]
    advance_alone(world, 150)
    assert failures(renew(world)) == []
    second = alias(world)["endpoint"]
    folder = next((world.state / "reaped").glob(f"*/{first}"))
    shift(world, second)
    assert failures(restore(world, folder)) == []
    shift(world, second, blue=100)
    there = [(first, True), (second, False)]
    assert marked(world) == there
    done = renew(world)

    assert (failures(done), [step for step in done.plan.steps if step.verb is Verb.DELETE]) == ([], [])
    assert (marked(world), alias(world)["endpoint"]) == (there, second)


def test_a_failed_final_read_keeps_the_report(world: World) -> None:
    """After all changes a failed read loses no report, and an interrupted run reads nothing more."""
    lend(world)
    world.apply()
    folder = reap(world)
    silent = {"kind": "refuse", "status": 403, "operation": "OnlineDeployments_List", "times": "always"}

    def fall_silent(event: Event) -> None:
        if event.kind is EventKind.DONE and event.verb is Verb.SHIFT:
            emulator.begin(world.state, faults=[silent])

    done = commands.restore(world.project, "law", folder, approve=lambda *_: None, emit=fall_silent)
    emulator.begin(world.state, faults=[])

    assert (failures(done), done.report.exit, done.endpoint_rows, done.folder is None) == ([], 0, (), False)


def test_restore_follows_retry_and_fallback_of_the_entry(stage: Stage) -> None:
    """Its retry and fallback apply, not the default half hour; the wait is printed. An alias that cannot be read blocks
    nothing: it stays unchanged, with a note.
    """
    emulator.reset(stage.state)
    stage.order()
    stage.want("1")
    lend(stage.world)
    root = stage.world.project.root
    pipeline = root / "templates" / "plain" / "pipeline.yml.j2"
    quota = {"capacity": "shared", "fallback": "dedicated"}
    pipeline.write_text(yaml.safe_dump({**yaml.safe_load(pipeline.read_text()), "quota": quota}))
    assert stage.apply().exit == 0
    advance_alone(stage.world, 1)
    folder = reap(stage.world)
    assert not (root / "live" / "mip.json").exists()
    (root / "live" / "mip.json").mkdir()
    events: list[Event] = []
    ahead = stage.world.project.clock.ahead
    try:
        with pool(stage, 0):
            done = commands.restore(stage.world.project, "law", folder, approve=lambda *_: None, emit=events.append)
    finally:
        (root / "live" / "mip.json").rmdir()

    assert (done.exit, stage.seen()["live"]) == (0, ["1"])
    assert stage.world.project.clock.ahead - ahead < 120
    assert any(event.kind is EventKind.NOTE and "the shared pool stayed full" in event.text for event in events)
    assert ["mip.json cannot be read" in note for note in done.plan.notes] == [True]

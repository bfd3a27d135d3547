"""Laws of leases, on the emulator: what Azure's deletion leaves is reaped, and leases are renewed in time."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import requests
import yaml

from deploy import commands, emulator
from deploy.cloud import autoscale_and_tags, role_state
from deploy.domain import leases
from deploy.domain.arm import RELEASE_TAG
from deploy.errors import UsageError
from deploy.planning.reaping import Rules
from tests.laws.conftest import WORKSPACE, World
from tests.laws.test_laws import everything, failures

HOUR = 3600.0


def lend(world: World, roles: bool = True, drain: str = "0s") -> None:
    """The plain template on shared quota, with an alias in a file and notice channels."""
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
    """An emulator that stays for the block, so that the test can set its clock."""
    return emulator.embed(world.state)


def advance(server: Any, hours: float) -> None:
    url, change = f"{server.url}/emulator/clock", {"advance": hours * HOUR}
    requests.post(url, json=change, headers=server.control_headers, verify=server.ca, timeout=10).raise_for_status()


def reap(world: World, **rules: Any) -> commands.ReapResult:
    return commands.reap(
        world.project,
        "law",
        Rules(**rules),
        yes=True,
        approve=lambda *_: None,
        emit=world.watch,
        show=world.said.append,
    )


def renew(world: World, within: float = 24, **how: Any) -> commands.Result:
    return commands.renew(
        world.project, "law", within=within, approve=lambda *_: None, emit=world.watch, show=world.said.append, **how
    )


def alias(world: World) -> dict[str, str]:
    return json.loads((world.project.root / "live" / "mip.json").read_text())


@pytest.mark.parametrize("roles", [True, False], ids=["roles of ours", "only Azure's roles"])
def test_after_azures_deletion_nothing_is_left(world: World, roles: bool) -> None:
    """Deploy on shared quota, let Azure delete the endpoint, reap: the world is the same as before, including roles."""
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
    """Teardown by name removes the same orphans."""
    lend(world, roles=roles)
    before = everything(world)
    world.apply()
    advance_alone(world, 169)

    assert failures(world.teardown()) == []
    assert everything(world) == before


def test_a_lease_is_renewed_once(world: World) -> None:
    """Near its end an endpoint gets a successor, the alias moves, the old endpoint is deleted; a second run does
    nothing.
    """
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
    assert leases.is_in_chain(first["endpoint"], second["endpoint"])
    assert [e["name"] for e in everything(world)["endpoints"]] == [second["endpoint"]]
    assert renew(world).plan.steps == ()
    assert world.apply().plan.steps == ()
    assert commands.status(world.project, "law")[0].name == second["endpoint"]


def test_generations_follow_each_other(world: World) -> None:
    """Four weeks of renewals: every name is new, one endpoint at a time, and teardown deletes everything."""
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


def test_each_notice_is_sent_once(world: World) -> None:
    """With a run every quarter of an hour, each threshold sends one notice."""
    lend(world)
    world.apply()
    advance_alone(world, 118.5)
    for hours in (1, 0.25, 0.25, 24, 0.25, 18, 0.25, 5, 0.25):
        advance_alone(world, hours)
        assert reap(world).ok

    assert [words.partition("than ")[2].partition(" left")[0] for words in world.said] == ["48 h", "24 h", "6 h", "1 h"]


def emit(world: World, *channels: dict[str, str], **more: Any) -> None:
    """Set the notice channels."""
    path = world.project.root / "environments" / "law.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "notices": list(channels), **more}))


@pytest.mark.parametrize("verb", ["reap", "renew"])
def test_a_failed_notice_is_sent_again(world: World, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two channels fails: exit 5; each run sends again to this channel only, until it succeeds."""

    def visit() -> tuple[int, list[str], list[str]]:
        world.said.clear()
        done: Any = reap(world) if verb == "reap" else renew(world, within=1)
        told = (done.notices.sent, done.notices.failed) if verb == "reap" else (done.notices, done.failure_messages)
        return int(done.exit), [each["to"] for each in told[0]], list(told[1])

    lend(world)
    emit(world, {"to": "stdout"}, {"to": "webhook", "url_from": "HOOK"})
    monkeypatch.delenv("HOOK", raising=False)
    world.apply()
    advance_alone(world, 130)
    code, given, failed = visit()

    assert (code, given, len(failed), len(world.said)) == (5, ["stdout"], 1, 1)
    assert "HOOK" in failed[0]
    code, given, failed = visit()
    assert (code, given, len(failed), world.said) == (5, [], 1, [])
    with webhook() as (address, heard):
        monkeypatch.setenv("HOOK", address)
        assert visit() == (0, ["webhook"], [])
        assert visit() == (0, [], [])
        assert [body["threshold_hours"] for body in heard] == [48]
        advance_alone(world, 20)
        assert visit() == (0, ["stdout", "webhook"], [])


def test_a_lost_answer_loses_no_notice(world: World) -> None:
    """The tag was written although the answer was lost: it is read again, and the notice is sent once."""
    lend(world)
    world.apply()
    advance_alone(world, 130)
    emulator.begin(world.state, faults=[{"kind": "lose", "operation": "Tags_UpdateAtScope"}])

    assert [(int(reap(world).exit), len(world.said)) for _ in range(2)] == [(0, 1), (0, 1)]


@contextmanager
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """A webhook, and what it received."""
    heard: list[Any] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()
        thread.join()


def test_notices_are_sent_when_a_guard_refuses(world: World) -> None:
    """The candidates are listed, nothing is deleted, exit 4; notices are sent."""
    lend(world)
    world.apply()
    emit(world, {"to": "stdout"}, guards={"protected": True})
    advance_alone(world, 150)
    reaped = reap(world, within=24, force=True)

    assert (int(reaped.exit), reaped.result, [finding.code for finding in reaped.judged.findings]) == (
        4,
        None,
        ["AML241"],
    )
    assert len(reaped.judged.candidates) == 1
    assert len(world.said) == 1
    assert len(everything(world)["endpoints"]) == 1


def test_reap_refuses_when_roles_cannot_be_read(world: World) -> None:
    """Without permission to read role assignments nothing is deleted, with the reason; notices of the lease
    are sent.
    """
    lend(world)
    world.apply()
    advance_alone(world, 150)
    emulator.begin(
        world.state,
        faults=[{"kind": "refuse", "status": 403, "times": "always", "operation": "RoleAssignments_ListForScope"}],
    )
    reaped = reap(world, within=24, force=True)
    emulator.begin(world.state, faults=[])

    assert (reaped.exit, [finding.code for finding in reaped.judged.findings]) == (4, ["AML252"])
    assert (len(everything(world)["endpoints"]), len(world.said)) == (1, 1)
    assert reap(world, within=24, force=True).ok
    assert everything(world)["endpoints"] == []


def test_renew_refuses_when_roles_cannot_be_read(world: World) -> None:
    """The predecessor could not be exported with its roles, so nothing changes; the next run renews."""
    lend(world)
    world.apply()
    first = alias(world)
    advance_alone(world, 150)
    unread = {"kind": "refuse", "status": 403, "times": "always", "operation": "RoleAssignments_ListForScope"}
    emulator.begin(world.state, faults=[unread])
    done = renew(world)
    emulator.begin(world.state, faults=[])

    assert [error["code"] for error in failures(done)] == ["AML252"]
    assert alias(world) == first
    assert failures(renew(world)) == []
    assert alias(world) != first


def test_in_place_announces_downtime(world: World) -> None:
    """--in-place frees the cores first; the successor has another name, and a note announces the downtime."""
    lend(world)
    world.apply()
    first = alias(world)
    advance_alone(world, 150)
    done = renew(world, in_place=True)

    assert failures(done) == []
    told = [f"{step.verb} {step.kind}" for step in done.plan.steps if step.kind in ("endpoint", "deployment", "alias")]
    assert told == ["create endpoint", "delete deployment", "create deployment", "shift alias", "delete endpoint"]
    assert ["an outage" in note for note in done.plan.notes] == [True]
    assert alias(world)["endpoint"] != first["endpoint"]


def test_a_reaped_endpoint_can_be_restored(world: World) -> None:
    """Exported, deleted, restored: deployments, traffic, tags and roles are as before; a second restore does
    nothing.
    """
    lend(world)
    world.apply()
    world.want(release="2")
    lend(world)
    world.apply()
    scale(world)
    before, ended = alike(world), alias(world)["lease_ends"]
    assert reap(world, older_than=0, force=True).ok
    assert everything(world)["endpoints"] == []
    assert settings(world) == []
    (folder,) = (world.state / "reaped").glob("*/*")
    kept = {path.name for path in (folder / "spec").iterdir()}
    assert kept == {"endpoint.yml", "pipeline.yml", "blue-deployment.yml.j2", "green-deployment.yml.j2"}
    advance_alone(world, 2)
    done = commands.restore(world.project, "law", folder, approve=lambda *_: None, emit=world.watch)

    assert failures(done) == []
    assert alike(world) == before
    assert [setting["name"] for setting in settings(world)] == ["busy"]
    assert alias(world)["lease_ends"] > ended
    again = commands.restore(world.project, "law", folder, approve=lambda *_: None, emit=world.watch)
    assert again.plan.steps == ()
    assert world.apply().plan.steps == ()


def scale(world: World) -> None:
    """Another client adds autoscale to the live deployment."""
    environment, _ = commands.validate(world.project, "law")
    group = WORKSPACE.partition("/providers/")[0]
    with world.project.connect(environment) as cloud:
        (endpoint,) = world.read(f"{WORKSPACE}/onlineEndpoints")
        (slot,) = [name for name, share in endpoint["properties"]["traffic"].items() if share]
        capacity = {"minimum": "1", "maximum": "2", "default": "1"}
        body = {
            "location": "eastus",
            "properties": {
                "targetResourceUri": f"{endpoint['id']}/deployments/{slot}",
                "profiles": [{"name": "all", "capacity": capacity, "rules": []}],
            },
        }
        cloud.arm.put(
            f"{group}/providers/Microsoft.Insights/autoscalesettings/busy", "2022-10-01", "let it scale", body
        )


def settings(world: World) -> list[Any]:
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        return list(autoscale_and_tags.autoscale_settings(cloud) or ())


def alike(world: World) -> Any:
    """The existing resources without what Azure creates anew each time: times, identities, ids, the end of
    the lease.
    """
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        found = []
        for endpoint in world.read(f"{WORKSPACE}/onlineEndpoints"):
            behind = world.read(f"{WORKSPACE}/onlineEndpoints/{endpoint['name']}/deployments")
            rows = [(b["name"], b["sku"], _wanted(b), sorted(set(b["tags"]) - {RELEASE_TAG})) for b in behind]
            tags = {
                k: v for k, v in endpoint["tags"].items() if not k.startswith(("amldeploy-lease", leases.RESTORED_TAG))
            }
            found.append((endpoint["name"], endpoint["properties"]["traffic"], tags, sorted(rows, key=str)))
            found += sorted(role_state.roles_to_export(cloud, endpoint), key=str)
        return found


def _wanted(deployment: dict[str, Any]) -> dict[str, Any]:
    names = ("model", "instanceType", "environmentVariables", "requestSettings", "livenessProbe")
    return {name: deployment["properties"].get(name) for name in names}


def test_a_folder_without_an_export_is_refused(world: World) -> None:
    """Any other path than an export is refused with its cause, and nothing is changed."""
    for folder in (world.project.root, world.project.root / "nowhere"):
        with pytest.raises(UsageError, match="Use the folder of one endpoint") as refused:
            commands.restore(world.project, "law", folder, approve=lambda *_: None, emit=world.watch)
        assert refused.value.code == "AML664"

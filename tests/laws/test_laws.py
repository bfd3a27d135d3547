"""The laws for every apply and every teardown, on the emulator, with the real SDK."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy import commands, emulator
from deploy.cli import app
from deploy.cloud import response_schemas
from deploy.errors import CloudError, Exit
from deploy.planning.reaping import Rules
from tests.laws.conftest import WORKSPACE, World


def everything(world: World) -> dict[str, Any]:
    """What a teardown must remove: endpoints, role assignments, cores in use."""
    environment, _ = commands.validate(world.project, "law")
    subscription = f"/subscriptions/{environment.subscription_id}"
    with world.project.connect(environment):
        usages = world.read(f"{subscription}/providers/Microsoft.MachineLearningServices/locations/eastus/usages")
        return {
            "endpoints": world.read(f"{WORKSPACE}/onlineEndpoints"),
            "roles": sorted(
                r["id"] for r in world.read(f"{subscription}/providers/Microsoft.Authorization/roleAssignments")
            ),
            "cores": {u["name"]["value"]: u["currentValue"] for u in usages if u["currentValue"]},
        }


def failures(done: commands.Result) -> list[Any]:
    """What failed, for a readable assertion."""
    return [outcome.error for outcome in done.report.outcomes if outcome.error]


@pytest.mark.parametrize("name", ["law", "local"])
def test_apply_twice_is_apply_once(world: World, name: str) -> None:
    """Law 1: the second apply plans nothing and sends no mutating request."""
    assert failures(world.apply(name)) == []
    before = world.mutating()
    again = world.apply(name)

    assert before > 0
    assert again.plan.steps == ()
    assert world.mutating() == before


@pytest.mark.parametrize("verb", ["rollback", "teardown", "adopt", "reap"])
def test_any_other_command_twice_is_once(world: World, verb: str) -> None:
    """Law 1: the second run of a changing command sends no mutating request."""
    file = world.project.root / "environments" / "law.yml"
    (file.parent / "other.yml").write_text(file.read_text())
    world.apply()
    world.want(release="2")
    world.apply()
    common: dict[str, Any] = {"approve": lambda *_: None, "emit": world.watch}

    def run() -> object:
        if verb == "adopt":
            return commands.adopt(world.project, "other", owners=["law/mip"], **common)
        if verb == "reap":
            rules = Rules(older_than=0.0, force=True)
            return commands.reap(world.project, "law", rules, yes=True, show=world.said.append, **common)
        if verb == "rollback":
            return commands.rollback(world.project, "law", every=True, **common)
        return commands.teardown(world.project, "law", **common)

    start = world.mutating()
    run()
    once = world.mutating()
    run()
    assert start < once == world.mutating()


def test_three_endpoints_in_parallel(world: World) -> None:
    """Each endpoint gets its own steps in its own order, and the second apply does nothing."""
    world.want()
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    body["endpoints"] = dict.fromkeys(("one", "two", "three"), body["endpoints"]["mip"])
    path.write_text(yaml.safe_dump(body))
    done = world.apply()

    assert failures(done) == []
    assert [[slot.traffic for slot in row.slots] for row in done.endpoint_rows] == [[100]] * 3
    assert world.apply().plan.steps == ()


def test_teardown_leaves_nothing(world: World) -> None:
    """Law 6: after a teardown the world is the same as before: no endpoint, no role assignment, no core in use."""
    before = everything(world)
    world.apply()
    world.want(release="2")
    world.apply()
    assert everything(world) != before
    assert failures(world.teardown()) == []

    assert everything(world) == before


def test_a_dry_run_changes_nothing(world: World) -> None:
    """Law 7: reading commands send no mutating request: before a deployment, after it, and with changes to apply."""
    for prepare in (lambda: None, world.apply, lambda: world.want(release="2")):
        prepare()
        before = world.mutating()
        commands.validate(world.project, "law")
        commands.render(world.project, "law")
        commands.plan(world.project, "law")
        rows = commands.status(world.project, "law")
        with contextlib.nullcontext() if rows[0].slots else pytest.raises(CloudError, match="does not exist"):
            commands.probe(world.project, "law", emit=world.watch)
        if rows[0].slots:
            commands.logs(world.project, "law", "mip")

        assert world.mutating() == before
    assert {r["method"] for r in emulator.requests(world.state)} >= {"GET", "PUT", "POST"}


def test_a_release_that_fails_its_probe_gets_no_traffic(world: World) -> None:
    """Law 11: a first release with a failing probe ends with exit 5 and receives no traffic; the next release
    heals it.
    """
    world.want(expect=418)
    done = world.apply()

    assert done.report.exit is Exit.STEP_FAILED
    assert [slot.traffic for slot in done.endpoint_rows[0].slots] == [0]
    world.want()
    assert failures(world.apply()) == []


def test_a_failed_release_leaves_traffic_on_the_live_slot(world: World) -> None:
    """The live slot keeps all traffic when its successor fails."""
    world.apply()
    world.want(release="2", expect=418)
    done = world.apply()
    slots = {slot.name: slot.traffic for slot in done.endpoint_rows[0].slots}

    assert done.report.exit is Exit.STEP_FAILED
    assert slots == {"blue": 100, "green": 0}


@pytest.mark.parametrize("first", [True, False], ids=["first release", "new release"])
def test_cleanup_deletes_a_failed_slot(world: World, first: bool) -> None:
    """With --cleanup the failed slot is deleted, traffic stays, and the next release heals."""
    if not first:
        world.apply()
    before = {} if first else {slot.name: slot.traffic for slot in commands.status(world.project, "law")[0].slots}
    world.want(release="2", expect=418)
    done = commands.apply(world.project, "law", approve=lambda *_: None, emit=world.watch, cleanup=True)

    assert done.report.exit is Exit.STEP_FAILED
    assert {slot.name: slot.traffic for slot in done.endpoint_rows[0].slots} == before
    world.want(release="2")
    assert failures(world.apply()) == []
    assert world.apply().plan.steps == ()


BROKEN = {"kind": "operation_failed", "operation": "OnlineDeployments_CreateOrUpdate", "times": "always"}
STOCK = {"code": "ResourceNotReady", "message": "User container has crashed or terminated."}


def test_cleanup_deletes_a_slot_that_failed_before(world: World) -> None:
    """A slot that an earlier run left as Failed is deleted too; traffic stays."""
    world.apply()
    world.want(release="2")
    emulator.begin(world.state, faults=[{**BROKEN, **STOCK}])
    assert {slot.name: slot.state for slot in world.apply().endpoint_rows[0].slots} == {
        "blue": "Succeeded",
        "green": "Failed",
    }
    done = commands.apply(world.project, "law", approve=lambda *_: None, emit=world.watch, cleanup=True)

    assert done.report.exit is Exit.STEP_FAILED
    assert {slot.name: slot.traffic for slot in done.endpoint_rows[0].slots} == {"blue": 100}


def _roles(world: World, *roles: dict[str, str]) -> None:
    path = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    path.write_text(yaml.safe_dump({"roles": [{"scope": "workspace", **role} for role in roles]}))


def test_spellings_of_a_role_are_equal(world: World) -> None:
    """Its name in any case, its GUID, its scope as a word or an id, and duplicates: plan after apply is empty."""
    names = ("reader", "Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader")
    _roles(world, *({"role": name} for name in names), {"role": "READER", "scope": WORKSPACE})
    assert failures(world.apply()) == []
    assert commands.plan(world.project, "law").steps == ()
    world.teardown()
    assert world.apply().report.ok


def test_an_unknown_role_is_refused_before_any_change(world: World) -> None:
    """A typo is found before a deployment of a quarter of an hour."""
    _roles(world, {"role": "No Such Role"})
    with pytest.raises(CloudError, match="there is no role with this name") as refused:
        world.apply()
    assert (refused.value.exit, refused.value.code) == (Exit.REFUSED, "AML324")
    assert world.mutating() == 0


def test_a_missing_log_permission_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An identity that can deploy but not read logs gets the name of the missing action; cause and fix agree."""
    refused = {"kind": "refuse", "operation": "OnlineDeployments_GetLogs", "status": 403, "times": "always"}
    for faults, unread in (([{**BROKEN, **STOCK}, refused], 2), ([{**BROKEN, **STOCK}], 0)):
        emulator.reset(world.state)
        emulator.begin(world.state, faults=faults)
        [error] = [outcome.error for outcome in world.apply().report.outcomes if outcome.error]
        found = error["diagnosis"]

        assert len(found["unread"]) == unread
        assert all("onlineEndpoints/deployments/getlogs/action" in why for why in found["unread"].values())
        assert (found["cause"], found["field"]) == ("unknown" if unread else "init_failed", "")
        raised = "cannot create deployment/mip/blue: KeyError: 'session' (/var/azureml-app/score.py, line 3). User cont"
        assert str(error["message"]).startswith(raised) == (not unread)
        assert bool(found["root_cause"]) == (not unread)
        assert unread or error["cure"] == found["cure"]
        assert unread or str(error["message"]).endswith(f"{found['cure']}.")
    monkeypatch.chdir(world.project.root)
    printed = CliRunner().invoke(app, ["logs", "mip", "-e", "law"])
    assert printed.stdout.startswith(
        "Last exception: KeyError: 'session' (/var/azureml-app/score.py, line 3)\n\n== Stor"
    )


def test_a_failed_change_in_place_is_shown_until_verified(world: World) -> None:
    """The deployment receives traffic, so exit 6; every plan shows it until the release is verified."""
    world.want(strategy="in_place")
    world.apply()
    world.want(release="2", expect=418, strategy="in_place")

    assert world.apply().report.exit is Exit.RESCUE_FAILED
    assert world.apply().report.exit is Exit.RESCUE_FAILED
    world.want(release="2", strategy="in_place")
    assert failures(world.apply()) == []
    assert world.apply().plan.steps == ()


ACTIONS = st.lists(
    st.sampled_from(
        [("apply", "1", 200), ("apply", "2", 200), ("apply", "2", 418), ("apply", "3", 200), ("teardown", "", 0)]
    ),
    min_size=2,
    max_size=4,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS)
def test_traffic_is_always_on_whole_releases(world: World, actions: list[tuple[str, str, int]]) -> None:
    """Law 5 for any history: at every event traffic sums to 100 or 0 and names only Succeeded deployments; a good apply
    heals.
    """
    emulator.reset(world.state)
    for verb, release, expect in actions:
        world.want(release=release or "1", expect=expect or 200)
        done = world.apply() if verb == "apply" else world.teardown()
        assert world.broken == []
        if expect == 200:
            assert failures(done) == []
            assert sum(slot.traffic for slot in done.endpoint_rows[0].slots) == 100
            assert commands.plan(world.project, "law").steps == ()


def test_no_key_is_ever_written(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """Law 9 for the keys of an endpoint: no report, plan, event or terminal output contains them."""
    told: list[str] = []
    done = commands.apply(world.project, "law", approve=lambda *_: None, emit=lambda event: told.append(repr(event)))
    environment, specs = commands.validate(world.project, "law")
    with world.project.connect(environment) as cloud:
        path = f"{WORKSPACE}/onlineEndpoints/{specs[0].name}/listKeys"
        keys = cloud.arm.post(path, "2024-10-01", "read the keys", response_schemas.Keys).values()
    assert done.folder is not None
    printed = capfd.readouterr()
    written = [*told, printed.out, printed.err, *(p.read_text(errors="replace") for p in done.folder.iterdir())]

    assert all(len(key) > 20 for key in keys)
    assert [key for key in keys for text in written if key in text] == []


def test_emulator_variables_are_unset_after_a_command(world: World) -> None:
    """The variables of the emulator are set only during a command."""
    before = dict(os.environ)
    world.apply()

    assert dict(os.environ) == before

"""The laws of `--prune`: an entry that was removed from the file leaves nothing, also after a fault or a kill.

Twice is once; the deletion of an orphan comes after everything else succeeded; no request is added for an environment
without orphans.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator, reporter
from deploy.domain import leases
from deploy.domain.arm import OWNER_TAG
from deploy.domain.put_merge import PROTECT_TAG
from deploy.emulator.seed import default_world
from deploy.errors import DeployError, Exit, Refused, StalePlan
from deploy.execution.progress import Event, EventKind
from tests.laws.conftest import PLAIN, World
from tests.laws.stage import Stage, Victims
from tests.laws.test_deletion_faults import resources
from tests.laws.test_laws import everything, failures
from tests.laws.test_leases import advance_alone
from tests.laws.test_shared_roles import ROLE
from tests.outsider import Outsider

FAULTS: tuple[dict[str, Any], ...] = ({"kind": "refuse", "status": 403}, {"kind": "lose", "times": 4})
LOCK_HOURS = 0.02
"""More than the minute for which a lock lasts."""
QUIET: dict[str, Any] = {"approve": lambda *_: None}


def entries(world: Any, *keys: str, **values: Any) -> None:
    """Write the environment file with these entries."""
    path = world.project.root / "environments" / "law.yml"
    found = {key: {"template": "plain", "values": {"release": "1", **values}} for key in keys}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "endpoints": found}))


def prune(world: Any, **more: Any) -> commands.Result:
    return commands.apply(world.project, "law", prune=True, **{**QUIET, "emit": world.watch, **more})


def pruned_exit(stage: Stage) -> int:
    """The exit code of `apply --prune`; traffic is checked at every event."""
    try:
        return int(commands.apply(stage.world.project, "law", prune=True, emit=stage.watch, **QUIET).exit)
    except DeployError as error:
        return int(error.exit)


@contextmanager
def opened(world: World) -> Iterator[Outsider]:
    """Another client, while the emulator is open."""
    environment, _ = commands.validate(world.project, "law")
    with world.project.connect(environment):
        yield Outsider()


def names(world: World) -> list[str]:
    return sorted(each["name"].rpartition("-")[0] for each in everything(world)["endpoints"])


def test_prune_twice_is_prune_once(world: World) -> None:
    """The world is as if the entry had never been there; what is not pruned is noted by plan, status and doctor."""
    entries(world, "mip")
    assert failures(world.apply()) == []
    before = resources(world)
    entries(world, "mip", "old")
    assert failures(world.apply()) == []
    entries(world, "mip")
    made, rows = commands.plan(world.project, "law"), commands.status(world.project, "law")
    found = commands.doctor(world.project, "law")

    assert (made.steps, [each["entry"] for each in made.orphans]) == ((), ["old"])
    assert [(row.key, bool(row.orphan), [slot.traffic for slot in row.slots]) for row in rows] == [
        ("mip", False, [100]), ("old", True, [100]),
    ]  # fmt: skip
    assert (found.exit, found.notes) == (Exit.OK, made.notes)
    assert [row.key for row in commands.status(world.project, "law", ["mip"])] == ["mip"]
    assert commands.plan(world.project, "law", ["mip"]).orphans == ()
    assert world.apply().plan.steps == (), "without --prune nothing is deleted"

    assert failures(prune(world)) == []
    assert resources(world) == before
    sent = world.mutating()
    assert prune(world).plan.steps == ()
    assert world.mutating() == sent


def test_no_request_without_orphans_and_few_with_one(world: World) -> None:
    """plan, status and doctor read the orphans from the list that they read anyway; only status reads the deployments
    of an orphan.
    """
    work = {
        "plan": lambda: commands.plan(world.project, "law"),
        "status": lambda: commands.status(world.project, "law"),
        "doctor": lambda: commands.doctor(world.project, "law"),
        "plan --prune": lambda: commands.plan(world.project, "law", prune=True),
    }

    def sent() -> dict[str, int]:
        counts = {}
        for name, command in work.items():
            before = len(emulator.requests(world.state))
            command()
            rows = emulator.requests(world.state)[before:]
            counts[name] = sum("/metadata" not in r["path"] and "token" not in r["path"] for r in rows)
        return counts

    entries(world, "mip")
    world.apply()
    alone = sent()
    entries(world, "mip", "old")
    world.apply()
    entries(world, "mip")
    beside = sent()

    assert alone["plan --prune"] == alone["plan"]
    assert {name: beside[name] - alone[name] for name in ("plan", "status", "doctor")} == {
        "plan": 0, "status": 1, "doctor": 0,
    }  # fmt: skip


def test_an_orphan_serves_until_its_replacement_is_live(world: World) -> None:
    """A renamed key: while the new endpoint fails its probe the old one is not touched; then it is deleted last."""
    entries(world, "old")
    world.apply()
    entries(world, "new", expect=418)
    done = prune(world)

    assert done.report.exit is Exit.STEP_FAILED
    assert {o.state for o in done.report.outcomes if o.address.endpoint.startswith("old-")} == {"not_reached"}
    rows = [row for row in commands.status(world.project, "law") if row.orphan]
    assert [[slot.traffic for slot in row.slots] for row in rows] == [[100]]
    entries(world, "new")
    order: list[bool] = []

    def emit(event: Event) -> None:
        if event.kind is EventKind.STARTED:
            order.append("/old-" in event.address)

    assert failures(prune(world, emit=emit)) == []
    assert order == sorted(order), "the orphan is deleted last"
    assert {*order} == {False, True}
    assert names(world) == ["new"]


def test_a_role_that_the_new_entry_needs_is_handed_on(world: World) -> None:
    """A renamed key whose role is assigned to a team: Azure has one assignment, which the new entry keeps."""
    path = world.project.root / "templates" / "plain" / "pipeline.yml.j2"
    path.write_text(yaml.safe_dump({"roles": [ROLE]}))
    entries(world, "old")
    world.apply()
    held = [each for each in everything(world)["roles"] if "mlw-local" in each]
    entries(world, "new")

    assert failures(prune(world)) == []
    assert [each for each in everything(world)["roles"] if each in held] != []
    assert prune(world).plan.steps == ()
    world.teardown()
    assert everything(world)["endpoints"] == []
    assert [each for each in everything(world)["roles"] if each in held] == []


def test_a_role_of_a_shared_identity_is_kept(world: World) -> None:
    """Both keys use one user-assigned identity: the new entry describes the role assignment as its own before the
    orphan is deleted, so it stays.
    """
    folder = world.project.root / "templates" / "plain"
    uses = {"type": "user_assigned", "user_assigned_identities": [{"resource_id": default_world.IDENTITY_ID}]}
    (folder / "endpoint.yml.j2").write_text(f"{PLAIN['endpoint.yml.j2']}identity: {json.dumps(uses)}\n")
    scopes = {"AcrPull": "workspace_registry", "Storage Blob Data Reader": "workspace_storage"}
    needed = [{"role": role, "scope": scope} for role, scope in scopes.items()]
    (folder / "pipeline.yml.j2").write_text(yaml.safe_dump({"roles": needed}))
    unassigned = everything(world)["roles"]
    entries(world, "old")
    assert failures(world.apply()) == []
    held = everything(world)["roles"]
    entries(world, "new")

    assert failures(prune(world)) == []
    assert (len(held) - len(unassigned), everything(world)["roles"]) == (2, held)
    assert prune(world).plan.steps == ()
    world.teardown()
    assert everything(world)["roles"] == unassigned


def test_teardown_with_prune_leaves_nothing(world: World) -> None:
    before = resources(world)
    entries(world, "mip", "old")
    world.apply()
    entries(world, "mip")
    kept = commands.teardown(world.project, "law", emit=world.watch, **QUIET)
    assert (names(world), len(kept.plan.notes)) == (["old"], 1)
    done = commands.teardown(world.project, "law", prune=True, emit=world.watch, **QUIET)

    assert failures(done) == []
    assert resources(world) == before


def test_guards_hold(world: World) -> None:
    """A protected environment refuses --prune, and an endpoint with the protect tag stays."""
    entries(world, "mip", "old")
    world.apply()
    entries(world, "mip")
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**body, "guards": {"protected": True}}))
    with pytest.raises(Refused, match=r"AML241 .*--prune would delete old-\w+ \(entry old\)"):
        prune(world)
    path.write_text(yaml.safe_dump(body))
    with opened(world) as outsider:
        [orphan] = [each for each in everything(world)["endpoints"] if each["name"].startswith("old")]
        outsider.put(f"/onlineEndpoints/{orphan['name']}", {**orphan, "tags": {**orphan["tags"], PROTECT_TAG: "true"}})

    assert prune(world).plan.steps == ()
    assert names(world) == ["mip", "old"]


class Killed(BaseException):
    """Simulates a killed process."""


def saved(world: World, tmp_path: Path) -> tuple[Path, dict[str, list[str]]]:
    """A plan file that prunes an entry with two endpoints, and what exists without that entry."""
    entries(world, "mip")
    world.apply()
    before = resources(world)
    entries(world, "mip", "old")
    world.apply()
    with opened(world) as outsider:
        outsider.endpoint("old-second", properties={"authMode": "Key"}, tags={OWNER_TAG: "law/old"})
    entries(world, "mip")
    file = tmp_path / "agreed.json"
    file.write_text(reporter.plan_dump(commands.plan(world.project, "law", prune=True)))
    return file, before


def carry_out(world: World, file: Path, **more: Any) -> commands.Result:
    return commands.apply(world.project, None, plan_file=file, **{**QUIET, "emit": world.watch, **more})


@pytest.mark.parametrize("steps", [2, 5, 8])
def test_a_plan_file_that_prunes_continues(world: World, tmp_path: Path, steps: int) -> None:
    """Killed after some steps, the same file finishes."""
    file, before = saved(world, tmp_path)
    left = [steps]

    def emit(event: Event) -> None:
        left[0] -= event.kind is EventKind.DONE
        if event.kind is EventKind.DONE and not left[0]:
            raise Killed

    with pytest.raises(Killed):
        carry_out(world, file, emit=emit)

    assert failures(carry_out(world, file)) == []
    assert resources(world) == before


def test_a_plan_file_is_stale_when_an_orphan_changes(world: World, tmp_path: Path) -> None:
    """Its entry is in the file again, or it has another tag."""
    file, _ = saved(world, tmp_path)
    entries(world, "mip", "old")
    with pytest.raises(StalePlan, match="old-second is no longer an orphan that --prune deletes"):
        carry_out(world, file)
    entries(world, "mip")
    with opened(world) as outsider:
        body = outsider.get("old-second")
        outsider.put("/onlineEndpoints/old-second", {**body, "tags": {**body["tags"], "team": "x"}})
    with pytest.raises(StalePlan, match=r"endpoint/old-second: tags\.team"):
        carry_out(world, file)


def removed(stage: Stage) -> tuple[dict[str, list[str]], Path]:
    """The world with an orphan; and what exists without it."""
    emulator.reset(stage.state)
    stage.order()
    stage.broken.clear()
    entries(stage.world, "mip")
    assert stage.apply().exit == 0
    before = resources(stage)
    entries(stage.world, "mip", "old")
    assert stage.apply().exit == 0
    entries(stage.world, "mip")
    return before, stage.keep("orphan.sqlite")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--laws", default="some") == "full"
    if "fits" in metafunc.fixturenames:  # without `--laws full`, only requests that change something
        metafunc.parametrize("fits", [{} if full else {"mutating": True}])
    elif "killed_at" in metafunc.fixturenames:
        metafunc.parametrize("killed_at", range(1, 8) if full else [1, 4, 7])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
def test_a_fault_at_any_request_is_healed_by_the_next_run(
    stage: Stage, fault: dict[str, Any], fits: dict[str, Any]
) -> None:
    """The run ends with a code of ours, traffic is lawful at every event, and the next run leaves no orphan."""
    before, kept = removed(stage)
    number, struck = 1, True
    while struck:
        stage.restore(kept)
        sent = stage.last()
        stage.order({**fault, **fits, "number": number})
        code = pruned_exit(stage)
        struck = any("fault" in row["note"] for row in emulator.requests(stage.state, after=sent))
        stage.order()

        assert code in (0, Exit.REFUSED, Exit.STEP_FAILED, Exit.AUTH), f"request {number}"
        assert pruned_exit(stage) == 0, f"request {number}"
        assert resources(stage) == before, f"request {number}"
        number += 1
    assert number > 6
    assert stage.broken == []


def test_a_killed_run_is_finished_by_the_next(stage: Stage, victims: Victims, killed_at: int) -> None:
    """Once the lock of the killed run has ended."""
    before, _ = removed(stage)
    assert victims.kill_one(stage, {"mutating": True, "number": killed_at}, at_work="prune")
    advance_alone(stage.world, LOCK_HOURS)

    assert pruned_exit(stage) == 0
    assert resources(stage) == before
    assert stage.broken == []


def test_a_renamed_key_is_adopted(world: World) -> None:
    """The template sets the name, so the new key names the same endpoint: apply refuses, and adopt moves the tags."""
    for name in ("endpoint.yml.j2", "deployment.yml.j2"):
        path = world.project.root / "templates" / "plain" / name
        path.write_text(path.read_text().replace("{{ endpoint }}-{{ unique(5) }}", "liver-here"))
    entries(world, "old")
    world.apply()
    before = everything(world)
    entries(world, "new", release="2")
    with pytest.raises(Refused, match="adopt it first: amldeploy import --adopt -e law new"):
        prune(world)
    entries(world, "new")
    done = commands.adopt(world.project, "law", ["new"], emit=world.watch, **QUIET)

    assert failures(done) == []
    assert prune(world).plan.steps == ()
    after = everything(world)
    assert [each["name"] for each in after["endpoints"]] == [each["name"] for each in before["endpoints"]]
    assert after["roles"] == before["roles"]


def test_a_renamed_key_adopts_all_endpoints_of_its_lease(world: World) -> None:
    """Also a successor; and when the files are on dedicated quota now."""
    for name in ("endpoint.yml.j2", "deployment.yml.j2"):
        path = world.project.root / "templates" / "plain" / name
        path.write_text(path.read_text().replace("{{ endpoint }}-{{ unique(5) }}", "liver-here"))
    entries(world, "new")
    both = {"liver-here": {}, "liver-here-00abc": {leases.SUCCEEDS_TAG: "liver-here"}}
    with opened(world) as outsider:
        for name, tags in both.items():
            outsider.endpoint(name, properties={"authMode": "Key"}, tags={OWNER_TAG: "law/old", **tags})
    done = commands.adopt(world.project, "law", ["new"], emit=world.watch, **QUIET)

    assert failures(done) == []
    assert {each["tags"][OWNER_TAG] for each in everything(world)["endpoints"]} == {"law/new"}

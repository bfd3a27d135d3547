"""The law of repair: whatever happened to an endpoint or its alias between two runs, the next run detects it.

A missed lease, an alias that names another endpoint, one that cannot be read, and role assignments of earlier
endpoints: `status` shows it, `renew` repairs what it can and fails only for the affected entry, a teardown leaves
nothing.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.cli import app, runner
from deploy.domain import leases
from deploy.domain.plan import Verb
from deploy.emulator.seed.open_world import open_world
from deploy.errors import Exit
from deploy.execution.progress import Event
from deploy.planning.reaping import Rules
from tests.addresses import addr
from tests.laws.stage import WORKSPACE, Stage
from tests.laws.test_deletion_faults import end, resources
from tests.laws.test_leases import advance_alone, lend
from tests.laws.test_renewals import pool

GONE = "SELECT principal FROM role_assignments WHERE principal NOT IN (SELECT id FROM principals)"
MOVE = "import pathlib, sys; p = pathlib.Path('moved'); p.with_name('refuse').exists() and sys.exit('no'); "
COMMAND = [sys.executable, "-c", MOVE + "p.write_text(sys.argv[1])", "{endpoint}"]


def begin(stage: Stage, *keys: str, **alias: Any) -> dict[str, list[str]]:
    """Start a new world and write files for shared quota; return its resources. `keys`: entries with an alias each."""
    emulator.reset(stage.state)
    stage.order()
    stage.want("1")
    lend(stage.world)
    root = stage.world.project.root
    for left in ("moved", "refuse", "live/mip.json", "live/one.json", "live/two.json"):
        (root / left).unlink(missing_ok=True)
    pipeline = root / "templates" / "plain" / "pipeline.yml.j2"
    asked = yaml.safe_load(pipeline.read_text())
    pipeline.write_text(yaml.safe_dump({**asked, "lease": {"alias": alias or _file(keys), "drain": 0}}))
    if keys:
        path = root / "environments" / "law.yml"
        entries = {key: {"template": "plain", "values": {"release": "1"}} for key in keys}
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "endpoints": entries}))
    return resources(stage)


def _file(keys: tuple[str, ...]) -> dict[str, str]:
    return {"file": "live/{{ endpoint }}.json" if keys else "live/mip.json"}


def renew(stage: Stage, *only: str, within: float = 24) -> commands.Result:
    stage.world.said.clear()
    return commands.renew(stage.world.project, "law", only, within=within, approve=lambda *_: None, emit=stage.watch,
        show=stage.world.said.append)  # fmt: skip


def row(stage: Stage) -> Any:
    (found,) = commands.status(stage.world.project, "law")
    return found


def late(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> int:
    """The exit code of `amldeploy status -e law --fail-under 1h`."""
    monkeypatch.chdir(stage.world.project.root)
    words = ["status", "-e", "law", "--fail-under", "1h"]
    with pytest.raises(SystemExit) as left:
        sys.exit(runner.exit_code(lambda: app(words, prog_name="amldeploy", standalone_mode=False)))
    return int(left.value.code or 0)


def names(stage: Stage) -> list[str]:
    return sorted(stage.seen()["endpoints"])


def target(stage: Stage, name: str = "mip") -> dict[str, str]:
    found: dict[str, str] = json.loads((stage.world.project.root / "live" / f"{name}.json").read_text())
    return found


def test_a_missed_lease_is_detected_and_recreated(stage: Stage) -> None:
    """Azure deleted the endpoint and no successor exists: status shows since when, renew creates it as apply would.

    While the pool is full that is exit 5 with a notice; before the first deploy and after a teardown it does nothing.
    """
    before = begin(stage)
    assert (renew(stage).exit, names(stage)) == (0, [])
    stage.apply()
    was = target(stage)
    advance_alone(stage.world, 169)
    assert row(stage).state == "absent"
    assert (row(stage).is_broken, row(stage).gone_since) == (True, was["lease_ends"])
    with pool(stage, 0):
        done = renew(stage)
        assert (done.exit, [each["endpoint"] for each in done.notices]) == (Exit.STEP_FAILED, [was["endpoint"]])
        assert "Azure deleted" in stage.world.said[0]
    assert (renew(stage).exit, names(stage)) == (0, [was["endpoint"]])
    assert (target(stage)["lease_ends"] > was["lease_ends"], row(stage).is_broken) == (True, False)
    assert renew(stage).plan.steps == ()

    assert commands.reap(stage.world.project, "law", Rules(), yes=True, approve=lambda *_: None, emit=stage.watch,
        show=lambda _: None).ok  # fmt: skip
    assert earlier(stage) == []
    assert row(stage).state == "Succeeded"
    end(stage, "teardown")
    assert resources(stage) == before
    assert (renew(stage).exit, names(stage), row(stage).is_broken) == (0, [], False)


def earlier(stage: Stage) -> list[str]:
    """Principals that are deleted and still have a role."""
    world = open_world(stage.state / "world.sqlite")
    try:
        rows = world.db.execute(GONE)
        return [str(each[0]) for each in rows]
    finally:
        world.close()


def test_one_teardown_removes_roles_of_every_generation(stage: Stage) -> None:
    """An endpoint that Azure deleted and that was recreated under its name; and a deleted successor."""
    before = begin(stage, command=COMMAND)
    stage.apply()
    advance_alone(stage.world, 169)
    stage.apply()
    end(stage, "teardown")
    assert resources(stage) == before

    stage.apply()
    advance_alone(stage.world, 150)
    assert renew(stage).exit == 0
    advance_alone(stage.world, 169)
    assert row(stage).missed.endswith("at the latest")
    end(stage, "teardown")
    assert resources(stage) == before


def test_a_wrong_alias_is_moved(stage: Stage) -> None:
    """Its command failed in the renewal and the old endpoint ended meanwhile: the next run moves it; also for
    a file.
    """
    begin(stage, command=COMMAND)
    stage.apply()
    root = stage.world.project.root
    first = (root / "moved").read_text()
    advance_alone(stage.world, 150)
    (root / "refuse").touch()
    assert renew(stage).exit == Exit.STEP_FAILED
    advance_alone(stage.world, 24)
    done = renew(stage)
    assert (done.exit, len(stage.world.said)) == (Exit.STEP_FAILED, 1)
    assert "command" in row(stage).alias
    (root / "refuse").unlink()
    assert renew(stage).exit == 0
    assert [(root / "moved").read_text()] == names(stage) != [first]
    assert (renew(stage).plan.steps, row(stage).is_broken) == ((), False)


def test_an_unreadable_alias_fails_only_its_entry(stage: Stage) -> None:
    """The path of one alias is a folder: that entry fails; the other is renewed; teardown deletes both."""
    before = begin(stage, "one", "two")
    stage.apply()
    root = stage.world.project.root
    (root / "live" / "one.json").unlink()
    assert (renew(stage).exit, target(stage, "one")["endpoint"]) == (0, names(stage)[0])
    (root / "live" / "one.json").unlink()
    (root / "live" / "one.json").mkdir()
    try:
        advance_alone(stage.world, 150)
        was = names(stage)
        done = renew(stage)
        assert done.exit == Exit.STEP_FAILED
        assert names(stage)[0] == was[0]
        assert target(stage, "two")["endpoint"] == names(stage)[1] != was[1]
        assert leases.is_in_chain(was[1], names(stage)[1])
        ended = commands.teardown(stage.world.project, "law", approve=lambda *_: None, emit=stage.watch)
        assert (ended.exit, resources(stage)) == (Exit.STEP_FAILED, before)
        assert ["one.json could not be deleted" in o.error["message"] for o in ended.report.outcomes if o.error] == [
            True
        ]
        assert not (root / "live" / "two.json").exists()
    finally:
        (root / "live" / "one.json").rmdir()
    again = commands.teardown(stage.world.project, "law", approve=lambda *_: None, emit=stage.watch)
    assert (again.exit, again.plan.steps) == (0, ())


def keys(stage: Stage) -> tuple[str, str]:
    """Both keys of the endpoint, read from the file of the world."""
    world = open_world(stage.state / "world.sqlite")
    try:
        with world.transaction():
            (endpoint,) = world.children(WORKSPACE, "endpoint")
        return endpoint.private["primaryKey"], endpoint.private["secondaryKey"]
    finally:
        world.close()


def test_a_successor_has_the_keys_of_its_predecessor(stage: Stage) -> None:
    """Clients continue with their key. If the keys cannot be read, the report says what clients need."""
    begin(stage)
    stage.apply()
    before = keys(stage)
    advance_alone(stage.world, 150)
    heard: list[Event] = []
    done = commands.renew(stage.world.project, "law", within=24, approve=lambda *_: None, emit=heard.append,
        show=lambda _: None)  # fmt: skip
    assert (done.exit, keys(stage)) == (0, before)
    (why,) = [step.why for step in done.plan.steps if step.kind == "endpoint" and step.verb is Verb.CREATE]
    assert "; with the keys of mip-" in why
    told = json.dumps([asdict(event) for event in heard]) + repr(done)
    told += "".join(path.read_text(errors="replace") for path in done.folder.iterdir()) if done.folder else ""
    assert not any(key in told for key in before)

    advance_alone(stage.world, 150)
    stage.order({"kind": "refuse", "status": 403, "operation": "OnlineEndpoints_ListKeys"})
    done = renew(stage)
    stage.order()
    said = [
        o.evidence.summary for o in done.report.outcomes if o.verb is Verb.CREATE and o.address == addr("endpoint/mip")
    ]
    assert [("clients need its new keys" in words, keys(stage) == before) for words in said] == [(True, False)]


def test_status_fails_for_a_wrong_alias_and_for_a_missed_lease(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--fail-under` is exit 5 for both, and exit 0 once renew has repaired them, with days left of the lease."""
    begin(stage)
    assert late(monkeypatch, stage) == 0, "nothing was deployed"
    stage.apply()
    assert late(monkeypatch, stage) == 0
    path = stage.world.project.root / "live" / "mip.json"
    for text in (json.dumps({**target(stage), "endpoint": "mip-another"}), ""):
        path.write_text(text) if text else path.unlink()
        assert (late(monkeypatch, stage), row(stage).hours_left > 100) == (Exit.STEP_FAILED, True)
        assert (renew(stage).exit, late(monkeypatch, stage)) == (0, 0)
    advance_alone(stage.world, 169)
    assert (late(monkeypatch, stage), row(stage).hours_left) == (Exit.STEP_FAILED, None)
    assert (renew(stage).exit, late(monkeypatch, stage)) == (0, 0)
    capsys.readouterr()


@pytest.fixture(autouse=True)
def _lawful(stage: Stage) -> Any:
    yield
    assert stage.broken == []

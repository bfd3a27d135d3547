"""The law of a role that two entries assign: it stays while one of them exists, and is removed with the last.

Azure has one assignment for a scope, principal and role, with one description.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, reporter
from deploy.domain.plan import Verb
from deploy.planning.reaping import Rules
from tests.addresses import addr
from tests.laws.conftest import World
from tests.laws.test_laws import everything, failures

TEAM = {"object_id": "11111111-1111-1111-1111-111111111111", "type": "Group"}
ROLE = {"role": "Reader", "scope": "workspace", "principal": TEAM}
KEYS = ("one", "two")


@pytest.fixture
def two(world: World) -> World:
    """A template that assigns a role to a team if its entry sets it."""
    plain = world.project.root / "templates" / "plain"
    (plain / "pipeline.yml.j2").write_text(yaml.safe_dump({"roles": "{{ values.roles }}"}))
    return world


def want(world: World, *giving: str) -> None:
    """Write both entries; these assign the role."""
    path = world.project.root / "environments" / "law.yml"
    entries = {
        key: {"template": "plain", "values": {"release": "1", "roles": [ROLE] if key in giving else []}} for key in KEYS
    }
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "endpoints": entries}))


def do(world: World, verb: str, *only: str) -> commands.Result:
    work: Any = getattr(commands, verb)
    done: commands.Result = work(world.project, "law", only, approve=lambda *_: None, emit=lambda _: None)
    assert failures(done) == []
    return done


def at_rest(world: World, *only: str) -> bool:
    return not any(step.changes for step in commands.plan(world.project, "law", only).steps)


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("order", [KEYS, KEYS[::-1]], ids="-".join)
def test_a_shared_role_survives_the_first_teardown(two: World, order: tuple[str, str], together: bool) -> None:
    """The plan of the other entry stays empty, and at the end nothing is left."""
    want(two, *KEYS)
    before = everything(two)
    for only in [KEYS] if together else [[key] for key in KEYS]:
        do(two, "apply", *only)
    assert at_rest(two)
    first, second = order
    do(two, "teardown", first)

    assert at_rest(two, second)
    do(two, "teardown", second)
    assert everything(two) == before


@pytest.mark.parametrize("dropped", KEYS)
def test_a_role_dropped_by_one_entry_stays_for_the_other(two: World, dropped: str) -> None:
    """A role that one of two entries no longer assigns stays for the other; a role that no entry assigns is removed."""
    want(two)
    do(two, "apply")
    bare = everything(two)["roles"]
    want(two, *KEYS)
    do(two, "apply")
    want(two, *(key for key in KEYS if key != dropped))
    do(two, "apply")

    assert at_rest(two)
    assert len(everything(two)["roles"]) == len(bare) + 1
    want(two)
    do(two, "apply")
    assert everything(two)["roles"] == bare


def test_an_interrupted_plan_file_continues_after_a_handover(two: World, tmp_path: Path) -> None:
    """A handed-over role is a completed step and does not make the plan stale."""
    want(two, *KEYS)
    do(two, "apply", "one")
    do(two, "apply", "two")
    want(two, "two")
    plan, file = commands.plan(two.project, "law", ["one"]), tmp_path / "kept.plan"
    file.write_text(reporter.plan_dump(plan))
    do(two, "apply")
    done = commands.apply(two.project, None, approve=lambda *_: None, emit=lambda _: None, plan_file=file)

    assert [step.address for step in plan.steps if step.changes] == [addr("role/one/Reader/mlw-local")]
    assert (done.report.exit, [step for step in done.plan.steps if step.changes]) == (0, [])


def test_both_torn_down_at_once(two: World) -> None:
    """The role is not handed over to an entry that is torn down in the same plan."""
    want(two, *KEYS)
    before = everything(two)
    do(two, "apply")
    do(two, "teardown")

    assert everything(two) == before


def test_a_role_is_not_handed_to_an_absent_entry(two: World) -> None:
    """An entry that was never deployed does not need the role: it is removed."""
    want(two, *KEYS)
    before = everything(two)
    do(two, "apply", "one")
    done = do(two, "teardown", "one")

    assert {step.verb for step in done.plan.steps if step.kind == "role"} == {Verb.DELETE}
    assert everything(two) == before


def test_reap_keeps_roles_of_other_entries(two: World) -> None:
    """Reap deletes the entry that assigned the role; the role stays for the other."""
    want(two, *KEYS)
    do(two, "apply", "one")
    do(two, "apply", "two")
    rules = Rules(older_than=0, force=True, most=1)
    reaped = commands.reap(
        two.project, "law", rules, yes=True, approve=lambda *_: None, emit=lambda _: None, show=two.said.append
    )

    assert [each.name.partition("-")[0] for each in reaped.judged.candidates] == ["one"]
    assert at_rest(two, "two")
    before = everything(two)["roles"]
    do(two, "teardown", "two")
    assert len(everything(two)["roles"]) < len(before)

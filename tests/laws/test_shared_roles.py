"""The law of roles that two entries give: whoever goes first, the other keeps it; when both are gone, it is gone too.

Azure has one assignment for a scope, a principal and a role, and one description on it.
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
    """A template that gives a team a role if its entry says so."""
    plain = world.project.root / "templates" / "plain"
    (plain / "pipeline.yml.j2").write_text(yaml.safe_dump({"roles": "{{ values.roles }}"}))
    return world


def want(world: World, *giving: str) -> None:
    """Both entries; these give the role."""
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
def test_whoever_is_torn_down_first(two: World, order: tuple[str, str], together: bool) -> None:
    """The other's plan stays empty, and what is left at the end is nothing."""
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
def test_whoever_gives_it_no_more(two: World, dropped: str) -> None:
    """A role that one of two entries no longer gives is the other's; that none gives is taken back."""
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


def test_a_plan_file_that_was_begun_goes_on(two: World, tmp_path: Path) -> None:
    """What was handed on is a step that is done, and no reason to call the plan stale."""
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
    """Nobody inherits from somebody who goes with him."""
    want(two, *KEYS)
    before = everything(two)
    do(two, "apply")
    do(two, "teardown")

    assert everything(two) == before


def test_who_is_not_there_inherits_nothing(two: World) -> None:
    """An entry that was never deployed has nothing to lose: the role goes."""
    want(two, *KEYS)
    before = everything(two)
    do(two, "apply", "one")
    done = do(two, "teardown", "one")

    assert {step.verb for step in done.plan.steps if step.kind == "role"} == {Verb.DELETE}
    assert everything(two) == before


def test_what_is_reaped_takes_nothing_from_others(two: World) -> None:
    """Likewise when the reaper ends the one whose the role is."""
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

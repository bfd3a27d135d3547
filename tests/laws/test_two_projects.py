"""The law of two projects in one workspace: no command of one project changes what has the tag of the other.

Two folders, like two repositories, with the same environment file, the same key and the same endpoint name, and one
emulator for both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.errors import Refused, StalePlan
from deploy.execution.progress import Event, EventKind
from deploy.planning.reaping import Rules
from deploy.reporter import plan_dump
from tests.laws.conftest import World, write_project
from tests.laws.stage import Ahead
from tests.laws.test_laws import everything, failures
from tests.project import CANARY

HOURS = 160.0


class Killed(BaseException):
    """Simulates a killed process."""


class Two:
    """Projects `ours` and `theirs`. `theirs` has deployed."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.theirs = (self.project(folder / name) for name in ("ours", "theirs"))
        (folder / "theirs" / ".amldeploy").symlink_to(self.ours.state, target_is_directory=True)

    def project(self, folder: Path) -> World:
        """A folder with an entry on shared quota that assigns a role, under a name that both have."""
        folder.mkdir()
        found = write_project(folder, Ahead())
        plain = folder / "templates" / "plain"
        for name in ("endpoint.yml.j2", "deployment.yml.j2"):
            text = (plain / name).read_text()
            (plain / name).write_text(text.replace("{{ endpoint }}-{{ unique(5) }}", "shared-name"))
        pipeline = plain / "pipeline.yml.j2"
        pipeline.write_text(f"{pipeline.read_text()}quota: {{capacity: shared}}\nlease: {{drain: 0s}}\n")
        self.write(found, folder.name)
        return found

    def write(self, world: World, project: str, name: str = "law", key: str = "mip", **values: Any) -> None:
        body = {
            "cloud": "local", "project": project, "subscription_id": "00000000-0000-0000-0000-000000000001",
            "resource_group": "rg-local", "workspace": "mlw-local", "values": {"canary_token": CANARY},
            "endpoints": {key: {"template": "plain", "values": {"release": "1", **values}}},
        }  # fmt: skip
        (world.project.root / "environments" / f"{name}.yml").write_text(yaml.safe_dump(body))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    found = Two(tmp_path_factory.mktemp("two"))
    emulator.launch(found.ours.state, profile="instant")
    yield found
    emulator.stop(found.ours.state)


@pytest.fixture
def two(workspace: Two) -> Iterator[Two]:
    """Each test starts and ends with the endpoint of `theirs`."""
    for project in ("ours", "theirs"):
        workspace.write(getattr(workspace, project), project)
    assert failures(workspace.theirs.apply()) == []
    yield workspace
    assert workspace.theirs.broken == []


def quiet(**more: Any) -> dict[str, Any]:
    return {"approve": lambda *_: None, "emit": lambda _: None, **more}


def every_command(world: World) -> dict[str, Callable[[], object]]:
    project = world.project
    everyone = Rules(within=HOURS, older_than=0.0, include=("*",), adopt=True, force=True)
    return {
        "plan": lambda: commands.plan(project, "law"),
        "apply": lambda: commands.apply(project, "law", **quiet()),
        "apply --cleanup": lambda: commands.apply(project, "law", cleanup=True, **quiet()),
        "apply --prune": lambda: commands.apply(project, "law", prune=True, **quiet()),
        "rollback": lambda: commands.rollback(project, "law", ["mip"], **quiet()),
        "renew": lambda: commands.renew(project, "law", within=HOURS, show=world.said.append, **quiet()),
        "renew --in-place": lambda: commands.renew(
            project, "law", within=HOURS, in_place=True, show=world.said.append, **quiet()
        ),
        "reap --yes": lambda: commands.reap(project, "law", everyone, yes=True, show=world.said.append, **quiet()),
        "adopt": lambda: commands.adopt(project, "law", **quiet()),
        "adopt --from another": lambda: commands.adopt(project, "law", owners=["theirs/law/other"], **quiet()),
        "teardown": lambda: commands.teardown(project, "law", ["mip"], **quiet()),
        "teardown of all": lambda: commands.teardown(project, "law", **quiet()),
        "teardown --prune": lambda: commands.teardown(project, "law", prune=True, **quiet()),
    }


@pytest.mark.parametrize("release", ["1", "2"], ids=["the same files", "other files"])
def test_no_command_changes_what_the_other_project_manages(two: Two, release: str) -> None:
    """No request of any command of one project changes Azure, and the plan of the other stays empty."""
    two.write(two.ours, "ours", release=release)
    before = two.ours.mutating()
    for name, command in every_command(two.ours).items():
        with contextlib.suppress(Refused):
            command()
        assert two.ours.mutating() == before, name
    made = commands.plan(two.theirs.project, "law")
    assert [step for step in made.steps if step.changes] == []


def test_an_interrupted_adopt_from_is_completed_by_the_next(two: Two, request: pytest.FixtureRequest) -> None:
    """Killed after the first and the third step, or each with `--laws full`: the same command again moves everything,
    and a further one does nothing.
    """
    side = [(two.ours, "theirs"), (two.theirs, "ours")]
    sizes: list[int] = []
    for turn, number in enumerate(
        range(1, 9) if request.config.getoption("--laws", default="some") == "full" else (1, 3)
    ):
        world, before = side[turn % 2]
        owners = [f"{before}/law/mip"]
        left = [number]

        def emit(event: Event, left: list[int] = left) -> None:
            left[0] -= event.kind is EventKind.DONE
            if event.kind is EventKind.DONE and not left[0]:
                raise Killed

        try:
            asked = quiet(emit=emit, approve=lambda plan, _: sizes.append(len(plan.steps)))
            commands.adopt(world.project, "law", owners=owners, **asked)
        except Killed:
            assert failures(commands.adopt(world.project, "law", owners=owners, **quiet())) == []
        again = commands.adopt(world.project, "law", owners=owners, **quiet())
        assert again.plan.steps == ()
        assert [step for step in commands.plan(world.project, "law").steps if step.changes] == []
        if left[0] > 0:
            break
    assert sizes[0] >= 4, "endpoint, deployment, the role, and the record of its identity"
    owner, other = (two.ours, two.theirs) if world is two.ours else (two.theirs, two.ours)
    with pytest.raises(Refused, match="is managed by"):
        other.teardown()
    assert failures(owner.teardown()) == []
    left_over = everything(owner)
    assert left_over["endpoints"] == []
    assert left_over["cores"] == {}


def test_a_renamed_key_and_a_renamed_file_follow_with_adopt(two: Two) -> None:
    """The fix in the refusal is a command that works, and the next plan is empty."""
    two.write(two.theirs, "theirs", key="liver")
    moves = (("law", "liver", "law/mip"), ("live", "liver", "law/liver"), ("law", "mip", "live/liver"))
    for name, key, before in ((name, key, f"theirs/{before}") for name, key, before in moves):
        two.write(two.theirs, "theirs", name=name, key=key, release="2")
        with pytest.raises(Refused) as refused:
            commands.plan(two.theirs.project, name)
        assert f"amldeploy import --adopt -e {name} {key} --from {before}" in str(refused.value)
        two.write(two.theirs, "theirs", name=name, key=key)
        assert failures(commands.adopt(two.theirs.project, name, [key], owners=[before], **quiet())) == []
        assert [step for step in commands.plan(two.theirs.project, name).steps if step.changes] == []


def test_a_plan_file_is_applied_in_its_workspace_alone(two: Two) -> None:
    """The file names another workspace now: nothing is sent, and the message names the change."""
    file = two.theirs.project.root / "agreed.json"
    file.write_text(plan_dump(commands.plan(two.theirs.project, "law")))
    path = two.theirs.project.root / "environments" / "law.yml"
    path.write_text(path.read_text().replace("mlw-local", "mlw-other"))
    before = len(emulator.requests(two.ours.state))
    with pytest.raises(StalePlan, match="workspace mlw-local -> mlw-other"):
        commands.apply(two.theirs.project, None, plan_file=file, **quiet())
    assert len(emulator.requests(two.ours.state)) == before

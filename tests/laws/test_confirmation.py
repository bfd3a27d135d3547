"""Commands ask before they change Azure and never before they change the emulator; a teardown lists what stays."""

from __future__ import annotations

from pathlib import Path

from deploy import commands
from deploy.domain.plan import Plan
from tests.laws.conftest import World
from tests.laws.test_leases import advance_alone, lend
from tests.laws.test_restore import reap


def test_the_emulator_is_changed_without_a_question(world: World) -> None:
    """Apply, rollback, adopt, teardown, renew and restore of a local environment need no --yes."""
    asked: list[tuple[str, bool]] = []

    def approve(plan: Plan, needed: bool) -> None:
        asked.append((plan.environment, needed))

    ways = {"approve": approve, "emit": world.watch}
    commands.apply(world.project, "law", **ways)
    world.want(release="2")
    commands.apply(world.project, "law", **ways)
    commands.rollback(world.project, "law", ["mip"], **ways)
    commands.adopt(world.project, "law", **ways)
    commands.teardown(world.project, "law", **ways)

    lend(world)
    commands.apply(world.project, "law", **ways)
    advance_alone(world, 150)
    assert commands.renew(world.project, "law", within=24, show=world.said.append, **ways).plan.steps
    folder = reap(world)
    assert commands.restore(world.project, "law", folder, **ways).plan.steps

    assert asked == [("law", False)] * 8
    assert not commands.needs_approval(world.project, "law")
    assert commands.needs_approval(world.project, "prod")


def test_what_a_teardown_leaves_is_listed(world: World) -> None:
    """A model and environment that were registered from files stay; a model of a registry is not in the workspace."""
    folder = world.project.root / "templates" / "plain"
    assert world.apply().report.ok
    made = world.teardown().plan
    assert (bool(made.steps), made.stays) == (True, ())
    _own_files(folder)
    world.apply()
    done = world.teardown()

    assert done.report.ok
    kinds = [each.split("/")[-4] for each in done.plan.stays]
    assert sorted(kinds) == ["environments", "models"]
    assert world.teardown().plan.stays == ()


def _own_files(folder: Path) -> None:
    for name, text in {"model/w.txt": "1\n", "conda.yml": "name: a\n"}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "deployment.yml.j2").write_text(
        'name: blue\nendpoint_name: "{{ endpoint }}-{{ unique(5) }}"\nmodel: {path: model, type: mlflow_model}\n'
        "environment: {image: mcr.example/x:1, conda_file: conda.yml}\n"
        "instance_type: Standard_NC24ads_A100_v4\ninstance_count: 1\n"
        'environment_variables: {RELEASE: "{{ values.release }}", DB_PASSWORD: "{{ values.canary_token }}"}\n'
    )
    (folder / "pipeline.yml.j2").write_text("retry: {attempts: 1, deadline: 10m}\n")

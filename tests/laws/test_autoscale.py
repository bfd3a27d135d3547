"""The law of autoscale: whatever happens in a rollout or a rollback, one setting stays, on the live deployment.

Each request is refused, loses its answer, or is the last of a client that is killed. After the rescue (refused) and
after the next run (all of them) exactly one setting exists, on the deployment that receives traffic, and the number of
instances is never below that of the live deployment or the minimum. Without `--laws full` a selection of the requests
that change something is hit.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator, reporter
from deploy.domain.arm import OWNER_TAG
from deploy.emulator.monitor import autoscale_runs
from deploy.emulator.online import scaling
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world import timing
from deploy.errors import DeployError, Exit
from deploy.execution.progress import Event, EventKind
from tests.laws.conftest import PLAIN, write_project
from tests.laws.stage import WORKSPACE, Ahead, Stage, Victims

OWNED = "{min: 1, max: 4, rules: [{metric: CpuUtilizationPercentage, above: 70, add: 2}]}"
ADOPTED = "{adopt: true}"
RUNNING = 2
"""What Azure Monitor has scaled the live deployment to; the files have 1."""
WORKS = ("apply", "rollback")
HOWS: dict[str, dict[str, Any]] = {
    "refused": {"kind": "refuse", "status": 400}, "forbidden": {"kind": "refuse", "status": 403},
    "lost": {"kind": "lose", "times": 4}, "killed": {}
}  # fmt: skip
LAST_SHIFT = {"operation": "OnlineEndpoints_CreateOrUpdate", "number": 2}
DELETION = {"operation": "AutoscaleSettings_Delete", "number": 1}
SOME = (
    ("apply", OWNED, "refused", (LAST_SHIFT, DELETION)),
    ("apply", OWNED, "lost", ({"operation": "AutoscaleSettings_CreateOrUpdate", "number": 1},)),
    ("apply", OWNED, "killed", (LAST_SHIFT,)),
    ("rollback", ADOPTED, "refused", (DELETION,)),
)
"""What runs without `--laws full`."""
LAST, ENOUGH, SHARES = 60, 12, 4
"""More requests than a rollout sends, fewer than a rollback sends, and the number of tests that share them."""
BUSY = f"{WORKSPACE.partition('/providers/')[0]}/providers/Microsoft.Insights/autoscaleSettings/busy"


@dataclass(eq=False)
class Scaled(Stage):
    """A stage whose live deployment is scaled by Azure Monitor. `broken` also has counts that are too small."""

    release: int = 1

    def begin(self, release: str) -> None:
        """The release is live with two instances."""
        super().begin(release)
        self.release = int(release)
        assert self.apply().exit == 0
        self.scale_out()
        self.broken.clear()

    def want_scale(self, scale: str) -> None:
        """Write `scale` to pipeline.yml; empty for none."""
        text = PLAIN["pipeline.yml.j2"] + (f"scale: {scale}\n" if scale else "")
        (self.world.project.root / "templates/plain/pipeline.yml.j2").write_text(text)

    def scale_out(self, count: int = RUNNING) -> None:
        """Azure Monitor changes the live deployment."""
        held = open_world(self.state / "world.sqlite")
        held.timing = timing.PROFILES["instant"]
        try:
            with held.transaction():
                (endpoint,) = held.children(WORKSPACE, "endpoint")
                (live,) = [slot for slot in held.children(endpoint.id, "deployment") if _share(endpoint, slot.name)]
                scaling.scale(held, live, count, held.now())
        finally:
            held.close()

    def others_scale(self, slot: str = "blue", **properties: Any) -> None:
        """Another client creates a setting for a deployment, with an address for notifications."""
        target = f"{WORKSPACE}/onlineEndpoints/{self.name}/deployments/{slot}"
        capacity = {"minimum": "1", "maximum": "4", "default": "1"}
        rule = {
            "metricTrigger": {
                "metricName": "RequestsPerMinute", "metricResourceUri": target, "timeGrain": "PT1M",
                "statistic": "Average", "timeWindow": "PT5M", "timeAggregation": "Average",
                "operator": "GreaterThan", "threshold": 10_000,
            },
            "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"},
        }  # fmt: skip
        webhooks = [{"operation": "Scale", "webhooks": [{"serviceUri": "https://hooks.example/T0/secret"}]}]
        profile = {"name": "all", "capacity": capacity, "rules": [rule]}
        body = {"targetResourceUri": target, "profiles": [profile], "notifications": webhooks, "enabled": True}
        environment, _ = commands.validate(self.world.project, "law")
        with self.world.project.connect(environment) as cloud:
            cloud.arm.put(BUSY, "2022-10-01", "scale it", {"location": "eastus", "properties": {**body, **properties}})

    @property
    def name(self) -> str:
        (name,) = self.seen()["endpoints"]
        return str(name)

    def settings(self) -> list[Any]:
        """The bodies of all settings."""
        held = open_world(self.state / "world.sqlite")
        try:
            rows = held.db.execute("SELECT id FROM resources WHERE kind = ?", (autoscale_runs.KIND,)).fetchall()
            found = [held.get(row[0]) for row in rows]
            return [each.body for each in found if each]
        finally:
            held.close()

    def scaled(self) -> list[str]:
        """The deployments that have a setting."""
        return sorted(body["properties"]["targetResourceUri"].rpartition("/")[2] for body in self.settings())

    def counts(self) -> dict[str, int]:
        """Deployment -> instances."""
        held = open_world(self.state / "world.sqlite")
        try:
            with held.transaction():
                held.apply_due()
            (endpoint,) = held.children(WORKSPACE, "endpoint")
            return {s.name: int(s.body["sku"]["capacity"]) for s in held.children(endpoint.id, "deployment")}
        finally:
            held.close()

    def watch(self, event: Event) -> None:
        """Also: a deployment with traffic has at least the instances that were live."""
        super().watch(event)
        if event.kind is not EventKind.DONE or not event.address.startswith("traffic"):
            return
        counts, ((traffic, _),) = self.counts(), self.seen()["endpoints"].values()
        self.broken += [f"{name} has {counts[name]} instances" for name in traffic if counts[name] < RUNNING]

    def rollback(self) -> int:
        asked: dict[str, Any] = {"approve": lambda *_: None, "emit": self.watch, "every": True}
        try:
            return int(commands.rollback(self.world.project, "law", **asked).report.exit)
        except DeployError as error:
            return int(error.exit)

    def remove_settings(self) -> None:
        held = open_world(self.state / "world.sqlite")
        try:
            with held.transaction():
                for body in self.settings():
                    held.remove(body["id"])
        finally:
            held.close()

    def live(self) -> list[str]:
        return [name for traffic, _ in self.seen()["endpoints"].values() for name in traffic]


def _share(endpoint: Any, name: str) -> int:
    return int(endpoint.properties["traffic"].get(name) or 0)


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scaled]:
    found = Scaled(write_project(Path(tmp_path_factory.mktemp("scaled")), Ahead()))
    found.want_scale(OWNED)
    emulator.launch(found.state, profile="instant")
    found.begin("1")
    yield found
    emulator.stop(found.state)


@pytest.fixture
def stage(scaled: Scaled) -> Scaled:
    scaled.want_scale(OWNED)
    scaled.order()
    return scaled


@dataclass
class Case:
    """One rollout or rollback of a stage. All cases of a chain run one after the other in one world."""

    stage: Scaled
    work: str
    scale: str
    before: Any = None

    def begin(self) -> None:
        """A new release in the files, or one to roll back from."""
        stage = self.stage
        if self.scale == ADOPTED:
            stage.want_scale(ADOPTED)
            stage.remove_settings()
            stage.others_scale(*stage.live())
        stage.release += 1
        stage.want(str(stage.release))
        if self.work == "rollback":
            assert stage.apply().exit == 0
        self.before = self.seen()

    def run(self) -> int:
        return self.stage.apply().exit if self.work == "apply" else self.stage.rollback()

    def seen(self) -> Any:
        """What a rescue must leave as it is."""
        seen, counts = self.stage.seen(), self.stage.counts()
        live = {name: counts[name] for name in self.stage.live()}
        return sorted(map(str, self.stage.settings())), seen["live"], seen["roles"], live

    def broken_after_rescue(self, code: int) -> Iterator[str]:
        """The promises that are broken by a rescue."""
        if code not in (0, Exit.REFUSED, Exit.STEP_FAILED, Exit.RESCUE_FAILED):
            yield f"it exits {code}"
        if code == Exit.STEP_FAILED and self.seen() != self.before:
            yield f"the rescue leaves {self.seen()}, not {self.before}"

    def broken_after_next_run(self) -> Iterator[str]:
        """The promises that are broken once the next run has ended."""
        if code := self.run():
            yield f"the next run exits {code}"
        if self.stage.scaled() != self.stage.live() or len(self.stage.live()) != 1:
            yield f"{self.stage.scaled()} have settings, {self.stage.live()} have traffic"
        if [body for body in self.stage.settings() if body["tags"].get(OWNER_TAG) != "law/mip"]:
            yield "a setting is not ours"
        if self.work == "apply" and commands.plan(self.stage.world.project, "law").steps:
            yield "a plan afterwards is not empty"
        yield from self.stage.broken
        self.stage.broken.clear()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "struck" not in metafunc.fixturenames:
        return
    full = metafunc.config.getoption("--laws", default="some") == "full"
    shares = [[{"plane": "arm", "number": n} for n in range(first, LAST, SHARES)] for first in range(1, SHARES + 1)]
    every = [(*each, share) for each in itertools.product(WORKS, (OWNED, ADOPTED), HOWS) for share in shares]
    metafunc.parametrize(("work", "scale", "how", "struck"), every if full else SOME, ids=_name)


def _name(value: Any) -> str:
    return {OWNED: "owned", ADOPTED: "adopted"}.get(value, value) if isinstance(value, str) else str(value[0]["number"])


def test_one_setting_stays_on_the_live_deployment(
    stage: Scaled, victims: Victims, work: str, scale: str, how: str, struck: Sequence[dict[str, Any]]
) -> None:
    """Every request of a rollout and of a rollback is refused, lost or the last one; `struck`: these requests."""
    told: list[str] = []
    for fits in struck:
        case = Case(stage, work, scale)
        case.begin()
        meets, broken = _run(case, victims, how, fits)
        told += [f"{fits}: {each}" for each in (*broken, *case.broken_after_next_run())]
        if not meets:
            break
    assert meets or fits["number"] > ENOUGH
    assert not told, json.dumps(told, indent=1)


def _run(case: Case, victims: Victims, how: str, fits: dict[str, Any]) -> tuple[bool, list[str]]:
    """One run that meets the fault. Return whether it did, and the promises that it broke."""
    stage, last = case.stage, case.stage.last()
    if how == "killed":
        return victims.kill_one(stage, fits, at_work=case.work, ends=(0,)), []
    stage.order({**HOWS[how], **fits})
    code = case.run()
    struck = any("fault" in row["note"] for row in emulator.requests(stage.state, after=last))
    stage.order()
    return struck, [*case.broken_after_rescue(code)] if how in ("refused", "forbidden") else []


def test_scaling_outside_within_the_limits_is_no_difference(stage: Scaled) -> None:
    """Whether the setting is ours or not: a plan is empty, and a release in place keeps the number of instances."""
    stage.begin("1")
    assert commands.plan(stage.world.project, "law").steps == ()
    stage.remove_settings()
    stage.want_scale("")
    stage.others_scale()
    before = stage.settings()
    assert commands.plan(stage.world.project, "law").steps == ()
    stage.world.want(release="2", strategy="in_place")
    assert stage.apply().exit == 0
    assert (stage.counts(), stage.settings(), stage.broken) == ({"blue": RUNNING}, before, [])
    stage.release = 3
    stage.want("3")
    assert stage.apply().exit == Exit.REFUSED
    assert (stage.counts(), stage.settings()) == ({"blue": RUNNING}, before)


def test_an_adopted_setting_moves_with_its_notifications(stage: Scaled) -> None:
    """In a rollout; and back, with its name and without our tag, if the rollout fails after it was deleted."""
    case = Case(stage, "apply", ADOPTED)
    case.begin()
    (before,) = stage.settings()
    stage.order({"kind": "refuse", "status": 400, "effect": True, **DELETION})
    end = stage.apply()
    stage.order()

    assert (end.exit, stage.settings()) == (Exit.STEP_FAILED, [before])
    assert stage.apply().exit == 0
    (after,) = stage.settings()
    (live,) = stage.live()
    assert after["properties"]["targetResourceUri"].endswith(live)
    assert after["properties"]["notifications"] == before["properties"]["notifications"]
    uris = [rule["metricTrigger"]["metricResourceUri"] for rule in after["properties"]["profiles"][0]["rules"]]
    assert uris == [after["properties"]["targetResourceUri"]]


def test_a_setting_that_appears_after_the_plan_is_not_changed(stage: Scaled) -> None:
    """Another client scales the new slot while the run waits: the step reads again first, and the rescue leaves it."""
    stage.remove_settings()
    case = Case(stage, "apply", OWNED)
    case.begin()
    (idle,) = {"blue", "green"} - {*stage.live()}
    done = commands.apply(
        stage.world.project, "law", approve=lambda *_: stage.others_scale(idle), emit=stage.watch
    )  # fmt: skip
    codes = [outcome.error["code"] for outcome in done.report.outcomes if outcome.error]

    assert "AML234" in codes
    assert [(body["name"], body["tags"]) for body in stage.settings()] == [("busy", {})]
    assert stage.live() != [idle]


def test_a_plan_of_many_endpoints_sends_one_list(stage: Scaled) -> None:
    """However many there are."""
    path = stage.world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    (entry,) = body["endpoints"].values()
    path.write_text(yaml.safe_dump({**body, "endpoints": {f"ep{n}": entry for n in range(5)}}))
    after = stage.last()
    commands.doctor(stage.world.project, "law")
    asked = [row["operation"] for row in emulator.requests(stage.state, after=after)]
    assert asked.count("AutoscaleSettings_ListByResourceGroup") == 1


class Killed(BaseException):
    """The run ends here."""


@pytest.mark.parametrize("again", ["teardown", "apply"])
def test_a_setting_that_outlives_its_endpoint_is_found(stage: Scaled, again: str) -> None:
    """Its deletion is refused, and the files no longer have `scale`: a second teardown, or the second of the next
    applies, deletes it. The first one creates the endpoint, and reads no settings of one that does not exist.
    """
    stage.begin("1")
    stage.want_scale("")
    quiet: dict[str, Any] = {"approve": lambda *_: None, "emit": lambda _: None}
    stage.order({"kind": "refuse", "status": 403, "operation": "AutoscaleSettings_Delete"})
    assert commands.teardown(stage.world.project, "law", **quiet).exit == Exit.STEP_FAILED
    stage.order()
    assert (stage.seen()["endpoints"], len(stage.settings())) == ({}, 1)
    if again == "teardown":
        assert commands.teardown(stage.world.project, "law", **quiet).exit == Exit.OK
    else:
        assert [stage.apply().exit, stage.apply().exit] == [Exit.OK, Exit.OK]
    assert stage.settings() == []


@pytest.mark.parametrize("steps", [2, 3])
def test_a_plan_file_is_finished(stage: Scaled, tmp_path: Path, steps: int) -> None:
    """The run that applied it ends after the new setting or the last shift; the same plan has the same result."""
    stage.begin("1")
    Case(stage, "apply", OWNED).begin()
    file = tmp_path / "agreed.plan"
    made = commands.plan(stage.world.project, "law")
    file.write_text(reporter.plan_dump(made))
    own = [step for step in made.steps if step.kind in ("traffic", "autoscale")]
    seen: list[str] = []

    def emit(event: Event) -> None:
        stage.watch(event)
        seen.extend([event.address] if event.kind is EventKind.DONE else [])
        if seen.count("traffic/mip") + sum("autoscale" in each for each in seen) == steps:
            raise Killed

    ways: dict[str, Any] = {"approve": lambda *_: None, "plan_file": file}
    with pytest.raises(Killed):
        commands.apply(stage.world.project, None, emit=emit, **ways)
    done = commands.apply(stage.world.project, None, emit=stage.watch, **ways)

    assert done.report.ok
    assert [step.kind for step in done.plan.steps if step.changes] == [step.kind for step in own[steps:]]
    assert (stage.scaled(), stage.broken) == (stage.live(), [])

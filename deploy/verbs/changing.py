"""Verbs that carry out a plan: apply, rollback, teardown, probe.

All but probe show the plan first and are told whether to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from deploy import agreement, intent, observer, planner, reader, reporter, succession, validator
from deploy.cloud import endpoints
from deploy.counting import noun
from deploy.errors import CloudError
from deploy.executor import Tell
from deploy.model import EndpointSpec, Facts, Plan, Step, address
from deploy.progress import Event, Kind
from deploy.steps import ARRIVING, SHOWN, alias
from deploy.steps import probe as probe_room
from deploy.verbs import standing
from deploy.verbs.looking import live
from deploy.verbs.project import Approve, Done, Project, carry_out, dated, look, validate, with_rows


def apply(
    project: Project,
    name: str | None,
    only: Sequence[str] = (),
    *,
    approve: Approve,
    tell: Tell,
    jobs: int = 8,
    plan_file: Path | None = None,
    cleanup: bool = False,
) -> Done:
    """Plan, ask, do. With a plan file: exactly that plan, or StalePlan when it is not what would be planned now.

    `cleanup`: a deployment of a release that fails is deleted; otherwise it is kept for whoever looks into it.
    """
    intent.must_agree(plan_file, cleanup)
    agreed = reporter.plan_load(plan_file.read_text(errors="replace"), str(plan_file)) if plan_file else None
    name, only = intent.asked(agreed, name, only)
    environment, specs = validate(project, name, only)
    with project.alone(environment, "apply") as cloud:
        specs, facts = look(cloud, specs, ARRIVING)
        fresh = planner.plan_release(environment, specs, facts, cleanup=cleanup)
        if agreed:
            fresh = agreement.plan_rest(agreed, fresh)
            if done := agreement.done_already(agreed, fresh):
                made = f"{done} of its changes {noun(done, 'is', 'are')} made already"
                tell(Event(Kind.NOTE, text=f"This plan was begun before: {made}."))
        fresh = dated(cloud, fresh)
        approve(fresh, agreed is None and environment.cloud != "local")
        return with_rows(cloud, specs, carry_out(project, cloud, fresh, "apply", tell, jobs))


def plan_file(project: Project, name: str | None, typed: Sequence[str]) -> Path | None:
    """The plan file that was typed: a file, and no endpoint of the environment, if one is named."""
    if not typed or not Path(typed[0]).is_file():
        return None
    keys = validator.survey_environment(reader.read_environment(project.root, name)).entries if name else ()
    return None if typed[0] in keys else Path(typed[0])


def rollback(
    project: Project, name: str, only: Sequence[str] = (), *, approve: Approve, tell: Tell, jobs: int = 8
) -> Done:
    """Callers back to the previous release, in the other slot: a plan like any other, asked about and done."""
    environment, specs = validate(project, name, only)
    with project.alone(environment, "rollback") as cloud:
        specs, facts = look(cloud, specs)
        plan = planner.plan_rollback(environment, specs, facts)
        approve(plan, True)
        return with_rows(cloud, specs, carry_out(project, cloud, plan, "rollback", tell, jobs))


def teardown(
    project: Project, name: str, only: Sequence[str] = (), *, approve: Approve, tell: Tell, jobs: int = 8
) -> Done:
    """A plan towards nothing, asked about and done. Whatever else carries an entry's tag goes first, as wholly."""
    environment, specs = validate(project, name, only)
    going = {spec.key for spec in specs}
    specs = [replace(spec, beside=tuple(each for each in spec.beside if each.key not in going)) for spec in specs]
    with project.alone(environment, "teardown") as cloud:
        with cloud.arm.remembering():
            bodies = endpoints.list_endpoints(cloud)
            specs = succession.settle(specs, bodies)
            others = [*succession.others(specs, bodies), *standing.gone(cloud, specs, bodies)]
            seen = observer.observe_names(cloud, [*specs, *others])
        plan = planner.plan_teardown(environment, specs, {spec.key: seen[spec.name] for spec in specs})
        ends = [planner.plan_teardown(environment, [each], {each.key: seen[each.name]}).steps for each in others]
        freed = [step for spec in specs for step in alias.clearing(spec, seen[spec.name])]
        steps = (*freed, *chain.from_iterable(ends), *plan.steps)
        stays = [f"{spec.key}: {words}." for spec in specs if (words := alias.staying(spec, seen[spec.name]))]
        plan = replace(plan, steps=steps, notes=(*plan.notes, *stays))
        approve(plan, True)
        done = carry_out(project, cloud, plan, "teardown", tell, jobs)
        left = [str(each.evidence.data["left"]) for each in done.report.outcomes if "left" in each.evidence.data]
        return replace(done, failed=left)


def probe(project: Project, name: str, only: Sequence[str] = (), *, tell: Tell, save: Path | None = None) -> Done:
    """Run the probes against whatever serves callers now."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        specs, facts = look(cloud, specs, SHOWN)
        steps = _live_probes(specs, facts)
        return carry_out(project, cloud, Plan(environment.name, tuple(steps)), "probe", tell, save=save)


def _live_probes(specs: Sequence[EndpointSpec], facts: Mapping[str, Facts]) -> list[Step]:
    probed = [(spec, live(spec, facts[spec.key])) for spec in specs if spec.pipeline.probe]
    if silent := [spec for spec, slot in probed if slot is None]:
        told = [f"{spec.name} {_silence(facts[spec.key], spec.key)}" for spec in silent]
        what = f"probe {', '.join(spec.key for spec in silent)}"
        raise CloudError(what, "; ".join(told), "Apply first", code="AML375")
    return [probe_room.step_for(spec, slot, "asked for") for spec, slot in probed if slot]


def _silence(facts: Facts, key: str) -> str:
    return "has no deployment with callers" if address("endpoint", key) in facts else "is not there"

"""Verbs that carry out a plan: apply, rollback, teardown, probe.

All but probe show the plan first and are told whether to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from deploy import reporter
from deploy.cloud import endpoints
from deploy.commands import lease_state
from deploy.commands.inspect import live
from deploy.commands.project import (
    Approve,
    Done,
    Project,
    carry_out,
    dated,
    look,
    look_with_siblings,
    must_run,
    validate,
    with_rows,
)
from deploy.config import reader, selection, validation
from deploy.domain.arm import Facts, address
from deploy.domain.plan import Plan, Step
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError
from deploy.execution.executor import Emit
from deploy.execution.progress import Event, Kind
from deploy.leasing import lineage
from deploy.planning import observe, plan_check, planner
from deploy.planning import rollback as rollbacks
from deploy.planning.build import target_of
from deploy.steps import SHOWN, alias
from deploy.steps import probe as probe_room
from deploy.text import noun


def apply(
    project: Project,
    name: str | None,
    only: Sequence[str] = (),
    *,
    approve: Approve,
    emit: Emit,
    jobs: int = 8,
    plan_file: Path | None = None,
    cleanup: bool = False,
    allow_rolled_back: bool = False,
    allow_exposure: bool = False,
) -> Done:
    """Plan, ask, do. With a plan file: exactly that plan, or StalePlan when it is not what would be planned now.

    `cleanup`: a deployment of a release that fails is deleted; otherwise it is kept for whoever looks into it.
    `allow_rolled_back`: see planner.draft_release; `allow_exposure`: a protected environment may be opened. A plan file
    remembers both.
    """
    flags = {"--cleanup": cleanup, "--allow-rolled-back": allow_rolled_back, "--allow-exposure": allow_exposure}
    selection.refuse_flags(plan_file, flags)
    agreed = reporter.plan_load(plan_file.read_text(errors="replace"), str(plan_file)) if plan_file else None
    name, only = selection.environment_and_endpoints(agreed, name, only)
    environment, specs = validate(project, name, only)
    if agreed:
        plan_check.must_be_for(agreed, environment, specs)
    with project.alone(environment, "apply") as cloud:
        specs, facts, siblings = look_with_siblings(cloud, environment, specs)
        fresh = planner.plan_release(
            environment,
            specs,
            facts,
            cleanup=cleanup,
            siblings=siblings,
            allow_rolled_back=agreed.allow_rolled_back if agreed else allow_rolled_back,
            allow_exposure=agreed.allow_exposure if agreed else allow_exposure,
        )
        if agreed:
            fresh = plan_check.remaining_plan(agreed, fresh)
            if done := plan_check.already_done(agreed, fresh):
                made = f"{done} of its changes {noun(done, 'is', 'are')} made already"
                emit(Event(Kind.NOTE, text=f"This plan was begun before: {made}."))
        fresh = dated(cloud, must_run(cloud, fresh))
        approve(fresh, agreed is None and environment.cloud != "local")
        ended = with_rows(cloud, specs, carry_out(project, cloud, fresh, "apply", emit, jobs))
        return replace(ended, idle=reporter.idle_notes(environment.name, ended.rows))


def plan_file(project: Project, name: str | None, typed: Sequence[str]) -> Path | None:
    """The plan file that was typed: a file, and no endpoint of the environment, if one is named."""
    if not typed or not Path(typed[0]).is_file():
        return None
    keys = validation.survey_environment(reader.read_environment(project.root, name)).entries if name else ()
    return None if typed[0] in keys else Path(typed[0])


def rollback(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    *,
    every: bool = False,
    to: str = "",
    approve: Approve,
    emit: Emit,
    jobs: int = 8,
) -> Done:
    """All traffic back to the previous release, or to release or commit `to`: a plan like any other, asked about and
    done. `every`: all endpoints; those without a previous release are skipped with a note.
    """
    selection.require_endpoints(only, every)
    environment, specs = validate(project, name, only)
    with project.alone(environment, "rollback") as cloud:
        specs, facts = look(cloud, specs)
        siblings = observe.observe_siblings(cloud, environment, specs)
        plan = rollbacks.plan(environment, specs, facts, to=to, every=every, siblings=siblings)
        approve(plan, environment.cloud != "local")
        return with_rows(cloud, specs, carry_out(project, cloud, plan, "rollback", emit, jobs))


def teardown(
    project: Project, name: str, only: Sequence[str] = (), *, approve: Approve, emit: Emit, jobs: int = 8
) -> Done:
    """A plan towards nothing, asked about and done. Whatever else carries an entry's tag goes first, as wholly."""
    environment, specs = validate(project, name, only)
    going = {spec.key for spec in specs}
    specs = [replace(spec, siblings=tuple(each for each in spec.siblings if each.key not in going)) for spec in specs]
    with project.alone(environment, "teardown") as cloud:
        with cloud.arm.cached_reads():
            bodies = endpoints.list_endpoints(cloud)
            specs = lineage.settle(specs, bodies)
            others = [*lineage.others(specs, bodies), *lease_state.gone(cloud, specs, bodies)]
            seen = observe.observe_names(cloud, [*specs, *others])
        plan = planner.plan_teardown(environment, specs, {spec.key: seen[spec.name] for spec in specs})
        ends = [planner.plan_teardown(environment, [each], {each.key: seen[each.name]}) for each in others]
        freed = [step for spec in specs for step in alias.clearing(spec, seen[spec.name])]
        steps = (*freed, *chain.from_iterable(each.steps for each in (*ends, plan)))
        stays = dict.fromkeys(chain.from_iterable(each.stays for each in (*ends, plan)))
        told = [f"{spec.key}: {words}." for spec in specs if (words := alias.staying(spec, seen[spec.name]))]
        plan = replace(plan, steps=steps, stays=tuple(stays), notes=(*plan.notes, *told))
        approve(plan, environment.cloud != "local")
        done = carry_out(project, cloud, plan, "teardown", emit, jobs)
        left = [str(each.evidence.data["left"]) for each in done.report.outcomes if "left" in each.evidence.data]
        return replace(done, failed=left)


def probe(project: Project, name: str, only: Sequence[str] = (), *, emit: Emit, save: Path | None = None) -> Done:
    """Run the probes against whatever serves callers now."""
    environment, specs = validate(project, name, only)
    with project.connect(environment) as cloud:
        specs, facts = look(cloud, specs, SHOWN)
        steps = _live_probes(specs, facts)
        return carry_out(
            project,
            cloud,
            Plan(environment.name, tuple(steps), target=target_of(environment)),
            "probe",
            emit,
            save=save,
        )


def _live_probes(specs: Sequence[EndpointSpec], facts: Mapping[str, Facts]) -> list[Step]:
    probed = [(spec, live(spec, facts[spec.key])) for spec in specs if spec.pipeline.probe]
    if silent := [spec for spec, slot in probed if slot is None]:
        told = [f"{spec.name} {_silence(facts[spec.key], spec.key)}" for spec in silent]
        what = f"probe {', '.join(spec.key for spec in silent)}"
        raise CloudError(what, "; ".join(told), "Apply first", code="AML375")
    return [probe_room.step_for(spec, slot, "asked for") for spec, slot in probed if slot]


def _silence(facts: Facts, key: str) -> str:
    return "has no deployment with callers" if address("endpoint", key) in facts else "is not there"

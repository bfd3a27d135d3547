"""The command restore: recreate an endpoint from the folder in which reap saved it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from deploy import diff
from deploy.cloud import endpoints
from deploy.cloud.connect import Cloud
from deploy.commands import lock
from deploy.commands.project import Project, validate, with_times
from deploy.commands.result import Approve, Result, run_plan, with_status
from deploy.config import files_from_endpoint, reader, validation
from deploy.documents import yaml12
from deploy.documents.locations import Rendered
from deploy.domain import history, leases, owners
from deploy.domain.arm import RELEASE_TAG, Facts, Json, address
from deploy.domain.owners import Owner, owner_tag
from deploy.domain.plan import Plan, Step
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding, Refused, SpecError, UsageError
from deploy.execution.executor import Emit
from deploy.leasing import lineage
from deploy.planning import observe, planner
from deploy.steps import alias, autoscale


def restore(
    project: Project,
    name: str,
    folder: Path,
    *,
    approve: Approve,
    emit: Emit,
    jobs: int | None = None,
    lock_timeout: float = 0.0,
) -> Result:
    """Recreate an endpoint as it was saved: deployments, traffic, tags, role assignments, autoscale settings.

    Its keys and its identity are new. On shared quota it gets a new lease, and the alias of its entry names its end. It
    is probed before it gets traffic. `folder` is the folder of one endpoint. Raises Refused when an endpoint of its
    entry receives traffic: a restore replaces nothing.
    """
    environment = validation.validate_environment(reader.read_environment(project.root, name)).environment
    saved = _saved_spec(environment, folder)
    entry = _entry(project, name, saved)
    with project.connect(environment) as cloud:
        now = cache(cloud.now)  # the same in both plans, and the service's time once it has answered
        specs: list[EndpointSpec] = []

        def make() -> Plan:
            plan, specs[:] = _plan_restore(cloud, saved, entry, folder, now)
            return plan

        run = lock.Run(project, cloud, "restore", emit, lock_timeout)
        with lock.approved(run, make, approve, ask=environment.cloud != "local") as plan:
            result = run_plan(project, cloud, plan, "restore", emit, jobs)
        return with_status(cloud, specs, result)


def _plan_restore(
    cloud: Cloud, saved: EndpointSpec, entry: EndpointSpec | None, folder: Path, now: Callable[[], datetime]
) -> tuple[Plan, list[EndpointSpec]]:
    """The plan, and the spec that it creates. `now`: the time in its tag, if the endpoint does not exist."""
    environment = cloud.environment
    with cloud.arm.cached_reads():
        bodies = endpoints.list_endpoints(cloud)
        spec = _with_entry_settings(saved, entry)
        serving, refusal = _serving(spec, bodies, folder)
        if refusal and serving != spec.name:
            raise refusal
        if spec.name not in bodies:
            spec = _with_restored_tag(spec, leases.iso_time(now()))
        facts, siblings = observe.observe(cloud, [spec]), observe.observe_siblings(cloud, environment, [spec])
        facts = {spec.key: observe.with_settings_left(cloud, spec, facts[spec.key])}
        if alias_problem := alias.unreadable(spec, facts[spec.key]):
            spec = _without_alias(spec, saved)
    plan = with_times(cloud, _plan(environment, spec, facts, refusal, siblings))
    settings = autoscale.recreated(spec, _read(folder / "autoscale.json", folder), facts[spec.key], plan.steps)
    steps = [step for step in plan.steps if step.kind != "probe" or _gets_traffic(spec, step)]
    notes = [] if spec.pipeline.probe else [f"{spec.key}: it gets traffic without a probe; its entry has none."]
    if alias_problem:
        notes.append(f"{alias_problem}. The alias of {spec.key} is not changed and might not name {spec.name}.")
    return replace(plan, steps=(*steps, *settings), notes=(*plan.notes, *(notes if steps else ()))), [spec]


def _saved_spec(environment: Environment, folder: Path) -> EndpointSpec:
    """The saved endpoint as a spec. Raises UsageError for a folder that reap did not write."""
    body = _read(folder / "endpoint.json", folder)
    if not isinstance(body, dict) or "name" not in body:
        raise _not_an_export(folder, "endpoint.json does not describe an endpoint")
    owner = Owner.parse(owner_tag(body))
    if owner and not owner.is_of(environment):
        raise _of_another(owner, environment, folder)
    deployments = [_read(path, folder) for path in sorted((folder / "deployments").glob("*.json"))]
    if not deployments:
        raise _not_an_export(folder, "it contains no deployment")
    roles = _read(folder / "roles.json", folder)
    key = owner.key if owner else str(body["name"])
    texts = files_from_endpoint.whole_files(body, deployments, roles)
    sources = {file: yaml12.parse(text, str(folder / file)) for file, text in texts.items()}
    endpoint, pipeline = sources.pop("endpoint.yml"), sources.pop("pipeline.yml", None)
    spec = validation.validate_endpoint(
        Rendered(key, folder, endpoint, tuple(sources.values()), pipeline), environment, key, folder, restored=True
    )
    # The saved releases, not new ones of the same content: an apply of the same files then changes nothing.
    tags = {str(each["name"]): each.get("tags") or {} for each in deployments}
    return replace(
        spec,
        endpoint={**spec.endpoint, "tags": {**(spec.endpoint.get("tags") or {}), **_history(body)}},
        releases={name: tags[name].get(RELEASE_TAG, digest) for name, digest in spec.releases.items()},
        deployments=tuple(_with_records(each, tags) for each in spec.deployments),
    )


def _history(body: Mapping[str, Json]) -> dict[str, Json]:
    """The tags with the releases that were live: a rollback needs them."""
    return {name: value for name, value in (body.get("tags") or {}).items() if name.lower() in history.TAGS}


def _with_records(document: Mapping[str, Json], tags: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """The deployment with the tags that record its source, its author and its time."""
    records = {name: value for name, value in tags[str(document["name"])].items() if name in diff.RECORDS}
    return {**document, "tags": {**(document.get("tags") or {}), **records}}


def _of_another(owner: Owner, environment: Environment, folder: Path) -> UsageError:
    """The error for a folder of another environment or project."""
    cause, cure = f"it was saved from environment {owner.environment}", f"Use -e {owner.environment}"
    if owner.project != environment.project:
        cause += f" of project {owner.project or '(none)'}; "
        cause += f"{environment.name} belongs to project {environment.project or '(none)'}"
        cure += " in that project's folder"
    return UsageError(f"restore {folder}", cause, cure, code="AML665")


def _entry(project: Project, name: str, saved: EndpointSpec) -> EndpointSpec | None:
    """The current entry of the endpoint; None when it does not exist or its files are invalid."""
    with suppress(SpecError, UsageError):
        return validate(project, name, [saved.key])[1][0]
    return None


def _plan(
    environment: Environment,
    spec: EndpointSpec,
    facts: Mapping[str, Facts],
    refusal: Refused | None,
    siblings: Mapping[str, Facts],
) -> Plan:
    """The plan. When the endpoint receives traffic, only the rest of an interrupted restore (roles, alias) is allowed:
    raises `refusal` when the plan changes anything else.
    """
    try:
        plan = planner.plan_release(
            environment, [spec], facts, planner.Choices(restored=True, allow_rolled_back=True), siblings=siblings
        )
    except Refused as refused:
        raise refusal or refused from None
    if refusal and any(step.changes and step.kind in ("endpoint", "deployment", "traffic") for step in plan.steps):
        raise refusal
    return plan


def _serving(spec: EndpointSpec, bodies: lineage.Bodies, folder: Path) -> tuple[str, Refused | None]:
    """The endpoint of the same entry that receives traffic, and the error for it; empty and None when there is none."""
    serving = [
        name
        for name, body in bodies.items()
        if lineage.has_traffic(body) and (name == spec.name or owner_tag(body) == spec.owner)
    ]
    if not serving:
        return "", None
    name = next((name for name in serving if name != spec.name), serving[0])
    cause = f"endpoint {name} receives traffic, and restore does not replace a live release"
    cure = f"Keep it, or run amldeploy teardown -e {owners.entry(spec)} and restore again, or apply the files "
    cure += f"of the saved release in {folder / 'spec'}"
    return name, Refused([Finding(str(address("endpoint", spec.key)), "AML277", cause, cure)], "restore")


def _gets_traffic(spec: EndpointSpec, step: Step) -> bool:
    """Whether the deployment of a probe step gets traffic. One at 0 % is probed later, before it gets some."""
    return bool((spec.traffic or {}).get(step.address.name))


def _with_restored_tag(spec: EndpointSpec, when: str) -> EndpointSpec:
    """The spec with the tag of a restore: a renewal then does not delete the endpoint as a predecessor."""
    tags = {**(spec.endpoint.get("tags") or {}), leases.RESTORED_TAG: when}
    return replace(spec, endpoint={**spec.endpoint, "tags": tags})


def _with_entry_settings(saved: EndpointSpec, entry: EndpointSpec | None) -> EndpointSpec:
    """The saved spec in its entry's chain of successors, with the entry's alias, probe, retry, scale and fallback."""
    if entry is None:
        return saved
    first = entry.first_name if leases.is_in_chain(entry.first_name, saved.name) else ""
    settings, quota = entry.pipeline, saved.pipeline.quota
    fallback = settings.quota.fallback if quota.capacity == "shared" else None
    quota = quota.model_copy(update={"fallback": fallback})
    pipeline = saved.pipeline.model_copy(
        update={
            "lease": settings.lease,
            "probe": settings.probe,
            "retry": settings.retry,
            "scale": settings.scale,
            "quota": quota,
        }
    )
    return replace(
        saved,
        folder=entry.folder,
        renamed_from=first,
        pipeline=pipeline,
        siblings=entry.siblings,
        cases=entry.cases,
    )


def _without_alias(spec: EndpointSpec, saved: EndpointSpec) -> EndpointSpec:
    """The spec without its alias, which cannot be read and so is not written."""
    return replace(spec, pipeline=spec.pipeline.model_copy(update={"lease": saved.pipeline.lease}))


def _read(path: Path, folder: Path) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not JSON: {error}"
        raise _not_an_export(folder, f"{path.name} cannot be read ({reason})") from None


def _not_an_export(folder: Path, cause: str) -> UsageError:
    cure = "Use the folder of one endpoint that reap wrote: .amldeploy/reaped/TIME/NAME"
    return UsageError(f"restore {folder}", cause, cure, code="AML664")

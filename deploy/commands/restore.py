"""The verb that brings back what the reaper kept: from its folder to a plan like any other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from deploy import diff
from deploy.cloud import endpoints
from deploy.commands.project import Approve, Done, Project, carry_out, dated, validate, with_rows
from deploy.config import export, reader, validation
from deploy.documents import yaml12
from deploy.documents.places import Rendered
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


def restore(project: Project, name: str, folder: Path, *, approve: Approve, emit: Emit, jobs: int = 8) -> Done:
    """Make an endpoint again as it was when it was kept: deployments, traffic, tags, roles, autoscale settings. Asked
    about, then done.

    Its keys and its identity are new ones. On shared quota it gets a lease of its own, and the alias of its entry tells
    its end. The probe of its entry is made before it gets traffic. Raises Refused when an endpoint of its entry serves:
    a restore replaces nothing. `folder` is one endpoint's.
    """
    environment = validation.validate_environment(reader.read_environment(project.root, name)).environment
    kept = _spec(environment, folder)
    entry = _entry(project, name, kept)
    with project.alone(environment, "restore") as cloud:
        with cloud.arm.cached_reads():
            bodies = endpoints.list_endpoints(cloud)
            spec = _of_its_line(kept, entry)
            serving, live = _live(spec, bodies, folder)
            if live and serving != spec.name:
                raise live
            if spec.name not in bodies:
                spec = _marked(spec, leases.written(cloud.now()))
            facts, siblings = observe.observe(cloud, [spec]), observe.observe_siblings(cloud, environment, [spec])
            if unread := alias.unreadable(spec, facts[spec.key]):
                spec = _without_alias(spec, kept)
        plan = dated(cloud, _planned(environment, spec, facts, live, siblings))
        scaled = autoscale.remade(spec.key, _kept(folder, "autoscale.json"), facts[spec.key], spec.retry)
        steps = [step for step in plan.steps if step.kind != "probe" or _gets_traffic(spec, step)]
        told = [] if spec.pipeline.probe else [f"{spec.key}: it gets traffic without a probe; its entry has none."]
        told += [f"{unread}. Traffic is not sent to {spec.name}: see the alias of {spec.key}."] if unread else []
        plan = replace(plan, steps=(*steps, *scaled), notes=(*plan.notes, *(told if steps else ())))
        approve(plan, environment.cloud != "local")
        return with_rows(cloud, [spec], carry_out(project, cloud, plan, "restore", emit, jobs))


def _spec(environment: Environment, folder: Path) -> EndpointSpec:
    """What was kept, as its files would say it."""
    body = _read(folder / "endpoint.json", folder)
    if not isinstance(body, dict) or "name" not in body:
        raise _not_kept(folder, "endpoint.json is no endpoint")
    owner = Owner.parse(owner_tag(body))
    if owner and not owner.is_of(environment):
        raise _of_another(owner, environment, folder)
    behind = [_read(path, folder) for path in sorted((folder / "deployments").glob("*.json"))]
    if not behind:
        raise _not_kept(folder, "no deployment was kept in it")
    roles = _kept(folder, "roles.json")
    key = owner.key if owner else str(body["name"])
    texts = export.whole_files(body, behind, roles)
    sources = {file: yaml12.parse(text, str(folder / file)) for file, text in texts.items()}
    endpoint, pipeline = sources.pop("endpoint.yml"), sources.pop("pipeline.yml", None)
    spec = validation.validate_endpoint(
        Rendered(key, folder, endpoint, tuple(sources.values()), pipeline), environment, key, folder, restored=True
    )
    # The releases that they were, not new ones of the same content: the files that made them apply to nothing.
    tags = {str(each["name"]): each.get("tags") or {} for each in behind}
    was = {name: tags[name].get(RELEASE_TAG, digest) for name, digest in spec.releases.items()}
    above = {**spec.endpoint, "tags": {**(spec.endpoint.get("tags") or {}), **_history(body)}}
    deployments = tuple(_recorded(each, tags) for each in spec.deployments)
    return replace(spec, endpoint=above, releases=was, deployments=deployments)


def _history(body: Mapping[str, Json]) -> dict[str, Json]:
    """The tags that say which releases were live: a rollback needs them."""
    return {name: value for name, value in (body.get("tags") or {}).items() if name.lower() in history.TAGS}


def _recorded(document: Mapping[str, Json], tags: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """The deployment with the tags that say what it was made of, by whom and when."""
    recorded = {name: value for name, value in tags[str(document["name"])].items() if name in diff.RECORDS}
    return {**document, "tags": {**(document.get("tags") or {}), **recorded}}


def _of_another(owner: Owner, environment: Environment, folder: Path) -> UsageError:
    """The folder is of another environment, or of another project."""
    cause, cure = f"it was kept from environment {owner.environment}", f"Use -e {owner.environment}"
    if owner.project != environment.project:
        cause += (
            f" of project {owner.project or '(none)'}, and {environment.name} is of {environment.project or '(none)'}"
        )
        cure += " in that project's folder"
    return UsageError(f"restore {folder}", cause, cure, code="AML665")


def _entry(project: Project, name: str, kept: EndpointSpec) -> EndpointSpec | None:
    """Its entry as it is now, if there still is one and its files are right."""
    with suppress(SpecError, UsageError):
        return validate(project, name, [kept.key])[1][0]
    return None


def _planned(
    environment: Environment,
    spec: EndpointSpec,
    facts: Mapping[str, Facts],
    live: Refused | None,
    siblings: Mapping[str, Facts],
) -> Plan:
    """The steps. Raises `live`, which says what serves, instead of any change to that: only the rest of a restore that
    was cut off (roles, alias) is done then.
    """
    try:
        plan = planner.plan_release(
            environment, [spec], facts, siblings=siblings, restored=True, allow_rolled_back=True
        )
    except Refused as refused:
        raise live or refused from None
    if live and any(step.changes and step.kind in ("endpoint", "deployment", "traffic") for step in plan.steps):
        raise live
    return plan


def _live(spec: EndpointSpec, bodies: lineage.Bodies, folder: Path) -> tuple[str, Refused | None]:
    """The endpoint of the same owner that serves, or empty, and why nothing is restored over it."""
    serving = [
        name
        for name, body in bodies.items()
        if lineage.serves(body) and (name == spec.name or owner_tag(body) == spec.owner)
    ]
    if not serving:
        return "", None
    name = next((name for name in serving if name != spec.name), serving[0])
    cause = f"endpoint {name} serves, and restore replaces no release that is live"
    cure = f"Keep it; or run amldeploy teardown -e {owners.entry(spec)} and restore again; or apply the files "
    cure += f"of the release, which are in {folder / 'spec'}"
    return name, Refused([Finding(address("endpoint", spec.key), "AML277", cause, cure)], "restore")


def _gets_traffic(spec: EndpointSpec, step: Step) -> bool:
    """Whether the deployment that a step probes is about to get requests: one at 0 % is probed before it gets some."""
    return bool((spec.traffic or {}).get(step.address.split("/")[-1]))


def _marked(spec: EndpointSpec, when: str) -> EndpointSpec:
    """The same with the tag that says that it was restored: no renewal takes it for a predecessor of what serves."""
    tags = {**(spec.endpoint.get("tags") or {}), leases.RESTORED_TAG: when}
    return replace(spec, endpoint={**spec.endpoint, "tags": tags})


def _of_its_line(kept: EndpointSpec, entry: EndpointSpec | None) -> EndpointSpec:
    """The same as one of its entry's line, with the alias, the probe, the retry and the fallback of its entry."""
    if entry is None:
        return kept
    first = entry.base if leases.is_of_line(entry.base, kept.name) else ""
    quota, policy = kept.pipeline.quota.model_copy(update={"fallback": _fallback(kept, entry)}), entry.pipeline
    pipeline = kept.pipeline.model_copy(
        update={"lease": policy.lease, "probe": policy.probe, "retry": policy.retry, "quota": quota}
    )
    return replace(kept, folder=entry.folder, first=first, pipeline=pipeline, siblings=entry.siblings)


def _without_alias(spec: EndpointSpec, kept: EndpointSpec) -> EndpointSpec:
    """The same where the alias cannot be read: nothing is written there."""
    return replace(spec, pipeline=spec.pipeline.model_copy(update={"lease": kept.pipeline.lease}))


def _fallback(kept: EndpointSpec, entry: EndpointSpec) -> str | None:
    """Where it goes when the shared pool is full, which what Azure held of it does not say."""
    return entry.pipeline.quota.fallback if kept.pipeline.quota.capacity == "shared" else None


def _kept(folder: Path, name: str) -> Json:
    """A list that was kept; none in a folder of an earlier version."""
    return _read(folder / name, folder) if (folder / name).exists() else []


def _read(path: Path, folder: Path) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _not_kept(folder, f"{path.name} cannot be read ({type(error).__name__})") from None


def _not_kept(folder: Path, cause: str) -> UsageError:
    cure = "Name the folder of one endpoint, as reap wrote it: .amldeploy/reaped/TIME/NAME"
    return UsageError(f"restore {folder}", cause, cure, code="AML664")

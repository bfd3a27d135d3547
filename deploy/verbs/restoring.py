"""The verb that brings back what the reaper kept: from its folder to a plan like any other."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from deploy import importer, leases, observer, planner, reader, succession, validator, yaml12
from deploy.cloud import endpoints
from deploy.errors import SpecError, UsageError
from deploy.executor import Tell
from deploy.model import RELEASE_TAG, EndpointSpec, Environment, Json
from deploy.owners import Owner, owner_tag
from deploy.sources import Rendered
from deploy.steps import alias, autoscale
from deploy.verbs.project import Approve, Done, Project, carry_out, dated, validate, with_rows


def restore(project: Project, name: str, folder: Path, *, approve: Approve, tell: Tell, jobs: int = 8) -> Done:
    """Make an endpoint again as it was when it was kept: deployments, traffic, tags, roles, autoscale settings. Asked
    about, then done.

    Its keys and its identity are new ones. On shared quota it gets a lease of its own, and the alias of its entry tells
    its end, unless callers are with a successor: they stay there. `folder` is one endpoint's.
    """
    environment = validator.validate_environment(reader.read_environment(project.root, name)).environment
    kept = _spec(environment, folder)
    entry = _entry(project, name, kept)
    with project.alone(environment, "restore") as cloud:
        with cloud.arm.remembering():
            later = _successor(kept, entry, endpoints.list_endpoints(cloud))
            spec = _of_its_line(kept, entry, moves=later is None)
            facts, beside = observer.observe(cloud, [spec]), observer.observe_beside(cloud, environment, [spec])
            unread = alias.unreadable(spec, facts[spec.key])
            spec = _of_its_line(kept, entry, moves=later is None and not unread)
        plan = dated(cloud, planner.plan_release(environment, [spec], facts, beside=beside, restored=True))
        scaled = autoscale.remade(spec.key, _kept(folder, "autoscale.json"), facts[spec.key], spec.retry)
        told = [f"{later} has succeeded it; callers of {spec.key} stay there."] if later else []
        told += [f"{unread}. Traffic is not sent to {spec.name}: see the alias of {spec.key}."] if unread else []
        plan = replace(plan, steps=(*plan.steps, *scaled), notes=(*plan.notes, *told))
        approve(plan, environment.cloud != "local")
        return with_rows(cloud, [spec], carry_out(project, cloud, plan, "restore", tell, jobs))


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
    texts = importer.whole_files(body, behind, roles)
    sources = {file: yaml12.parse(text, str(folder / file)) for file, text in texts.items()}
    endpoint, pipeline = sources.pop("endpoint.yml"), sources.pop("pipeline.yml", None)
    spec = validator.validate_endpoint(
        Rendered(key, folder, endpoint, tuple(sources.values()), pipeline), environment, key, folder, kept=True
    )
    # The releases that they were, not new ones of the same content: the files that made them apply to nothing.
    tags = {str(each["name"]): each.get("tags") or {} for each in behind}
    was = {name: tags[name].get(RELEASE_TAG, digest) for name, digest in spec.releases.items()}
    return replace(spec, releases=was)


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


def _successor(kept: EndpointSpec, entry: EndpointSpec | None, bodies: succession.Bodies) -> str | None:
    """Who came after it and serves the callers of its entry."""
    now = succession.settle([entry], bodies)[0].name if entry else kept.name
    line = leases.order(entry.base, [kept.name, now]) if entry else []
    return now if line[-1:] == [now] and now != kept.name and succession.serves(bodies.get(now) or {}) else None


def _of_its_line(kept: EndpointSpec, entry: EndpointSpec | None, *, moves: bool) -> EndpointSpec:
    """The same as one of its entry's line, with the retry and the fallback of its entry; `moves`: and its alias."""
    if entry is None:
        return kept
    lease = entry.pipeline.lease if moves else kept.pipeline.lease
    first = entry.base if leases.is_of_line(entry.base, kept.name) else ""
    quota = kept.pipeline.quota.model_copy(update={"fallback": _fallback(kept, entry)})
    policy = {"lease": lease, "quota": quota, "retry": entry.pipeline.retry}
    pipeline = kept.pipeline.model_copy(update=policy)
    return replace(kept, first=first, pipeline=pipeline, beside=entry.beside)


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

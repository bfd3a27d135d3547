"""The verb that brings back what the reaper kept: from its folder to a plan like any other."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from deploy import importer, planner, reader, validator, yaml12
from deploy.errors import SpecError, UsageError
from deploy.executor import Tell
from deploy.model import OWNER_TAG, RELEASE_TAG, EndpointSpec, Environment, Json
from deploy.sources import Rendered
from deploy.steps import autoscale
from deploy.verbs.project import Approve, Done, Project, carry_out, dated, look, rows_of, validate


def restore(project: Project, name: str, folder: Path, *, approve: Approve, tell: Tell, jobs: int = 8) -> Done:
    """Make an endpoint again as it was when it was kept: deployments, traffic, tags, roles, autoscale settings. Asked
    about, then done.

    Its keys and its identity are new ones. On shared quota it gets a lease of its own, and the alias of its entry tells
    its end. `folder` is one endpoint's.
    """
    environment = validator.validate_environment(reader.read_environment(project.root, name)).environment
    spec = _with_alias(project, name, _spec(environment, folder))
    with project.alone(environment, "restore") as cloud:
        specs, facts = look(cloud, [spec])
        plan = dated(cloud, planner.plan_release(environment, specs, facts))
        scaled = autoscale.remade(specs[0].key, _kept(folder, "autoscale.json"), facts[specs[0].key], specs[0].retry)
        plan = replace(plan, steps=(*plan.steps, *scaled))
        approve(plan, environment.cloud != "local")
        done = carry_out(project, cloud, plan, "restore", tell, jobs)
        return replace(done, rows=rows_of(cloud, specs))


def _spec(environment: Environment, folder: Path) -> EndpointSpec:
    """What was kept, as its files would say it."""
    body = _read(folder / "endpoint.json", folder)
    if not isinstance(body, dict) or "name" not in body:
        raise _not_kept(folder, "endpoint.json is no endpoint")
    owner = str((body.get("tags") or {}).get(OWNER_TAG) or "")
    kept_for, _, key = owner.rpartition("/")
    if kept_for and kept_for != environment.name:
        cause = f"it was kept from environment {kept_for}"
        raise UsageError(f"restore {folder}", cause, f"Say -e {kept_for}", code="AML665")
    behind = [_read(path, folder) for path in sorted((folder / "deployments").glob("*.json"))]
    if not behind:
        raise _not_kept(folder, "no deployment was kept in it")
    roles = _kept(folder, "roles.json")
    key = key or str(body["name"])
    texts = importer.whole_files(body, behind, roles)
    sources = {file: yaml12.parse(text, str(folder / file)) for file, text in texts.items()}
    endpoint, pipeline = sources.pop("endpoint.yml"), sources.pop("pipeline.yml", None)
    spec = validator.validate_endpoint(
        Rendered(key, folder, endpoint, tuple(sources.values()), pipeline), environment, key, folder
    )
    # The releases that they were, not new ones of the same content: the files that made them apply to nothing.
    tags = {str(each["name"]): each.get("tags") or {} for each in behind}
    was = {name: tags[name].get(RELEASE_TAG, digest) for name, digest in spec.releases.items()}
    return replace(spec, releases=was)


def _with_alias(project: Project, name: str, spec: EndpointSpec) -> EndpointSpec:
    """The same, with the alias that its entry has now, if there still is one and its files are right."""
    with suppress(SpecError, UsageError):
        _, (entry,) = validate(project, name, [spec.key])
        return replace(spec, pipeline=spec.pipeline.model_copy(update={"lease": entry.pipeline.lease}))
    return spec


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

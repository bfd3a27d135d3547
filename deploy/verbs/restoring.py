"""The verb that brings back what the reaper kept: from its folder to a plan like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from deploy import importer, planner, reader, validator, yaml12
from deploy.errors import UsageError
from deploy.executor import Tell
from deploy.model import OWNER_TAG, RELEASE_TAG, EndpointSpec, Environment, Json
from deploy.sources import Rendered
from deploy.verbs.project import Approve, Done, Project, carry_out, look, rows_of


def restore(project: Project, name: str, folder: Path, *, approve: Approve, tell: Tell, jobs: int = 8) -> Done:
    """Make an endpoint again as it was when it was kept: deployments, traffic, tags, roles. Asked about, then done.

    Its keys and its identity are new ones. On shared quota it gets a lease of its own. `folder` is one endpoint's.
    """
    environment = validator.validate_environment(reader.read_environment(project.root, name)).environment
    spec = _spec(environment, folder)
    with project.alone(environment, "restore") as cloud:
        specs, facts = look(cloud, [spec])
        plan = planner.plan_release(environment, specs, facts)
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
    roles = _read(folder / "roles.json", folder) if (folder / "roles.json").exists() else []
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


def _read(path: Path, folder: Path) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _not_kept(folder, f"{path.name} cannot be read ({type(error).__name__})") from None


def _not_kept(folder: Path, cause: str) -> UsageError:
    cure = "Name the folder of one endpoint, as reap wrote it: .amldeploy/reaped/TIME/NAME"
    return UsageError(f"restore {folder}", cause, cure, code="AML664")

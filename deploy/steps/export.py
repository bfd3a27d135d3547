"""The export: everything about an endpoint that could be wanted again, in a folder, before it is deleted.

ARM bodies as they are, the files that say the same (CLI v2 documents and pipeline, secrets left open as `import` leaves
them), autoscale settings, and the last lines of both containers. Keys are not among them: Azure makes new ones.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from deploy.cloud import endpoints, orphans, role_state
from deploy.cloud.connect import Cloud
from deploy.config import export
from deploy.domain.arm import Facts, Json
from deploy.domain.plan import Step, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError, sanitize

NAME = "export"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:  # noqa: ARG001 every room answers the same three questions
    """Nothing: an export is made when somebody goes, not when somebody looks."""
    return {}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:  # noqa: ARG001 every room answers the same three questions
    """None: who is deleted by name has its files; only the reaper asks for this."""
    return ()


def run(cloud: Cloud, step: Step) -> Evidence:
    """Writes `<folder>/<name>/`: endpoint.json, roles.json, autoscale.json, deployments/*.json, spec/*.yml, logs/*.log.

    Raises when it cannot be kept.
    """
    name, folder = str(step.body["name"]), Path(str(step.body["folder"])) / str(step.body["name"])
    body = endpoints.read_endpoint(cloud, name)
    if body is None:
        return Evidence(f"{name} is gone already")
    behind = endpoints.read_deployments(cloud, name)
    try:
        _write(folder / "endpoint.json", body)
        roles = role_state.roles_to_export(cloud, body)
        _write(folder / "roles.json", roles)
        _write(folder / "autoscale.json", orphans.scaling(cloud, name))
        for file, text in export.files_of(body, list(behind.values()), roles).files.items():
            _private(folder / "spec" / file, text)
        for deployment, found in behind.items():
            _write(folder / "deployments" / f"{deployment}.json", found)
            for container in endpoints.CONTAINERS:
                with contextlib.suppress(CloudError):
                    text = sanitize(endpoints.read_logs(cloud, name, deployment, container, endpoints.TAIL))
                    _private(folder / "logs" / f"{deployment}-{container}.log", text)
    except OSError as error:
        cure = "Nothing was deleted: see that the folder may be written"
        raise CloudError(f"keep {name}", str(error), cure, code="AML620") from error
    return Evidence(f"kept in {folder}")


def _write(path: Path, body: Json) -> None:
    _private(path, json.dumps(body, indent=2) + "\n")


def _private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")

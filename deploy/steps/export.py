"""The export: what is needed to restore an endpoint, written to a folder before it is deleted.

It contains the ARM bodies, the files that describe them (CLI v2 documents and pipeline, secrets left open as `import`
does), autoscale settings, and the last lines of both containers. It contains no keys: Azure creates new ones.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from deploy.cloud import autoscale_and_tags, endpoints, role_state
from deploy.cloud.connect import Cloud
from deploy.config import files_from_endpoint
from deploy.domain.arm import Json, address
from deploy.domain.plan import Step, Verb
from deploy.domain.report import Evidence
from deploy.errors import CloudError
from deploy.sanitize import sanitize

NAME = "export"


def step_for(key: str, name: str, folder: str, *rest: str) -> Step:
    """The step that exports an endpoint (`name` in Azure) before it, or a deployment of it, is deleted."""
    return Step(Verb.CHECK, address(NAME, key, *rest), {"name": name, "folder": folder}, "exported before the deletion")


def run(cloud: Cloud, step: Step) -> Evidence:
    """Writes `<folder>/<name>/`: endpoint.json, roles.json, autoscale.json, deployments/*.json, spec/*.yml, logs/*.log.

    Raises CloudError when it cannot be written.
    """
    name, folder = str(step.body["name"]), Path(str(step.body["folder"])) / str(step.body["name"])
    body = endpoints.read_endpoint(cloud, name)
    if body is None:
        return Evidence(f"{name} is already deleted")
    behind = endpoints.read_deployments(cloud, name)
    try:
        _write(folder / "endpoint.json", body)
        roles = role_state.roles_to_export(cloud, body)
        _write(folder / "roles.json", roles)
        _write(folder / "autoscale.json", autoscale_and_tags.scaling(cloud, name))
        for file, text in files_from_endpoint.files_of(body, list(behind.values()), roles).files.items():
            _private(folder / "spec" / file, text)
        for deployment, found in behind.items():
            _write(folder / "deployments" / f"{deployment}.json", found)
            for container in endpoints.CONTAINERS:
                with contextlib.suppress(CloudError):
                    text = sanitize(endpoints.read_logs(cloud, name, deployment, container, endpoints.TAIL))
                    _private(folder / "logs" / f"{deployment}-{container}.log", text)
    except OSError as error:
        cure = "Nothing was deleted. Check that the folder is writable"
        raise CloudError(f"export {name}", str(error), cure, code="AML620") from error
    return Evidence(f"saved in {folder}")


def _write(path: Path, body: Json) -> None:
    _private(path, json.dumps(body, indent=2) + "\n")


def _private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")

"""Deletes the endpoint of a run directly, where `amldeploy teardown` did not: a bug in it must not leave costs.

Only the endpoint and its deployments are deleted. Their role assignments stay.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy import commands
from deploy.cloud.operations import VERSION
from deploy.cloud.response_schemas import Resource
from deploy.config import reader, validation
from deploy.errors import CloudError, DeployError

_LONGEST_PAUSE = 30.0
_ATTEMPTS = 80
"""Another operation may be running: then Azure refuses the request until it ends."""
_FINAL = (401, 403)


def delete_endpoint(root: Path, environment: str, name: str) -> int:
    """Delete an endpoint and wait until it does not exist. Returns the exit code."""
    target = validation.validate_environment(reader.read_environment(root, environment)).environment
    project, path = commands.Project(root), f"{target.workspace_id}/onlineEndpoints/{name}"
    try:
        with project.connect(target) as cloud:
            for attempt in range(_ATTEMPTS):
                try:
                    if cloud.arm.look(path, VERSION, f"read {name}", Resource) is None:
                        return 0
                    cloud.arm.delete(path, VERSION, f"delete {name}")
                except CloudError as error:
                    if error.status in _FINAL:
                        raise
                project.clock.sleep(min(2.0**attempt, _LONGEST_PAUSE))
    except DeployError as error:
        sys.stderr.write(f"{error}\n")
    return 5

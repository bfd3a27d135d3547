"""The command force-unlock: end the lock of a run that hangs, by its id, so that no newer lock is ended."""

from __future__ import annotations

from deploy.cloud import endpoints
from deploy.commands import lock
from deploy.commands.project import Project, valid_specs
from deploy.config import reader, validation
from deploy.leasing import lineage


def force_unlock(project: Project, name: str, endpoint: str, lock_id: str) -> str:
    """End the lock `lock_id` of an endpoint: its key, or its name in Azure. Returns its name.

    The run that held it stops at its next change. Raises Locked if a newer run holds the lock.
    """
    file = validation.validate_environment(reader.read_environment(project.root, name))
    with project.connect(file.environment) as cloud:
        spec = valid_specs(project, file).get(endpoint)
        current = lineage.with_current_names([spec], endpoints.list_endpoints(cloud)) if spec else []
        found = current[0].name if current else endpoint
        lock.release(cloud, found, lock_id)
        return found

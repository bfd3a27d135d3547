"""Containers as both planes see them: a resource below its storage account, with one lease.

`private` has `lease` (the fields of a Lease, or null) and `modified`, the time of Last-Modified.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from deploy.emulator.storage import accounts, conditions
from deploy.emulator.storage.conditions import Version
from deploy.emulator.storage.leases import Lease
from deploy.emulator.world.store import Resource, World

KIND = "container"
TYPE = f"{accounts.TYPE}/blobServices/containers"
VALID_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*|\$root|\$web|\$logs")


def identifier(account: Resource, name: str) -> str:
    """The ARM id of a container."""
    return f"{account.body['id']}/blobServices/default/containers/{name}"


def find(world: World, account: Resource, name: str) -> Resource | None:
    """A container, if it exists."""
    return world.get(identifier(account, name))


def create(world: World, account: Resource, name: str, metadata: dict[str, str] | None = None) -> Resource:
    """Create a container, or return the existing one unchanged."""
    if (found := find(world, account, name)) is not None:
        return found
    body: dict[str, Any] = {
        "id": identifier(account, name), "name": name, "type": TYPE, "etag": "",
        "properties": {
            "publicAccess": "None", "metadata": metadata or {}, "hasImmutabilityPolicy": False, "hasLegalHold": False,
        },
    }  # fmt: skip
    created = Resource(body["id"], KIND, account.id, name, account.location, body, {"lease": None})
    save_modified(world, created)
    return created


def save_modified(world: World, container: Resource) -> None:
    """Save a container that was changed, with a new ETag and Last-Modified."""
    version = conditions.new_version(world)
    container.body["etag"], container.private["modified"] = version.etag, version.modified
    world.save(container)


def version(container: Resource) -> Version:
    """The ETag and Last-Modified of a container."""
    return Version(container.body["etag"], container.private["modified"])


def lease(container: Resource) -> Lease | None:
    """The lease of a container."""
    found = container.private["lease"]
    return Lease(**found) if found else None


def save_lease(world: World, container: Resource, changed: Lease | None) -> None:
    """Save the lease of a container; its ETag and Last-Modified stay."""
    container.private["lease"] = asdict(changed) if changed else None
    world.save(container)


def remove(world: World, account: Resource, container: Resource) -> None:
    """Delete a container with its blobs, whatever their leases."""
    world.remove(container.id)
    prefix = f"{account.name}/{container.name}/"
    for table in ("blobs", "parts", "blocks"):
        world.db.execute(f"DELETE FROM {table} WHERE substr(path, 1, ?) = ?", (len(prefix), prefix))  # noqa: S608 - constant names

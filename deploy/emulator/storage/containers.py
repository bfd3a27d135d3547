"""Containers on the data plane: create, read, metadata, lease, delete."""

from __future__ import annotations

from deploy.emulator.storage import accounts, conditions, container_store, errors, lease_headers
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer
from deploy.emulator.world.store import Resource


def account(call: Call) -> Resource:
    """The storage account that a request's path names; 404 otherwise (in Azure its host name does not exist)."""
    found = accounts.find(call.world, call.route_params["account"])
    if found is None:
        raise errors.refusal("ResourceNotFound")
    return found


def require(call: Call) -> Resource:
    """The container that a request's path names; 404 otherwise."""
    found = container_store.find(call.world, account(call), call.route_params["container"])
    if found is None:
        raise errors.refusal("ContainerNotFound")
    return found


def metadata(call: Call) -> dict[str, str]:
    """The metadata in the headers of a request."""
    prefix = "x-ms-meta-"
    return {key.removeprefix(prefix): value for key, value in call.headers.items() if key.startswith(prefix)}


def put(call: Call) -> Answer:
    """PUT a container: 201; 409 if it exists."""
    owner, name = account(call), call.route_params["container"]
    if not container_store.VALID_NAME.fullmatch(name):
        raise errors.refusal("InvalidResourceName")
    if container_store.find(call.world, owner, name) is not None:
        raise errors.refusal("ContainerAlreadyExists")
    created = container_store.create(call.world, owner, name, metadata(call))
    return Answer(201, headers=container_store.version(created).headers)


def get(call: Call) -> Answer:
    """GET or HEAD the properties and metadata of a container."""
    found, now = require(call), call.world.unscaled_now()
    lease = container_store.lease(found)
    lease_headers.check(lease, call.headers, now, write=False, what="container")
    described = {f"x-ms-meta-{key}": value for key, value in found.properties["metadata"].items()}
    shown = {**container_store.version(found).headers, **lease_headers.describe(lease, now), **described}
    return Answer(200, headers=shown)


def set_metadata(call: Call) -> Answer:
    """PUT the metadata; a lease id is optional, but must be the right one."""
    found = require(call)
    lease_headers.check(
        container_store.lease(found), call.headers, call.world.unscaled_now(), write=False, what="container"
    )
    conditions.check(call.headers, container_store.version(found), read=False)
    found.properties["metadata"] = metadata(call)
    container_store.save_modified(call.world, found)
    return Answer(200, headers=container_store.version(found).headers)


def delete(call: Call) -> Answer:
    """DELETE a container with all its blobs; a lease on it needs its id, leases on its blobs do not count.

    In Azure the name can be used again after at least 30 seconds; here at once.
    """
    found, now = require(call), call.world.unscaled_now()
    lease_headers.check(container_store.lease(found), call.headers, now, write=True, what="container")
    conditions.check(call.headers, container_store.version(found), read=False)
    container_store.remove(call.world, account(call), found)
    return Answer(202)


def lease(call: Call) -> Answer:
    """PUT a lease call."""
    found, now = require(call), call.world.unscaled_now()
    conditions.check(call.headers, container_store.version(found), read=False)
    done, changed = lease_headers.change(container_store.lease(found), call.headers, now, "container")
    container_store.save_lease(call.world, found, changed)
    return lease_headers.answer(done, changed, container_store.version(found), now)

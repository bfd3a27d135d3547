"""Containers in the Resource Manager: create, read, change, delete, list, lease. Both planes have the same lease.

The interface is published. Unknown: the errors of a lease call that is refused, and of the deletion of a leased
container; the emulator sends those of the data plane. Also unknown: whether a PUT of an existing container without
metadata keeps them; here it does.
"""

from __future__ import annotations

from deploy.emulator.storage import accounts, container_store, errors, leases
from deploy.emulator.storage.leases import InvalidLeaseCall, LeaseRefused
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, arm_error, timestamp
from deploy.emulator.world.store import Resource

_PUBLIC_ACCESS = ("None", "Blob", "Container")


def listing(call: Call) -> Answer:
    """GET the containers of an account."""
    found = call.world.children(_account(call).id, container_store.KIND)
    return Answer(200, {"value": [_show(call, item) for item in sorted(found, key=lambda item: item.name)]})


def get(call: Call) -> Answer:
    """GET a container with the state of its lease."""
    return Answer(200, _show(call, _require(call)))


def put(call: Call) -> Answer:
    """PUT a container: 201 when new, 200 when it exists."""
    account, name, changes = _account(call), call.route_params["container"], _changes(call)
    if not container_store.VALID_NAME.fullmatch(name):
        raise errors.arm_refusal("InvalidResourceName")
    found = container_store.find(call.world, account, name)
    return _save(call, found or container_store.create(call.world, account, name), changes, 200 if found else 201)


def patch(call: Call) -> Answer:
    """PATCH `metadata`, replaced as a whole, or `publicAccess`."""
    return _save(call, _require(call), _changes(call), 200)


def delete(call: Call) -> Answer:
    """DELETE a container with its blobs: 200, or 204 when absent. There is no lease id, so a lease refuses it."""
    account = _account(call)
    found = container_store.find(call.world, account, call.route_params["container"])
    if found is None:
        return Answer(204)
    try:
        leases.check(container_store.lease(found), "", call.world.unscaled_now(), write=True)
    except LeaseRefused as refused:
        raise errors.arm_refusal(refused.code) from None
    container_store.remove(call.world, account, found)
    return Answer(200)


def lease(call: Call) -> Answer:
    """POST lease: 200 with `leaseId`, and after a break `leaseTimeSeconds`."""
    found, body, now = _require(call), call.object(), call.world.unscaled_now()
    names = ("action", "leaseId", "proposedLeaseId", "leaseDuration", "breakPeriod")
    try:
        done = leases.parse(*(body.get(name) for name in names))
        changed = leases.apply(container_store.lease(found), done, now)
    except InvalidLeaseCall as error:
        message = f"The value of '{error.field}' {'is required' if error.missing else 'is invalid'}."
        raise arm_error(400, "InvalidRequestContent", message) from None
    except LeaseRefused as refused:
        raise errors.arm_refusal(refused.code) from None
    container_store.save_lease(call.world, found, changed)
    if done.action == "break":
        return Answer(200, {"leaseTimeSeconds": str(leases.break_seconds(changed, now))})
    return Answer(200, {"leaseId": changed.id} if changed else {})


def _account(call: Call) -> Resource:
    if call.route_params["service"].lower() != "default":
        raise errors.arm_refusal("ResourceNotFound")
    return accounts.require(call)


def _require(call: Call) -> Resource:
    found = container_store.find(call.world, _account(call), call.route_params["container"])
    if found is None:
        raise errors.arm_refusal("ContainerNotFound")
    return found


def _changes(call: Call) -> dict[str, Json]:
    """The properties of a body that can be set."""
    properties = call.object().get("properties")
    properties = {} if properties is None else properties
    if not isinstance(properties, dict):
        raise arm_error(400, "InvalidRequestContent", "The field 'properties' must be an object.")
    found = {key: properties[key] for key in ("metadata", "publicAccess") if properties.get(key) is not None}
    texts = found.get("metadata", {})
    if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
        raise arm_error(400, "InvalidRequestContent", "The values of 'metadata' must be strings.")
    if found.get("publicAccess", "None") not in _PUBLIC_ACCESS:
        raise arm_error(400, "InvalidRequestContent", f"'publicAccess' must be one of {', '.join(_PUBLIC_ACCESS)}.")
    return found


def _save(call: Call, container: Resource, changes: dict[str, Json], status: int) -> Answer:
    if changes:
        container.properties.update(changes)
        container_store.save_modified(call.world, container)
    return Answer(status, _show(call, container))


def _show(call: Call, container: Resource) -> dict[str, Json]:
    """The body, with the lease as it is now: `leaseState`, `leaseStatus`, `leaseDuration`."""
    described = leases.described(container_store.lease(container), call.world.unscaled_now())
    shown = {f"lease{name.title()}": value.title() for name, value in described.items()}
    modified = timestamp(container.private["modified"])
    return {**container.body, "properties": {**container.properties, **shown, "lastModifiedTime": modified}}

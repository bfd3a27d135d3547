"""Shared quota: endpoints that use a shared pool for at most 168 hours and are then deleted.

Two properties request it: `SharedComputeCapacityEnabled` and `TargetAutoDeletionTime` (RFC 1123). Like all properties
they cannot change. Azure does not document what it refuses; here the deadline must be a valid date in the next 168
hours, and the messages are the emulator's.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from deploy.emulator.wire import long_running
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Json, ml_error, user_error
from deploy.emulator.workspace import registry
from deploy.emulator.world import settings
from deploy.emulator.world.store import Resource, World

ENABLED = "sharedcomputecapacityenabled"
DEADLINE = "targetautodeletiontime"
LONGEST_LEASE = 168 * 3600.0
CLOCK_TOLERANCE = 300.0
"""Seconds, for the difference of clocks and the duration of the request."""
EXPIRY = "expiry"
POOL = "(shared)"
"""Location and family in the table of allocations: the pool has no region and no family."""


def is_requested(properties: Mapping[str, str]) -> bool:
    """Whether these endpoint properties request shared quota."""
    return any(key.lower() == ENABLED and value.lower() == "true" for key, value in properties.items())


def supported_properties(call: Call, properties: dict[str, str]) -> dict[str, str]:
    """The properties that this api-version keeps. Whether old ones keep a lease is not documented."""
    since = str(settings.get(call.world, "shared_quota_since"))
    if call.query.get("api-version", since) >= since:
        return properties
    return {key: value for key, value in properties.items() if key.lower() not in (ENABLED, DEADLINE)}


def schedule_deletion(world: World, endpoint: Resource) -> None:
    """Schedule the deletion of an endpoint on shared quota; others are not changed.

    Raises:
        Refusal: 400 when the subscription is not eligible or the deadline is invalid.
    """
    properties = endpoint.properties["properties"]
    if not is_requested(properties):
        return
    if not settings.get(world, "shared_quota_eligible"):
        raise user_error(
            f"The subscription '{endpoint.id.split('/')[2]}' is not eligible for shared quota. "
            "Shared quota is for subscriptions of an Enterprise Agreement."
        )
    left = _deadline(properties) - world.now()
    if not 0 < left <= LONGEST_LEASE + CLOCK_TOLERANCE:
        raise user_error("The property 'TargetAutoDeletionTime' must be in the future and at most 168 hours ahead.")
    long_running.begin(world, EXPIRY, endpoint, left, {"remove": True})


def require_same(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Refuse shared quota for an existing endpoint."""
    if is_requested(new) and not is_requested(old):
        raise user_error("Shared quota can be chosen only when an endpoint is created.")


def reserve(world: World, endpoint: Resource, deployment: Resource) -> bool:
    """Reserve a deployment's instances in the pool; False when its endpoint is not on shared quota.

    Raises:
        Refusal: 400 when the model does not allow shared quota, or the pool is exhausted.
    """
    if not is_requested(endpoint.properties["properties"]):
        return False
    _require_shared_model(world, deployment.properties["model"])
    subscription, count = endpoint.id.split("/")[2], deployment.body["sku"]["capacity"]
    used = world.db.execute(
        "SELECT COALESCE(SUM(cores), 0) FROM allocations WHERE subscription = ? AND location = ? AND deployment != ?",
        (subscription, POOL, deployment.id.lower()),
    ).fetchone()[0]
    if used + count > settings.number(world, "shared_quota_instances"):
        raise ml_error(
            400, "UserErrorFromQuotaService",
            "UserErrorFromQuotaService: Simultaneous count exceeded for subscription.",
        )  # fmt: skip
    world.db.execute(
        "INSERT OR REPLACE INTO allocations VALUES (?, ?, ?, ?, ?)",
        (deployment.id.lower(), subscription, POOL, POOL, count),
    )
    return True


def allows_shared_quota(model: Resource) -> bool:
    """Whether a model allows shared quota: by a property with the value true, or by a tag of that name."""
    properties: dict[str, Json] = model.properties.get("properties") or {}
    return is_requested({key: str(value) for key, value in properties.items()}) or any(
        key.lower() == ENABLED for key in model.properties.get("tags") or {}
    )


def _require_shared_model(world: World, name: str | None) -> None:
    model = registry.resolve(world, name) if name else None
    if name and model is None:
        return  # missing model: the operation fails with that
    if model is None or not allows_shared_quota(model):
        raise user_error(
            f"The model '{name}' cannot be deployed with shared quota: it is not marked SharedComputeCapacityEnabled."
        )


def _deadline(properties: Mapping[str, str]) -> float:
    text = next((value for key, value in properties.items() if key.lower() == DEADLINE), "")
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise user_error(
            f"The property 'TargetAutoDeletionTime' must be a date in RFC 1123 format, not '{text}'."
        ) from None

"""The limits on the number of endpoints and deployments in a region, and of deployments in an endpoint.

The numbers are the published defaults. The messages are the emulator's: Azure's are not published.
"""

from __future__ import annotations

from deploy.emulator.wire.responses import Refusal, ml_error
from deploy.emulator.world.store import Resource, World

ENDPOINTS, DEPLOYMENTS, DEPLOYMENTS_PER_ENDPOINT = "Endpoints", "Deployments", "DeploymentsPerEndpoint"
DEFAULTS = {ENDPOINTS: 100, DEPLOYMENTS: 500, DEPLOYMENTS_PER_ENDPOINT: 20}
"""Stored in the table of the core limits, under these names."""
_ENDPOINTS, _DEPLOYMENTS = ("endpoint", "batchEndpoints"), ("deployment", "deployments")
"""Online and batch."""


def check_endpoint_limit(world: World, subscription: str, location: str) -> None:
    """Check that one more endpoint can be created.

    Raises:
        Refusal: 400 with the limit, when it is reached.
    """
    _check(world, ENDPOINTS, subscription, location, _count(world, _ENDPOINTS, subscription, location))


def check_deployment_limit(world: World, subscription: str, endpoint: Resource) -> None:
    """Check that one more deployment can be created in an endpoint.

    Raises:
        Refusal: 400 with the limit of the endpoint or of the region, when it is reached.
    """
    siblings = sum(len(world.children(endpoint.id, kind)) for kind in _DEPLOYMENTS)
    _check(world, DEPLOYMENTS_PER_ENDPOINT, subscription, endpoint.location, siblings)
    count = _count(world, _DEPLOYMENTS, subscription, endpoint.location)
    _check(world, DEPLOYMENTS, subscription, endpoint.location, count)


def _check(world: World, what: str, subscription: str, location: str, count: int) -> None:
    row = world.db.execute(
        "SELECT cores FROM quotas WHERE subscription = ? AND location = ? AND family = ?",
        (subscription.lower(), location, what),
    ).fetchone()
    limit = DEFAULTS[what] if row is None else int(row[0])
    if count >= limit:
        raise _limit_reached(what, subscription, location, limit)


def _limit_reached(what: str, subscription: str, location: str, limit: int) -> Refusal:
    thing = {
        ENDPOINTS: f"endpoints of subscription {subscription} in region {location}",
        DEPLOYMENTS: f"deployments of subscription {subscription} in region {location}",
        DEPLOYMENTS_PER_ENDPOINT: "deployments of this endpoint",
    }[what]
    sentence = (
        f"The number of {thing} has reached its limit. Current usage/limit: {limit}/{limit}. Delete some, or request "
        "an increase: https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas"
    )
    return ml_error(400, "BadRequest", "The request is invalid.", (f"{what}LimitReached", sentence))


def _count(world: World, kinds: tuple[str, str], subscription: str, location: str) -> int:
    below = f"/subscriptions/{subscription.lower()}"
    row = world.db.execute(
        "SELECT COUNT(*) FROM resources WHERE kind IN (?, ?) AND location = ? AND id > ? AND id < ?",
        (*kinds, location, f"{below}/", f"{below}0"),
    ).fetchone()
    return int(row[0])

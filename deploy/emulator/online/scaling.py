"""Change the instance count of a deployment without a request, as autoscale does.

Like a PATCH of `sku.capacity`: it takes cores of quota, and it is an operation. The state of the deployment meanwhile
is unknown for autoscale; here it is `Updating`, as after a PATCH.
"""

from __future__ import annotations

import math
from dataclasses import replace

from deploy.emulator.online import deployment_body, shared_quota
from deploy.emulator.quota import core_limits
from deploy.emulator.wire import long_running
from deploy.emulator.world.store import Resource, World


def scale(world: World, deployment: Resource, count: int, at: float) -> None:
    """Start the change at the time `at`, now or earlier. Must run inside a transaction.

    Raises:
        Refusal: the count is invalid, or there is not enough quota; nothing is changed.
    """
    sku = deployment_body.sku({"sku": {"capacity": count}}, count)
    endpoint = world.get(deployment.parent)
    scaled = replace(deployment, body={**deployment.body, "sku": sku})
    if endpoint is None or not shared_quota.reserve(world, endpoint, scaled):
        size, subscription = (
            deployment_body.supported_size(deployment.properties["instanceType"]),
            deployment.id.split("/")[2],
        )
        core_limits.reserve(world, subscription, deployment.location, deployment.id, size, count)
    scaled.properties["provisioningState"] = "Updating"
    scaled.private["operation"] = long_running.begin(
        world, long_running.DEPLOYMENT, scaled, world.timing.deployment_update,
        {"properties": {"provisioningState": "Succeeded"}}, started=at,
    )  # fmt: skip
    world.save(scaled)
    world.apply_due()


def busy_until(world: World, deployment: Resource, since: float) -> float:
    """The time until which a deployment was not Succeeded; `since` if it was Succeeded by then, infinity if it is not
    now.
    """
    if deployment.state != "Succeeded":
        return math.inf
    row = world.db.execute(
        "SELECT MAX(due) FROM operations"
        " WHERE target = ? AND due > ? AND due <= ? AND state IN ('Succeeded', 'Failed')",
        (deployment.id.lower(), since, world.now()),
    ).fetchone()
    return float(row[0] or since)

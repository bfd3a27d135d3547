"""Core quota: the limits of a subscription in a region, the cores of its deployments, and refusals beyond the limit."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from deploy.emulator.quota import vm_sizes
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error, ml_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource, World

TOTAL = "TotalDedicatedCores"
CLUSTERS = "TotalClusters"
LOW_PRIORITY = "TotalLowPriorityCores"
UNLIMITED = -1
_RULE = "https://tools.ietf.org/html/rfc7231#section-6.5.1"


def reserve(
    world: World, subscription: str, location: str, deployment: str, size: vm_sizes.Size, instances: int
) -> None:
    """Reserve the cores of a deployment in its family, in place of its earlier reservation.

    Raises:
        Refusal: 400 with the numbers, when the family, the region's total or the workspace has too few cores.
    """
    need = size.quota_cores(instances)
    existing = world.db.execute("SELECT cores FROM allocations WHERE deployment = ?", (deployment.lower(),)).fetchone()
    additional = need - (existing[0] if existing else 0)
    used, limit = _used(world, subscription, location), limits(world, subscription, location)
    for family in (size.family, TOTAL):
        if additional > 0 and used.get(family, 0) + additional > limit.get(family, 0):
            raise _not_enough(size.name, subscription, used.get(family, 0), limit.get(family, 0), additional)
    workspace = deployment.lower().partition("/onlineendpoints/")[0]
    maximum = limits(world, workspace, location).get(size.family, UNLIMITED)
    if (
        maximum != UNLIMITED
        and additional > 0
        and (workspace_used := used_in(world, workspace, size.family)) + additional > maximum
    ):
        raise _not_enough(size.name, subscription, workspace_used, maximum, additional)
    world.db.execute(
        "INSERT OR REPLACE INTO allocations VALUES (?, ?, ?, ?, ?)",
        (deployment.lower(), subscription.lower(), location, size.family, need),
    )


def set_limit(world: World, subscription: str, location: str, family: str, cores: int) -> None:
    """Set the limit of a family, of the total or of the clusters; `subscription` can be a workspace's id."""
    world.db.execute(
        "INSERT OR REPLACE INTO quotas VALUES (?, ?, ?, ?)", (subscription.lower(), location, family, cores)
    )


def usages(call: Call) -> Answer:
    """GET usages: the dedicated cores in total and by family, then the low-priority ones."""
    subscription, location = require_region(call)
    used, limit = _used(call.world, subscription, location), limits(call.world, subscription, location)
    root = f"/subscriptions/{subscription}"
    rows = [
        _usage(root, CLUSTERS, "Total Clusters", "totalClusters", used[CLUSTERS], limit[CLUSTERS]),
        _usage(root, TOTAL, "Total Cluster Dedicated Regional vCPUs", "totalDedicatedCores", used[TOTAL], limit[TOTAL]),
    ]
    low = "Total Cluster Low Priority Regional vCPUs"
    for kind, word in (("dedicatedCores", "Dedicated"), ("lowPriorityCores", "LowPriority")):
        dedicated = kind == "dedicatedCores"
        if not dedicated:
            rows.append(_usage(root, LOW_PRIORITY, low, "totalLowPriorityCores", 0, limit[LOW_PRIORITY]))
        for family in vm_sizes.FAMILIES:
            current, maximum = (used.get(family.name, 0), limit[family.name]) if dedicated else (0, -1)
            row = f"{root}/usages/{family.name.replace(' ', '_')}"
            rows.append(
                _usage(row, family.name, f"{family.title} Cluster {word} vCPUs", f"vmFamily/{kind}", current, maximum)
            )
    for workspace, family, maximum in _shares(call.world, subscription, location):
        workspace_used, row = used_in(call.world, workspace.id, family.name), _row(workspace, "usages", family)
        title = f"{family.title} Cluster Dedicated vCPUs"
        usage = _usage(row, family.name, title, "workspaces/dedicatedCores", workspace_used, maximum)
        rows.append({**usage, "amlWorkspaceLocation": location})
    return Answer(200, {"value": rows})


def quotas(call: Call) -> Answer:
    """GET quotas: the limit of each family, each followed by those of the region's workspaces.

    A workspace without a limit of its own has that of its subscription. The rows have `location` (recorded), where the
    published interface has `amlWorkspaceLocation`.
    """
    subscription, location = require_region(call)
    limit, own = limits(call.world, subscription, location), _workspace_limits(call.world, subscription, location)
    rows = []
    for family in vm_sizes.FAMILIES:
        maximum = limit[family.name]
        row = f"/subscriptions/{subscription}/quotas/{family.name.replace(' ', '_')}"
        rows.append(_quota(row, family, "vmFamily", maximum, None))
        for workspace, shares in own:
            row = _row(workspace, "quotas", family)
            rows.append(_quota(row, family, "workspaces", shares.get(family.name, maximum), location))
    return Answer(200, {"value": rows})


def sizes(call: Call) -> Answer:
    """GET vmSizes. The compute type `MIR` marks a size that managed online endpoints support."""
    _, location = require_region(call)
    region = _region_file(call.world, location)
    priced = {name.lower(): price for name, price in (region.get("prices") or {}).items()}
    found = [size for size in vm_sizes.SIZES if _is_listed(size, region)]
    return Answer(200, {"value": [_size(size, priced.get(size.name.lower(), size.price)) for size in found]})


def is_available(world: World, location: str, size: vm_sizes.Size) -> bool:
    """Whether a region has a size: all of them, unless the world file lists `sizes`."""
    return _is_listed(size, _region_file(world, location))


def _is_listed(size: vm_sizes.Size, region: Mapping[str, Any]) -> bool:
    listed = region.get("sizes")
    return listed is None or size.name.lower() in {name.lower() for name in listed}


def require_region(call: Call) -> tuple[str, str]:
    """The subscription and the region of a request; refused when either does not exist."""
    subscription, location = call.route_params["subscription"], call.route_params["location"].replace(" ", "").lower()
    if call.world.get(f"/subscriptions/{subscription}") is None:
        raise workspaces.no_subscription(subscription)
    if not limits(call.world, subscription, location):
        raise arm_error(
            400, "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{location}' and API version "
            f"'{call.query['api-version']}' for type 'locations'. This world has no such region.",
        )  # fmt: skip
    return subscription, location


def limits(world: World, subscription: str, location: str) -> dict[str, int]:
    """The limits of a subscription or of a workspace in a region, by family."""
    rows = world.db.execute(
        "SELECT family, cores FROM quotas WHERE subscription = ? AND location = ?", (subscription.lower(), location)
    )
    return dict(rows.fetchall())


def used_in(world: World, scope: str, family: str) -> int:
    """The cores of a family in use by the deployments below a scope."""
    low = scope.lower()
    row = world.db.execute(
        "SELECT COALESCE(SUM(cores), 0) FROM allocations WHERE family = ? AND deployment > ? AND deployment < ?",
        (family, low + "/", low + "0"),
    ).fetchone()
    return int(row[0])


def _region_file(world: World, location: str) -> dict[str, Any]:
    """A region in the world file."""
    regions = (world.controls.get("world") or {}).get("regions") or {}
    found: dict[str, Any] = regions.get(location) or {}
    return found


def _shares(world: World, subscription: str, location: str) -> list[tuple[Resource, vm_sizes.Family, int]]:
    """The workspaces of a region with a limit of their own, with family and limit."""
    return [
        (workspace, family, shares[family.name])
        for workspace, shares in _workspace_limits(world, subscription, location)
        for family in vm_sizes.FAMILIES
        if family.name in shares
    ]


def _workspace_limits(world: World, subscription: str, location: str) -> list[tuple[Resource, dict[str, int]]]:
    """The workspaces of a region, oldest first, with their own limits by family."""
    found = [
        item
        for group in world.children(f"/subscriptions/{subscription}", "group")
        for item in world.children(group.id, "workspace")
        if item.location == location
    ]
    return [
        (item, {name: cores for name, cores in limits(world, item.id, location).items() if cores >= 0})
        for item in found
    ]


def _row(workspace: Resource, what: str, family: vm_sizes.Family) -> str:
    return f"{workspace.body['id']}/{what}/{family.name.replace(' ', '_')}"


def _used(world: World, subscription: str, location: str) -> dict[str, int]:
    rows = world.db.execute(
        "SELECT family, SUM(cores), COUNT(*) FROM allocations WHERE subscription = ? AND location = ? GROUP BY family",
        (subscription.lower(), location),
    ).fetchall()
    used = {family: cores for family, cores, _ in rows}
    return {**used, TOTAL: sum(used.values()), CLUSTERS: sum(count for _, _, count in rows)}


def _not_enough(size: str, subscription: str, used: int, limit: int, additional: int) -> Refusal:
    sentence = (
        f"Not enough quota available for {size} in SubscriptionId {subscription}. Current usage/limit: {used}/{limit}. "
        f"Additional needed: {additional} Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
    )
    validation_errors = json.dumps(
        {
            "errors": {"VmSize": [sentence]}, "type": _RULE, "title": "One or more validation errors occurred.",
            "status": 400, "traceId": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00",
        },
        separators=(",", ":"),
    )  # fmt: skip
    return ml_error(
        400, "BadRequest", "The request is invalid.", ("InferencingClientCreateDeploymentFailed", validation_errors)
    )


def _usage(identifier: str, name: str, title: str, kind: str, current: int, limit: int) -> dict[str, Json]:
    return {
        "id": identifier,
        "type": f"{workspaces.PROVIDER}/{kind}/usages",
        "unit": "Count",
        "currentValue": current,
        "limit": limit,
        "name": {"value": name, "localizedValue": title},
    }


def _quota(identifier: str, family: vm_sizes.Family, kind: str, limit: int, location: str | None) -> dict[str, Json]:
    return {
        "id": identifier,
        "type": f"{workspaces.PROVIDER}/{kind}/dedicatedCores/quotas",
        "name": {"value": family.name, "localizedValue": f"{family.title} Cluster Dedicated vCPUs"},
        "limit": limit,
        "unit": "Count",
        "location": location,
    }


def _size(size: vm_sizes.Size, price: float) -> dict[str, Json]:
    shares = [("Linux", "Standard", 1.0), ("Linux", "LowPriority", 0.2)]
    shares += [("Windows", "Standard", 1.5), ("Windows", "LowPriority", 0.6)]
    prices = [{"retailPrice": round(price * share, 4), "osType": os, "vmTier": tier} for os, tier, share in shares]
    return {
        "name": size.name,
        "family": vm_sizes.SPELLED_OF_SIZES.get(size.family, size.family),
        "vCPUs": size.cores,
        "gpus": size.gpus,
        "osVhdSizeMB": 1_047_552,
        "maxResourceVolumeMB": int(size.memory * 2048),
        "memoryGB": float(size.memory),
        "lowPriorityCapable": True,
        "premiumIO": size.family != "standardDAv4Family",
        "estimatedVMPrices": {"billingCurrency": "USD", "unitOfMeasure": "OneHour", "values": prices},
        "supportedComputeTypes": ["AmlCompute", "ComputeInstance", *(["MIR"] if size.supports_endpoints else [])],
        "generation": "gen2" if "100" in size.family else "gen1",
        "supportsIB": False,
    }

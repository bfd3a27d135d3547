"""Core quota and VM sizes of a region, from the machine learning service (not Microsoft.Compute)."""

from __future__ import annotations

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain.arm import Json
from deploy.preflight.core_quota import family

VERSION = "2024-10-01"


def read_region(cloud: Cloud, region: str) -> dict[str, Json]:
    """{region, sizes, usages, own, quotas, silent} of a region; null for what could not be read.

    `sizes` by lower-case name, the others by family: `usages` the subscription's dedicated cores in use and their
    limit, `own` those of this workspace, `quotas` the workspace's own limits. Low-priority rows, which have the same
    names and differ by their type, are left out. `unanswered`: missing response -> reason.
    """
    place = _place(cloud, region)
    what = f"read the quota of {region}"
    usages, no_usages = try_read(lambda: cloud.arm.list(f"{place}/usages", VERSION, what, response_schemas.Usage))
    quotas, no_quotas = usages, no_usages  # without permission for the one there is none for the other
    if usages:
        own = f"read the workspace quota of {region}"
        quotas, no_quotas = try_read(lambda: cloud.arm.list(f"{place}/quotas", VERSION, own, response_schemas.Usage))
    sizes, no_sizes = read_sizes(cloud, region)
    reasons = {"vmSizes": no_sizes, "usages": no_usages, "quotas": no_quotas}
    whole = [r for r in usages or () if "/workspaces/" not in _word(r, "id") and "dedicatedcores" in _word(r, "type")]
    return {
        "region": region,
        "sizes": sizes,
        "usages": {family(row["name"]["value"]): row for row in whole} if usages is not None else None,
        "own": {family(row["name"]["value"]): row for row in usages or () if _of_workspace(cloud, row)},
        "quotas": None
        if quotas is None
        else {family(row["name"]["value"]): row for row in quotas if _of_workspace(cloud, row)},
        "unanswered": {name: why for name, why in reasons.items() if why},
    }


def read_sizes(cloud: Cloud, region: str) -> tuple[dict[str, Json] | None, str]:
    """The sizes of a region by lower-case name, with their prices; or None and the reason."""
    what, path = f"read the sizes of {region}", f"{_place(cloud, region)}/vmSizes"
    sizes, reason = try_read(lambda: cloud.arm.find(path, VERSION, what, response_schemas.Size))
    if sizes is None:
        return None, reason or "does not exist"
    return {row["name"].lower(): row for row in sizes}, ""


def _place(cloud: Cloud, region: str) -> str:
    subscription = cloud.environment.subscription_id
    return f"/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{region}"


def _of_workspace(cloud: Cloud, row: Json) -> bool:
    mine = _word(row, "id").startswith(cloud.workspace_id.lower() + "/")
    return mine and "lowprioritycores" not in _word(row, "type")


def _word(row: Json, key: str) -> str:
    return str(row.get(key) or "").lower()

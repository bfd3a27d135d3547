"""Quota and sizes of a region, as the machine learning service counts them (not Microsoft.Compute)."""

from __future__ import annotations

from collections.abc import Callable

from deploy.cloud.connect import Cloud
from deploy.errors import CloudError
from deploy.judging.cores import family
from deploy.model import Json

VERSION = "2024-10-01"
_REFUSED = (400, 401, 403, 404)


def read_region(cloud: Cloud, region: str) -> dict[str, Json]:
    """What the service says of a region: {region, sizes, usages, own, quotas}; null for what we may not read.

    `sizes` by lower-case name, the others by family: `usages` the subscription's dedicated cores in use and their
    limit, `own` the same of this workspace alone, `quotas` the workspace's own limits. Low-priority rows bear the same
    names as dedicated ones and are left out; the type tells them apart.
    """
    place = (
        f"/subscriptions/{cloud.environment.subscription_id}"
        f"/providers/Microsoft.MachineLearningServices/locations/{region}"
    )
    usages = _allowed(lambda: cloud.arm.list(f"{place}/usages", VERSION, f"read the quota of {region}"))
    quotas = usages and _allowed(
        lambda: cloud.arm.list(f"{place}/quotas", VERSION, f"read the workspace quota of {region}")
    )  # whoever may not read the one may not read the other
    sizes = _allowed(lambda: cloud.arm.get(f"{place}/vmSizes", VERSION, f"read the sizes of {region}"))
    whole = [r for r in usages or () if "/workspaces/" not in _word(r, "id") and "dedicatedcores" in _word(r, "type")]
    return {
        "region": region,
        "sizes": {row["name"].lower(): row for row in sizes.get("value") or ()} if sizes else None,
        "usages": {family(row["name"]["value"]): row for row in whole} if usages is not None else None,
        "own": {family(row["name"]["value"]): row for row in usages or () if _of_workspace(cloud, row)},
        "quotas": None
        if quotas is None
        else {family(row["name"]["value"]): row for row in quotas if _of_workspace(cloud, row)},
    }


def _allowed(read: Callable[[], Json]) -> Json:
    """What is read; None when it is not for us, or not there."""
    try:
        return read()
    except CloudError as error:
        if error.status in _REFUSED:
            return None
        raise


def _of_workspace(cloud: Cloud, row: Json) -> bool:
    mine = _word(row, "id").startswith(cloud.workspace_id.lower() + "/")
    return mine and "lowprioritycores" not in _word(row, "type")


def _word(row: Json, key: str) -> str:
    return str(row.get(key) or "").lower()

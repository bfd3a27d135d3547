"""Quota and sizes of a region, as the machine learning service counts them (not Microsoft.Compute)."""

from __future__ import annotations

from deploy.cloud.connect import Cloud
from deploy.errors import CloudError
from deploy.model import Json

VERSION = "2024-10-01"
_DEDICATED = "dedicatedcores"


def _location(cloud: Cloud, region: str) -> str:
    return (
        f"/subscriptions/{cloud.environment.subscription_id}"
        f"/providers/Microsoft.MachineLearningServices/locations/{region}"
    )


def read_usages(cloud: Cloud, region: str) -> dict[str, Json] | None:
    """Family (lower case, no spaces) -> dedicated usage row; None when we may not read it.

    Low-priority rows bear the same names and are left out, the type tells them apart; so do rows of single workspaces.
    """
    try:
        rows = cloud.arm.list(f"{_location(cloud, region)}/usages", VERSION, f"read the quota of {region}")
    except CloudError as error:
        if error.status == 403:
            return None
        raise
    counted = [row for row in rows if _DEDICATED in str(row.get("type", "")).lower()]
    whole = [row for row in counted if "/workspaces/" not in str(row.get("id", "")).lower()]
    return {family(row["name"]["value"]): row for row in whole}


def read_sizes(cloud: Cloud, region: str) -> dict[str, Json] | None:
    """Size name (lower case) -> size row; None when we may not read it."""
    try:
        body = cloud.arm.get(f"{_location(cloud, region)}/vmSizes", VERSION, f"read the sizes of {region}")
    except CloudError as error:
        if error.status == 403:
            return None
        raise
    return {row["name"].lower(): row for row in (body or {}).get("value") or ()}


def family(name: str) -> str:
    """A family's name as it can be compared: documents and answers differ in case and spaces."""
    return name.replace(" ", "").replace("_", "").lower()

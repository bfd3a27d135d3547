"""What an endpoint leaves around itself: autoscale settings, tags that are merged, the record of its identity."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.cloud.connect import Cloud
from deploy.errors import CloudError
from deploy.model import Json

_AUTOSCALE = "2022-10-01"
_TAGS = "2021-04-01"


def autoscale_settings(cloud: Cloud) -> list[Json] | None:
    """Every autoscale setting of the resource group; None when we may not look."""
    group = cloud.workspace_id.split("/providers/")[0]
    path = f"{group}/providers/Microsoft.Insights/autoscalesettings"
    try:
        return cloud.arm.list(path, _AUTOSCALE, "list the autoscale settings")
    except CloudError as error:
        if error.status == 403:
            return None
        raise


def delete_autoscale(cloud: Cloud, setting: str, *, what: str) -> None:
    """Delete one, by its ARM id. One that is gone is success."""
    cloud.arm.delete(setting, _AUTOSCALE, what)


def merge_tags(cloud: Cloud, resource: str, tags: Mapping[str, str], what: str) -> None:
    """Add or change tags of a resource without a look at the others. One request; nothing is read to be written."""
    body = {"operation": "Merge", "properties": {"tags": dict(tags)}}
    cloud.arm.patch(f"{resource}/providers/Microsoft.Resources/tags/default", _TAGS, what, body)

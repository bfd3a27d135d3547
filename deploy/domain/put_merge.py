"""What a PUT must send so that it removes nothing: unmanaged tags and properties, an identity that no file sets.

Also: which tags only amldeploy may write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Any
SERVERS_OWN = frozenset(
    {"createdby", "createdat", "lastmodifiedat", "azureml.onlineendpointid", "azureasyncoperationuri"}
)
"""Properties that the service adds by itself, in lower case: never a difference, never sent."""

AZURE_VARIABLES = frozenset({"AZUREML_MODEL_DIR", "AZUREML_ENTRY_SCRIPT", "AML_APP_ROOT"})
"""Environment variables that the service adds to a deployment by itself (seen in recorded answers to GET): they
are never a difference. Tags need no such list: those that only Azure has stay.
"""

PROTECT_TAG = "amldeploy-protect"
"""Tag that a user may put on an endpoint, so that it is never reaped; the value `false` has no effect."""


def is_ours(tag: str) -> bool:
    """Whether only amldeploy may write a tag of this name; names of tags are not case-sensitive."""
    return tag.lower().startswith("amldeploy-") and tag.lower() != PROTECT_TAG


def is_protected(body: Mapping[str, Json]) -> bool:
    """Whether the tag is on a resource (its ARM body). Names of tags are not case-sensitive."""
    tags = body.get("tags") or {}
    return any(name.lower() == PROTECT_TAG and str(value).lower() != "false" for name, value in tags.items())


def merged_tags(body: Mapping[str, Json], desired: Mapping[str, Json]) -> dict[str, Json]:
    """The tags that a PUT must send so that unmanaged tags stay. Their names are not case-sensitive."""
    return _merged(body.get("tags") or {}, desired)


def merged_properties(body: Mapping[str, Json], desired: Mapping[str, Json]) -> dict[str, Json]:
    """The properties that a PUT must send so that unmanaged properties stay, without those that the service adds."""
    held = (body.get("properties") or {}).get("properties") or {}
    return _merged({name: value for name, value in held.items() if name.lower() not in SERVERS_OWN}, desired)


def _merged(held: Mapping[str, Json], desired: Mapping[str, Json]) -> dict[str, Json]:
    names = {name.lower() for name in desired}
    return {**{name: value for name, value in held.items() if name.lower() not in names}, **desired}


def identity(body: Mapping[str, Json]) -> dict[str, Json] | None:
    """The CLI v2 form of an identity that is not the default."""
    held = body.get("identity") or {}
    if ids := [{"resource_id": each} for each in held.get("userAssignedIdentities") or ()]:
        return {"type": "user_assigned", "user_assigned_identities": ids}
    return {"type": "none"} if str(held.get("type", "")).lower() == "none" else None

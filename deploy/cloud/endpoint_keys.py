"""Creates an endpoint with the keys of another, so that clients of the former endpoint can keep their key.

The OpenAPI document has `properties.keys` of an online endpoint: settable only at creation, returned as null, read with
listKeys (2022-02-01-preview to 2024-10-01). azure-ai-ml does not send it. This is not tested against Azure, so the keys
are read back, and if Azure refuses them, the endpoint is created without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.clock import Task
from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.cloud.operations import VERSION
from deploy.errors import CloudError, Transient, Unanswered

_NEW = "clients need its new keys"
Keys = Mapping[str, str]
"""primaryKey and secondaryKey, the form of listKeys and of `properties.keys`."""


def create(cloud: Cloud, name: str, former: str, put: Callable[[Keys], Task[None]]) -> Task[tuple[bool, str]]:
    """Whether `put` created endpoint `name` with the keys of `former`, and a note about its keys.

    If not, the endpoint does not exist yet. The note contains no key; each key is masked.
    """
    try:
        keys = _read(cloud, former)
    except CloudError as error:
        if error.status != 403:
            raise
        return False, f"{_NEW}: no permission to read those of {former}"
    if not keys:
        return False, f"{_NEW}: {former} has none"
    try:
        yield from put(keys)
    except (Transient, Unanswered):
        raise
    except CloudError:
        return False, f"{_NEW}: Azure did not create it with those of {former}"
    return True, f"it has the keys of {former}" if _read(cloud, name) == keys else f"{_NEW}: Azure generated others"


def _read(cloud: Cloud, name: str) -> dict[str, str]:
    """Both keys; empty if one is missing."""
    path, what = f"{endpoint_path(cloud, name)}/listKeys", f"fetch the keys of {name}"
    response = cloud.arm.post(path, VERSION, what, response_schemas.Keys)
    found = {part: str(response.get(part) or "") for part in ("primaryKey", "secondaryKey")}
    for key in filter(None, found.values()):
        cloud.on_secret(key)
    return found if all(found.values()) else {}

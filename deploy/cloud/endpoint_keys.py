"""Endpoints that are created with the keys of another, so that clients of the former go on with the key that they have.

The OpenAPI document has `properties.keys` of an online endpoint: settable at creation only, returned as null, read with
listKeys (2022-02-01-preview to 2024-10-01). azure-ai-ml does not send it. It has not been tried against Azure, so the
keys are read back, and an endpoint that Azure does not take with them is created without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.cloud.operations import VERSION
from deploy.errors import CloudError, Transient, Unanswered

_NEW = "clients need its new keys"
Keys = Mapping[str, str]
"""primaryKey and secondaryKey, as listKeys answers and `properties.keys` takes them."""


def create(cloud: Cloud, name: str, former: str, put: Callable[[Keys], None]) -> tuple[bool, str]:
    """Whether `put` created endpoint `name` with the keys of `former`, and a sentence about its keys.

    When it did not, the endpoint is yet to be created without. No key is in any sentence, and each is masked.
    """
    try:
        keys = _read(cloud, former)
    except CloudError as error:
        if error.status != 403:
            raise
        return False, f"{_NEW}: those of {former} may not be read"
    if not keys:
        return False, f"{_NEW}: {former} has none"
    try:
        put(keys)
    except (Transient, Unanswered):
        raise
    except CloudError:
        return False, f"{_NEW}: Azure did not create it with those of {former}"
    return True, f"it has the keys of {former}" if _read(cloud, name) == keys else f"{_NEW}: Azure gave it others"


def _read(cloud: Cloud, name: str) -> dict[str, str]:
    """Both keys; empty unless both are there."""
    path, what = f"{endpoint_path(cloud, name)}/listKeys", f"fetch the keys of {name}"
    told = cloud.arm.post(path, VERSION, what, response_schemas.Keys)
    found = {part: str(told.get(part) or "") for part in ("primaryKey", "secondaryKey")}
    for key in filter(None, found.values()):
        cloud.secret(key)
    return found if all(found.values()) else {}

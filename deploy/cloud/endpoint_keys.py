"""The keys of an endpoint: read, regenerated, and copied to a new endpoint, so that clients can keep their key.

Copying: the OpenAPI document has `properties.keys` of an online endpoint: settable only at creation, returned as null,
read with listKeys (2022-02-01-preview to 2024-10-01). azure-ai-ml does not send it. This is not tested against Azure,
so the keys are read back, and if Azure refuses them, the endpoint is created without.
Regenerating: `regenerateKeys` without `keyValue`. azure-ai-ml sends the current key as `keyValue`, which asks for the
same key; what Azure does then is unknown. So the keys are compared before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.clock import Task, Wait
from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.cloud.operations import VERSION, Operation, run_operation
from deploy.errors import CloudError, Transient, Unanswered

_NEW = "clients need its new keys"
_LONGEST = 1800.0
"""Seconds for the operation; how long it takes in Azure is not documented."""
_DELAY, _PAUSE = 60.0, 2.0
"""Seconds in which listKeys has to return the new key, and between two looks."""
Keys = Mapping[str, str]
"""primaryKey and secondaryKey, the form of listKeys and of `properties.keys`."""


def create(cloud: Cloud, name: str, former: str, put: Callable[[Keys], Task[None]]) -> Task[tuple[bool, str]]:
    """Whether `put` created endpoint `name` with the keys of `former`, and a note about its keys.

    If not, the endpoint does not exist yet. The note contains no key; each key is masked.
    """
    try:
        keys = read(cloud, former)
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
    return True, f"it has the keys of {former}" if read(cloud, name) == keys else f"{_NEW}: Azure generated others"


def rotate(cloud: Cloud, name: str, key_type: str) -> Task[None]:
    """Make a new key of endpoint `name`: "Primary" or "Secondary". The other key stays.

    The request is never sent again, also after a lost response: the key shows whether it had an effect. Raises
    CloudError if listKeys still returns the former key a minute after the operation has ended.
    """
    path, what, part = (
        endpoint_path(cloud, name),
        f"rotate the {key_type.lower()} key of {name}",
        f"{key_type.lower()}Key",
    )
    former = read(cloud, name).get(part)

    def begin() -> None:
        cloud.arm.act(f"{path}/regenerateKeys", VERSION, what, {"keyType": key_type})

    yield from run_operation(cloud, Operation(what, path, lambda _: True, _LONGEST), begin)
    end = cloud.clock.monotonic() + _DELAY
    while read(cloud, name).get(part, former) == former:
        if cloud.clock.monotonic() >= end:
            cause = "a minute after the request, listKeys still returns the former key"
            raise CloudError(what, cause, "Look at the key in a few minutes, before you rotate it again", code="AML384")
        yield Wait(_PAUSE)


def read(cloud: Cloud, name: str) -> dict[str, str]:
    """Both keys; empty if one is missing."""
    path, what = f"{endpoint_path(cloud, name)}/listKeys", f"fetch the keys of {name}"
    response = cloud.arm.post(path, VERSION, what, response_schemas.Keys)
    found = {part: str(response.get(part) or "") for part in ("primaryKey", "secondaryKey")}
    for key in filter(None, found.values()):
        cloud.on_secret(key)
    return found if all(found.values()) else {}

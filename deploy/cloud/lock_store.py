"""Where the locks of a workspace's endpoints are: leases of Azure Storage, which end by themselves after 60 seconds.

First choice: the lease of one blob per endpoint, `amldeploy/locks/<endpoint>`, in the container of the datastore
`workspaceblobstore`, with a token of Entra ID or with the datastore's own key. Where the data plane of the storage
account cannot be used: the lease of one empty container per endpoint, through the Resource Manager, which a storage
firewall does not stop. Source: learn.microsoft.com/rest/api/storageservices/lease-blob.

A lease id is new for each attempt, so every call can be sent again after a lost response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import translated_errors
from deploy.cloud.operations import VERSION, send_once
from deploy.cloud.response_schemas import Schema
from deploy.cloud.transport import IMPORT_LOCK
from deploy.domain import lock_record
from deploy.domain.arm import Json
from deploy.domain.digests import digest
from deploy.domain.lock_record import LockRecord
from deploy.errors import CloudError, NotAuthenticated, Unanswered

SECONDS = 60
"""How long a lease lasts without a renewal; the longest that Azure allows."""
STORE = "workspaceblobstore"
FOLDER = "amldeploy/locks/"
_CONTAINER, _RECORD = "amldeploy-lock-", "record"
_ARM_STORAGE = "2023-05-01"
_CREATIONS = 3
"""How often a blob is created; a teardown may delete it before it is leased."""
_REFUSED = (409, 412)
"""The statuses of a lease call that the state of the lease does not allow; the documents disagree which one it is."""
_TIMEOUTS = {"connection_timeout": 5, "read_timeout": 10}
_RETRIES: dict[str, Any] = {"retry_total": 2, "initial_backoff": 1, "increment_base": 1, "random_jitter_range": 1}
T = TypeVar("T")
_UNANSWERED = "AML360"
"""The code of a request that no server answered: the network does not lead there."""


class _Absent(Exception):
    """There is no blob or container of this lock."""


class _Container(Schema):
    """A container, with the state of its lease."""

    id: str
    properties: dict[str, Any]


class _Datastore(Schema):
    """A datastore: its account, its container and the kind of its credential."""

    properties: dict[str, Any]


class _Secrets(Schema):
    """The secret of a datastore."""

    key: str | None = None
    sas_token: str | None = None


class LockStore(Protocol):
    """The leases of one workspace, by the names of endpoints. A bool is False if the lease does not allow the call.

    Raises CloudError or NotAuthenticated if the store cannot be used.
    """

    words: str
    """What it is, for people."""

    def acquire(self, name: str, lock_id: str) -> bool: ...
    def renew(self, name: str, lock_id: str) -> bool: ...
    def change(self, name: str, lock_id: str, new_id: str) -> bool: ...
    def release(self, name: str, lock_id: str) -> bool: ...
    def read(self, name: str) -> LockRecord: ...
    def write(self, record: LockRecord) -> None: ...
    def remove(self, name: str, lock_id: str = "") -> None: ...
    def held(self) -> dict[str, LockRecord]: ...
    def unused(self) -> list[str]: ...


@dataclass
class BlobLeases:
    """Leases of blobs. `container` is azure-storage-blob's client of the container."""

    container: Any
    words: str

    def acquire(self, name: str, lock_id: str) -> bool:
        for _ in range(_CREATIONS):
            with suppress(_Absent):
                return self._call(name, lock_id, lambda lease: lease.acquire(lease_duration=SECONDS))
            with _calling(name):
                _done(lambda: self._blob(name).upload_blob(b"{}", **_TIMEOUTS))
        return False

    def renew(self, name: str, lock_id: str) -> bool:
        return self._may_call(name, lock_id, lambda lease: lease.renew(**_TIMEOUTS))

    def change(self, name: str, lock_id: str, new_id: str) -> bool:
        return self._may_call(name, lock_id, lambda lease: lease.change(new_id, **_TIMEOUTS))

    def release(self, name: str, lock_id: str) -> bool:
        return self._may_call(name, lock_id, lambda lease: lease.release(**_TIMEOUTS))

    def read(self, name: str) -> LockRecord:
        with suppress(_Absent), _calling(name):
            blob = self._blob(name).download_blob(offset=0, length=lock_record.MAX_BYTES, **_TIMEOUTS)
            return lock_record.parse(blob.readall())
        return LockRecord()

    def write(self, record: LockRecord) -> None:
        with _calling(record.endpoint):
            content = record.to_json().encode()
            self._blob(record.endpoint).upload_blob(content, overwrite=True, lease=record.lock_id, **_TIMEOUTS)

    def remove(self, name: str, lock_id: str = "") -> None:
        with suppress(_Absent), _calling(name):
            lease = {"lease": lock_id} if lock_id else {}
            _done(lambda: self._blob(name).delete_blob(**lease, **_TIMEOUTS))

    def held(self) -> dict[str, LockRecord]:
        return {name: self.read(name) for name, is_held in self._all().items() if is_held}

    def unused(self) -> list[str]:
        return [name for name, is_held in self._all().items() if not is_held]

    def _all(self) -> dict[str, bool]:
        """Endpoint -> whether its lock is held."""
        with _calling(FOLDER):
            blobs = self.container.list_blobs(name_starts_with=FOLDER, **_TIMEOUTS)
            return {blob.name.removeprefix(FOLDER): blob.lease.state in ("leased", "breaking") for blob in blobs}

    def _blob(self, name: str) -> Any:
        return self.container.get_blob_client(FOLDER + name.lower())

    def _may_call(self, name: str, lock_id: str, call: Callable[[Any], object]) -> bool:
        with suppress(_Absent):
            return self._call(name, lock_id, call)
        return False

    def _call(self, name: str, lock_id: str, call: Callable[[Any], object]) -> bool:
        from azure.storage.blob import BlobLeaseClient

        with _calling(name):
            return _done(lambda: call(BlobLeaseClient(self._blob(name), lease_id=lock_id)))


@dataclass
class ContainerLeases:
    """Leases of empty containers, through the Resource Manager."""

    cloud: Cloud
    account: str
    """The ARM id of the storage account."""
    words: str = "a container's lease, through the Resource Manager"

    def acquire(self, name: str, lock_id: str) -> bool:
        body = {"action": "Acquire", "proposedLeaseId": lock_id, "leaseDuration": SECONDS}
        with suppress(_Absent):
            return self._call(name, body)
        with suppress(Unanswered):  # if it was not created, the call below fails
            self.cloud.arm.put(self._path(name), _ARM_STORAGE, f"create the lock of {name}", {"properties": {}})
        return self._may_call(name, body)

    def renew(self, name: str, lock_id: str) -> bool:
        return self._may_call(name, {"action": "Renew", "leaseId": lock_id})

    def change(self, name: str, lock_id: str, new_id: str) -> bool:
        return self._may_call(name, {"action": "Change", "leaseId": lock_id, "proposedLeaseId": new_id})

    def release(self, name: str, lock_id: str) -> bool:
        return self._may_call(name, {"action": "Release", "leaseId": lock_id})

    def read(self, name: str) -> LockRecord:
        return _record_of(self.cloud.arm.look(self._path(name), _ARM_STORAGE, f"read the lock of {name}", _Container))

    def write(self, record: LockRecord) -> None:
        what, body = f"write the lock of {record.endpoint}", {"properties": {"metadata": {_RECORD: record.to_json()}}}
        path = self._path(record.endpoint)
        send_once(
            lambda: self.cloud.arm.patch(path, _ARM_STORAGE, what, body), lambda: self.read(record.endpoint) == record
        )

    def remove(self, name: str, lock_id: str = "") -> None:
        if lock_id:
            self.release(name, lock_id)
        with suppress(CloudError):  # another run holds it now
            self.cloud.arm.delete(self._path(name), _ARM_STORAGE, f"delete the lock of {name}")

    def held(self) -> dict[str, LockRecord]:
        return {record.endpoint.lower(): record for record, is_held in self._all() if is_held}

    def unused(self) -> list[str]:
        return [record.endpoint.lower() for record, is_held in self._all() if not is_held]

    def _all(self) -> list[tuple[LockRecord, bool]]:
        """The records of this workspace's locks, and whether each is held."""
        path = f"{self.account}/blobServices/default/containers"
        rows = self.cloud.arm.list(path, _ARM_STORAGE, "list the locks", _Container, **{"$filter": _CONTAINER})
        found = [(row["id"].lower(), _record_of(row), row["properties"].get("leaseState") == "Leased") for row in rows]
        return [(record, is_held) for where, record, is_held in found if self._path(record.endpoint).lower() == where]

    def _path(self, name: str) -> str:
        own = digest([self.cloud.workspace_id.lower(), name.lower()], 32)
        return f"{self.account}/blobServices/default/containers/{_CONTAINER}{own}"

    def _may_call(self, name: str, body: Json) -> bool:
        with suppress(_Absent):
            return self._call(name, body)
        return False

    def _call(self, name: str, body: Json) -> bool:
        what = f"lock endpoint {name}"
        try:
            self.cloud.arm.post(f"{self._path(name)}/lease", _ARM_STORAGE, what, Schema, body)
        except CloudError as error:
            if error.status in _REFUSED:
                return False
            if error.status == 404:
                raise _Absent from error
            raise
        return True


def stores(cloud: Cloud) -> Iterator[LockStore]:
    """The stores of a workspace, best first. Each is made when it is asked for, as it costs requests."""
    path = f"{cloud.workspace_id}/datastores/{STORE}"
    properties = _datastore(cloud, path)
    account, container = str(properties.get("accountName") or ""), str(properties.get("containerName") or "")
    if account and container:
        url = f"https://{account}.blob.{properties.get('endpoint') or 'core.windows.net'}"
        yield BlobLeases(_client(cloud, url, container, cloud.credential), "a blob's lease, with your identity")
        if secret := _secret(cloud, path, account, properties):
            yield BlobLeases(_client(cloud, url, container, secret), "a blob's lease, with the datastore's key")
    if storage := str((cloud.workspace()["properties"] or {}).get("storageAccount") or ""):
        yield ContainerLeases(cloud, storage)


def _datastore(cloud: Cloud, path: str) -> dict[str, Any]:
    """The properties of the datastore; empty if it does not exist or the caller may not read it."""
    try:
        found = cloud.arm.get(path, VERSION, f"read datastore {STORE}", _Datastore)
    except CloudError as error:
        if is_unusable(error):
            return {}
        raise
    return dict(found["properties"]) if found else {}


def first_usable(
    cloud: Cloud, use: Callable[[LockStore], T], passes_over: Callable[[CloudError | NotAuthenticated], bool]
) -> tuple[T | None, list[str]]:
    """The result of `use` for the first store that does not fail; None if there is none. And why each other one failed.

    `passes_over`: whether the next store is tried after an error; otherwise it is raised. The store is remembered, so
    that the next call sends no request to find it.
    """
    reasons = list[str]()
    for store in chain(cloud.lock_stores[:], stores(cloud)):
        try:
            found = use(store)
        except (CloudError, NotAuthenticated) as error:
            if not passes_over(error):
                raise
            reasons.append(f"{store.words}: {error.cause.rstrip('. ')}")
        else:
            cloud.lock_stores[:] = [store]
            return found, reasons
    return None, list(dict.fromkeys(reasons)) or ["the workspace has no storage account"]


def any_error(error: CloudError | NotAuthenticated) -> bool:  # noqa: ARG001 a function for `first_usable`
    """Passes over every error, for reads that can be left out."""
    return True


def is_unusable(error: CloudError | NotAuthenticated) -> bool:
    """Whether a store refuses this caller or its network, so that the next one is tried. An outage is no reason: runs
    with different stores do not exclude each other.
    """
    if isinstance(error, NotAuthenticated):
        return True
    return error.status in (401, 403, 404) or (isinstance(error, Unanswered) and error.code == _UNANSWERED)


def _client(cloud: Cloud, url: str, container: str, credential: Any) -> Any:
    with translated_errors("open azure-storage-blob"), IMPORT_LOCK:
        from azure.storage.blob import ContainerClient
    return ContainerClient(url, container, credential=credential, transport=cloud.storage, **_RETRIES)


def _secret(cloud: Cloud, path: str, account: str, properties: Json) -> Any:
    """The datastore's own credential; None if it has none, or the caller may not read it."""
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

    if ((properties.get("credentials") or {}).get("credentialsType") or "None") == "None":
        return None
    try:
        found = cloud.arm.post(f"{path}/listSecrets", VERSION, f"read the key of datastore {STORE}", _Secrets, {})
    except CloudError as error:
        if is_unusable(error):
            return None
        raise
    for secret in (found.get("key"), found.get("sasToken")):
        if secret:
            cloud.on_secret(secret)
    if found.get("key"):
        return AzureNamedKeyCredential(account.rpartition("/")[2], found["key"])
    return AzureSasCredential(found["sasToken"]) if found.get("sasToken") else None


@contextmanager
def _calling(name: str) -> Iterator[None]:
    """Translates errors of azure-storage-blob; a blob that does not exist is _Absent."""
    from azure.core.exceptions import ResourceNotFoundError

    with translated_errors(f"lock endpoint {name}"):
        try:
            yield
        except ResourceNotFoundError as error:
            if "BlobNotFound" in str(getattr(error, "error_code", "") or error):
                raise _Absent from error
            raise


def _done(call: Callable[[], object]) -> bool:
    """Whether the state of the lease, or of the blob, allowed the call."""
    from azure.core.exceptions import HttpResponseError

    try:
        call()
    except HttpResponseError as error:
        if error.status_code in _REFUSED:
            return False
        raise
    return True


def _record_of(body: Json | None) -> LockRecord:
    return lock_record.parse((((body or {}).get("properties") or {}).get("metadata") or {}).get(_RECORD))

"""Blob and container leases through azure-storage-blob's own clients over TLS, and the ARM lease with raw requests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ServiceResponseError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient, ContainerClient

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.control import settings_api
from deploy.emulator.seed import default_world
from deploy.emulator.seed.open_world import open_world

ARM = f"{default_world.STORAGE_ID}/blobServices/default/containers"
A, B = (str(uuid.UUID(int=number, version=4)) for number in (1, 2))


@pytest.fixture(scope="module")
def service(running: Running) -> Iterator[BlobServiceClient]:
    """With the credential of any program; the principal of the default world."""
    url = f"{running.url}/stmlwlocal.blob.core.windows.net"
    with BlobServiceClient(url, credential=DefaultAzureCredential(), retry_total=0) as found:
        yield found


@pytest.fixture
def container(service: BlobServiceClient) -> ContainerClient:
    return service.create_container(f"lock-{uuid.uuid4()}")


@pytest.fixture
def blob(container: ContainerClient) -> BlobClient:
    found = container.get_blob_client("mip/lock.json")
    found.upload_blob(b"{}", if_none_match="*", overwrite=False)
    return found


def code(error: pytest.ExceptionInfo[Any]) -> tuple[int, str]:
    return error.value.status_code, error.value.error_code


def lease_of(client: Any) -> tuple[Any, ...]:
    lease = client.get_container_properties().lease if isinstance(client, ContainerClient) else (
        client.get_blob_properties().lease)  # fmt: skip
    return lease.state, lease.status, lease.duration


@pytest.mark.parametrize("kind", ["blob", "container"])
def test_a_lease_lives_as_azures_client_describes_it(state: Path, blob: BlobClient, kind: str, request: Any) -> None:
    """Acquire, renew, change, break, release; the states between, as another client reads them."""
    subject: Any = request.getfixturevalue(kind)
    assert lease_of(subject) == ("available", "unlocked", None)
    lease = BlobLeaseClient(subject, lease_id=A)
    lease.acquire(lease_duration=60)
    assert (lease.id, lease_of(subject)) == (A, ("leased", "locked", "fixed"))
    other = BlobLeaseClient(subject, lease_id=B)
    with pytest.raises(ResourceExistsError) as refused:
        other.acquire(lease_duration=15)
    assert code(refused) == (409, "LeaseAlreadyPresent")
    assert "There is already a lease present." in str(refused.value)
    emulator.clock(state, advance=40)
    lease.renew()
    emulator.clock(state, advance=40)
    assert lease_of(subject)[0] == "leased"
    lease.change(B)
    assert lease.id == B
    assert lease.break_lease(lease_break_period=10) in range(1, 11)
    assert lease_of(subject)[0] == "breaking"
    emulator.clock(state, advance=10)
    assert lease_of(subject) == ("broken", "unlocked", None)
    with pytest.raises(ResourceExistsError) as refused:
        lease.renew()
    assert code(refused) == (409, "LeaseIsBrokenAndCannotBeRenewed")
    lease.release()
    assert lease_of(subject) == ("available", "unlocked", None)
    assert blob.download_blob().readall() == b"{}"


def test_a_holder_writes_with_its_id_and_nobody_else(state: Path, blob: BlobClient) -> None:
    """Content, metadata, deletion; after the lease has expired, a write without an id ends it for good."""
    lease = blob.acquire_lease(60, lease_id=A)
    first = blob.get_blob_properties().etag
    for write in (lambda: blob.upload_blob(b"x", overwrite=True), lambda: blob.set_blob_metadata({"a": "1"}),
                  blob.delete_blob):  # fmt: skip
        with pytest.raises(HttpResponseError) as refused:
            write()
        assert code(refused) == (412, "LeaseIdMissing")
    blob.upload_blob(b'{"epoch": 1}', overwrite=True, lease=lease)
    blob.set_blob_metadata({"holder": "a"}, lease=lease)
    found = blob.get_blob_properties()
    assert (found.metadata, found.lease.state, found.etag != first) == ({"holder": "a"}, "leased", True)
    emulator.clock(state, advance=60)
    lease.renew()
    emulator.clock(state, advance=60)
    blob.upload_blob(b"{}", overwrite=True)
    with pytest.raises(ResourceExistsError) as gone:
        lease.renew()
    assert code(gone) == (409, "LeaseIdMismatchWithLeaseOperation")
    blob.delete_blob()


def test_versions_and_conditions_protect_a_record(blob: BlobClient) -> None:
    """Of two writers with the same ETag the second one loses; a lease call changes no ETag."""
    from azure.core import MatchConditions

    etag = blob.get_blob_properties().etag
    with blob.acquire_lease(60) as lease:
        assert lease.etag == etag == blob.get_blob_properties().etag
    same = {"etag": etag, "match_condition": MatchConditions.IfNotModified, "overwrite": True}
    blob.upload_blob(b"1", **same)
    with pytest.raises(HttpResponseError) as lost:
        blob.upload_blob(b"2", **same)
    assert code(lost) == (412, "ConditionNotMet")
    with pytest.raises(ResourceExistsError) as exists:
        blob.upload_blob(b"3", overwrite=False)
    assert code(exists) == (409, "BlobAlreadyExists")
    assert isinstance(blob.get_blob_properties().last_modified, datetime)


def test_a_lease_lasts_as_long_at_any_speed_of_the_clock(state: Path, blob: BlobClient) -> None:
    """A day of the world in a second leaves a lease of a minute alone; advancing the clock does not."""
    emulator.clock(state, scale=86_400)
    try:
        blob.acquire_lease(60)
        assert lease_of(blob)[0] == "leased"
        emulator.clock(state, advance=60)
        assert lease_of(blob)[0] == "expired"
    finally:
        emulator.clock(state, scale=1)


def test_a_lost_answer_of_a_lease_call_can_be_sent_again(state: Path, blob: BlobClient) -> None:
    """Acquire with the same id, and renew; a second release is refused, because the first one had its effect."""
    lease = BlobLeaseClient(blob, lease_id=A)
    calls = {"Acquire": lambda: lease.acquire(lease_duration=60), "Renew": lease.renew, "Release": lease.release}
    for name, call in calls.items():
        emulator.begin(state, faults=[{"kind": "lose", "operation": f"Blob_{name}Lease"}])
        with pytest.raises(ServiceResponseError):
            call()
        if name != "Release":
            call()
            assert lease_of(blob)[0] == "leased"
    assert lease_of(blob)[0] == "available"
    with pytest.raises(ResourceExistsError) as refused:
        lease.release()
    assert code(refused) == (409, "LeaseIdMismatchWithLeaseOperation")
    notes = [row["note"] for row in emulator.requests(state) if row["operation"] == "Blob_AcquireLease"]
    assert notes[-2].endswith("lose")


def _token() -> str:
    return str(DefaultAzureCredential().get_token("https://management.azure.com/.default").token)


def _arm(running: Running, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(
        method, f"{running.url}{path}", params={"api-version": "2023-05-01"}, json=body,
        headers={"Authorization": f"Bearer {_token()}"}, verify=running.ca, timeout=10,
    )  # fmt: skip


def test_the_resource_manager_leases_the_same_container(
    state: Path, running: Running, service: BlobServiceClient
) -> None:
    """Created and leased with ARM, seen and refused by the data plane's client, free after its time."""
    name = f"arm-{uuid.uuid4()}"
    assert _arm(running, "PUT", f"{ARM}/{name}", {"properties": {"metadata": {"holder": "a"}}}).status_code == 201
    lease = {"action": "Acquire", "leaseDuration": 60, "proposedLeaseId": A}
    held = _arm(running, "POST", f"{ARM}/{name}/lease", lease)
    assert (held.status_code, held.json()) == (200, {"leaseId": A})
    assert _arm(running, "POST", f"{ARM}/{name}/lease", lease).status_code == 200
    busy = _arm(running, "POST", f"{ARM}/{name}/lease", {**lease, "proposedLeaseId": B})
    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "LeaseAlreadyPresent")
    container = service.get_container_client(name)
    assert container.get_container_properties().metadata == {"holder": "a"}
    assert lease_of(container) == ("leased", "locked", "fixed")
    with pytest.raises(HttpResponseError) as refused:
        container.delete_container()
    assert code(refused) == (412, "LeaseIdMissing")
    emulator.clock(state, advance=60)
    assert _arm(running, "GET", f"{ARM}/{name}").json()["properties"]["leaseState"] == "Expired"
    assert _arm(running, "DELETE", f"{ARM}/{name}").status_code == 200
    assert not container.exists()


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ({"network": "closed"}, (403, "AuthorizationFailure")),
        ({"shared_key": "off"}, (403, "KeyBasedAuthenticationNotPermitted")),
    ],
)  # fmt: skip
def test_a_key_of_the_datastore_is_refused_by_a_closed_account(
    state: Path, running: Running, blob: BlobClient, storage: dict[str, str], expected: tuple[int, str]
) -> None:
    """The SAS of listSecrets leases a blob without a storage role, unless network or keys are off."""
    store = f"{default_world.WORKSPACE_ID}/datastores/workspaceblobstore"
    secrets = _arm(running, "POST", f"{store}/listSecrets", {"expirableSecret": True}).json()
    with BlobClient.from_blob_url(f"{blob.url}?{secrets['sasToken']}", retry_total=0) as keyed:
        keyed.acquire_lease(15, lease_id=A).release()
        _set_storage(state, storage)
        try:
            with pytest.raises(HttpResponseError) as refused:
                keyed.acquire_lease(15, lease_id=A)
            assert code(refused) == expected
            assert _arm(running, "GET", store).status_code == 200
        finally:
            _set_storage(state, None)


def _set_storage(state: Path, value: dict[str, str] | None) -> None:
    world = open_world(state / "world.sqlite")
    try:
        with world.transaction():
            settings_api.change(world, {"storage": value})
    finally:
        world.close()


def test_a_caller_without_a_credential_is_refused(blob: BlobClient) -> None:
    """401 without one; the client raises its own error."""
    with BlobClient.from_blob_url(blob.url, retry_total=0) as anonymous:
        with pytest.raises(ClientAuthenticationError) as refused:
            anonymous.get_blob_properties()
        assert code(refused) == (401, "NoAuthenticationInformation")


@pytest.mark.parametrize("mode", ["Identity", "UserDelegationSAS"])
def test_azure_ai_ml_uploads_and_downloads_without_account_keys(tmp_path: Path, mode: str) -> None:
    """With its own credential or a user delegation SAS, where the account has no shared keys."""
    world, model = tmp_path / "world.yml", tmp_path / "weights.bin"
    name = f"{{name: {default_world.WORKSPACE}, system_datastores_auth_mode: {mode}}}"
    world.write_text(f"workspaces: [{name}]\nsettings: {{storage: {{shared_key: off}}}}")
    model.write_bytes(b"weights")
    before = dict(os.environ)
    with emulator.embed(tmp_path / "state", world=world) as running:
        try:
            os.environ.update(running.variables())
            client = MLClient(
                DefaultAzureCredential(), default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE
            )
            client.models.create_or_update(Model(name="own", version="1", path=str(model)))
            client.models.download("own", "1", download_path=str(tmp_path / "back"))
        finally:
            os.environ.clear()
            os.environ.update(before)
    (back,) = [path for path in (tmp_path / "back").rglob("weights.bin") if path.is_file()]
    assert back.read_bytes() == b"weights"

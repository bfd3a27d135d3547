"""Who can use the data plane: network, credential, role; and the datastores that lead to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from deploy.emulator.entra import access_tokens
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.storage import access
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply
from tests.unit.emulator.seed.test_world_file import begun

ACCOUNT = "/stmlwlocal.blob.core.windows.net"
BLOB = f"{ACCOUNT}/azureml/blob"
SUBSCRIPTION = f"/subscriptions/{default_world.SUBSCRIPTION}"
LEASE = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"}
KEY = {"authorization": "SharedKey stmlwlocal:c2lnbmF0dXJl"}
ANONYMOUS = {"authorization": ""}
CALLS: tuple[tuple[str, str, bytes, dict[str, str]], ...] = (
    ("PUT", BLOB, b"x", {}), ("GET", BLOB, b"", {}), ("PUT", f"{BLOB}?comp=lease", b"", LEASE),
    ("GET", f"{ACCOUNT}/azureml?restype=container&comp=list", b"", {}),
    ("PUT", f"{ACCOUNT}/azureml?restype=container&comp=lease", b"", LEASE),
    ("DELETE", f"{BLOB}-2", b"", {}),
)  # fmt: skip
"""Put Blob, Get Blob, Lease Blob, List Blobs, Lease Container, Delete Blob."""


def told(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.headers.get("x-ms-error-code", "")


def refused(azure: Azure, headers: dict[str, str] | None = None, query: str = "") -> set[tuple[int, str]]:
    """The answers to every call with a credential."""
    calls = [(method, path + ("&" if "?" in path else "?") + query if query else path, body, more)
             for method, path, body, more in CALLS]  # fmt: skip
    return {told(azure.send(method, path, body, {**more, **(headers or {})})) for method, path, body, more in calls}


@pytest.fixture(autouse=True)
def blobs(azure: Azure) -> None:
    for name in (BLOB, f"{BLOB}-2"):
        assert azure.send("PUT", name, b"content").status == 201


FORBIDDEN = (403, "AuthorizationPermissionMismatch")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("", "------"), (builtin_roles.OWNER, "----c-"), (builtin_roles.CONTRIBUTOR, "----c-"),
        (builtin_roles.BLOB_READER, "-g-l--"), (builtin_roles.BLOB_CONTRIBUTOR, "pgblcd"),
        (builtin_roles.BLOB_OWNER, "pgblcd"), (builtin_roles.DATA_SCIENTIST, "------"),
        (builtin_roles.STORAGE_CONTRIBUTOR, "----c-"),
    ],
)  # fmt: skip
def test_a_token_needs_a_role_with_data_actions(azure: Azure, role: str, allowed: str) -> None:
    """Owner alone does not suffice for blobs; a lease call is a write."""
    caller = azure.sign_in("caller")
    if role:
        azure.assign_role(caller, role, SUBSCRIPTION)
    for letter, (method, path, body, headers) in zip(allowed, CALLS, strict=True):
        reply = azure.send(method, path, body, headers)
        assert (told(reply) == FORBIDDEN) is (letter == "-"), (method, path)
        assert reply.status < 300 or letter == "-"
    logged = azure.send("GET", "/emulator/requests").json["value"][-1]
    assert logged["caller"] == caller


def test_a_role_with_read_and_write_of_blobs_holds_leases(azure: Azure) -> None:
    """A role of one's own, at the container; not in another container."""
    name = "00000000-0000-4000-8000-0000000000f0"
    data = [f"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{verb}" for verb in ("read", "write")]
    definition = {"properties": {"roleName": "Lock holder", "assignableScopes": [SUBSCRIPTION],
                  "permissions": [{"actions": [], "dataActions": data}]}}  # fmt: skip
    path = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{name}"
    assert azure.send("PUT", path, definition).status == 201
    azure.send("PUT", f"{ACCOUNT}/other?restype=container")
    caller = azure.sign_in("holder")
    azure.assign_role(caller, name, f"{default_world.STORAGE_ID}/blobServices/default/containers/azureml")
    assert azure.send("PUT", f"{BLOB}?comp=lease", b"", LEASE).status == 201
    assert told(azure.send("DELETE", f"{BLOB}-2")) == FORBIDDEN
    assert told(azure.send("PUT", f"{ACCOUNT}/other/blob", b"")) == FORBIDDEN


def test_a_request_without_a_valid_credential_is_refused(azure: Azure) -> None:
    """401 with a challenge, or 403 for a wrong signature of a SAS."""
    assert refused(azure, ANONYMOUS) == {(401, "NoAuthenticationInformation")}
    challenge = azure.send("GET", BLOB, headers=ANONYMOUS).headers["www-authenticate"]
    assert "authorization_uri=https://" in challenge
    assert "resource_id=https://storage.azure.com" in challenge
    old = access_tokens.issue(azure.tokens, "https://storage.azure.com", time.time() - 90_000)
    for token in ("x", azure.token, old):
        assert refused(azure, {"authorization": f"Bearer {token}"}) == {(401, "InvalidAuthenticationInfo")}
    other = access_tokens.issue(azure.tokens, "https://stmlwlocal.blob.core.windows.net", time.time())
    assert azure.send("GET", BLOB, headers={"authorization": f"Bearer {other}"}).status == 200
    forged = access.ACCOUNT_SAS.replace("sig=emulator", "sig=forged")
    assert refused(azure, ANONYMOUS, forged) == {(403, "AuthenticationFailed")}


def test_a_sas_allows_what_its_permissions_name(azure: Azure) -> None:
    """`w` includes the lease; an account key allows everything."""
    reading = access.ACCOUNT_SAS.replace("sp=racwdl", "sp=rl")
    assert azure.send("GET", f"{BLOB}?{reading}", headers=ANONYMOUS).status == 200
    assert told(azure.send("PUT", f"{BLOB}?comp=lease&{reading}", b"", {**LEASE, **ANONYMOUS})) == FORBIDDEN
    writing = access.ACCOUNT_SAS.replace("sp=racwdl", "sp=w")
    assert azure.send("PUT", f"{BLOB}?comp=lease&{writing}", b"", {**LEASE, **ANONYMOUS}).status == 201
    assert told(azure.send("GET", f"{BLOB}?{writing}", headers=ANONYMOUS)) == FORBIDDEN
    assert azure.send("GET", BLOB, headers=KEY).status == 200


def test_a_closed_network_refuses_every_credential(azure: Azure) -> None:
    """403 AuthorizationFailure with the recorded text; the Resource Manager is reachable."""
    azure.send("PUT", "/emulator/settings", {"storage": {"network": "closed"}})
    expected = {(403, "AuthorizationFailure")}
    assert refused(azure) == refused(azure, KEY) == refused(azure, ANONYMOUS, access.ACCOUNT_SAS) == expected
    assert b"This request is not authorized to perform this operation." in azure.send("GET", BLOB).content
    assert azure.send("GET", f"{WORKSPACE}/datastores/workspaceblobstore").status == 200
    azure.send("PUT", "/emulator/settings", {"storage": None})
    assert azure.send("GET", BLOB).status == 200


def test_without_shared_keys_only_entra_id_counts(azure: Azure) -> None:
    """403 KeyBasedAuthenticationNotPermitted for a key and for a SAS that was signed with it."""
    azure.send("PUT", "/emulator/settings", {"storage": {"shared_key": "off"}})
    expected = {(403, "KeyBasedAuthenticationNotPermitted")}
    assert refused(azure, KEY) == refused(azure, ANONYMOUS, access.ACCOUNT_SAS) == expected
    assert azure.send("PUT", f"{BLOB}?comp=lease", b"", LEASE).status == 201
    assert azure.send("GET", f"{BLOB}?{access.DELEGATION_SAS}", headers=ANONYMOUS).status == 200


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"network": "shut"}, "'network' of 'storage' must be open or closed, found \"shut\"."),
        ({"net": "open"}, "'net' is not a key of 'storage'. Keys: network, shared_key."),
        ({"network": True}, "must be open or closed"),
        ("closed", "must look like"),
    ],
)  # fmt: skip
def test_an_invalid_storage_setting_is_refused(azure: Azure, value: Any, words: str) -> None:
    """The message has the allowed values; nothing changes."""
    reply = azure.send("PUT", "/emulator/settings", {"storage": value})
    assert (reply.status, words in reply.message) == (400, True), reply.message
    assert azure.send("GET", "/emulator/settings").json["storage"] == {"network": "open", "shared_key": "on"}


@pytest.mark.parametrize(
    ("mode", "kind", "secrets", "works"),
    [
        ("AccessKey", "AccountKey", "Sas", False), ("UserDelegationSAS", "Sas", "Sas", True),
        ("Identity", "None", "", True),
    ],
)  # fmt: skip
def test_a_workspaces_mode_decides_the_credential_of_its_datastores(
    tmp_path: Path, tokens: Tokens, mode: str, kind: str, secrets: str, works: bool
) -> None:
    """From a world file whose storage has no shared keys; `off` is a boolean in YAML."""
    file = f"workspaces: [{{name: mlw-local, system_datastores_auth_mode: {mode}}}]"
    world = begun(tmp_path, tokens, file + "\nsettings: {storage: {shared_key: off}}")
    assert world.send("GET", "/emulator/settings").json["storage"] == {"network": "open", "shared_key": "off"}
    assert world.send("GET", WORKSPACE).json["properties"]["systemDatastoresAuthMode"] == mode
    store = f"{WORKSPACE}/datastores/workspaceblobstore"
    properties = world.send("GET", store).json["properties"]
    assert properties["credentials"]["credentialsType"] == kind
    told = world.send("POST", f"{store}/listSecrets", {"expirableSecret": True})
    assert (told.status, told.json.get("secretsType", "")) == (200 if secrets else 400, secrets)
    upload = world.send("POST", f"{WORKSPACE}/codes/c/versions/1/startPendingUpload", {}).json
    address = upload["blobReferenceForConsumption"]["credential"]["sasUri"].partition("1234")[2]
    container, _, sas = address.partition("?")
    status = world.send("PUT", f"{container}/score.py?{sas}", b"x", ANONYMOUS).status
    assert status == (201 if works else 403)
    world.world.close()


def test_the_default_world_names_no_mode(azure: Azure) -> None:
    """As in recordings; each workspace of a world has its own account."""
    assert "systemDatastoresAuthMode" not in azure.send("GET", WORKSPACE).json["properties"]
    found = azure.send("GET", f"{WORKSPACE}/datastores/workspaceblobstore").json["properties"]
    assert found["containerName"] == f"azureml-blobstore-{default_world.WORKSPACE_GUID}"


def test_each_workspace_has_its_own_account(tmp_path: Path, tokens: Tokens) -> None:
    """Also two with the same name; their datastores lead to it; a role on one account is none on the other."""
    groups = ("rg-one", "rg-two")
    file = ", ".join(f"{{name: mlw-local, resource_group: {group}}}" for group in groups)
    world = begun(tmp_path, tokens, f"workspaces: [{file}]")
    roots = []
    for group in groups:
        workspace = WORKSPACE.replace("rg-local", group)
        found = world.send("GET", f"{workspace}/datastores/workspaceblobstore").json["properties"]
        address = found["accountName"].removeprefix("127.0.0.1:1234")
        roots.append(f"{address}.blob.core.windows.net/{found['containerName']}")
        assert world.send("PUT", f"{roots[-1]}/blob", b"x").status == 201
    assert roots[0].partition(".")[0] != roots[1].partition(".")[0]
    account = world.send("GET", WORKSPACE.replace("rg-local", "rg-one")).json["properties"]["storageAccount"]
    world.assign_role(world.sign_in("caller"), builtin_roles.BLOB_READER, account)
    assert [world.send("GET", f"{root}/blob").status for root in roots] == [200, 403]
    world.world.close()

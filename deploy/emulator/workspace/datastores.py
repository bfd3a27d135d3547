"""The datastores of a workspace: where the files of its assets are.

The four of a new workspace lead to the emulator's blob storage. Others are stored as written: their accounts, and
files in file shares, are not emulated. Unless stated otherwise the answers are those of recordings.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator.storage import access, accounts, container_store
from deploy.emulator.wire import fields, paging
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, ml_error, user_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource, World

KIND = "datastore"
_SERVICE = "00000000-0000-0000-0000-0000000000c2"
"""The application of Azure ML, which creates the datastores of a workspace."""
TYPES = ("AzureBlob", "AzureFile", "AzureDataLakeGen1", "AzureDataLakeGen2", "OneLake")
CREDENTIALS = ("AccountKey", "Sas", "ServicePrincipal", "Certificate", "None")


def add_default(world: World, workspace: Resource, guid: str, moment: str) -> None:
    """Create the datastores of a new workspace with this `workspaceId`, the default one last, as Azure does."""
    system_data = {
        "createdAt": moment, "lastModifiedAt": moment, "lastModifiedBy": _SERVICE, "lastModifiedByType": "Application",
    }  # fmt: skip
    _, _, subscription, _, group, *_ = workspace.body["id"].split("/")
    account_name = accounts.name_of(workspace)
    account = accounts.find(world, account_name)
    for name, kind, place in (
        ("workspacefilestore", "AzureFile", {"fileShareName": f"azureml-filestore-{guid}"}),
        ("workspaceartifactstore", "AzureBlob", {"containerName": "azureml"}),
        ("workspaceworkingdirectory", "AzureFile", {"fileShareName": f"code-{guid}"}),
        ("workspaceblobstore", "AzureBlob", {"containerName": f"azureml-blobstore-{guid}"}),
    ):
        default = name == "workspaceblobstore"
        properties = {
            "description": None, "tags": None, "properties": None, "isDefault": default,
            "credentials": {"credentialsType": "AccountKey"},
            "subscriptionId": subscription if default else None, "resourceGroup": group if default else None,
            "datastoreType": kind, "accountName": account_name, **place, "endpoint": "core.windows.net",
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity" if default else "None",
        }  # fmt: skip
        _save(world, workspace, name, properties, system_data, {"secrets": {}, "emulated": True})
        if account is not None and kind == "AzureBlob":
            container_store.create(world, account, place["containerName"])


def listing(call: Call) -> Answer:
    """GET the datastores, newest first; `isDefault`, `names` and `orderByAsc` as published."""
    found = call.world.children(workspaces.require(call).id, KIND)
    if call.query.get("orderByAsc", "").lower() != "true":
        found.reverse()
    if wanted := call.query.get("isDefault", "").lower():
        found = [item for item in found if item.properties["isDefault"] == (wanted == "true")]
    if names := call.query.get("names", "").lower():
        found = [item for item in found if item.name in names.split(",")]
    return paging.part(call, found, _show)


def get(call: Call) -> Answer:
    """GET one datastore, without its secrets."""
    return Answer(200, _show(call, _require(call)))


def put(call: Call) -> Answer:
    """PUT a datastore: 201 when it is new, 200 when it exists. The account is not contacted.

    A client cannot make it the workspace's default one (published).
    """
    workspace, requested = workspaces.require(call), fields.mapping(call.object(), "properties")
    found = _find(call)
    credentials = fields.mapping(requested, "credentials")
    kind = fields.one_of(credentials, "credentialsType", CREDENTIALS)
    address, _, account = (fields.text(requested, "accountName") or "").rpartition("/")
    shown: dict[str, Json] = {
        "description": fields.text(requested, "description"),
        "tags": fields.texts(requested, "tags") if requested.get("tags") is not None else None,
        "properties": fields.texts(requested, "properties") if requested.get("properties") is not None else None,
        "isDefault": bool(found and found.properties["isDefault"]),
        "credentials": {"credentialsType": kind}
        | {key: value for key, value in credentials.items() if key not in ("secrets", "credentialsType")},
        "subscriptionId": None, "resourceGroup": None,
        "datastoreType": fields.one_of(requested, "datastoreType", TYPES),
    }  # fmt: skip
    shown |= {key: value for key, value in requested.items() if value is not None and key not in shown}
    shown |= {key: value for key, value in requested.items() if key in ("subscriptionId", "resourceGroup")}
    if account:
        shown["accountName"] = account
    shown.setdefault("serviceDataAccessAuthIdentity", "None")
    emulated = bool(address) and account == accounts.name_of(workspace)  # a client wrote back what it had read
    secrets = fields.mapping(credentials, "secrets") or (found.private["secrets"] if found else {})
    system_data = call.system_data(found)
    private = {"secrets": secrets, "emulated": emulated}
    item = _save(call.world, workspace, call.route_params["datastore"], shown, system_data, private)
    return call.written(201 if found is None else 200, _show(call, item))


def delete(call: Call) -> Answer:
    """DELETE a datastore: 200, or 204 when absent."""
    found = _find(call)
    if found is None:
        return Answer(204)
    call.world.remove(found.id)
    return Answer(200)


def list_secrets(call: Call) -> Answer:
    """POST listSecrets. For the workspace's own ones the account key, or a SAS token when the client requests a secret
    that expires. Unknown for the other modes: without a credential, 400; with a user delegation SAS, one.
    """
    found = _require(call)
    kind = found.properties["credentials"]["credentialsType"]
    if kind == "None":
        raise user_error("No secrets for credentials of type None.")
    if found.private["secrets"]:
        return Answer(200, {"secretsType": kind, **found.private["secrets"]})
    if kind == "Sas":
        return Answer(200, {"secretsType": "Sas", "sasToken": access.DELEGATION_SAS})
    if call.object().get("expirableSecret") is True:
        return Answer(200, {"secretsType": "Sas", "sasToken": access.ACCOUNT_SAS})
    return Answer(200, {"secretsType": "AccountKey", "key": access.ACCOUNT_KEY})


def _find(call: Call) -> Resource | None:
    return call.world.get(f"{workspaces.require(call).id}/datastores/{call.route_params['datastore']}")


def _require(call: Call) -> Resource:
    found = _find(call)
    if found is None:
        message = f"Could not find datastore: {call.route_params['datastore']}."
        raise ml_error(404, "UserError", message, inner_error="NotFoundError")
    return found


def _save(
    world: World, workspace: Resource, name: str, properties: dict[str, Any], system_data: Json, private: dict[str, Any]
) -> Resource:
    identifier = f"{workspace.body['id']}/datastores/{name}"
    body = {
        "id": identifier, "name": name, "type": f"{workspaces.WORKSPACE}/datastores", "properties": properties,
        "systemData": system_data,
    }  # fmt: skip
    item = Resource(identifier, KIND, workspace.id, name, workspace.location, body, private)
    world.save(item)
    return item


def _show(call: Call, item: Resource) -> dict[str, Json]:
    if not item.private["emulated"]:
        return item.body
    # Clients build https://<accountName>.blob.<suffix>/...: the emulator's address in the name leads them here.
    account = f"{call.base.removeprefix('https://')}/{item.properties['accountName']}"
    return {**item.body, "properties": {**item.properties, "accountName": account}}

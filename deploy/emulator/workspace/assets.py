"""Workspace assets (models, environments, codes, data, components) and the datastores of their files."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.emulator.storage import access, accounts, container_store
from deploy.emulator.wire import fields, paging
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, ml_error, timestamp, user_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.world.store import Resource

KINDS = ("models", "environments", "codes", "data", "components")


def containers(call: Call) -> Answer:
    """GET the datastores, or the names of one kind of asset."""
    workspace = workspaces.require(call)
    if call.route_params["kind"].lower() == "datastores":
        found = [_datastore(call, item) for item in call.world.children(workspace.id, "datastore")]
        if call.query.get("isDefault", "").lower() == "true":
            found = [item for item in found if item["properties"]["isDefault"]]
        return Answer(200, {"value": found})
    kind = _kind(call)
    named: dict[str, list[Resource]] = {}
    for item in call.world.children(workspace.id, kind):
        named.setdefault(item.private["asset"], []).append(item)
    return Answer(200, {"value": [_container(workspace, kind, name, found) for name, found in sorted(named.items())]})


def container(call: Call) -> Answer:
    """GET one datastore, or an asset's container with its latest and next version."""
    workspace = workspaces.require(call)
    if call.route_params["kind"].lower() == "datastores":
        return Answer(200, _datastore(call, _one_datastore(call, call.route_params["asset"])))
    found = _versions(call, call.route_params["asset"])
    if not found:
        raise _missing(f"There is no {call.route_params['kind']} container with name {call.route_params['asset']}.")
    return Answer(200, _container(workspace, _kind(call), call.route_params["asset"], found))


def versions(call: Call) -> Answer:
    """GET an asset's versions, newest first; `$top` limits, `hash` finds an earlier upload."""
    workspace = workspaces.require(call)
    if requested := call.query.get("hash"):
        # Clients use a new random name each time, so that only the content counts.
        candidates = call.world.children(workspace.id, _kind(call))
        found = [i for i in candidates if i.properties["properties"].get("hash_sha256") == requested][::-1]
    else:
        found = _versions(call, call.route_params["asset"])[::-1]
    return Answer(200, {"value": [item.body for item in found[: paging.number(call, "$top", len(found))]]})


def version(call: Call) -> Answer:
    """GET one version."""
    return Answer(200, _require(call).body)


def put(call: Call) -> Answer:
    """PUT a version: 201 when new, 200 when it replaces one. Its files are not checked."""
    workspace, kind, body = workspaces.require(call), _kind(call), call.object()
    name, number = call.route_params["asset"], call.route_params["version"]
    properties = fields.mapping(body, "properties")
    texts = {key: fields.texts(properties, key) for key in ("tags", "properties")}
    identifier = f"{workspace.body['id']}/{kind}/{name}/versions/{number}"
    found = call.world.get(identifier)
    now = timestamp(call.world.now())
    created_at = found.body["systemData"]["createdAt"] if found else now
    filled: dict[str, Json] = {
        "description": None,
        "tags": {},
        "properties": {},
        "isArchived": False,
        "isAnonymous": False,
        "provisioningState": "Succeeded",
    }
    if kind == "models":
        filled["flavors"] = {}
    created = {
        "id": identifier, "name": number, "type": f"{workspaces.WORKSPACE}/{kind}/versions",
        "properties": {**filled, **{key: value for key, value in properties.items() if value is not None}, **texts},
        "systemData": {"createdAt": created_at, "createdBy": call.caller.name, "lastModifiedAt": now},
    }  # fmt: skip
    item = Resource(identifier, kind, workspace.id, f"{name}:{number}", workspace.location, created, {"asset": name})
    call.world.save(item)
    return Answer(200 if found else 201, created)


def delete(call: Call) -> Answer:
    """DELETE a version: 200, or 204 when absent."""
    workspace = workspaces.require(call)
    identifier = f"{workspace.id}/{_kind(call)}/{call.route_params['asset']}/versions/{call.route_params['version']}"
    if call.world.get(identifier) is None:
        return Answer(204)
    call.world.remove(identifier)
    return Answer(200)


def start_upload(call: Call) -> Answer:
    """POST startPendingUpload: the URL for the files of a version, in a new container of the workspace's storage.

    Its SAS is signed with the account key only where the workspace uses account keys; this is inferred.
    """
    workspace = workspaces.require(call)
    kind, name, number = _kind(call), call.route_params["asset"], call.route_params["version"]
    container, account = f"{kind}-{name}-{number}".lower(), accounts.name_of(workspace)
    if (found := accounts.find(call.world, account)) is not None:
        container_store.create(call.world, found, container)
    blob = f"{call.base}/{account}.blob.core.windows.net/{container}"
    by_key = workspace.properties.get("systemDatastoresAuthMode", "AccessKey") == "AccessKey"
    sas = access.ACCOUNT_SAS if by_key else access.DELEGATION_SAS
    upload = {
        "blobUri": blob,
        "storageAccountArmId": "",
        "credential": {"credentialType": "SAS", "sasUri": f"{blob}?{sas}"},
    }
    return Answer(
        200,
        {
            "pendingUploadId": f"{name}-{number}",
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": upload,
        },
    )


def secrets(call: Call) -> Answer:
    """POST listSecrets: a SAS token, or the account key when an older client requests one that does not expire.

    Unknown for the other modes of a workspace's datastores: without a credential, 400; with a user delegation SAS, one.
    """
    datastore = _one_datastore(call, call.route_params["datastore"])
    match datastore.properties["credentials"]["credentialsType"]:
        case "None":
            raise user_error("No secrets for credentials of type None.")
        case "Sas":
            return Answer(200, {"secretsType": "Sas", "sasToken": access.DELEGATION_SAS})
    if call.object().get("expirableSecret") is False:
        return Answer(200, {"secretsType": "AccountKey", "key": access.ACCOUNT_KEY})
    return Answer(200, {"secretsType": "Sas", "sasToken": access.ACCOUNT_SAS})


def _kind(call: Call) -> str:
    for kind in KINDS:
        if kind == call.route_params["kind"].lower():
            return kind
    raise _missing(f"The emulator has no assets of kind {call.route_params['kind']}.", "not emulated")


def _versions(call: Call, name: str) -> list[Resource]:
    found = call.world.children(workspaces.require(call).id, _kind(call))
    return [item for item in found if item.private["asset"].lower() == name.lower()]


def _require(call: Call) -> Resource:
    workspace = workspaces.require(call)
    found = call.world.get(
        f"{workspace.id}/{_kind(call)}/{call.route_params['asset']}/versions/{call.route_params['version']}"
    )
    if found is None:
        asset = "{kind} {asset}:{version}".format_map(call.route_params)
        raise _missing(f"There is no {asset} in this workspace.")
    return found


def _container(workspace: Resource, kind: str, name: str, found: Sequence[Resource]) -> dict[str, Json]:
    numbers = [int(item.body["name"]) for item in found if item.body["name"].isdecimal()]
    return {
        "id": f"{workspace.body['id']}/{kind}/{name}", "name": name, "type": f"{workspaces.WORKSPACE}/{kind}",
        "properties": {
            "description": None, "tags": {}, "properties": {}, "isArchived": False,
            "latestVersion": found[-1].body["name"], "nextVersion": str(max(numbers, default=0) + 1),
        },
        "systemData": found[-1].body["systemData"],
    }  # fmt: skip


def _one_datastore(call: Call, name: str) -> Resource:
    found = call.world.get(f"{workspaces.require(call).id}/datastores/{name}")
    if found is None:
        raise _missing(f"Could not find datastore: {name}")
    return found


def _datastore(call: Call, item: Resource) -> dict[str, Json]:
    # Clients build https://<accountName>.blob.<suffix>/...: the emulator's address in the name leads them here.
    account = f"{call.base.removeprefix('https://')}/{accounts.name_of(workspaces.require(call))}"
    return {**item.body, "properties": {**item.properties, "accountName": account, "endpoint": "core.windows.net"}}


def _missing(message: str, note: str = "") -> Refusal:
    refusal = ml_error(404, "NotFound", "The specified resource was not found.", ("ResourceNotFound", message))
    return Refusal(refusal.answer, note)

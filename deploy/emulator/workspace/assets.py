"""Versions of workspace assets: models, environments, codes, data, components. Their files are in the storage account.

`asset_body` has their properties, `asset_containers` the names above them.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.emulator.storage import access, accounts, container_store
from deploy.emulator.wire import fields, paging
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json
from deploy.emulator.workspace import asset_body, asset_containers, workspaces
from deploy.emulator.world.store import Resource


def listing(call: Call) -> Answer:
    """GET an asset's versions, newest first; see `_matches` for the filters.

    404 for a name that does not exist (recorded for models); an empty list for codes, whose names clients invent.
    """
    workspace, kind = workspaces.require(call), asset_containers.kind_of(call)
    if kind == "codes" and call.query.get("hash"):
        # Clients use a new random name each time, so that only the content counts.
        named = call.world.children(workspace.id, kind)
    else:
        named = asset_containers.versions_of(call)
        if kind != "codes":
            asset_containers.require(call)
    found = [item for item in named[::-1] if _matches(call, kind, item)]
    if call.query.get("$orderBy", "").lower().endswith(" asc"):
        found.reverse()
    top = paging.number(call, "$top", len(found))
    found = found[: paging.number(call, "$skip", 0) + top]
    return paging.part(call, found, lambda _, item: _show(kind, item, named))


def _matches(call: Call, kind: str, item: Resource) -> bool:
    """Whether a version passes the filters of a list: `listViewType`, `stage`, `version`, `description`, `tags`,
    `properties`, `hash`. Whether `description` needs the whole text is unknown; here it does.
    """
    query, properties = call.query, item.properties
    tags, added = query.get("tags") or query.get("$tags"), query.get("properties")
    exact = (
        (query.get("stage"), properties.get("stage")), (query.get("version"), item.body["name"]),
        (query.get("description"), properties["description"]),
        (query.get("hash"), properties["properties"].get("hash_sha256")),
    )  # fmt: skip
    return (
        (kind == "codes" or asset_containers.is_in_view(call, properties["isArchived"]))
        and all(not wanted or wanted == found for wanted, found in exact)
        and (not tags or paging.has_all(properties["tags"], tags))
        and (not added or paging.has_all(properties["properties"], added))
    )


def get(call: Call) -> Answer:
    """GET one version."""
    kind, found = asset_containers.kind_of(call), call.world.get(_identifier(call))
    if found is None:
        raise asset_containers.missing(call)
    return Answer(200, _show(kind, found, asset_containers.versions_of(call)))


def put(call: Call) -> Answer:
    """PUT a version: 201 when it is new, 200 when it exists; always 201 for an environment, which also keeps the time
    of its last change (recorded). Other content is refused. Its files are not checked.
    """
    workspace, kind = workspaces.require(call), asset_containers.kind_of(call)
    name, version = call.route_params["asset"], call.route_params["version"]
    requested, identifier = fields.mapping(call.object(), "properties"), _identifier(call)
    found = call.world.get(identifier)
    properties = asset_body.properties(workspace, kind, name, requested, found.properties if found else None)
    system_data = call.system_data(found)
    if found is not None:
        asset_body.require_same_content(kind, name, version, found.properties, properties)
        system_data = found.body["systemData"] if kind == "environments" else system_data
    asset_containers.ensure(call)
    body = {
        "id": identifier, "name": version, "type": f"{workspaces.WORKSPACE}/{kind}/versions", "properties": properties,
        "systemData": system_data,
    }  # fmt: skip
    item = Resource(identifier, kind, workspace.id, f"{name}:{version}", workspace.location, body, {"asset": name})
    call.world.save(item)
    status = 200 if found is not None and kind != "environments" else 201
    return call.written(status, _show(kind, item, asset_containers.versions_of(call)))


def delete(call: Call) -> Answer:
    """DELETE a version: 200, or 204 when absent. Its container stays."""
    asset_containers.kind_of(call)
    found = call.world.get(_identifier(call))
    if found is None:
        return Answer(204)
    call.world.remove(found.id)
    return Answer(200)


def start_upload(call: Call) -> Answer:
    """POST startPendingUpload: the URL for the files of a version, in a new container of the workspace's storage.

    Its SAS is signed with the account key only where the workspace uses account keys; this is inferred.
    """
    workspace = workspaces.require(call)
    kind = asset_containers.kind_of(call)
    name, number = call.route_params["asset"], call.route_params["version"]
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


def _identifier(call: Call) -> str:
    names, workspace = call.route_params, workspaces.require(call)
    return f"{workspace.body['id']}/{asset_containers.kind_of(call)}/{names['asset']}/versions/{names['version']}"


def _show(kind: str, item: Resource, versions: Sequence[Resource]) -> dict[str, Json]:
    """A version as returned to clients: Azure labels the latest of an environment's versions."""
    if kind != "environments":
        return item.body
    label = "latest" if asset_containers.latest(versions) == item.body["name"] else ""
    labelled = {**item.properties["properties"], "azureml.labels": label}
    return {**item.body, "properties": {**item.properties, "properties": labelled}}

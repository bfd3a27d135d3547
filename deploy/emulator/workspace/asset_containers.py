"""Asset containers: the names under which the versions of models, environments, codes, data and components are.

The first version of a name creates its container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.emulator.wire import fields, paging
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, ml_error
from deploy.emulator.workspace import workspaces
from deploy.emulator.workspace.asset_body import KINDS
from deploy.emulator.world import history
from deploy.emulator.world.store import Resource

KIND = "asset container"
VIEWS = ("ActiveOnly", "ArchivedOnly", "All")


def listing(call: Call) -> Answer:
    """GET the containers of one kind, newest first; `listViewType` filters."""
    workspace, kind = workspaces.require(call), kind_of(call)
    versions: dict[str, list[Resource]] = {}
    for item in call.world.children(workspace.id, kind):
        versions.setdefault(item.private["asset"].lower(), []).append(item)
    found = [
        item
        for item in call.world.children(workspace.id, KIND)[::-1]
        if item.private["kind"] == kind and is_in_view(call, item.properties["isArchived"])
    ]
    return paging.part(call, found, lambda _, item: _show(item, kind, versions.get(item.body["name"].lower(), ())))


def get(call: Call) -> Answer:
    """GET a container, with its latest and next version."""
    return Answer(200, _show(require(call), kind_of(call), versions_of(call)))


def put(call: Call) -> Answer:
    """PUT a container, for its description, its tags, or to archive and restore it. 201 when it is new, 200 after that;
    always 201 for an environment. Its versions do not change.
    """
    kind, requested = kind_of(call), fields.mapping(call.object(), "properties")
    found = _find(call)
    item = _save(call, requested, found)
    status = 200 if found is not None and kind != "environments" else 201
    return call.written(status, _show(item, kind, versions_of(call)))


def delete(call: Call) -> Answer:
    """DELETE a container with its versions: 200, or 204 when absent."""
    kind_of(call)
    found = _find(call)
    if found is None:
        return Answer(204)
    call.world.remove(found.id)
    return Answer(200)


def kind_of(call: Call) -> str:
    """The kind of asset in the path; 404 for a kind that the emulator does not have."""
    for kind in KINDS:
        if kind == call.route_params["kind"].lower():
            return kind
    message = f"The emulator has no assets of kind {call.route_params['kind']}."
    refusal = ml_error(404, "NotFound", "The specified resource was not found.", ("ResourceNotFound", message))
    raise Refusal(refusal.answer, "not emulated")


def versions_of(call: Call) -> list[Resource]:
    """The versions of the asset in the path, oldest first."""
    found = call.world.children(workspaces.require(call).id, kind_of(call))
    return [item for item in found if item.private["asset"].lower() == call.route_params["asset"].lower()]


def latest(versions: Sequence[Resource]) -> str | None:
    """The name of the newest version; anonymous ones do not count (recorded), archived ones do (unknown)."""
    return next((str(item.body["name"]) for item in versions[::-1] if not item.properties["isAnonymous"]), None)


def require(call: Call) -> Resource:
    """The container that the path names; 404 otherwise."""
    found = _find(call)
    if found is None:
        raise missing(call)
    return found


def ensure(call: Call) -> None:
    """Create the container of a new version if it does not exist."""
    if _find(call) is None:
        history.save_previous(call.world, _identifier(call), below=False)
        _save(call, {}, None)


def missing(call: Call) -> Refusal:
    """404 for a container or a version. Those of models and environments are recorded, except that of a model's
    version; the others are unknown and have the same form.
    """
    kind, name, version = kind_of(call), call.route_params["asset"], call.route_params.get("version", "")
    if kind == "environments":
        message = f"No environment exists for name: {name}, version: {version}, label: "
        return ml_error(404, "UserError", message, inner_error="NotFoundError")
    what, code = {
        "models": ("Model", "ModelNotFound"), "codes": ("Code", "NotFound"), "data": ("Data", "NotFound"),
        "components": ("Component", "NotFound"),
    }[kind]  # fmt: skip
    which = f"asset with name: {name} and version: {version}" if version else f"container with name: {name}"
    return ml_error(404, "UserError", "The specified resource was not found.", (code, f"{what} {which} not found."))


def is_in_view(call: Call, archived: bool) -> bool:
    """Whether `listViewType` includes an archived or an active item; by default only active ones (published)."""
    view = fields.one_of(call.query, "listViewType", VIEWS, "ActiveOnly")
    return view == "All" or archived == (view == "ArchivedOnly")


def _identifier(call: Call) -> str:
    return f"{workspaces.require(call).body['id']}/{kind_of(call)}/{call.route_params['asset']}"


def _find(call: Call) -> Resource | None:
    return call.world.get(_identifier(call))


def _save(call: Call, requested: Mapping[str, Json], found: Resource | None) -> Resource:
    workspace, kind, name = workspaces.require(call), kind_of(call), call.route_params["asset"]
    identifier = _identifier(call)
    body = {
        "id": identifier, "name": name, "type": f"{workspaces.WORKSPACE}/{kind}",
        "properties": {
            "description": fields.text(requested, "description", "" if kind == "environments" else None),
            "tags": fields.texts(requested, "tags"), "properties": fields.texts(requested, "properties"),
            "isArchived": fields.flag(requested, "isArchived", False),
        },
        "systemData": call.system_data(found),
    }  # fmt: skip
    item = Resource(identifier, KIND, workspace.id, f"{kind}:{name}", workspace.location, body, {"kind": kind})
    call.world.save(item)
    return item


def _show(item: Resource, kind: str, versions: Sequence[Resource]) -> dict[str, Json]:
    numbers = [int(each.body["name"]) for each in versions if each.body["name"].isdecimal()]
    without = "0" if kind == "environments" else None  # both recorded
    newest = {"latestVersion": latest(versions) or without, "nextVersion": str(max(numbers, default=0) + 1)}
    return {**item.body, "properties": {**item.properties, **newest, "provisioningState": "Succeeded"}}

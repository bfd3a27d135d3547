"""Create the resources of a world file. The file replaces parts of the default world.

Endpoints and deployments are created by the handlers of requests (`seed_endpoints`). A value that Azure would refuse
raises InvalidValue with its position in the file.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from typing import Any

from deploy.emulator.control import settings_api
from deploy.emulator.entra import directory
from deploy.emulator.entra.access_tokens import SIGNED_IN
from deploy.emulator.policy import assignments
from deploy.emulator.quota import core_limits, limits, vm_sizes
from deploy.emulator.rbac import role_assignments
from deploy.emulator.rbac.builtin_roles import AI_ADMINISTRATOR, BLOB_CONTRIBUTOR, OWNER
from deploy.emulator.seed import default_world, seed_endpoints
from deploy.emulator.seed.schema import Identity, Region, Registry, Role, Workspace, WorldFile
from deploy.emulator.workspace import connections, registry, user_identities
from deploy.emulator.world.parse import InvalidValue, KeyPath
from deploy.emulator.world.store import Resource, World

_WORKSPACE_KINDS = '["subscription", "group", "linked", "storage", "container", "workspace", "datastore"]'
"""The kinds of the default workspace's resources, with its group, subscription and linked resources."""
CREDENTIALS = {"AccessKey": "AccountKey", "Identity": "None", "UserDelegationSAS": "Sas"}
"""The credentials of a workspace's own datastores by its mode; that of UserDelegationSAS is unknown."""


def fill(world: World) -> None:
    """Create the default resources in an empty world, then apply its world file, if any. Must run in a transaction.

    Raises:
        InvalidValue: the file contains an impossible value.
    """
    default_world.fill(world)
    written = world.controls.get("world")
    if written:
        _apply_file(world, WorldFile.model_validate(written))


def _apply_file(world: World, spec: WorldFile) -> None:
    settings_api.apply(world, spec.settings)
    workspaces = spec.workspaces or [Workspace(name=default_world.WORKSPACE)]
    _workspaces(world, workspaces)
    regions = {**{workspace.region: Region() for workspace in workspaces}, **spec.regions}
    for subscription in sorted({workspace.subscription for workspace in workspaces}):
        for name, region in regions.items():
            _region(world, subscription, name, region)
    _quotas_and_connections(world, workspaces)
    _identities(world, workspaces, spec.identities)
    if spec.registries is not None:
        _registries(world, spec.registries)
    for each in spec.principals:
        directory.add(world, each.id.lower(), each.type, each.name)
    _roles(world, workspaces, spec.roles)
    for at, policy in enumerate(spec.policies):
        scope = policy.scope or f"/subscriptions/{workspaces[0].subscription}"
        assignments.assign(world, policy, _scope(world, workspaces, scope, ("policies", at)))
    seed_endpoints.deploy(world, workspaces, spec.endpoints)


def _workspaces(world: World, workspaces: list[Workspace]) -> None:
    """Replace the default workspace and its resources by a copy for each workspace of the file."""
    rows = world.db.execute(
        "SELECT kind, parent, name, location, body, private FROM resources"
        " WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY number",
        (_WORKSPACE_KINDS,),
    ).fetchall()
    world.db.execute("DELETE FROM resources WHERE kind IN (SELECT value FROM json_each(?))", (_WORKSPACE_KINDS,))
    world.db.execute("DELETE FROM role_assignments")
    world.db.execute("DELETE FROM principals WHERE id = ?", (default_world.WORKSPACE_PRINCIPAL,))
    for workspace in workspaces:
        short = _short_name(workspace, workspaces)
        for row in rows:
            # Stored ids are in lower case; the id in the body keeps its case.
            kind, parent, name, location, text, private = (_for_workspace(word, workspace, short) for word in row)
            body = json.loads(text)
            _set_datastore_mode(kind, body, workspace.system_datastores_auth_mode)
            world.save(Resource(body["id"], kind, parent, name, location, body, json.loads(private)))
        directory.add(world, principal(workspace), "ServicePrincipal", workspace.name)


def _set_datastore_mode(kind: str, body: dict[str, Any], mode: str | None) -> None:
    """Set how the workspace's own datastores are accessed. Recorded workspaces do not name the default mode."""
    if mode is None:
        return
    if kind == "workspace":
        body["properties"]["systemDatastoresAuthMode"] = mode
    if kind == "datastore":
        body["properties"]["credentials"] = {"credentialsType": CREDENTIALS[mode]}


def identifier(workspace: Workspace) -> str:
    """The workspace's ARM id."""
    return _for_workspace(default_world.WORKSPACE_ID, workspace)


def principal(workspace: Workspace) -> str:
    """The object id of the workspace's identity: always the same for the same workspace."""
    return _for_workspace(default_world.WORKSPACE_PRINCIPAL, workspace)


def _is_default(workspace: Workspace) -> bool:
    default = (default_world.WORKSPACE, default_world.SUBSCRIPTION, default_world.GROUP)
    return (workspace.name, workspace.subscription, workspace.resource_group) == default


def _short_name(workspace: Workspace, workspaces: list[Workspace]) -> str:
    """The part of the names of storage account and registry; it is unique in the world, as in Azure."""
    names = [re.sub(r"[^a-z0-9]", "", each.name.lower())[:20] for each in workspaces]
    short = names[workspaces.index(workspace)]
    same = [each for each, name in zip(workspaces, names, strict=True) if name == short]
    first = next(filter(_is_default, same), same[0])
    return short if workspace is first else short[:13] + uuid.uuid5(uuid.NAMESPACE_URL, _own(workspace)).hex[:7]


def _own(workspace: Workspace) -> str:
    return f"{workspace.subscription}/{workspace.resource_group}/{workspace.name}".lower()


def _for_workspace(text: str, workspace: Workspace, short: str = "") -> str:
    """A text of the default workspace with the names and ids of another workspace; `short` is its `_short_name`."""
    if _is_default(workspace):
        return text.replace(default_world.LOCATION, workspace.region)
    own = _own(workspace)
    new = {
        default_world.SUBSCRIPTION: workspace.subscription, default_world.GROUP: workspace.resource_group,
        default_world.WORKSPACE: workspace.name, default_world.STORAGE_NAME.removeprefix("st"): short,
        default_world.LOCATION: workspace.region,
        default_world.WORKSPACE_PRINCIPAL: str(uuid.uuid5(uuid.NAMESPACE_URL, f"principal of {own}")),
        default_world.WORKSPACE_GUID: str(uuid.uuid5(uuid.NAMESPACE_URL, own)),
    }  # fmt: skip
    return re.sub("|".join(map(re.escape, new)), lambda match: new[match[0]], text)


def _quotas_and_connections(world: World, workspaces: list[Workspace]) -> None:
    """Write the core limits and the connections of each workspace."""
    for at, workspace in enumerate(workspaces):
        resource = world.get(identifier(workspace))
        assert resource is not None  # noqa: S101 - created above
        for family, cores in workspace.quotas.items():
            name = _family(family, ("workspaces", at, "quotas", family))
            core_limits.set_limit(world, resource.id, workspace.region, name, cores)
        for connection in workspace.connections:
            properties = {
                "category": connection.category, "target": connection.target, "authType": connection.auth_type,
                "metadata": connection.metadata, "credentials": connection.credentials,
            }  # fmt: skip
            connections.save(world, resource, connection.name, properties)


def _identities(world: World, workspaces: list[Workspace], spec: list[Identity] | None) -> None:
    """Write the identities of the file, or the default one in the first workspace's group."""
    world.remove(default_world.IDENTITY_ID)
    first = workspaces[0]
    for at, identity in enumerate([Identity(name=default_world.IDENTITY)] if spec is None else spec):
        subscription, group = (
            identity.subscription or first.subscription,
            identity.resource_group or first.resource_group,
        )
        scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
        if world.get(scope) is None:
            raise InvalidValue(
                [(("identities", at), f"there is no resource group '{group}'. Name one that a workspace is in.")]
            )
        user_identities.save(world, scope, identity.name, identity.region or first.region, {})


def _family(spec: str, key_path: KeyPath) -> str:
    for family in vm_sizes.FAMILIES:
        if _normalized(family.name) == _normalized(spec):
            return family.name
    raise InvalidValue([(key_path, "is not a VM family. See `vmSizes`.")])


def _region(world: World, subscription: str, name: str, region: Region) -> None:
    cores = {family.name: family.limit for family in vm_sizes.FAMILIES}
    for family, count in region.families.items():
        cores[_family(family, ("regions", name, "families", family))] = count
    for size in (*(region.sizes or ()), *region.prices):
        if vm_sizes.find(size) is None:
            raise InvalidValue([(("regions", name), f"'{size}' is not a VM size. See `vmSizes`.")])
    counted = {
        core_limits.TOTAL: (region.total_cores, vm_sizes.TOTAL_LIMIT), core_limits.CLUSTERS: (region.clusters, 200),
        core_limits.LOW_PRIORITY: (region.low_priority_cores, 100),
        limits.ENDPOINTS: (region.endpoints, None), limits.DEPLOYMENTS: (region.deployments, None),
        limits.DEPLOYMENTS_PER_ENDPOINT: (region.deployments_per_endpoint, None),
    }  # fmt: skip
    counts = {what: default if count is None else count for what, (count, default) in counted.items()}
    for what, limit in {**cores, **counts}.items():
        if limit is not None:
            core_limits.set_limit(world, subscription, name, what, limit)


def _normalized(family: str) -> str:
    return family.replace(" ", "").lower()


def _registries(world: World, spec: list[Registry]) -> None:
    default_registry = world.get("/registries/azureml")
    default_models = world.children("/registries/azureml", "model")
    world.db.execute("DELETE FROM resources WHERE kind IN ('registry', 'model')")
    for each in spec:
        where = f"/registries/{each.name}"
        assert default_registry is not None  # noqa: S101 - the default world has it
        body = {**default_registry.body, "id": where, "name": each.name, "location": each.region}
        world.save(replace(default_registry, id=where, name=each.name, location=each.region, body=body))
        for name, version, facts in _models(each, default_models):
            found = registry.model_body(
                each.name, default_world.REGISTRY_GROUP, default_world.REGISTRY_SUBSCRIPTION, name, version, facts
            )
            world.save(Resource(found["id"], "model", where, f"{name}:{version}", each.region, found, {"model": name}))


def _models(spec: Registry, default_models: list[Resource]) -> list[tuple[str, int, dict[str, object]]]:
    names = ("description", "tags", "properties")
    default = {item.private["model"]: {word: item.properties[word] for word in names} for item in default_models}
    if spec.models is None:
        return [(i.private["model"], int(i.body["name"]), default[i.private["model"]]) for i in default_models]
    found = []
    for model in spec.models:
        facts = default.get(model.name, {"description": "", "tags": {}, "properties": {}})
        changes = {word: getattr(model, word) for word in names if getattr(model, word) is not None}
        found += [(model.name, version, {**facts, **changes}) for version in model.versions]
    return found


def _roles(world: World, workspaces: list[Workspace], spec: list[Role] | None) -> None:
    for workspace in workspaces:
        group = identifier(workspace).partition("/providers/")[0]
        _assign(world, group, principal(workspace), AI_ADMINISTRATOR, "ServicePrincipal")
    if spec is None:
        for subscription in sorted({workspace.subscription for workspace in workspaces}):
            for guid in (OWNER, BLOB_CONTRIBUTOR):
                _assign(world, f"/subscriptions/{subscription}", SIGNED_IN, guid, "ServicePrincipal")
    for at, role in enumerate(spec or []):
        key_path: KeyPath = ("roles", at)
        principal_id, kind = _find_principal(world, role.principal, key_path)
        _assign(
            world,
            _scope(world, workspaces, role.scope, key_path),
            principal_id,
            _definition(world, role.role, key_path),
            kind,
        )


def _assign(world: World, scope: str, principal_id: str, role: str, kind: str) -> None:
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope} {principal_id} {role}".lower()))
    role_assignments.assign(world, scope, principal_id, kind, role, name, by="")


def _find_principal(world: World, spec: str, key_path: KeyPath) -> tuple[str, str]:
    spec = SIGNED_IN if spec == "signed-in" else spec
    row = world.db.execute("SELECT id, kind FROM principals WHERE id = ? OR name = ?", (spec.lower(), spec)).fetchone()
    if row is None:
        names = f"there is no principal '{spec}'. Name it under principals, or write signed-in."
        raise InvalidValue([((*key_path, "principal"), names)])
    return row[0], row[1]


def _definition(world: World, spec: str, key_path: KeyPath) -> str:
    rows = world.db.execute("SELECT id, name FROM role_definitions").fetchall()
    for guid, name in rows:
        if spec.lower() in (guid, name.lower()):
            return str(guid)
    raise InvalidValue(
        [((*key_path, "role"), f"there is no role '{spec}'. There are {', '.join(sorted(n for _, n in rows))}.")]
    )


def _scope(world: World, workspaces: list[Workspace], spec: str, key_path: KeyPath) -> str:
    named = next((identifier(workspace) for workspace in workspaces if workspace.name == spec), spec)
    found = world.get(named)
    if found is None:
        raise InvalidValue(
            [((*key_path, "scope"), f"there is no '{spec}'. Write an ARM id of this world, or a workspace.")]
        )
    return str(found.body["id"])

"""Makes a world as its file says. It starts from the default world, and what is deployed goes through Azure's own door.

A world file is data; what it asks for and Azure would refuse is refused here too, with the place in the file.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace

from deploy.emulator.control import settings_api
from deploy.emulator.entra import directory
from deploy.emulator.entra.access_tokens import SIGNED_IN
from deploy.emulator.quota import core_limits, limits, vm_sizes
from deploy.emulator.rbac import role_assignments
from deploy.emulator.rbac.builtin_roles import AI_ADMINISTRATOR, OWNER
from deploy.emulator.seed import default_world, deployed
from deploy.emulator.seed.schema import Identity, Region, Registry, Role, Workspace, WorldFile
from deploy.emulator.workspace import connections, registry, user_identities
from deploy.emulator.world.parse import InvalidValue, KeyPath
from deploy.emulator.world.store import Resource, World

_WORKSPACE_KINDS = '["subscription", "group", "neighbour", "workspace", "datastore"]'
"""The kinds of resources that make up the default workspace and what it stands in."""


def fill(world: World) -> None:
    """Fill an empty world: as its file says, when it has one. Must run inside a transaction.

    Raises:
        Misfit: the file asks for something that cannot be.
    """
    default_world.fill(world)
    written = world.controls.get("world")
    if written:
        _apply_file(world, WorldFile.model_validate(written))


def _apply_file(world: World, wanted: WorldFile) -> None:
    settings_api.apply(world, wanted.settings)
    places = wanted.workspaces or [Workspace(name=default_world.WORKSPACE)]
    _workspaces(world, places)
    regions = {**{place.region: Region() for place in places}, **wanted.regions}
    for subscription in sorted({place.subscription for place in places}):
        for name, region in regions.items():
            _region(world, subscription, name, region)
    _quotas_and_connections(world, places)
    _identities(world, places, wanted.identities)
    if wanted.registries is not None:
        _registries(world, wanted.registries)
    for somebody in wanted.principals:
        directory.add(world, somebody.id.lower(), somebody.type, somebody.name)
    _roles(world, places, wanted.roles)
    deployed.deploy(world, places, wanted.endpoints)


def _workspaces(world: World, places: list[Workspace]) -> None:
    """Put copies of the default workspace, with all that belongs to it, in its place."""
    rows = world.db.execute(
        "SELECT kind, parent, name, location, body, private FROM resources"
        " WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY number",
        (_WORKSPACE_KINDS,),
    ).fetchall()
    world.db.execute("DELETE FROM resources WHERE kind IN (SELECT value FROM json_each(?))", (_WORKSPACE_KINDS,))
    world.db.execute("DELETE FROM role_assignments")
    world.db.execute("DELETE FROM principals WHERE id = ?", (default_world.WORKSPACE_PRINCIPAL,))
    for place in places:
        for row in rows:
            # Stored ids are in lower case; the body's own keeps the case it was written in.
            kind, parent, name, location, text, private = (_for_workspace(word, place) for word in row)
            body = json.loads(text)
            world.save(Resource(body["id"], kind, parent, name, location, body, json.loads(private)))
        directory.add(world, principal(place), "ServicePrincipal", place.name)


def identifier(place: Workspace) -> str:
    """The workspace's ARM id."""
    return _for_workspace(default_world.WORKSPACE_ID, place)


def principal(place: Workspace) -> str:
    """The object id of the workspace's own identity: always the same for the same workspace."""
    return _for_workspace(default_world.WORKSPACE_PRINCIPAL, place)


def _for_workspace(text: str, place: Workspace) -> str:
    """A text of the default workspace, as it is for another."""
    if (place.name, place.subscription, place.resource_group) == (
        default_world.WORKSPACE,
        default_world.SUBSCRIPTION,
        default_world.GROUP,
    ):
        return text.replace(default_world.LOCATION, place.region)
    own = f"{place.subscription}/{place.resource_group}/{place.name}".lower()
    short = re.sub(r"[^a-z0-9]", "", place.name.lower())[:20]
    new = {
        default_world.SUBSCRIPTION: place.subscription, default_world.GROUP: place.resource_group,
        default_world.WORKSPACE: place.name, default_world.STORAGE_NAME.removeprefix("st"): short,
        default_world.LOCATION: place.region,
        default_world.WORKSPACE_PRINCIPAL: str(uuid.uuid5(uuid.NAMESPACE_URL, f"principal of {own}")),
        default_world.WORKSPACE_GUID: str(uuid.uuid5(uuid.NAMESPACE_URL, own)),
    }  # fmt: skip
    return re.sub("|".join(map(re.escape, new)), lambda match: new[match[0]], text)


def _quotas_and_connections(world: World, places: list[Workspace]) -> None:
    """What each workspace may use of its subscription's cores, and its connections."""
    for at, place in enumerate(places):
        workspace = world.get(identifier(place))
        assert workspace is not None  # noqa: S101 - made a moment ago
        for family, cores in place.quotas.items():
            name = _family(family, ("workspaces", at, "quotas", family))
            core_limits.set_limit(world, workspace.id, place.region, name, cores)
        for said in place.connections:
            properties = {
                "category": said.category, "target": said.target, "authType": said.auth_type,
                "metadata": said.metadata, "credentials": said.credentials,
            }  # fmt: skip
            connections.save(world, workspace, said.name, properties)


def _identities(world: World, places: list[Workspace], wanted: list[Identity] | None) -> None:
    """Those of the file, or the default world's in the first workspace's group."""
    world.remove(default_world.IDENTITY_ID)
    first = places[0]
    for at, said in enumerate([Identity(name=default_world.IDENTITY)] if wanted is None else wanted):
        subscription, group = said.subscription or first.subscription, said.resource_group or first.resource_group
        scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
        if world.get(scope) is None:
            raise InvalidValue(
                [(("identities", at), f"there is no resource group '{group}'. Name one that a workspace is in.")]
            )
        user_identities.save(world, scope, said.name, said.region or first.region, {})


def _family(wanted: str, key_path: KeyPath) -> str:
    for family in vm_sizes.FAMILIES:
        if _normalized(family.name) == _normalized(wanted):
            return family.name
    raise InvalidValue([(key_path, "is no family of machines. See `vmSizes`.")])


def _region(world: World, subscription: str, name: str, region: Region) -> None:
    cores = {family.name: family.limit for family in vm_sizes.FAMILIES}
    for family, count in region.families.items():
        cores[_family(family, ("regions", name, "families", family))] = count
    for size in (*(region.sizes or ()), *region.prices):
        if vm_sizes.find(size) is None:
            raise InvalidValue([(("regions", name), f"'{size}' is no size of machines. See `vmSizes`.")])
    said = {
        core_limits.TOTAL: (region.total_cores, vm_sizes.TOTAL_LIMIT), core_limits.CLUSTERS: (region.clusters, 200),
        core_limits.LOW_PRIORITY: (region.low_priority_cores, 100),
        limits.ENDPOINTS: (region.endpoints, None), limits.DEPLOYMENTS: (region.deployments, None),
        limits.SIBLINGS: (region.deployments_per_endpoint, None),
    }  # fmt: skip
    counts = {what: default if count is None else count for what, (count, default) in said.items()}
    for what, limit in {**cores, **counts}.items():
        if limit is not None:
            core_limits.set_limit(world, subscription, name, what, limit)


def _normalized(family: str) -> str:
    return family.replace(" ", "").lower()


def _registries(world: World, wanted: list[Registry]) -> None:
    held = world.get("/registries/azureml")
    known = world.children("/registries/azureml", "model")
    world.db.execute("DELETE FROM resources WHERE kind IN ('registry', 'model')")
    for each in wanted:
        where = f"/registries/{each.name}"
        assert held is not None  # noqa: S101 - the default world has it
        body = {**held.body, "id": where, "name": each.name, "location": each.region}
        world.save(replace(held, id=where, name=each.name, location=each.region, body=body))
        for name, version, facts in _models(each, known):
            found = registry.model_body(
                each.name, default_world.REGISTRY_GROUP, default_world.REGISTRY_SUBSCRIPTION, name, version, facts
            )
            world.save(Resource(found["id"], "model", where, f"{name}:{version}", each.region, found, {"model": name}))


def _models(wanted: Registry, known: list[Resource]) -> list[tuple[str, int, dict[str, object]]]:
    words = ("description", "tags", "properties")
    default = {item.private["model"]: {word: item.properties[word] for word in words} for item in known}
    if wanted.models is None:
        return [(i.private["model"], int(i.body["name"]), default[i.private["model"]]) for i in known]
    found = []
    for model in wanted.models:
        facts = default.get(model.name, {"description": "", "tags": {}, "properties": {}})
        said = {word: getattr(model, word) for word in words if getattr(model, word) is not None}
        found += [(model.name, version, {**facts, **said}) for version in model.versions]
    return found


def _roles(world: World, places: list[Workspace], wanted: list[Role] | None) -> None:
    for place in places:
        group = identifier(place).partition("/providers/")[0]
        _assign(world, group, principal(place), AI_ADMINISTRATOR, "ServicePrincipal")
    if wanted is None:
        for subscription in sorted({place.subscription for place in places}):
            _assign(world, f"/subscriptions/{subscription}", SIGNED_IN, OWNER, "ServicePrincipal")
    for at, role in enumerate(wanted or []):
        key_path: KeyPath = ("roles", at)
        somebody, kind = _find_principal(world, role.principal, key_path)
        _assign(
            world, _scope(world, places, role.scope, key_path), somebody, _definition(world, role.role, key_path), kind
        )


def _assign(world: World, scope: str, somebody: str, role: str, kind: str) -> None:
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope} {somebody} {role}".lower()))
    role_assignments.assign(world, scope, somebody, kind, role, name, by="")


def _find_principal(world: World, wanted: str, key_path: KeyPath) -> tuple[str, str]:
    wanted = SIGNED_IN if wanted == "signed-in" else wanted
    row = world.db.execute(
        "SELECT id, kind FROM principals WHERE id = ? OR name = ?", (wanted.lower(), wanted)
    ).fetchone()
    if row is None:
        words = f"there is no principal '{wanted}'. Name it under principals, or write signed-in."
        raise InvalidValue([((*key_path, "principal"), words)])
    return row[0], row[1]


def _definition(world: World, wanted: str, key_path: KeyPath) -> str:
    rows = world.db.execute("SELECT id, name FROM role_definitions").fetchall()
    for guid, name in rows:
        if wanted.lower() in (guid, name.lower()):
            return str(guid)
    raise InvalidValue(
        [((*key_path, "role"), f"there is no role '{wanted}'. There are {', '.join(sorted(n for _, n in rows))}.")]
    )


def _scope(world: World, places: list[Workspace], wanted: str, key_path: KeyPath) -> str:
    named = next((identifier(place) for place in places if place.name == wanted), wanted)
    found = world.get(named)
    if found is None:
        raise InvalidValue(
            [((*key_path, "scope"), f"there is no '{wanted}'. Write an ARM id of this world, or a workspace.")]
        )
    return str(found.body["id"])

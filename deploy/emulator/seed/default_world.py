"""The default world: one subscription, one workspace, a registry with models, roles, quota.

It is read only when a world is created or reset.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator.entra import access_tokens, directory
from deploy.emulator.quota import core_limits, vm_sizes
from deploy.emulator.rbac import role_assignments, role_definitions
from deploy.emulator.rbac.builtin_roles import AI_ADMINISTRATOR, BLOB_CONTRIBUTOR, OWNER, ROLES
from deploy.emulator.runtime import standins
from deploy.emulator.storage import accounts
from deploy.emulator.workspace import datastores, registry, user_identities, workspaces
from deploy.emulator.world.store import Resource, World, dump

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "rg-local"
WORKSPACE = "mlw-local"
LOCATION = "eastus"
WORKSPACE_PRINCIPAL = "00000000-0000-0000-0000-0000000000c1"
WORKSPACE_GUID = "00000000-0000-0000-0000-0000000000d1"
STORAGE_NAME = "stmlwlocal"
PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
WORKSPACE_ID = f"{PROVIDERS}/{workspaces.WORKSPACE}/{WORKSPACE}"
STORAGE_ID = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/{STORAGE_NAME}"
VAULT_ID = f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv-mlw-local"
CONTAINER_REGISTRY_ID = f"{PROVIDERS}/Microsoft.ContainerRegistry/registries/crmlwlocal"
INSIGHTS_ID = f"{PROVIDERS}/Microsoft.Insights/components/appi-mlw-local"
IDENTITY = "id-local"
IDENTITY_ID = f"{PROVIDERS}/{user_identities.TYPE}/{IDENTITY}"
REGISTRY_SUBSCRIPTION = "00000000-0000-0000-0000-0000000000f1"
REGISTRY_GROUP = "registry-builtin-prod-eastus-01"
CREATED_AT = "2026-01-01T00:00:00.0000000+00:00"
_SYSTEM_DATA = {
    "createdAt": CREATED_AT, "createdBy": access_tokens.SIGNED_IN_NAME, "createdByType": "Application",
    "lastModifiedAt": CREATED_AT, "lastModifiedBy": access_tokens.SIGNED_IN_NAME, "lastModifiedByType": "Application",
}  # fmt: skip


def fill(world: World) -> None:
    """Fill an empty world. Must run inside a transaction."""
    _subscription_and_group(world)
    datastores.add_default(world, _workspace(world), WORKSPACE_GUID, CREATED_AT)
    user_identities.save(world, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}", IDENTITY, LOCATION, {})
    _registry(world)
    _roles(world)
    core_limits.set_limit(world, SUBSCRIPTION, LOCATION, core_limits.TOTAL, vm_sizes.TOTAL_LIMIT)
    core_limits.set_limit(world, SUBSCRIPTION, LOCATION, core_limits.CLUSTERS, 200)
    core_limits.set_limit(world, SUBSCRIPTION, LOCATION, core_limits.LOW_PRIORITY, 100)
    for family in vm_sizes.FAMILIES:
        core_limits.set_limit(world, SUBSCRIPTION, LOCATION, family.name, family.limit)


def _subscription_and_group(world: World) -> None:
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    group = f"{subscription}/resourceGroups/{GROUP}"
    _add(world, subscription, "subscription", "", SUBSCRIPTION, {
        "id": subscription, "subscriptionId": SUBSCRIPTION, "displayName": "Local emulator", "state": "Enabled",
        "tenantId": access_tokens.TENANT, "authorizationSource": "RoleBased",
    })  # fmt: skip
    _add(world, group, "group", subscription, GROUP, {
        "id": group, "name": GROUP, "type": "Microsoft.Resources/resourceGroups", "location": LOCATION, "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    })  # fmt: skip
    for identifier in (STORAGE_ID, VAULT_ID, CONTAINER_REGISTRY_ID, INSIGHTS_ID):
        resource_type = "/".join(identifier.split("/")[-3:-1])
        name = identifier.rpartition("/")[2]
        body = {
            "id": identifier, "name": name, "type": resource_type, "location": LOCATION, "tags": {}, "properties": {},
        }  # fmt: skip
        _add(world, identifier, accounts.KIND if resource_type == accounts.TYPE else "linked", group, name, body)


def _workspace(world: World) -> Resource:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    directory.add(world, WORKSPACE_PRINCIPAL, "ServicePrincipal", WORKSPACE)
    return _add(world, WORKSPACE_ID, "workspace", group, WORKSPACE, {
        "id": WORKSPACE_ID, "name": WORKSPACE, "type": workspaces.WORKSPACE, "location": LOCATION, "tags": {},
        "etag": None,
        "properties": workspaces.properties(
            WORKSPACE_ID, LOCATION, WORKSPACE_GUID, access_tokens.TENANT, CREATED_AT.replace("+00:00", "Z"),
            {
                "storageAccount": STORAGE_ID, "keyVault": VAULT_ID,
                "applicationInsights": INSIGHTS_ID, "containerRegistry": CONTAINER_REGISTRY_ID,
            },
        ),
        "identity": {"type": "SystemAssigned", "principalId": WORKSPACE_PRINCIPAL, "tenantId": access_tokens.TENANT},
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "systemData": {key: value.replace("+00:00", "Z") for key, value in _SYSTEM_DATA.items()},
    })  # fmt: skip


def _registry(world: World) -> None:
    identifier = "/registries/azureml"
    body = {
        "id": identifier,
        "name": "azureml",
        "type": f"{workspaces.PROVIDER}/registries",
        "location": LOCATION,
        "properties": {},
    }
    private = {"group": REGISTRY_GROUP, "subscription": REGISTRY_SUBSCRIPTION, "storage": "stregistrybuiltin"}
    world.save(Resource(identifier, "registry", "", "azureml", LOCATION, body, private))
    for model in standins.MODELS:
        facts = {
            "description": model.description,
            "tags": {
                "SharedComputeCapacityEnabled": "", "task": "medical-imaging",
                "inference_compute_allow_list": repr(list(model.sizes)),
            },
            "properties": {
                "SharedComputeCapacityEnabled": "True", "inference-min-sku-spec": model.smallest,
                "inference-recommended-sku": ", ".join(model.sizes),
            },
        }  # fmt: skip
        for number in model.versions:
            found = registry.model_body("azureml", REGISTRY_GROUP, REGISTRY_SUBSCRIPTION, model.name, number, facts)
            name, private = f"{model.name}:{number}", {"model": model.name}
            world.save(Resource(found["id"], "model", identifier, name, LOCATION, found, private))


def _roles(world: World) -> None:
    directory.add(
        world,
        access_tokens.SIGNED_IN,
        "ServicePrincipal",
        access_tokens.SIGNED_IN_NAME,
        client=access_tokens.SIGNED_IN_APP,
    )
    for guid, name, actions, refused, data in ROLES:
        body = {
            "id": f"/subscriptions/{SUBSCRIPTION}/providers/{role_definitions.TYPE}/{guid}",
            "type": role_definitions.TYPE, "name": guid,
            "properties": {
                "roleName": name, "type": "BuiltInRole", "description": "", "assignableScopes": ["/"],
                "permissions": [
                    {
                        "actions": list(actions), "notActions": list(refused), "dataActions": list(data),
                        "notDataActions": [],
                    }
                ],
                "createdOn": CREATED_AT, "updatedOn": CREATED_AT, "createdBy": None, "updatedBy": None,
            },
        }  # fmt: skip
        world.db.execute("INSERT INTO role_definitions VALUES (?, ?, ?)", (guid, name, dump(body)))
    subscription, group = f"/subscriptions/{SUBSCRIPTION}", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    for scope, principal, role, name in (
        (subscription, access_tokens.SIGNED_IN, OWNER, "00000000-0000-0000-0000-0000000000e1"),
        (subscription, access_tokens.SIGNED_IN, BLOB_CONTRIBUTOR, "00000000-0000-0000-0000-0000000000e3"),
        (group, WORKSPACE_PRINCIPAL, AI_ADMINISTRATOR, "00000000-0000-0000-0000-0000000000e2"),
    ):
        role_assignments.assign(world, scope, principal, "ServicePrincipal", role, name, by="")


def _add(world: World, identifier: str, kind: str, parent: str, name: str, body: dict[str, Any]) -> Resource:
    added = Resource(identifier, kind, parent, name, LOCATION, body, {})
    world.save(added)
    return added

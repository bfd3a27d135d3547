"""Storage accounts. `seed` creates one for each workspace; they are read only.

The setting `storage` applies to all of them: `network` closes the data plane, `shared_key` turns account keys off.
"""

from __future__ import annotations

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, resource_not_found
from deploy.emulator.world import settings
from deploy.emulator.world.store import Resource, World

KIND = "storage"
TYPE = "Microsoft.Storage/storageAccounts"


def name_of(workspace: Resource) -> str:
    """The name of a workspace's storage account."""
    return str(workspace.properties["storageAccount"]).rpartition("/")[2]


def find(world: World, name: str) -> Resource | None:
    """The account with a name; in Azure the name is unique in the world."""
    row = world.db.execute("SELECT id FROM resources WHERE kind = ? AND name = ?", (KIND, name.lower())).fetchone()
    return world.get(row[0]) if row else None


def network_is_open(world: World) -> bool:
    """Whether requests reach the data plane. The Resource Manager is always reachable."""
    return bool(settings.get(world, "storage")["network"] == "open")


def allows_shared_key(world: World) -> bool:
    """Whether account keys, and SAS signed with them, are accepted."""
    return bool(settings.get(world, "storage")["shared_key"] == "on")


def require(call: Call) -> Resource:
    """The account that a request of the Resource Manager names; 404 otherwise."""
    names = call.route_params
    group = f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}"
    found = call.world.get(f"{group}/providers/{TYPE}/{names['account']}")
    if found is None:
        raise resource_not_found(f"{TYPE}/{names['account']}", names["group"])
    return found


def get(call: Call) -> Answer:
    """GET an account, with the properties that decide who reaches its blobs."""
    found, is_open = require(call), network_is_open(call.world)
    properties: dict[str, Json] = {
        "provisioningState": "Succeeded", "allowSharedKeyAccess": allows_shared_key(call.world),
        "allowBlobPublicAccess": False, "supportsHttpsTrafficOnly": True,
        "publicNetworkAccess": "Enabled" if is_open else "Disabled",
        "networkAcls": {
            "bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [],
            "defaultAction": "Allow" if is_open else "Deny",
        },
        "primaryEndpoints": {"blob": f"{call.base}/{found.body['name']}.blob.core.windows.net/"},
        "primaryLocation": found.location, "statusOfPrimary": "available",
    }  # fmt: skip
    kind = {"sku": {"name": "Standard_LRS", "tier": "Standard"}, "kind": "StorageV2"}
    return Answer(200, {**found.body, **kind, "properties": properties})

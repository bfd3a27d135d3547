"""The addresses of what stands beside online endpoints: connections, identities, compute, batch and serverless."""

from __future__ import annotations

from deploy.emulator import connections, identities, names, siblings, workspaces
from deploy.emulator.addressing import DP, GROUP, SUB, WS, Route, ask, read, write

_CONNECTION = WS + "/connections/{connection}"
_USERS = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
_BATCH = WS + "/batchEndpoints/{endpoint}"
_SERVERLESS = WS + "/serverlessEndpoints/{endpoint}"


def _kept(collection: str, path: str, name: str) -> tuple[Route, ...]:
    """The four requests of a resource that is kept as it was written."""
    return (
        read(collection, f"{name}_List", siblings.listing),
        read(path, f"{name}_Get", siblings.get),
        write("PUT", path, f"{name}_CreateOrUpdate", siblings.put),
        write("DELETE", path, f"{name}_Delete", siblings.delete),
    )


ROUTES = (
    read(DP + "/checkNameAvailability", "OnlineDeployments_CheckNameAvailability", names.deployment),
    read(WS + "/computes", "Compute_List", workspaces.computes),
    read(WS + "/computes/{compute}", "Compute_Get", workspaces.compute),
    read(WS + "/connections", "WorkspaceConnections_List", connections.listing),
    read(_CONNECTION, "WorkspaceConnections_Get", connections.get),
    write("PUT", _CONNECTION, "WorkspaceConnections_Create", connections.put),
    write("DELETE", _CONNECTION, "WorkspaceConnections_Delete", connections.delete),
    ask(_CONNECTION + "/listsecrets", "WorkspaceConnections_ListSecrets", connections.list_secrets),
    read(GROUP + _USERS, "UserAssignedIdentities_ListByResourceGroup", identities.listing),
    read(SUB + _USERS, "UserAssignedIdentities_ListBySubscription", identities.listing),
    read(GROUP + _USERS + "/{name}", "UserAssignedIdentities_Get", identities.get),
    write("PUT", GROUP + _USERS + "/{name}", "UserAssignedIdentities_CreateOrUpdate", identities.put),
    write("DELETE", GROUP + _USERS + "/{name}", "UserAssignedIdentities_Delete", identities.delete),
    *_kept(WS + "/batchEndpoints", _BATCH, "BatchEndpoints"),
    *_kept(_BATCH + "/deployments", _BATCH + "/deployments/{deployment}", "BatchDeployments"),
    ask(_BATCH + "/listkeys", "BatchEndpoints_ListKeys", siblings.list_keys),
    *_kept(WS + "/serverlessEndpoints", _SERVERLESS, "ServerlessEndpoints"),
    ask(_SERVERLESS + "/listKeys", "ServerlessEndpoints_ListKeys", siblings.list_keys),
    write("POST", _SERVERLESS + "/regenerateKeys", "ServerlessEndpoints_RegenerateKeys", siblings.regenerate_keys),
)

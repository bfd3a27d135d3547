"""The routing table. A request that matches no route gets 404, and the note `not emulated` in the request log."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from deploy.emulator.control import api, settings_api
from deploy.emulator.entra import directory, github, signin
from deploy.emulator.monitor import autoscale_settings, metrics
from deploy.emulator.online import batch_and_serverless, deployments, endpoints, keys, name_checks
from deploy.emulator.policy import assignments, restrictions
from deploy.emulator.quota import core_limits, workspace_quotas
from deploy.emulator.rbac import role_assignments, role_definitions
from deploy.emulator.storage import accounts, arm_containers, blobs, containers, leases
from deploy.emulator.wire import long_running
from deploy.emulator.wire.routing import (
    BLOB,
    CONTAINER,
    DP,
    EP,
    GROUP,
    INSIGHTS,
    LOC,
    METRICS_HOST,
    REGISTRY,
    ROLE,
    SCALE,
    SUB,
    TAGS,
    WORKSPACES,
    WS,
    Handler,
    Route,
    post,
    read,
    write,
)
from deploy.emulator.workspace import (
    asset_containers,
    assets,
    connections,
    datastores,
    metadata,
    registry,
    tags,
    user_identities,
    workspace_changes,
    workspaces,
)

_CHECK = "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
_CONNECTION = WS + "/connections/{connection}"
_DATASTORE = WS + "/datastores/{datastore}"
_ASSET = WS + "/{kind}/{asset}"
_VERSION = _ASSET + "/versions/{version}"
_USERS = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
_BATCH = WS + "/batchEndpoints/{endpoint}"
_SERVERLESS = WS + "/serverlessEndpoints/{endpoint}"
_ACCOUNT = f"{GROUP}/providers/{accounts.TYPE}/{{account}}"


def _stored(collection: str, path: str, name: str) -> tuple[Route, ...]:
    """The four routes of a resource that is stored as written."""
    return (
        read(collection, f"{name}_List", batch_and_serverless.listing),
        read(path, f"{name}_Get", batch_and_serverless.get),
        write("PUT", path, f"{name}_CreateOrUpdate", batch_and_serverless.put),
        write("DELETE", path, f"{name}_Delete", batch_and_serverless.delete),
    )


_OTHER_RESOURCES = (
    read(DP + "/checkNameAvailability", "OnlineDeployments_CheckNameAvailability", name_checks.deployment),
    read(WS + "/computes", "Compute_List", workspaces.computes),
    read(WS + "/computes/{compute}", "Compute_Get", workspaces.compute),
    read(WS + "/connections", "WorkspaceConnections_List", connections.listing),
    read(_CONNECTION, "WorkspaceConnections_Get", connections.get),
    write("PUT", _CONNECTION, "WorkspaceConnections_Create", connections.put),
    write("DELETE", _CONNECTION, "WorkspaceConnections_Delete", connections.delete),
    post(_CONNECTION + "/listsecrets", "WorkspaceConnections_ListSecrets", connections.list_secrets),
    read(GROUP + _USERS, "UserAssignedIdentities_ListByResourceGroup", user_identities.listing),
    read(SUB + _USERS, "UserAssignedIdentities_ListBySubscription", user_identities.listing),
    read(GROUP + _USERS + "/{name}", "UserAssignedIdentities_Get", user_identities.get),
    write("PUT", GROUP + _USERS + "/{name}", "UserAssignedIdentities_CreateOrUpdate", user_identities.put),
    write("DELETE", GROUP + _USERS + "/{name}", "UserAssignedIdentities_Delete", user_identities.delete),
    read(ROLE + "/policyAssignments", "PolicyAssignments_List", assignments.listing),
    read(ROLE + "/policyDefinitions/{name}", "PolicyDefinitions_Get", assignments.definition),
    post(SUB + _CHECK, "PolicyRestrictions_CheckAtSubscriptionScope", restrictions.check),
    post(GROUP + _CHECK, "PolicyRestrictions_CheckAtResourceGroupScope", restrictions.check),
    *_stored(WS + "/batchEndpoints", _BATCH, "BatchEndpoints"),
    *_stored(_BATCH + "/deployments", _BATCH + "/deployments/{deployment}", "BatchDeployments"),
    post(_BATCH + "/listkeys", "BatchEndpoints_ListKeys", batch_and_serverless.list_keys),
    *_stored(WS + "/serverlessEndpoints", _SERVERLESS, "ServerlessEndpoints"),
    post(_SERVERLESS + "/listKeys", "ServerlessEndpoints_ListKeys", batch_and_serverless.list_keys),
    write(
        "POST",
        _SERVERLESS + "/regenerateKeys",
        "ServerlessEndpoints_RegenerateKeys",
        batch_and_serverless.regenerate_keys,
    ),
)


def _blob(method: str, path: str, name: str, run: Handler, **when: str) -> Route:
    """A request to the data plane of storage."""
    return Route("blob", method, path, name, run, method in ("PUT", "DELETE"), when)


def _leases(path: str, of: str, run: Handler, **when: str) -> tuple[Route, ...]:
    """The lease calls on a blob or container; the last route has those with an invalid action."""
    calls = [(f"{action.title()}Lease", {"x-ms-lease-action": action}) for action in leases.ACTIONS]
    return tuple(
        _blob("PUT", path, f"{of}_{name}", run, comp="lease", **when, **action)
        for name, action in (*calls, ("Lease", {}))
    )


_CONTAINERS = _ACCOUNT + "/blobServices/{service}/containers"
_STORAGE = (
    read(_ACCOUNT, "StorageAccounts_GetProperties", accounts.get),
    read(_CONTAINERS, "BlobContainers_List", arm_containers.listing),
    read(_CONTAINERS + "/{container}", "BlobContainers_Get", arm_containers.get),
    write("PUT", _CONTAINERS + "/{container}", "BlobContainers_Create", arm_containers.put),
    write("PATCH", _CONTAINERS + "/{container}", "BlobContainers_Update", arm_containers.patch),
    write("DELETE", _CONTAINERS + "/{container}", "BlobContainers_Delete", arm_containers.delete),
    write("POST", _CONTAINERS + "/{container}/lease", "BlobContainers_Lease", arm_containers.lease),
    *_leases(BLOB, "Blob", blobs.lease),
    _blob("PUT", BLOB, "Blob_SetMetadata", blobs.set_metadata, comp="metadata"),
    _blob("PUT", BLOB, "Blob_SetHTTPHeaders", blobs.set_properties, comp="properties"),
    _blob("PUT", BLOB, "Blob_Put", blobs.put),
    _blob("DELETE", BLOB, "Blob_Delete", blobs.delete),
    _blob("HEAD", BLOB, "Blob_GetProperties", blobs.head),
    _blob("GET", BLOB, "Blob_Get", blobs.get),
    _blob("GET", CONTAINER, "Blob_List", blobs.listing, comp="list"),
    *_leases(CONTAINER, "Container", containers.lease, restype="container"),
    _blob("PUT", CONTAINER, "Container_SetMetadata", containers.set_metadata, restype="container", comp="metadata"),
    _blob("PUT", CONTAINER, "Container_Create", containers.put, restype="container", comp=""),
    _blob("GET", CONTAINER, "Container_GetProperties", containers.get, restype="container", comp=""),
    _blob("HEAD", CONTAINER, "Container_GetProperties", containers.get, restype="container", comp=""),
    _blob("DELETE", CONTAINER, "Container_Delete", containers.delete, restype="container"),
    *(
        _blob(method, "/{account}.blob.core.windows.net{rest*}", "Blob_NotEmulated", blobs.not_emulated)
        for method in ("GET", "HEAD", "PUT", "DELETE")
    ),
)


_METRICS = (
    *(read(path + INSIGHTS + "/metrics", "Metrics_List", metrics.listing) for path in (EP, DP)),
    *(read(path + INSIGHTS + "/metricDefinitions", "MetricDefinitions_List", metrics.definitions) for path in (EP, DP)),
    Route("metrics", "POST", METRICS_HOST + SUB + "/metrics:getBatch", "MetricsBatch_Batch", metrics.batch),
)
_SIGN_IN = (
    Route("entra", "GET", "/common/discovery/instance", "Entra_Instances", signin.instances),
    *(
        Route("entra", "GET", f"/{{tenant}}{version}/.well-known/openid-configuration", "Entra_OpenId", signin.openid)
        for version in ("", "/v2.0")
    ),
    Route("entra", "GET", "/{tenant}/discovery/v2.0/keys", "Entra_Keys", signin.keys),
    Route("entra", "POST", "/{tenant}/oauth2/v2.0/token", "Entra_Token", signin.token),
    Route("entra", "POST", "/{tenant}/oauth2/token", "Entra_Token", signin.token),
)
_GITHUB = (
    Route("github", "GET", "/github/token", "GitHub_Token", github.token),
    Route("github", "GET", "/github/.well-known/openid-configuration", "GitHub_OpenId", github.openid),
    Route("github", "GET", "/github/.well-known/jwks", "GitHub_Keys", github.keys),
)
ROUTES = (
    read(EP, "OnlineEndpoints_Get", endpoints.get),
    read(DP, "OnlineDeployments_Get", deployments.get),
    read(LOC + "/mfeOperationsStatus/{operation}", "OperationsStatus_Get", long_running.status),
    read(LOC + "/mfeOperationResults/{operation}", "OperationResults_Get", long_running.result),
    Route("scoring", "POST", "/inference/{location}/{endpoint}/score", "Score", None),
    Route("scoring", "GET", "/inference/{location}/{endpoint}/swagger.json", "Swagger_Get", None),
    read(WS + "/onlineEndpoints", "OnlineEndpoints_List", endpoints.listing),
    write("PUT", EP, "OnlineEndpoints_CreateOrUpdate", endpoints.put),
    write("PATCH", EP, "OnlineEndpoints_Update", endpoints.patch),
    write("DELETE", EP, "OnlineEndpoints_Delete", endpoints.delete),
    post(EP + "/listKeys", "OnlineEndpoints_ListKeys", keys.list_keys),
    post(EP + "/token", "OnlineEndpoints_GetToken", keys.token),
    write("POST", EP + "/regenerateKeys", "OnlineEndpoints_RegenerateKeys", keys.regenerate_keys),
    read(EP + "/deployments", "OnlineDeployments_List", deployments.listing),
    write("PUT", DP, "OnlineDeployments_CreateOrUpdate", deployments.put),
    write("PATCH", DP, "OnlineDeployments_Update", deployments.patch),
    write("DELETE", DP, "OnlineDeployments_Delete", deployments.delete),
    post(DP + "/getLogs", "OnlineDeployments_GetLogs", deployments.logs),
    read(DP + "/skus", "OnlineDeployments_ListSkus", deployments.skus),
    read(WS, "Workspaces_Get", workspaces.get),
    post(WS + "/listKeys", "Workspaces_ListKeys", workspaces.list_keys),
    write("PUT", WS, "Workspaces_CreateOrUpdate", workspace_changes.put),
    write("PATCH", WS, "Workspaces_Update", workspace_changes.patch),
    write("DELETE", WS, "Workspaces_Delete", workspace_changes.delete),
    read(LOC + "/workspaceOperationsStatus/{operation}", "WorkspaceOperationsStatus_Get", workspace_changes.status),
    read(SUB, "Subscriptions_Get", workspaces.subscription),
    read(GROUP, "ResourceGroups_Get", workspaces.group),
    read(WORKSPACES, "Workspaces_ListByResourceGroup", workspaces.listing),
    read(
        SUB + "/providers/Microsoft.MachineLearningServices/workspaces",
        "Workspaces_ListBySubscription",
        workspaces.listing,
    ),
    read("/subscriptions", "Subscriptions_List", workspaces.subscriptions),
    read(LOC + "/usages", "Usages_List", core_limits.usages),
    read(LOC + "/quotas", "Quotas_List", core_limits.quotas),
    read(LOC + "/vmSizes", "VirtualMachineSizes_List", core_limits.sizes),
    write("POST", LOC + "/updateQuotas", "Quotas_Update", workspace_quotas.update),
    read(EP + "/checkNameAvailability", "OnlineEndpoints_CheckNameAvailability", name_checks.endpoint),
    read(GROUP + SCALE, "AutoscaleSettings_ListByResourceGroup", autoscale_settings.listing),
    read(SUB + SCALE, "AutoscaleSettings_ListBySubscription", autoscale_settings.listing),
    read(GROUP + SCALE + "/{name}", "AutoscaleSettings_Get", autoscale_settings.get),
    write("PUT", GROUP + SCALE + "/{name}", "AutoscaleSettings_CreateOrUpdate", autoscale_settings.put),
    write("PATCH", GROUP + SCALE + "/{name}", "AutoscaleSettings_Update", autoscale_settings.patch),
    write("DELETE", GROUP + SCALE + "/{name}", "AutoscaleSettings_Delete", autoscale_settings.delete),
    *_METRICS,
    read(TAGS, "Tags_GetAtScope", tags.get),
    write("PUT", TAGS, "Tags_CreateOrUpdateAtScope", tags.put),
    write("PATCH", TAGS, "Tags_UpdateAtScope", tags.patch),
    write("DELETE", TAGS, "Tags_DeleteAtScope", tags.delete),
    read(GROUP + "/providers/Microsoft.MachineLearningServices/registries/{registry}", "Registries_Get", registry.get),
    write("PUT", ROLE + "/roleAssignments/{name}", "RoleAssignments_Create", role_assignments.put),
    read(ROLE + "/roleAssignments/{name}", "RoleAssignments_Get", role_assignments.get),
    write("DELETE", ROLE + "/roleAssignments/{name}", "RoleAssignments_Delete", role_assignments.delete),
    read(ROLE + "/roleAssignments", "RoleAssignments_ListForScope", role_assignments.listing),
    read(ROLE + "/roleDefinitions/{name}", "RoleDefinitions_Get", role_definitions.get),
    write("PUT", ROLE + "/roleDefinitions/{name}", "RoleDefinitions_CreateOrUpdate", role_definitions.put),
    write("DELETE", ROLE + "/roleDefinitions/{name}", "RoleDefinitions_Delete", role_definitions.delete),
    read(ROLE + "/permissions", "Permissions_List", role_definitions.permissions),
    read(ROLE + "/roleDefinitions", "RoleDefinitions_List", role_definitions.listing),
    Route(
        "registry",
        "GET",
        "/registrymanagement/v1.0/registries/{registry}/discovery",
        "Registry_Discovery",
        registry.discovery,
    ),
    Route("registry", "GET", REGISTRY + "/models", "RegistryModelContainers_List", registry.models),
    Route("registry", "GET", REGISTRY + "/models/{model}", "RegistryModelContainers_Get", registry.model),
    Route("registry", "GET", REGISTRY + "/models/{model}/versions", "RegistryModelVersions_List", registry.versions),
    Route(
        "registry",
        "GET",
        REGISTRY + "/models/{model}/versions/{version}",
        "RegistryModelVersions_Get",
        registry.version,
    ),
    *_OTHER_RESOURCES,
    read(WS + "/datastores", "Datastores_List", datastores.listing),
    read(_DATASTORE, "Datastores_Get", datastores.get),
    write("PUT", _DATASTORE, "Datastores_CreateOrUpdate", datastores.put),
    write("DELETE", _DATASTORE, "Datastores_Delete", datastores.delete),
    post(_DATASTORE + "/listSecrets", "Datastores_ListSecrets", datastores.list_secrets),
    read(WS + "/{kind}", "AssetContainers_List", asset_containers.listing),
    read(_ASSET, "AssetContainers_Get", asset_containers.get),
    write("PUT", _ASSET, "AssetContainers_CreateOrUpdate", asset_containers.put),
    write("DELETE", _ASSET, "AssetContainers_Delete", asset_containers.delete),
    read(_ASSET + "/versions", "AssetVersions_List", assets.listing),
    read(_VERSION, "AssetVersions_Get", assets.get),
    write("PUT", _VERSION, "AssetVersions_CreateOrUpdate", assets.put),
    write("DELETE", _VERSION, "AssetVersions_Delete", assets.delete),
    post(_VERSION + "/startPendingUpload", "AssetVersions_StartPendingUpload", assets.start_upload),
    *_STORAGE,
    Route("metadata", "GET", "/metadata/endpoints", "Metadata_Endpoints", metadata.endpoints),
    Route("identity", "GET", "/msi/token", "ManagedIdentity_Token", signin.managed_identity),
    *_GITHUB,
    *_SIGN_IN,
    Route("control", "GET", "/emulator/status", "Emulator_Status", api.status),
    Route("control", "GET", "/emulator/requests", "Emulator_Requests", api.requests),
    Route("control", "GET", "/emulator/clock", "Emulator_Clock", api.clock),
    Route("control", "POST", "/emulator/clock", "Emulator_ChangeClock", api.change_clock),
    Route("control", "GET", "/emulator/faults", "Emulator_Faults", api.list_faults),
    Route("control", "POST", "/emulator/faults", "Emulator_AddFaults", api.add_faults),
    Route("control", "DELETE", "/emulator/faults", "Emulator_RemoveFaults", api.remove_faults, mutating=True),
    Route("control", "DELETE", "/emulator/faults/{fault}", "Emulator_RemoveFault", api.remove_faults, mutating=True),
    Route("control", "GET", "/emulator/order", "Emulator_Order", api.held),
    Route("control", "POST", "/emulator/order", "Emulator_Release", api.release),
    Route("control", "GET", "/emulator/principals", "Emulator_Principals", directory.listing),
    Route("control", "PUT", "/emulator/principals/{name}", "Emulator_PutPrincipal", directory.put),
    Route("control", "DELETE", "/emulator/principals/{name}", "Emulator_DeletePrincipal", directory.delete),
    Route("control", "GET", "/emulator/settings", "Emulator_Settings", settings_api.show),
    Route("control", "PUT", "/emulator/settings", "Emulator_ChangeSettings", settings_api.put),
    Route("control", "POST", "/emulator/reset", "Emulator_Reset", None),
)


def find(method: str, path: str, values: Mapping[str, str]) -> tuple[Route, dict[str, str]] | None:
    """The route of a request, and the decoded names in its path. `values` are its headers and query parameters."""
    for route in ROUTES:
        if (
            route.method == method
            and (match := route.pattern.fullmatch(path.rstrip("/") or "/"))
            and all(values.get(name, "").lower() == value for name, value in route.when.items())
        ):
            return route, {name: unquote(value) for name, value in match.groupdict().items()}
    return None

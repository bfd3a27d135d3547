"""Every address the emulator answers, in one table. What is not here is answered 404 and logged as not emulated."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from deploy.emulator import (
    access,
    actions,
    assets,
    autoscale,
    blobs,
    capacity,
    clouds,
    control,
    definitions,
    deployments,
    directory,
    endpoints,
    github,
    keys,
    operations,
    options,
    quotas,
    registry,
    signin,
    tagging,
    workspaces,
)
from deploy.emulator.wire import Answer, Call

Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """One operation. `name` is the published operation id; `{x}` is one path segment, `{x*}` any number of them."""

    plane: str
    method: str
    path: str
    name: str
    run: Handler | None
    mutating: bool = False
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False, default=re.compile(""))
    action: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", _pattern(self.path))
        object.__setattr__(self, "action", actions.of(self.method, self.path))


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+\*?)\}", path)  # text, name, text, name, ... text
    for at, part in enumerate(parts):
        if at % 2 == 0:
            parts[at] = re.escape(part)
        else:
            parts[at] = f"(?P<{part[:-1]}>.*?)" if part.endswith("*") else f"(?P<{part}>[^/]+)"
    return re.compile("".join(parts), re.IGNORECASE)


_SUB = "/subscriptions/{subscription}"
_GROUP = _SUB + "/resourceGroups/{group}"
_WORKSPACES = _GROUP + "/providers/Microsoft.MachineLearningServices/workspaces"
_WS = _WORKSPACES + "/{workspace}"
_EP = _WS + "/onlineEndpoints/{endpoint}"
_DP = _EP + "/deployments/{deployment}"
_LOC = _SUB + "/providers/Microsoft.MachineLearningServices/locations/{location}"
_ROLE = "{scope*}/providers/Microsoft.Authorization"
_SCALE = "/providers/Microsoft.Insights/autoscaleSettings"
_TAGS = "{scope*}/providers/Microsoft.Resources/tags/{name}"
_REGISTRY = "/mferp/managementfrontend" + _GROUP + "/providers/Microsoft.MachineLearningServices/registries/{registry}"
_BLOB = "/{account}.blob.core.windows.net/{container}/{blob*}"


def _read(path: str, name: str, run: Handler) -> Route:
    return Route("arm", "GET", path, name, run)


def _write(method: str, path: str, name: str, run: Handler) -> Route:
    return Route("arm", method, path, name, run, mutating=True)


def _ask(path: str, name: str, run: Handler) -> Route:
    return Route("arm", "POST", path, name, run)


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
    _read(_EP, "OnlineEndpoints_Get", endpoints.get),
    _read(_DP, "OnlineDeployments_Get", deployments.get),
    _read(_LOC + "/mfeOperationsStatus/{operation}", "OperationsStatus_Get", operations.status),
    _read(_LOC + "/mfeOperationResults/{operation}", "OperationResults_Get", operations.result),
    Route("scoring", "POST", "/inference/{location}/{endpoint}/score", "Score", None),
    Route("scoring", "GET", "/inference/{location}/{endpoint}/swagger.json", "Swagger_Get", None),
    _read(_WS + "/onlineEndpoints", "OnlineEndpoints_List", endpoints.listing),
    _write("PUT", _EP, "OnlineEndpoints_CreateOrUpdate", endpoints.put),
    _write("PATCH", _EP, "OnlineEndpoints_Update", endpoints.patch),
    _write("DELETE", _EP, "OnlineEndpoints_Delete", endpoints.delete),
    _ask(_EP + "/listKeys", "OnlineEndpoints_ListKeys", keys.list_keys),
    _ask(_EP + "/token", "OnlineEndpoints_GetToken", keys.token),
    _write("POST", _EP + "/regenerateKeys", "OnlineEndpoints_RegenerateKeys", keys.regenerate_keys),
    _read(_EP + "/deployments", "OnlineDeployments_List", deployments.listing),
    _write("PUT", _DP, "OnlineDeployments_CreateOrUpdate", deployments.put),
    _write("PATCH", _DP, "OnlineDeployments_Update", deployments.patch),
    _write("DELETE", _DP, "OnlineDeployments_Delete", deployments.delete),
    _ask(_DP + "/getLogs", "OnlineDeployments_GetLogs", deployments.logs),
    _read(_DP + "/skus", "OnlineDeployments_ListSkus", deployments.skus),
    _read(_WS, "Workspaces_Get", workspaces.get),
    _read(_SUB, "Subscriptions_Get", workspaces.subscription),
    _read(_GROUP, "ResourceGroups_Get", workspaces.group),
    _read(_WORKSPACES, "Workspaces_ListByResourceGroup", workspaces.listing),
    _read(
        _SUB + "/providers/Microsoft.MachineLearningServices/workspaces",
        "Workspaces_ListBySubscription",
        workspaces.listing,
    ),
    _read("/subscriptions", "Subscriptions_List", workspaces.subscriptions),
    _read(_LOC + "/usages", "Usages_List", capacity.usages),
    _read(_LOC + "/quotas", "Quotas_List", capacity.quotas),
    _read(_LOC + "/vmSizes", "VirtualMachineSizes_List", capacity.sizes),
    _write("POST", _LOC + "/updateQuotas", "Quotas_Update", quotas.update),
    _read(_EP + "/checkNameAvailability", "OnlineEndpoints_CheckNameAvailability", endpoints.check_name),
    _read(_GROUP + _SCALE, "AutoscaleSettings_ListByResourceGroup", autoscale.listing),
    _read(_SUB + _SCALE, "AutoscaleSettings_ListBySubscription", autoscale.listing),
    _read(_GROUP + _SCALE + "/{name}", "AutoscaleSettings_Get", autoscale.get),
    _write("PUT", _GROUP + _SCALE + "/{name}", "AutoscaleSettings_CreateOrUpdate", autoscale.put),
    _write("DELETE", _GROUP + _SCALE + "/{name}", "AutoscaleSettings_Delete", autoscale.delete),
    _read(_TAGS, "Tags_GetAtScope", tagging.get),
    _write("PUT", _TAGS, "Tags_CreateOrUpdateAtScope", tagging.put),
    _write("PATCH", _TAGS, "Tags_UpdateAtScope", tagging.patch),
    _write("DELETE", _TAGS, "Tags_DeleteAtScope", tagging.delete),
    _read(
        _GROUP + "/providers/Microsoft.MachineLearningServices/registries/{registry}", "Registries_Get", registry.get
    ),
    _write("PUT", _ROLE + "/roleAssignments/{name}", "RoleAssignments_Create", access.put),
    _read(_ROLE + "/roleAssignments/{name}", "RoleAssignments_Get", access.get),
    _write("DELETE", _ROLE + "/roleAssignments/{name}", "RoleAssignments_Delete", access.delete),
    _read(_ROLE + "/roleAssignments", "RoleAssignments_ListForScope", access.listing),
    _read(_ROLE + "/roleDefinitions/{name}", "RoleDefinitions_Get", definitions.get),
    _write("PUT", _ROLE + "/roleDefinitions/{name}", "RoleDefinitions_CreateOrUpdate", definitions.put),
    _write("DELETE", _ROLE + "/roleDefinitions/{name}", "RoleDefinitions_Delete", definitions.delete),
    _read(_ROLE + "/permissions", "Permissions_List", definitions.permissions),
    _read(_ROLE + "/roleDefinitions", "RoleDefinitions_List", definitions.listing),
    Route(
        "registry",
        "GET",
        "/registrymanagement/v1.0/registries/{registry}/discovery",
        "Registry_Discovery",
        registry.discovery,
    ),
    Route("registry", "GET", _REGISTRY + "/models", "RegistryModelContainers_List", registry.models),
    Route("registry", "GET", _REGISTRY + "/models/{model}", "RegistryModelContainers_Get", registry.model),
    Route("registry", "GET", _REGISTRY + "/models/{model}/versions", "RegistryModelVersions_List", registry.versions),
    Route(
        "registry",
        "GET",
        _REGISTRY + "/models/{model}/versions/{version}",
        "RegistryModelVersions_Get",
        registry.version,
    ),
    _read(_WS + "/{kind}", "Assets_List", assets.containers),
    _read(_WS + "/{kind}/{asset}", "Assets_Get", assets.container),
    _read(_WS + "/{kind}/{asset}/versions", "AssetVersions_List", assets.versions),
    _read(_WS + "/{kind}/{asset}/versions/{version}", "AssetVersions_Get", assets.version),
    _write("PUT", _WS + "/{kind}/{asset}/versions/{version}", "AssetVersions_CreateOrUpdate", assets.put),
    _write("DELETE", _WS + "/{kind}/{asset}/versions/{version}", "AssetVersions_Delete", assets.delete),
    _ask(
        _WS + "/{kind}/{asset}/versions/{version}/startPendingUpload",
        "AssetVersions_StartPendingUpload",
        assets.start_upload,
    ),
    _ask(_WS + "/datastores/{datastore}/listSecrets", "Datastores_ListSecrets", assets.secrets),
    Route("blob", "PUT", _BLOB, "Blob_Put", blobs.put, mutating=True),
    Route("blob", "DELETE", _BLOB, "Blob_Delete", blobs.delete, mutating=True),
    Route("blob", "HEAD", _BLOB, "Blob_GetProperties", blobs.get),
    Route("blob", "GET", _BLOB, "Blob_Get", blobs.get),
    Route("blob", "GET", "/{account}.blob.core.windows.net/{container}", "Blob_List", blobs.listing),
    Route("metadata", "GET", "/metadata/endpoints", "Metadata_Endpoints", clouds.endpoints),
    Route("identity", "GET", "/msi/token", "ManagedIdentity_Token", signin.managed_identity),
    *_GITHUB,
    *_SIGN_IN,
    Route("control", "GET", "/emulator/status", "Emulator_Status", control.status),
    Route("control", "GET", "/emulator/requests", "Emulator_Requests", control.requests),
    Route("control", "GET", "/emulator/clock", "Emulator_Clock", control.clock),
    Route("control", "POST", "/emulator/clock", "Emulator_TurnClock", control.turn_clock),
    Route("control", "GET", "/emulator/faults", "Emulator_Faults", control.faults_ordered),
    Route("control", "POST", "/emulator/faults", "Emulator_OrderFaults", control.order_faults),
    Route("control", "DELETE", "/emulator/faults", "Emulator_RemoveFaults", control.remove_faults, mutating=True),
    Route(
        "control", "DELETE", "/emulator/faults/{fault}", "Emulator_RemoveFault", control.remove_faults, mutating=True
    ),
    Route("control", "GET", "/emulator/principals", "Emulator_Principals", directory.listing),
    Route("control", "PUT", "/emulator/principals/{name}", "Emulator_PutPrincipal", directory.put),
    Route("control", "DELETE", "/emulator/principals/{name}", "Emulator_DeletePrincipal", directory.delete),
    Route("control", "GET", "/emulator/settings", "Emulator_Settings", options.show),
    Route("control", "PUT", "/emulator/settings", "Emulator_ChangeSettings", options.put),
    Route("control", "POST", "/emulator/reset", "Emulator_Reset", None),
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and the names in its path, decoded."""
    for route in ROUTES:
        if route.method == method and (match := route.pattern.fullmatch(path.rstrip("/") or "/")):
            return route, {name: unquote(value) for name, value in match.groupdict().items()}
    return None

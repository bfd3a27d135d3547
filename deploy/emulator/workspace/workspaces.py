"""Subscriptions, resource groups and workspaces. `seed` creates them; they are read only."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping

from deploy.emulator.rbac.rights import SUBSCRIPTION_READ
from deploy.emulator.storage import access
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error, resource_not_found
from deploy.emulator.world.store import Resource

PROVIDER = "Microsoft.MachineLearningServices"
WORKSPACE = f"{PROVIDER}/workspaces"


def require(call: Call) -> Resource:
    """The workspace a request's path names.

    Raises:
        Refusal: 404 when the subscription, the group or the workspace does not exist.
    """
    names = call.route_params
    subscription = f"/subscriptions/{names['subscription']}"
    group = f"{subscription}/resourceGroups/{names['group']}"
    found = call.world.get(f"{group}/providers/{WORKSPACE}/{names['workspace']}")
    if found is not None:
        return found
    if call.world.get(subscription) is None:
        raise no_subscription(names["subscription"])
    if call.world.get(group) is None:
        raise arm_error(404, "ResourceGroupNotFound", f"Resource group '{names['group']}' could not be found.")
    raise resource_not_found(f"{WORKSPACE}/{names['workspace']}", names["group"])


def require_subscription(call: Call, scope: str) -> None:
    """Raise 404 when the subscription of a scope does not exist."""
    name = call.route_params.get("subscription") or scope.strip("/").removeprefix("subscriptions/").partition("/")[0]
    if call.world.get(f"/subscriptions/{name}") is None:
        raise no_subscription(name)


def no_subscription(name: str) -> Refusal:
    """404 for a missing subscription."""
    return arm_error(404, "SubscriptionNotFound", f"The subscription '{name}' could not be found.")


def get(call: Call) -> Answer:
    """GET a workspace."""
    return Answer(200, require(call).body)


def listing(call: Call) -> Answer:
    """GET the workspaces of a resource group, or of a subscription, that the caller can read."""
    subscription = f"/subscriptions/{call.route_params['subscription']}"
    named = call.route_params.get("group")
    groups = (
        [f"{subscription}/resourceGroups/{named}"]
        if named
        else [item.id for item in call.world.children(subscription, "group")]
    )
    found = [item for group in groups for item in call.world.children(group, "workspace")]
    may = call.rights.allows
    shown = [item.body for item in found if may(call.caller.id, f"{WORKSPACE}/read", item.id)]
    return Answer(200, {"value": shown}, {"x-ms-original-request-ids": "" if named else ", "})


def properties(
    identifier: str, location: str, guid: str, tenant: str, created_at: str, requested: Mapping[str, Json]
) -> dict[str, Json]:
    """The properties of a workspace: the `requested` ones, and those that Azure writes (recorded).

    `guid` is its `workspaceId`. azureml-mlflow, installed beside the SDK, fails without `mlFlowTrackingUri`.
    """
    name, api = identifier.rpartition("/")[2], f"{location}.api.azureml.ms"
    host = f"ml-{name[: 22 - len(location)]}-{location}-{guid}"  # at most 63 characters, as a name in DNS
    registry = {"containerRegistry": requested["containerRegistry"]} if requested.get("containerRegistry") else {}
    return {
        "friendlyName": "", "description": "", "storageAccount": None, "keyVault": None, "applicationInsights": None,
        "hbiWorkspace": False, "tenantId": tenant, "imageBuildCompute": None, "provisioningState": "Succeeded",
        "allowRoleAssignmentOnRG": True, "v1LegacyMode": False, "softDeleteEnabled": False, **registry,
        "creationTime": created_at, "notebookInfo": {
            "resourceId": uuid.UUID(guid).hex, "fqdn": f"{host}.{location}.notebooks.azure.net",
            "isPrivateLinkEnabled": False, "notebookPreparationError": None,
        },
        "storageHnsEnabled": False, "workspaceId": guid, "linkedModelInventoryArmId": None, "privateLinkCount": 0,
        "publicNetworkAccess": "Enabled", "ipAllowlist": [],
        "networkAcls": {"defaultAction": "Allow", "bypass": "", "ipRules": [], "resourceAccessRules": []},
        "discoveryUrl": f"https://{api}/discovery", "mlFlowTrackingUri": f"azureml://{api}/mlflow/v1.0{identifier}",
        "serverlessComputeSettings": None, "EnableSoftwareBillOfMaterials": False,
        "sdkTelemetryAppInsightsKey": guid, "enableDataIsolation": False, **requested,
    }  # fmt: skip


def list_keys(call: Call) -> Answer:
    """POST listKeys: the keys of the workspace's resources. They open nothing here."""
    found = require(call).body["properties"]
    keys = {
        which: base64.b64encode(uuid.uuid5(uuid.NAMESPACE_URL, f"{which} of {found['workspaceId']}").bytes).decode()
        for which in ("primary", "secondary")
    }
    return Answer(200, {
        "userStorageKey": access.ACCOUNT_KEY, "userStorageArmId": found["storageAccount"],
        "appInsightsInstrumentationKey": found["sdkTelemetryAppInsightsKey"], "containerRegistryCredentials": None,
        "notebookAccessKeys": {"primaryAccessKey": keys["primary"], "secondaryAccessKey": keys["secondary"]},
    })  # fmt: skip


def subscriptions(call: Call) -> Answer:
    """GET the subscriptions in which the caller has any role."""
    rows = call.world.db.execute("SELECT id FROM resources WHERE kind = 'subscription' ORDER BY number").fetchall()
    found = [item for row in rows if (item := call.world.get(row[0])) is not None]
    can_see = call.rights.can_see
    return Answer(200, {"value": [item.body for item in found if can_see(call.caller.id, SUBSCRIPTION_READ, item.id)]})


def subscription(call: Call) -> Answer:
    """GET a subscription."""
    found = call.world.get(f"/subscriptions/{call.route_params['subscription']}")
    if found is None:
        raise no_subscription(call.route_params["subscription"])
    return Answer(200, found.body)


def group(call: Call) -> Answer:
    """GET a resource group."""
    return Answer(200, require_group(call).body)


def require_group(call: Call) -> Resource:
    """The resource group that a request's path names; 404 otherwise."""
    found = call.world.get(
        f"/subscriptions/{call.route_params['subscription']}/resourceGroups/{call.route_params['group']}"
    )
    if found is None:
        raise arm_error(
            404, "ResourceGroupNotFound", f"Resource group '{call.route_params['group']}' could not be found."
        )
    return found


def list_in_groups(call: Call, kind: str) -> Answer:
    """GET the resources of a kind in the path's resource group, or in all groups of its subscription."""
    subscription = f"/subscriptions/{call.route_params['subscription']}"
    groups = [require_group(call)] if "group" in call.route_params else call.world.children(subscription, "group")
    return Answer(200, {"value": [item.body for group in groups for item in call.world.children(group.id, kind)]})


def id_in_group(call: Call, resource_type: str) -> str:
    """The id of a resource directly in a resource group, from the names in a request's path."""
    names = call.route_params
    group = f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}"
    return f"{group}/providers/{resource_type}/{names['name']}"


def computes(call: Call) -> Answer:
    """GET the computes of a workspace: always none."""
    require(call)
    return Answer(200, {"value": []})


def compute(call: Call) -> Answer:
    """GET one compute: always 404."""
    require(call)
    raise resource_not_found(
        f"{WORKSPACE}/{call.route_params['workspace']}/computes/{call.route_params['compute']}",
        call.route_params["group"],
    )

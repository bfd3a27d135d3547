"""What each recording presupposes: the workspaces and limits of its subscription, and the resources that it reads.

Resources are created by requests, from the recorded answers, by a user who owns the subscription.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from deploy.emulator.quota import vm_sizes
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.wire import long_running
from tests.contract.recordings import RECORDINGS, Recorded, read
from tests.unit.emulator.azure import MODEL, Azure

_PROVIDER = "Microsoft.MachineLearningServices"
_SETTABLE = {
    "workspaces": (
        "storageAccount", "keyVault", "applicationInsights", "containerRegistry", "hubResourceId", "workspaceHubConfig",
    ),
    "onlineEndpoints": ("authMode",),
    "onlineEndpoints/deployments": ("codeConfiguration", "environmentId", "instanceType", "model"),
    "batchEndpoints": ("authMode",),
    "batchEndpoints/deployments": ("codeConfiguration", "environmentId", "compute", "model"),
    "codes/versions": ("codeUri",),
    "models/versions": ("modelUri", "modelType", "flavors"),
    "models": ("description",),
    "environments/versions": ("image", "condaFile", "description"),
    "connections": ("authType", "category", "target"),
    "datastores": ("datastoreType", "accountName", "containerName", "endpoint", "protocol", "credentials"),
}  # fmt: skip
"""Type -> the properties that a client sends; Azure sets the others."""
_WORKSPACES = {
    "mlworkspace-test2": ("ml-test", "eastus"),
    "mlworkspace-test1": ("ml-psh-test", "eastus2"),
    "mlworkspacekeep": ("ml-rg-test01", "eastus"),
}
"""The recorded workspaces: resource group and region."""
_TEST, _PSH_TEST, _ = _WORKSPACES.values()
_CREATED = {"CreateScenarioTest": [_PSH_TEST], "Get-AzMLWorkspace": [_TEST, _PSH_TEST]}
"""Recording whose workspaces are created by requests -> the resource groups that exist before."""
_LIFE = "CreateScenarioTestOnlineEndpoint"
_DEPLOYED = (
    "Get-AzMLWorkspaceOnlineDeployment", "Get-AzMLWorkspaceOnlineDeploymentLog", "Get-AzMLWorkspaceOnlineDeploymentSku",
    "WorkspaceCleanRemoveOnlineEndpoint",
)  # fmt: skip
"""Recordings of an endpoint with a deployment, as the recording of its life ends."""
_CLUSTERS = (("Standard_F4s_v2", 3), ("Standard_DS1_v2", 1), ("Standard_DS1_v2", 1))
"""Sizes and instances of deployments that use as many cores and clusters as the recorded subscription."""


def reset(azure: Azure, name: str, exchanges: Sequence[Recorded]) -> None:
    """Begin a new world, in which a user owns the subscription."""
    azure.world.reset(_world_file(name, exchanges))
    me = azure.sign_in("someone", "User")
    owned = f"/subscriptions/{default_world.SUBSCRIPTION}"
    assert azure.assign_role(me, builtin_roles.OWNER, owned).status == 201
    if name == "Get-AzMLWorkspace":
        for group, _ in _CREATED[name]:
            path = f"{owned}/resourceGroups/{group}/providers/{_PROVIDER}/workspaces/before"
            assert azure.send("DELETE", path).status == 202
        azure.finish_operations()


def _world_file(name: str, exchanges: Sequence[Recorded]) -> dict[str, Any]:
    named = {part for each in exchanges for part in each.path.split("?")[0].split("/")}
    rows = [(n, *where) for n, where in _WORKSPACES.items() if n in named] or [("mlworkspace-test2", *_TEST)]
    if name in _CREATED:
        rows = [("before", *where) for where in _CREATED[name]]
    file: dict[str, Any] = {
        "workspaces": [{"name": n, "resource_group": group, "region": region} for n, group, region in rows],
        "regions": {"eastus": _limits(), "eastus2": {}},
    }
    if name == "Get-AzMLServiceUsage":
        deployments = [
            {"name": f"slot{at}", "model": MODEL, "instance_type": size, "instance_count": count}
            for at, (size, count) in enumerate(_CLUSTERS)
        ]
        file["endpoints"] = [{"name": "used", "deployments": deployments}]
    return file


def _limits() -> dict[str, Any]:
    """The recorded limits, of the families that the emulator has."""
    rows = read(RECORDINGS / "Get-AzMLServiceUsage.json")[0].body["value"]
    limits = {row["name"]["value"]: row["limit"] for row in rows if "/lowPriorityCores/" not in row["type"]}
    families = {family.name for family in vm_sizes.FAMILIES}
    return {
        "total_cores": limits["TotalDedicatedCores"],
        "clusters": limits["TotalClusters"],
        "low_priority_cores": limits["TotalLowPriorityCores"],
        "families": {name: limit for name, limit in limits.items() if name in families},
    }


def before(azure: Azure, name: str, exchanges: Sequence[Recorded], at: int) -> None:  # noqa: C901 - a table of cases
    """Create what exchange `at` of a recording presupposes."""
    if "/odidp:" in exchanges[at].path:
        _server_is_ready(azure)
    if at:
        return
    if name == _LIFE:
        for number in (6, 3, 4):  # code and model exist already: their PUTs are answered 200
            _put(azure, exchanges[number].body)
    elif name in _DEPLOYED:
        _endpoint_with_deployment(azure)
    elif name in ("WorkspaceCleanRemove", "Get-AzMLWorkspaceBatchDeployment"):
        _put(azure, _one("Get-AzMLWorkspaceBatchEndpoint"))
        azure.finish_operations()
    elif name.startswith("Remove-"):
        _put(azure, _one("Get-AzMLWorkspaceConnection"))
    elif name in ("Get-AzMLWorkspaceOnlineEndpointKey", "Get-AzMLWorkspaceOnlineEndpointToken"):
        # The keys of an endpoint that is still being created are null.
        _endpoint(azure, "Key" if name.endswith("Key") else "AMLToken", wait=name.endswith("Token"))
    elif name == "Get-AzMLWorkspaceKey":
        _workspace_of_keys(azure, exchanges[0])
    if name not in _DEPLOYED and name.startswith("Get-"):
        _put_all(azure, exchanges)


def _workspace_of_keys(azure: Azure, exchange: Recorded) -> None:
    path = exchange.path.replace("/listKeys", "")
    azure.send(
        "PUT", path, {"location": "eastus2", "properties": {"storageAccount": exchange.body["userStorageArmId"]}}
    )


def _one(name: str) -> Any:
    return read(RECORDINGS / f"{name}.json")[1].body


def _put_all(azure: Azure, exchanges: Sequence[Recorded]) -> None:
    """Create the resources that a recording only reads, the oldest first."""
    bodies = [each for exchange in exchanges for each in exchange.body.get("value", [exchange.body])]
    found = {each["id"]: each for each in bodies if "systemData" in each}
    for each in sorted(found.values(), key=lambda each: str(each["systemData"].get("createdAt"))):
        _put(azure, each)
        azure.finish_operations()


def _put(azure: Azure, body: dict[str, Any]) -> None:
    kind = body["type"].removeprefix(f"{_PROVIDER}/").removeprefix("workspaces/")
    path, held = body["id"], body["properties"]
    if kind == "environments":
        path, kind = f"{path}/versions/{held['latestVersion']}", "environments/versions"
        held = {"image": "mcr.example/x:1"}
    if kind == "datastores" and body["name"].startswith("workspace"):
        return  # a new workspace has it
    sent = {key: body[key] for key in ("location", "tags", "kind", "sku") if body.get(key) is not None}
    if body.get("identity"):
        sent["identity"] = {"type": body["identity"]["type"]}
    sent["properties"] = {key: held[key] for key in _SETTABLE[kind] if held.get(key) is not None}
    reply = azure.send("PUT", f"{path}?api-version=2024-04-01", sent)
    assert reply.status < 300, reply.content


def _endpoint(azure: Azure, mode: str, *, wait: bool) -> None:
    body = json.loads(json.dumps(read(RECORDINGS / f"{_LIFE}.json")[2].body))
    body["properties"]["authMode"] = mode
    _put(azure, body)
    if wait:
        azure.finish_operations()


def _endpoint_with_deployment(azure: Azure) -> None:
    life = read(RECORDINGS / f"{_LIFE}.json")
    for number in (6, 3, 4, 2):
        _put(azure, life[number].body)
    azure.finish_operations()
    _put(azure, life[11].body)
    _server_is_ready(azure)
    azure.finish_operations()


def _server_is_ready(azure: Azure) -> None:
    """Let the scoring server of a deployment be ready in a minute, without a process."""
    with azure.world.transaction():
        azure.world.db.execute(
            "UPDATE operations SET due = ? WHERE due >= ?", (azure.world.now() + 60, long_running.UNDECIDED)
        )

"""Specs and facts for tests of what decides: plain values, no cloud."""

from __future__ import annotations

from typing import Any

from deploy.documents.pipeline import Pipeline
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG
from deploy.domain.spec import EndpointSpec, Environment, Guards
from tests.addresses import addr

OWNER = "test/mip"
SIZE = "Standard_NC24ads_A100_v4"


def environment(**guards: Any) -> Environment:
    return Environment("test", "local", "sub", "rg", "ws", ("mip",), Guards(**guards))


def spec(
    *,
    release: str = "r1",
    pipeline: dict[str, Any] | None = None,
    traffic: dict[str, int] | None = None,
    **deployment: Any,
) -> EndpointSpec:
    written = {
        "name": "blue",
        "endpoint_name": "mip-ab",
        "model": "azureml:m:1",
        "instance_type": SIZE,
        "instance_count": 1,
        **deployment,
    }
    return EndpointSpec(
        key="mip",
        owner=OWNER,
        folder="templates/mip",
        endpoint={"name": "mip-ab", "auth_mode": "key"},
        deployments=(written,),
        releases={"blue": release},
        pipeline=Pipeline.model_validate(pipeline or {}),
        traffic=traffic,
    )


def endpoint_body(traffic: dict[str, int] | None = None, owner: str = OWNER, **more: Any) -> dict[str, Any]:
    return {
        "id": "/ws/onlineEndpoints/mip-ab",
        "name": "mip-ab",
        "tags": {OWNER_TAG: owner},
        "identity": {"type": "SystemAssigned", "principalId": "p1"},
        "properties": {"authMode": "Key", "provisioningState": "Succeeded", "traffic": traffic or {}},
        **more,
    }


def deployment_body(
    name: str, *, release: str = "r1", size: str = SIZE, count: int = 1, owner: str = OWNER
) -> dict[str, Any]:
    return {
        "id": f"/ws/onlineEndpoints/mip-ab/deployments/{name}",
        "name": name,
        "tags": {OWNER_TAG: owner, RELEASE_TAG: release},
        "sku": {"name": "Default", "capacity": count},
        "properties": {
            "model": "/subscriptions/s/x/models/m/versions/1",
            "instanceType": size,
            "provisioningState": "Succeeded",
        },
    }


def quota_row(*, limit: int = 96, in_use: int = 0, total: int = 300) -> dict[str, Any]:
    return {
        "region": "eastus",
        "known": True,
        "cores": 24,
        "family": "standardNCADSA100v4Family",
        "in_use": in_use,
        "limit": limit,
        "total_in_use": 0,
        "total_limit": total,
    }


def facts(
    endpoint: dict[str, Any] | None = None,
    deployments: tuple[dict[str, Any], ...] = (),
    quota: dict[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    found = {addr(f"quota/mip/{SIZE.lower()}"): quota or quota_row()}
    if endpoint:
        found[addr("endpoint/mip")] = endpoint
    return found | {addr(f"deployment/mip/{body['name']}"): body for body in deployments}

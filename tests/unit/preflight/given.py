"""Regions, rows and models for tests of what judges: plain values, as the service says them."""

from __future__ import annotations

from typing import Any

A100, H100, T4 = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5", "Standard_NC4as_T4_v3"
MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"


def size(name: str, family: str, cores: int, price: float | None = 1.0, **more: Any) -> dict[str, Any]:
    prices = [{"retailPrice": price, "osType": "Linux", "vmTier": "Standard"}] if price is not None else []
    prices.append({"retailPrice": 0.01, "osType": "Linux", "vmTier": "LowPriority"})
    told = {"billingCurrency": "EUR", "unitOfMeasure": "OneHour", "values": prices}
    body = {"name": name, "family": family, "vCPUs": cores, "gpus": 1, "memoryGB": 220, "maxResourceVolumeMB": 65536}
    return {**body, "supportedComputeTypes": ["AmlCompute", "MIR"], "estimatedVMPrices": told, **more}


def region(
    name: str = "eastus", *, a100: int = 96, h100: int = 80, total: int = 300, prices: tuple[float | None, ...] = (3, 7)
) -> dict[str, Any]:
    """A region with two sizes, nothing in use."""
    sizes = (
        size(A100, "standardNCADSA100v4Family", 24, prices[0]),
        size(H100, "standardNCADSH100v5Family", 40, prices[1]),
    )
    limits = {"standardncadsa100v4family": a100, "standardncadsh100v5family": h100, "totaldedicatedcores": total}
    return {
        "region": name,
        "sizes": {row["name"].lower(): row for row in sizes},
        "usages": {family: {"currentValue": 0, "limit": limit} for family, limit in limits.items()},
        "own": {},
        "quotas": {},
        "unanswered": {},
    }


def looked(**more: Any) -> dict[str, Any]:
    """A registry's model that allows two sizes."""
    told = {"reference": MODEL, "exists": True, "unread": "", "source": "registry azureml", "newest": "17"}
    return {**told, "published": True, "allowed": [A100, H100], "smallest": [24, 1, 220, 64], "shared": True, **more}

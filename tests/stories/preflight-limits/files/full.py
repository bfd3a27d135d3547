"""Prints a world in which nothing more fits: endpoints and deployments, or with `roles`, role assignments."""

import json
import sys

HOME = "/subscriptions/00000000-0000-0000-0000-000000000001"
ENDPOINTS, FULL, DEPLOYMENTS, ROLES = 100, 25, 20, 4000


def endpoints() -> dict[str, object]:
    """100 endpoints, and behind 25 of them 20 deployments each."""
    one = {"model": "azureml://registries/azureml/models/MedImageInsight/versions/13"}
    one |= {"instance_type": "Standard_NC4as_T4_v3"}
    many = [{"name": f"d-{number:02}", **one} for number in range(DEPLOYMENTS)]
    held = [{"name": f"e-{n:02}", "tags": {"amldeploy-owner": f"full/e-{n:02}"}} for n in range(ENDPOINTS)]
    return {
        "regions": {
            "eastus": {"total_cores": 5000, "families": {"Standard NCASv3_T4 Family": 5000}},
            "westus3": {"total_cores": 20},
        },
        "workspaces": [
            {"name": "mlw-local"},
            {"name": "mlw-west", "resource_group": "rg-west", "region": "westus3"},
            {"name": "mlw-share", "resource_group": "rg-share", "quotas": {"Standard NCASv3_T4 Family": 12}},
        ],
        "endpoints": [{**each, "deployments": many if n < FULL else []} for n, each in enumerate(held)],
    }


def roles() -> dict[str, object]:
    """4000 role assignments: the workspace's own identity has one, the caller the other."""
    people = [f"00000000-0000-0000-0001-{number:012}" for number in range(ROLES - 2)]
    given = [{"principal": person, "role": "Reader", "scope": "mlw-local"} for person in people]
    given += [{"principal": "signed-in", "role": "Reader", "scope": HOME}]
    return {"principals": [{"id": person, "name": person, "type": "User"} for person in people], "roles": given}


print(json.dumps(roles() if "roles" in sys.argv else endpoints()))

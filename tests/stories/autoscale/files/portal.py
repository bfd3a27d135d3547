import os

import requests

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-local/providers"
BLUE = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/mlw-local/onlineEndpoints/mip-papdf/deployments/blue"
rule = {
    "metricTrigger": {
        "metricName": "CpuUtilizationPercentage", "metricResourceUri": BLUE, "timeGrain": "PT1M",
        "statistic": "Average", "timeWindow": "PT5M", "timeAggregation": "Average",
        "operator": "GreaterThan", "threshold": 70,
    },
    "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"},
}  # fmt: skip
profile = {"name": "all", "capacity": {"minimum": "2", "maximum": "4", "default": "2"}, "rules": [rule]}
body = {"targetResourceUri": BLUE, "enabled": True, "profiles": [profile]}
asked = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
headers = {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}
token = requests.get(os.environ["IDENTITY_ENDPOINT"], params=asked, headers=headers, timeout=10).json()["access_token"]
answer = requests.put(
    os.environ["REGISTRY_DISCOVERY_ENDPOINT_URL"].rstrip("/") + f"{GROUP}/Microsoft.Insights/autoscaleSettings/busy",
    params={"api-version": "2022-10-01"},
    headers={"Authorization": f"Bearer {token}"},
    json={"location": "eastus", "properties": body},
    timeout=10,
)
print(answer.status_code)

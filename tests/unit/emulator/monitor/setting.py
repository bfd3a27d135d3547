"""Bodies of autoscale settings for tests."""

from __future__ import annotations

from typing import Any

from deploy.emulator.monitor.autoscale_body import Profile
from deploy.emulator.seed import default_world
from deploy.emulator.world import parse
from tests.unit.emulator.azure import WORKSPACE

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/mip"
BLUE = f"{ENDPOINT}/deployments/blue"
GROUP = f"/subscriptions/{default_world.SUBSCRIPTION}/resourceGroups/{default_world.GROUP}"
SCALE = f"{GROUP}/providers/Microsoft.Insights/autoscaleSettings"


def rule(direction: str, operator: str, threshold: float, **more: Any) -> dict[str, Any]:
    """A rule on the requests of blue; `more` goes into its trigger or its action, by name."""
    trigger = {
        "metricName": "RequestsPerMinute", "metricResourceUri": BLUE, "timeGrain": "PT1M", "statistic": "Average",
        "timeWindow": "PT5M", "timeAggregation": "Average", "operator": operator, "threshold": threshold,
    }  # fmt: skip
    action = {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}
    return {
        "metricTrigger": {**trigger, **{key: value for key, value in more.items() if key not in action}},
        "scaleAction": {**action, **{key: value for key, value in more.items() if key in action}},
    }


def profile(least: int, most: int, default: int | None = None, *rules: Any, name: str = "default", **more: Any) -> Any:
    counts = {"minimum": least, "maximum": most, "default": least if default is None else default}
    return {"name": name, "capacity": {key: str(n) for key, n in counts.items()}, "rules": list(rules), **more}


def weekly(day: str, hour: int = 0, zone: str = "UTC") -> Any:
    schedule = {"timeZone": zone, "days": [day], "hours": [hour], "minutes": [0]}
    return {"frequency": "Week", "schedule": schedule}


def setting(*profiles: Any, **properties: Any) -> dict[str, Any]:
    """The body of an enabled setting of blue."""
    wanted = {"enabled": True, "targetResourceUri": BLUE, "profiles": list(profiles or (profile(1, 3),))}
    return {"location": "eastus", "tags": {}, "properties": {**wanted, **properties}}


def parsed(body: Any) -> Profile:
    return parse.validate(body, Profile)

"""Autoscale settings of Azure Monitor: what `scale` in pipeline.yml asks for, and what a setting in Azure does. Pure.

Profiles are in the form of Azure's API. Inside, the resource of a metric is the word `deployment` or `endpoint`
instead of an ARM id, so that the same profiles fit every slot; another resource keeps its id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.diff.values import iso_seconds
from deploy.documents.scale import Scale, ScaleProfile, ScaleRule
from deploy.domain.arm import OWNER_TAG, Json
from deploy.domain.digests import digest
from deploy.text import count

_OWN = ("enabled", "name", "profiles", "targetResourceLocation", "targetResourceUri")
"""Properties that we write; all others (notifications, for example) are kept."""
_STATISTICS = {"minimum": "Min", "maximum": "Max", "total": "Sum", "count": "Count"}
_URI = "metricResourceUri"
_DEPLOYMENTS = "/deployments/"


def name_for(endpoint: str, slot: str, target: str) -> str:
    """The name of a setting that we create. The target of a name is immutable in Azure, so each target has its own, and
    two workspaces can have endpoints of the same name, which the digest makes different.
    """
    return f"{endpoint}-{slot}-{digest(target.lower(), 6)}"


def profiles_of(scale: Scale) -> list[dict[str, Json]]:
    """The profiles that `scale` with limits asks for. One with `days` lasts in Azure until the next begins, so a copy
    of the default profile begins at its end; Azure's portal and `az` recognize that copy by its name.
    """
    whole: dict[str, Json] = {"capacity": _capacity(scale.min, scale.max), "rules": _rules(scale.rules)}
    found = [{"name": "default", **whole, "recurrence": None, "fixedDate": None}]
    for each in scale.profiles:
        own = {
            "name": each.name,
            "capacity": _capacity(each.min, each.max),
            "rules": _rules(scale.rules if each.rules is None else each.rules),
        }
        if each.days is None:
            span = {"timeZone": each.time_zone, "start": each.start, "end": each.end}
            found.append({**own, "recurrence": None, "fixedDate": span})
            continue
        found.append({**own, "recurrence": _weekly(each, each.start), "fixedDate": None})
        name = json.dumps({"name": "default", "for": each.name}, separators=(",", ":"))
        found.append({"name": name, **whole, "recurrence": _weekly(each, each.end), "fixedDate": None})
    return found


def _capacity(least: int | None, most: int | None) -> dict[str, str]:
    return {"minimum": str(least), "maximum": str(most), "default": str(least)}


def _rules(rules: Sequence[ScaleRule]) -> list[dict[str, Json]]:
    return [
        {
            "metricTrigger": {
                "metricName": rule.metric,
                _URI: rule.of,
                "timeGrain": "PT1M",
                "statistic": _STATISTICS.get(rule.aggregation, "Average"),
                "timeWindow": _iso(rule.window),
                "timeAggregation": rule.aggregation.capitalize(),
                "operator": "LessThan" if rule.above is None else "GreaterThan",
                "threshold": rule.below if rule.above is None else rule.above,
                "dimensions": None,
                "dividePerInstance": None,
            },
            "scaleAction": {
                "direction": "Decrease" if rule.add is None else "Increase",
                "type": "ChangeCount",
                "value": str(rule.remove if rule.add is None else rule.add),
                "cooldown": _iso(rule.cooldown),
            },
        }
        for rule in rules
    ]


def _weekly(profile: ScaleProfile, at: str) -> dict[str, Json]:
    hours, minutes = (int(part) for part in at.split(":"))
    schedule = {"timeZone": profile.time_zone, "days": list(profile.days or ()), "hours": [hours], "minutes": [minutes]}
    return {"frequency": "Week", "schedule": schedule}


def _iso(seconds: float) -> str:
    """`PT5M`, `PT1H30M`: hours, minutes and seconds, as Azure writes them."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if n]
    return "PT" + "".join(parts)


def target_of(row: Mapping[str, Json]) -> str:
    """The ARM id of what a setting scales."""
    return str((row.get("properties") or {}).get("targetResourceUri") or "")


def slot_of(row: Mapping[str, Json]) -> str:
    """The deployment that a setting of one of our endpoints scales."""
    return target_of(row).rstrip("/").rpartition("/")[2]


def described(row: Mapping[str, Json]) -> dict[str, Json]:
    """A setting (its ARM body) as a fact: {id, name, target, tags, enabled, profiles}. Without notifications: their
    addresses can be secret.
    """
    properties, owner = row.get("properties") or {}, (row.get("tags") or {}).get(OWNER_TAG)
    return {
        "id": str(row["id"]),
        "name": str(row["name"]),
        "target": target_of(row),
        "tags": {OWNER_TAG: owner} if owner else {},
        "enabled": properties.get("enabled") is True,
        "profiles": _with_resources(
            properties.get("profiles"), {uri.lower(): word for word, uri in _ids(target_of(row)).items()}
        ),
    }


def body_for(target: str, location: str, step: Mapping[str, Json], base: Mapping[str, Json] | None) -> dict[str, Json]:
    """The body of a PUT: what a step contains, and of `base` (an ARM body) the tags and what we do not manage.

    `step`: {enabled, profiles, tag}, where `tag` is the owner tag, empty for none.
    """
    held = (base or {}).get("properties") or {}
    tags = {name: value for name, value in ((base or {}).get("tags") or {}).items() if name != OWNER_TAG}
    profiles = _with_resources(step["profiles"], _ids(target))
    return {
        "location": location,
        "tags": {**tags, **({OWNER_TAG: step["tag"]} if step["tag"] else {})},
        "properties": {
            **{name: value for name, value in held.items() if name not in _OWN},
            "enabled": step["enabled"],  # Azure's default is false
            "targetResourceUri": target,
            **({"targetResourceLocation": location} if base is None or "targetResourceLocation" in held else {}),
            "profiles": [_without_none(each) for each in profiles],
        },
    }


def is_same(desired: Mapping[str, Json], existing: Mapping[str, Json]) -> bool:
    """Whether a setting (both {enabled, profiles}) does what is desired. Azure adds fields, and may spell a duration or
    a number in another way.
    """
    if bool(desired["enabled"]) != bool(existing["enabled"]):
        return False
    by_name = [sorted(each["profiles"], key=lambda p: str(p.get("name")).lower()) for each in (desired, existing)]
    return _equal(by_name[0], by_name[1])


def limits(setting: Mapping[str, Json]) -> tuple[int, int] | None:
    """The smallest minimum and the largest maximum of a setting ({enabled, profiles}); None where it scales nothing."""
    capacities = [p.get("capacity") for p in setting["profiles"]]
    pairs = [(str(c.get("minimum")), str(c.get("maximum"))) for c in capacities if isinstance(c, Mapping)]
    numbers = [(int(a), int(b)) for a, b in pairs if a.isdecimal() and b.isdecimal()]
    if not setting["enabled"] or not numbers:
        return None
    return min(least for least, _ in numbers), max(most for _, most in numbers)


def in_words(setting: Mapping[str, Json]) -> str:
    """`2 to 5 instances, 2 rules, 1 more profile`; for a plan. A copy of the default profile does not count."""
    least, most = limits({**setting, "enabled": True}) or (0, 0)
    profiles = setting["profiles"]
    rules = sum(len(p["rules"]) for p in profiles[:1])
    more = sum(not str(p.get("name")).startswith("{") for p in profiles) - 1
    words = [f"{least} to {most} instances"]
    words += [count(rules, "rule")] if rules else []
    words += [count(more, "more profile")] if more > 0 else []
    return ", ".join(words) + ("" if setting["enabled"] else ", disabled")


def _ids(target: str) -> dict[str, str]:
    """The word for a resource -> its ARM id, for a setting of this deployment."""
    endpoint = target[: max(target.lower().rfind(_DEPLOYMENTS), 0)]
    return {word: uri for word, uri in (("deployment", target), ("endpoint", endpoint)) if uri}


def _with_resources(profiles: Any, names: Mapping[str, str]) -> list[Json]:
    """The profiles with the resources of their metrics replaced."""
    return [
        {**p, "rules": [_with_resource(rule, names) for rule in _list(p.get("rules"))]}
        for p in _list(profiles)
        if isinstance(p, Mapping)
    ]


def _list(value: Json) -> list[Json]:
    """A list of a body; unmanaged settings can have any content."""
    return value if isinstance(value, list) else []


def _with_resource(rule: Json, names: Mapping[str, str]) -> Json:
    trigger = rule.get("metricTrigger") if isinstance(rule, Mapping) else None
    if not isinstance(trigger, Mapping):
        return rule
    uri = str(trigger.get(_URI) or "")
    return {**rule, "metricTrigger": {**trigger, _URI: names.get(uri.lower(), uri)}}


def _without_none(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


def _equal(desired: Json, existing: Json) -> bool:
    if isinstance(desired, Mapping):
        return isinstance(existing, Mapping) and all(_equal(desired[key], existing.get(key)) for key in desired)
    if isinstance(desired, list) and desired:
        return (
            isinstance(existing, list)
            and len(desired) == len(existing)
            and all(_equal(*pair) for pair in zip(desired, existing, strict=True))
        )
    if not desired and not isinstance(desired, int | float):
        return not existing
    return bool(_plain(desired) == _plain(existing))


def _plain(value: Json) -> Json:
    """A value in one spelling: numbers as numbers, durations as seconds, text in lower case."""
    if isinstance(value, bool) or value is None:
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        seconds = iso_seconds(str(value))
        return str(value).lower() if seconds is None else ("seconds", seconds)

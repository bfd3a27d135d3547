"""Quota: are there cores enough for what is wanted, before anything is created. Changes nothing.

Azure asks for `ceil(1.2 x instances) x cores` of a size's family unless the size is exempt from the reserve, and the
same of the region's total (documentation of quota allocation for online deployments). What we may not read blocks
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.cloud import quota
from deploy.cloud.connect import Cloud
from deploy.errors import Finding, Refused
from deploy.model import EndpointSpec, Facts, Json, Step, Verb, Wanted, address, of_room
from deploy.outcome import Evidence

NAME = "quota"
EXEMPT = frozenset(
    quota.family(name)
    for name in (
        "standardNCADSA100v4Family",
        "standardNCADSH100v5Family",
        "standard NDAMSv4_A100Family",
        "standard NDASv4_A100 Family",
        "standardNDSv2Family",
        "standardNDv5H100Family",
    )
)
"""Families of which every size is exempt from the 20 % reserve (list of sizes for managed online endpoints, 2025-10).
"""
_TOTAL = "totaldedicatedcores"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`quota/<key>/<size>`: {cores, family, in_use, limit, total_in_use, total_limit}; null where it could not be
    told.
    """
    sizes = {str(d["instance_type"]).lower() for d in spec.deployments}
    return {address(NAME, spec.key, size): _row(cloud, size) for size in sorted(sizes)}


def _row(cloud: Cloud, size: str) -> dict[str, Json]:
    region = str(cloud.workspace()["location"])
    sizes, usages = quota.read_sizes(cloud, region), quota.read_usages(cloud, region)
    known = (sizes or {}).get(size) or {}
    mine = (usages or {}).get(quota.family(str(known.get("family") or ""))) or {}
    total = (usages or {}).get(_TOTAL) or {}
    return {
        "region": region,
        "known": sizes is None or size in sizes,
        "cores": known.get("vCPUs"),
        "family": known.get("family"),
        "in_use": mine.get("currentValue"),
        "limit": mine.get("limit"),
        "total_in_use": total.get("currentValue"),
        "total_limit": total.get("limit"),
    }


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:
    """A check for each size of which more cores are needed; Refused when they are not there."""
    if wanted is None:
        return ()
    key, rows = wanted.spec.key, of_room(facts, NAME, wanted.spec.key)
    shared = wanted.spec.pipeline.quota.capacity == "shared"
    steps, findings = [], []
    for size, pairs in _grown(wanted, of_room(facts, "deployment", key)).items():
        where = address(NAME, key, size)
        sums = _sums(size, rows.get(size.lower(), {}), pairs, shared=shared)
        steps.append(Step(Verb.CHECK, where, sums, _why(sums)))
        if reason := _short(sums):
            findings.append(Finding(where, *reason))
    if findings:
        raise Refused(findings)
    return steps


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads the numbers again, right before the first change."""
    size = str(step.body["instance_type"])
    sums = {**step.body, **_numbers(_row(cloud, size.lower()), step.body["deployments"])}
    if reason := _short(sums):
        raise Refused([Finding(step.address, *reason)])
    return Evidence(_why(sums), dict(sums))


def _grown(wanted: Wanted, present: Mapping[str, Mapping[str, Json]]) -> dict[str, list[tuple[int, int]]]:
    """Size -> (instances held, instances wanted) of each deployment that grows. Azure rounds each one up for itself."""
    grown: dict[str, list[tuple[int, int]]] = {}
    for name, document in wanted.deployments.items():
        size, after = str(document["instance_type"]), int(document["instance_count"])
        body = present.get(name) or {}
        same = str((body.get("properties") or {}).get("instanceType", "")).lower() == size.lower()
        before = int((body.get("sku") or {}).get("capacity") or 0) if same else 0
        if after > before:
            grown.setdefault(size, []).append((before, after))
    return grown


def _sums(size: str, row: Mapping[str, Json], pairs: Sequence[tuple[int, int]], *, shared: bool) -> dict[str, Json]:
    return {
        "instance_type": size,
        "instances": sum(after for _, after in pairs),
        "held": sum(before for before, _ in pairs),
        "deployments": [list(pair) for pair in pairs],
        "capacity": "shared" if shared else "dedicated",
        **_numbers(row, pairs),
    }


def _numbers(row: Mapping[str, Json], pairs: Sequence[Sequence[int]]) -> dict[str, Json]:
    cores, family = row.get("cores"), row.get("family")
    exempt = family is not None and quota.family(family) in EXEMPT
    more = sum(_reserved(after, exempt) - _reserved(before, exempt) for before, after in pairs)
    return {
        "region": row.get("region"),
        "known": row.get("known", True),
        "family": family,
        "cores_per_instance": cores,
        "reserve": family is not None and not exempt,
        "needed": more * cores if cores is not None else None,
        "in_use": row.get("in_use"),
        "limit": row.get("limit"),
        "left": _left(row.get("limit"), row.get("in_use")),
        "total_left": _left(row.get("total_limit"), row.get("total_in_use")),
    }


def _reserved(instances: int, exempt: bool) -> int:
    """Instances that quota counts: one in five more, rounded up, in whole numbers."""
    return instances if exempt else -(-6 * instances // 5)


def _left(limit: Any, in_use: Any) -> int | None:
    if limit is None or in_use is None or limit == -1:
        return None
    return int(limit) - int(in_use)


def _short(sums: Mapping[str, Json]) -> tuple[str, str, str] | None:
    """(code, cause, cure) when the numbers say no; None when they say yes or say nothing."""
    size, needed = sums["instance_type"], sums["needed"]
    if not sums["known"]:
        return (
            "AML201",
            f"{size} is not offered in {sums['region']}",
            "Choose an instance_type that this region offers, or a workspace in another region",
        )
    if sums["capacity"] == "shared" or needed is None:
        return None
    for left, of, code in (
        (sums["left"], f"family {sums['family']}", "AML200"),
        (sums["total_left"], "all dedicated cores together", "AML202"),
    ):
        if left is not None and needed > left:
            return (
                code,
                f"{_why(sums)}; {of}: {left} left in {sums['region']}, {needed - left} too few",
                "Free cores (amldeploy teardown), ask for fewer instances, or request more quota",
            )
    return None


def _why(sums: Mapping[str, Json]) -> str:
    """The arithmetic as a person would write it."""
    count, cores = sums["instances"] - sums["held"], sums["cores_per_instance"]
    more = f"{count} x {sums['instance_type']}"
    if sums["capacity"] == "shared":
        return f"{more} on shared quota, which does not count against the family's"
    if cores is None:
        return f"{more}: quota could not be read, so it could not be told"
    reserve = " with the 20 % reserve" if sums["reserve"] else " (exempt from the reserve)"
    words = f"{more} x {cores} cores{reserve} = {sums['needed']} cores"
    if sums["limit"] is None or sums["in_use"] is None:
        return f"{words}; how many are left could not be told"
    limit = "unlimited" if sums["limit"] == -1 else sums["limit"]
    return f"{words}; {sums['family']}: {sums['in_use']} of {limit} in use"

"""Quota of cores: how many the instances of a size need, and how many are left.

Azure requires `ceil(1.2 x instances) x cores` of a size's family unless the size is exempt from the reserve, and the
same of the region's total and of the workspace's own share, where one was set (documentation of quota allocation for
online deployments). A row is one size in one region, as `alternatives.row` returns it; null: unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.domain.arm import Json
from deploy.preflight.check_result import CheckResult, Reason
from deploy.preflight.headroom import Limit, left
from deploy.text import count

Pairs = Sequence[Sequence[int]]
"""(existing instances, desired instances) of each deployment that grows. Azure rounds up for each deployment."""
_SUFFIX = "clusterdedicatedvcpus"


def family(name: str) -> str:
    """The name of a family in one form: answers and documents of Azure differ in case, spaces and suffix."""
    return name.replace(" ", "").replace("_", "").lower().removesuffix(_SUFFIX)


EXEMPT = frozenset(
    family(name)
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
_FREE = "Free cores (amldeploy teardown), use fewer instances, or request more quota"


def reserved(instances: int, exempt: bool) -> int:
    """Instances that quota counts: 20 % more, rounded up."""
    return instances if exempt else -(-6 * instances // 5)


def sums(row: Mapping[str, Json], size: str, pairs: Pairs, *, shared: bool = False) -> dict[str, Json]:
    """The arithmetic, for the body of a check; `needed` is null if the number of cores of the size is unknown."""
    cores, kind = row.get("cores"), row.get("family")
    exempt = kind is not None and family(str(kind)) in EXEMPT
    more = sum(reserved(after, exempt) - reserved(before, exempt) for before, after in pairs)
    found: dict[str, Json] = {
        "instance_type": size,
        "instances": sum(after for _, after in pairs),
        "held": sum(before for before, _ in pairs),
        "deployments": [list(pair) for pair in pairs],
        "capacity": "shared" if shared else "dedicated",
        "region": row.get("region"),
        "family": kind,
        "cores_per_instance": cores,
        "reserve": kind is not None and not exempt,
        "needed": more * cores if cores is not None else None,
        "in_use": row.get("in_use"),
        "limit": row.get("limit"),
        "left": left(row.get("limit"), row.get("in_use")),
        "total_left": left(row.get("total_limit"), row.get("total_in_use")),
        "workspace_left": left(row.get("workspace_limit"), row.get("workspace_in_use")),
    }
    return {**found, "limits": [each.body() for each in limits(row, found)]}


def limits(row: Mapping[str, Json], found: Mapping[str, Json]) -> list[Limit]:
    """The limits for `needed` cores: of the family, of the region, and of the workspace if it has its own."""
    needed, where = found["needed"], row.get("region")
    if needed is None or found["capacity"] == "shared":
        return []
    found_limits = [
        Limit(f"cores of {row.get('family')} in {where}", needed, found["left"], "AML200"),
        Limit(f"dedicated cores in {where}", needed, found["total_left"], "AML202"),
        Limit(f"cores of {row.get('family')} for the workspace", needed, _own(row, needed), "AML243"),
    ]
    limits = (row.get("limit"), row.get("total_limit"), row.get("workspace_limit", -1))
    return [each for each, limit in zip(found_limits, limits, strict=True) if limit != -1]


def _own(row: Mapping[str, Json], needed: int) -> int | None:
    """What is left of the workspace's share; if its use is unknown, the share itself if that is too small."""
    limit, used = row.get("workspace_limit"), row.get("workspace_in_use")
    if used is None and limit is not None and needed > int(limit):
        return int(limit)
    return left(limit, used)


def check(row: Mapping[str, Json], found: Mapping[str, Json], also: str = "") -> CheckResult:
    """Whether the region offers the size, endpoints run on it, and every limit is enough. `also`: part of the cure."""
    size, where = found["instance_type"], row.get("region")
    found_limits, unanswered = limits(row, found), tuple(row.get("unanswered", ()))
    reasons = []
    if not row.get("known", True):
        cure = "Choose an instance_type that this region offers, or a workspace in another region"
        reasons.append(Reason("AML201", f"{size} is not offered in {where}", _join(also, cure)))
    elif row.get("usable") is False:
        cause = f"managed online endpoints do not run on {size} in {where}: its supportedComputeTypes lack MIR"
        reasons.append(Reason("AML242", cause, _join(also, "Choose an instance_type of the list for online endpoints")))
    reasons += [
        Reason(each.code, f"{arithmetic(found)}; {each.what}: need {each.needs}, {each.left} free", _join(also, _FREE))
        for each in found_limits
        if each.missing
    ]
    unknown = [f"how many {each.what} are left" for each in found_limits if each.left is None]
    if found["capacity"] == "shared":
        unknown = ["how full the shared pool is (Azure has no API for it)"]
    elif found["needed"] is None:
        unknown = [f"how many cores {size} has"]
    if unknown and unanswered:
        unknown[-1] += f": {', '.join(unanswered)}"
    return CheckResult(arithmetic(found), str(row.get("source") or ""), tuple(reasons), tuple(unknown))


def _join(first: str, then: str) -> str:
    return f"{first}. {then}" if first else then


def arithmetic(found: Mapping[str, Json]) -> str:
    """`need 24 cores (1 instance x 24), 72 free of 96 in standardNCADSA100v4Family: OK`.

    Without what is unknown. "in all families together" and "for the workspace" are added where they are less.
    """
    needed, limit, free = found["needed"], found["limit"], found["left"]
    if found["capacity"] == "shared":
        return f"{_needed(found)} from the shared quota pool, not from the quota of the family"
    if needed is None or (free is None and limit != -1):
        return _needed(found)
    others = {"in all families together": found["total_left"], "for the workspace": found["workspace_left"]}
    less = {where: n for where, n in others.items() if n is not None and (free is None or n < free)}
    least = min((n for n in (free, *less.values()) if n is not None), default=needed)
    words = f"{_needed(found)}, {'no limit' if free is None else f'{free} free of {limit}'} in {found['family']}"
    words += f" ({', '.join(f'{n} {where}' for where, n in less.items())})" if less else ""
    return f"{words}: OK" if needed <= least else f"{words}: {needed - least} too few"


def _needed(found: Mapping[str, Json]) -> str:
    held, total, cores, needed = found["held"], found["instances"], found["cores_per_instance"], found["needed"]
    grows = f"{held} -> {total} instances" if held else count(total, "instance")
    if not cores or needed is None:
        return grows
    counted = f"{needed // cores} x {cores}"
    if found["reserve"]:
        counted = f"{grows}, Azure keeps 20 % for upgrades: {counted}"
    else:
        counted = f"{grows}: {counted}" if held else f"{grows} x {cores}"
    return f"need {count(needed, 'core')} ({counted})"

"""The check of quota: are there enough cores for what the plan creates. Changes nothing.

Quota that cannot be read refuses nothing. `preflight.core_quota` has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deploy.cloud import quota
from deploy.cloud.connect import Cloud
from deploy.domain import leases
from deploy.domain.arm import Facts, Json, address, capacity_of, facts_of
from deploy.domain.plan import Desired, Step
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import alternatives, core_quota
from deploy.preflight import permissions as rights

NAME = "quota"
OUTLIVES_ENDPOINT = True
VOLATILE_FACTS = (NAME,)
_IN = "in"
"""`quota/<key>/in/<region>`: what was read of a region. The first is the region of the workspace."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`quota/<key>/<size>`: a row of `alternatives.row`; `quota/<key>/in/<region>`: its region."""
    region = _home(cloud)
    sizes = {str(d["instance_type"]).lower() for d in spec.deployments}
    rows = {address(NAME, spec.key, size): alternatives.row(region, size) for size in sorted(sizes)}
    return {**rows, address(NAME, spec.key, _IN, str(region["region"])): region}


def elsewhere(cloud: Cloud, keys: Iterable[str], regions: Sequence[str]) -> dict[str, Facts]:
    """Endpoint key -> facts of other regions, as alternatives when quota is short."""
    read = [quota.read_region(cloud, region) for region in regions]
    return {key: {address(NAME, key, _IN, str(region["region"])): region for region in read} for key in keys}


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """A check for each size of which more cores are needed."""
    if desired is None:
        return ()
    key, rows = desired.spec.key, facts_of(facts, NAME, desired.spec.key)
    shared = leases.is_on_shared_quota(desired.spec.pipeline.quota.capacity, facts.get(address("endpoint", key)))
    steps = []
    for size, pairs in _grown(desired, facts_of(facts, "deployment", key)).items():
        row = rows.get(size.lower()) or _row(rows, size)
        sums = core_quota.sums(row, size, pairs, shared=shared)
        result = core_quota.check(row, sums, alternatives.of_facts(facts, key, size, [after for _, after in pairs]))
        steps.append(result.step(address(NAME, key, size), sums))
    return steps


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Without these it is unknown."""
    return "workspace", rights.READ_QUOTA


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads the numbers again right before the first change."""
    size = str(step.body["instance_type"])
    row = alternatives.row(_home(cloud), size)
    sums = core_quota.sums(row, size, step.body["deployments"], shared=step.body["capacity"] == "shared")
    return core_quota.check(row, sums).evidence(step.address, sums)


def _row(rows: Mapping[str, Json], size: str) -> Mapping[str, Json]:
    """The row of a size that the files do not name, in the workspace's region."""
    home = next((body for where, body in rows.items() if where.startswith(f"{_IN}/")), None)
    return alternatives.row(home, size) if home else {}


def _home(cloud: Cloud) -> dict[str, Json]:
    return quota.read_region(cloud, str(cloud.workspace()["location"]))


def _grown(desired: Desired, present: Mapping[str, Mapping[str, Json]]) -> dict[str, list[tuple[int, int]]]:
    """Size -> (existing instances, desired instances) of each deployment that grows."""
    grown: dict[str, list[tuple[int, int]]] = {}
    for name, document in desired.deployments.items():
        size, after = str(document["instance_type"]), int(document["instance_count"])
        body = present.get(name) or {}
        same = str((body.get("properties") or {}).get("instanceType", "")).lower() == size.lower()
        before = capacity_of(body) if same else 0
        if after > before:
            grown.setdefault(size, []).append((before, after))
    return grown

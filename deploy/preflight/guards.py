"""Guards: limits of an environment that can refuse a plan, and the notes of plans without the guard. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.domain.arm import Facts, Json, address, release_of
from deploy.domain.cost import Instances, Running
from deploy.domain.plan import Step, Verb
from deploy.domain.spec import EndpointSpec, Environment
from deploy.domain.traffic_shares import served
from deploy.errors import Finding
from deploy.preflight import instances
from deploy.text import count

Counts = Mapping[tuple[str, str], int]
"""(endpoint name, deployment name) -> instances."""
_NAMED = 6
"""Endpoints whose instances a message names; the rest are added up."""


def without_probe(environment: Environment, unprobed: Sequence[EndpointSpec]) -> tuple[list[Finding], list[str]]:
    """Findings and notes about endpoints whose traffic a plan moves to a release that no probe tests."""
    if environment.guards.require_probe:
        cause = "traffic would move to a release that no probe has tested, and guards.require_probe is set"
        where = [(str(address("probe", spec.key)), f"Add probe: to {_pipeline(spec)}") for spec in unprobed]
        return [Finding(key, "AML248", cause, cure) for key, cure in where], []
    if not unprobed:
        return [], []
    keys, files = (", ".join(dict.fromkeys(words)) for words in ([s.key for s in unprobed], map(_pipeline, unprobed)))
    return [], [f"{keys}: traffic moves to a release that no probe tests. Add probe: to {files}."]


def moves_unprobed(spec: EndpointSpec, steps: Sequence[Step], facts: Facts) -> bool:
    """Whether an endpoint without a probe gets another release with traffic, or more traffic on a deployment."""
    if spec.pipeline.probe is not None:
        return False
    own, now = [step for step in steps if step.endpoint == spec.key], served(facts, spec.key)
    shifts = [step.body["after"] for step in own if step.verb is Verb.SHIFT and "after" in step.body]
    if any(share > now.get(name, 0) for name, share in (shifts[-1].items() if shifts else ())):
        return True
    documents = [(step.address, step.body["document"]) for step in own if _writes(step)]
    return any(
        document["name"] in now and release_of(document) != release_of(facts.get(a)) for a, document in documents
    )


def _writes(step: Step) -> bool:
    return step.kind == "deployment" and "document" in step.body


def _pipeline(spec: EndpointSpec) -> str:
    return f"{spec.folder}/pipeline.yml"


def too_many(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    steps: Sequence[Step],
    siblings: Mapping[str, Facts],
) -> list[Finding]:
    """A finding where more than guards.max_instances would run at the peak of a plan that adds or changes instances.

    Counted are the endpoints of the plan as `peak_instances` does, and of every other entry of the file the larger of
    what runs and what its files request. `siblings`: facts with the deployments of endpoints that are not in
    the plan (without them, only what the files request). A plan that only removes instances is never refused.
    """
    limit = environment.guards.max_instances
    if limit is None:
        return []
    peaks = peak_instances(specs, facts, steps)
    parts = {key: (sum(peak.values()), _added(peak)) for key, peak in peaks.items()}
    chosen, others = {s.key for s in specs}, {s.key: s for spec in specs for s in spec.siblings}
    for key in sorted({*others, *(a.endpoint for each in siblings.values() for a in each)}):
        there = {pair: n for each in siblings.values() for pair, n in _counts(instances.running(each, key)).items()}
        requested = 0 if key in chosen or key not in others else _requested(others[key])
        runs = sum(there.values())
        words = f"{_added(there)} running" if runs and runs >= requested else f"{requested} in its files"
        n, summary = parts.get(key, (0, ""))
        if more := max(runs, requested):
            parts[key] = (n + more, f"{summary} + {words}" if summary else words)
    total = sum(n for n, _ in parts.values())
    if total <= limit or not (_asks(specs) > limit or any(_grows(step, facts) for step in steps)):
        return []
    cause = f"{count(total, 'instance')} would run at the peak ({_in_words(parts)}) and guards.max_instances is {limit}"
    cure = "Use fewer instances, delete deployments that receive no traffic, or raise the guard"
    return [Finding(f"environment/{environment.name}", "AML240", cause, cure)]


def peak_instances(
    specs: Sequence[EndpointSpec], facts: Mapping[str, Facts], steps: Sequence[Step]
) -> dict[str, Counts]:
    """Endpoint key -> the instances of its deployments at the moment when most of them run, idle slots included.

    `facts`: endpoint key -> what exists; `steps`: of any plan, in their order. Endpoints are changed side by side, so
    the peak of a plan is the sum over all endpoints. What a rescue or a fallback does is not counted: both delete
    before they create.
    """
    found = {}
    for spec in specs:
        own = [step for step in steps if step.endpoint == spec.key and step.changes]
        moments = instances.states(instances.running(facts.get(spec.key) or {}, spec.key), own)
        found[spec.key] = max(map(_counts, moments), key=lambda counts: sum(counts.values()))
    return found


def _counts(running: Running) -> Counts:
    return {pair: each.most for pair, each in running.items()}


def _grows(step: Step, facts: Mapping[str, Facts]) -> bool:
    """Whether a step creates a deployment, or writes one without fewer instances."""
    if step.kind not in ("deployment", "autoscale") or step.verb is Verb.DELETE:
        return False
    now = instances.running(facts.get(step.endpoint) or {}, step.endpoint)
    then = instances.after(now, step)
    return then is not now and any(
        each.most >= held.most
        for pair, each in then.items()
        if pair[1] == step.address.name
        for held in [now.get(pair, Instances("", 0))]
    )


def _requested(spec: EndpointSpec) -> int:
    """The instances that the files of an endpoint request, or allow autoscale to run."""
    return sum(most_requested(spec, document) for document in spec.deployments)


def most_requested(spec: EndpointSpec, document: Mapping[str, Json]) -> int:
    """The instances that the files request for a deployment, or allow autoscale to run."""
    return max(int(document["instance_count"]), (spec.pipeline.scale and spec.pipeline.scale.max) or 0)


def _asks(specs: Sequence[EndpointSpec]) -> int:
    return sum(_requested(spec) for spec in {s.key: s for spec in specs for s in (*spec.siblings, spec)}.values())


def _added(counts: Counts) -> str:
    """`blue 3 + green 3`."""
    return " + ".join(f"{name} {n}" for (_, name), n in counts.items() if n)


def _in_words(parts: Mapping[str, tuple[int, str]]) -> str:
    """`mip: blue 3 + green 3, insight: 1 in its files`, the largest first."""
    return ", ".join(_words(sorted(parts.items(), key=lambda part: (-part[1][0], part[0]))))


def _words(parts: Sequence[tuple[str, tuple[int, str]]]) -> Iterator[str]:
    yield from (f"{key}: {words}" for key, (n, words) in parts[:_NAMED] if n)
    if rest := sum(n for _, (n, _) in parts[_NAMED:]):
        yield f"{rest} of {count(len(parts) - _NAMED, 'other endpoint')}"

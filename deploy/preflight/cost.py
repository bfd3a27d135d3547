"""What a plan costs, and the guards about it. Pure: facts and steps in, money out.

Counted are the instances of deployments. Prices are those of the region's vmSizes list for dedicated Linux machines, on
which managed online endpoints run. A size without a price is unknown, never free.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from deploy.domain.arm import Facts, Json, facts_of
from deploy.domain.cost import HOURS, NOTHING, Cost, Prices, Running
from deploy.domain.plan import Plan, Step, Verb, by_endpoint
from deploy.domain.report import Outcome, Report, State
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding
from deploy.preflight import alternatives, guards, instances
from deploy.text import count

_NAMED = 6
"""Endpoints whose cost a message names; the rest are added up."""


@dataclass(frozen=True)
class PlanCost:
    """Costs of a plan, or of one of its endpoints: before it, after it, and at its most expensive moment.

    `idle`: the part of `after` that is for deployments without traffic, such as the previous release.
    """

    now: Cost
    after: Cost
    peak: Cost
    idle: Cost

    def __add__(self, other: PlanCost) -> PlanCost:
        return PlanCost(self.now + other.now, self.after + other.after, self.peak + other.peak, self.idle + other.idle)


def prices_of_region(region: Mapping[str, Json]) -> Prices:
    """The prices in a region ({region, sizes, unanswered})."""
    return prices_of_sizes(str(region["region"]), region["sizes"], str(region["unanswered"].get("vmSizes") or ""))


def prices_of_sizes(region: str, sizes: Mapping[str, Json] | None, problem: str) -> Prices:
    """The prices in a region, from its vmSizes by lower-case name; None with the reason if they could not be read."""
    if sizes is None:
        return Prices(problem=f"vmSizes of {region} {problem}".strip())
    found = {name: alternatives.price(size) for name, size in sizes.items()}
    known = {name: Decimal(str(price)) for name, (price, _) in found.items() if price is not None}
    return Prices(next((currency for _, currency in found.values() if currency), ""), known)


def prices(facts: Mapping[str, Facts]) -> Prices | None:
    """The prices in the workspace's region, from the facts of quota; None if they were not read.

    The first region of an endpoint is that of the workspace.
    """
    for key, seen in facts.items():
        for where, region in facts_of(seen, "quota", key).items():
            if where.startswith("in/"):
                return prices_of_region(region)
    return None


def running(facts: Iterable[tuple[str, Facts]]) -> dict[str, Running]:
    """Endpoint key -> what runs, from (key, facts) of each endpoint. An entry may have several endpoints."""
    found: dict[str, Running] = {}
    for key, seen in facts:
        found[key] = {**found.get(key, {}), **instances.running(seen, key)}
    return found


def of_endpoints(plan: Plan) -> dict[str, PlanCost]:
    """Endpoint key -> its costs; empty if the prices were not read."""
    if plan.prices is None:
        return {}
    own = by_endpoint(plan.steps)
    keys = dict.fromkeys([*plan.running, *own])
    return {key: _of_steps(plan.prices, plan.running.get(key, {}), own.get(key, ())) for key in keys}


def _of_steps(known: Prices, now: Running, steps: Sequence[Step]) -> PlanCost:
    moments = list(instances.states(now, [step for step in steps if step.changes]))
    costs = [known.total(each.values()) for each in moments]
    idle = known.total(each for each in moments[-1].values() if not each.serves)
    peak, _ = _peak(costs, moments)
    return PlanCost(known.now(now.values()), costs[-1], replace(peak, least=peak.most), idle)


def _peak(costs: Sequence[Cost], moments: Sequence[Running]) -> tuple[Cost, Running]:
    """The highest cost, with the unknown prices of every moment, and what runs then."""
    at = max(range(len(costs)), key=lambda n: (costs[n].most, len(costs[n].unknown)))
    every = sum(costs, Cost())
    return replace(every, least=costs[at].least, most=costs[at].most), moments[at]


def total(plan: Plan) -> PlanCost | None:
    """The costs of a plan. Endpoints are changed side by side, so its peak is the sum of their peaks. None if the
    prices were not read, or if there are no instances before, during and after it.
    """
    costs = list(of_endpoints(plan).values())
    none = Cost(currency=plan.prices.currency if plan.prices else "")
    found = sum(costs, PlanCost(none, none, none, none))
    return found if found.peak.most or found.peak.unknown else None


def after_run(plan: Plan, report: Report) -> Cost | None:
    """What runs after a run, from the steps that ran. A step that did not succeed may have left instances, which Azure
    can bill: the cost is then a range. None if the prices were not read.
    """
    if plan.prices is None:
        return None
    steps: dict[tuple[object, Verb], deque[Step]] = defaultdict(deque)
    for step in (*plan.steps, *plan.fallback, *plan.rescue):
        steps[step.address, step.verb].append(step)
    found = Cost(currency=plan.prices.currency)
    low, high = defaultdict[str, Running](dict, plan.running), defaultdict[str, Running](dict, plan.running)
    for outcome in report.outcomes:
        if same := steps[outcome.address, outcome.verb]:
            step, key = same.popleft(), outcome.address.endpoint
            deletes = step.verb is Verb.DELETE
            low[key] = instances.after(low[key], step) if _ran(outcome, if_unsure=deletes) else low[key]
            high[key] = instances.after(high[key], step) if _ran(outcome, if_unsure=not deletes) else high[key]
    for key in high:
        least, most = plan.prices.total(low[key].values()), plan.prices.total(high[key].values())
        found += replace(least + most, least=min(least.least, most.least), most=max(least.most, most.most))
    return found


def _ran(outcome: Outcome, *, if_unsure: bool) -> bool:
    """Whether a step had its effect; `if_unsure` for one that was started and did not succeed."""
    if outcome.state is State.DONE or not outcome.attempts or outcome.wrote_nothing:
        return outcome.state is State.DONE
    return if_unsure


def refused(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    steps: Sequence[Step],
    siblings: Mapping[str, Facts],
) -> tuple[list[Finding], list[str]]:
    """Findings where a plan that adds cost exceeds guards.max_hourly_cost at its peak or guards.max_monthly_cost after
    it, and a note for each of these guards that cannot be checked, or that is exceeded without the plan adding cost.

    Counted are the endpoints that `guards.too_many` counts, idle slots included. A price that rises refuses no plan by
    itself.
    """
    limits = {name: getattr(environment.guards, name) for name in (_HOURLY, _MONTHLY)}
    known = (prices(facts) if environment.guards.counts_siblings else None) or Prices(problem="vmSizes was not read")
    found, notes = [], []
    for name, limit in ((name, Decimal(str(limit))) for name, limit in limits.items() if limit is not None):
        parts, adds = _parts(known, specs, facts, steps, siblings, at_peak=name == _HOURLY)
        cost = sum((part for part, _ in parts.values()), Cost(currency=known.currency))
        words = _exceeded(name, limit, cost, parts)
        if cost.most * (HOURS if name == _MONTHLY else 1) > limit:
            found += [Finding(f"environment/{environment.name}", "AML256", words, _CURE)] if adds else []
            notes += [] if adds else [f"{_capital(words)}. This plan adds no cost, so it is not refused."]
        elif cost.unknown:
            why = f": {known.problem}" if known.problem else ""
            notes.append(f"guards.{name} is not checked: the price of {', '.join(cost.unknown)} is unknown{why}.")
    return found, notes


_HOURLY, _MONTHLY = "max_hourly_cost", "max_monthly_cost"
_CURE = "Use fewer instances or cheaper sizes, delete deployments that receive no traffic, or raise the guard"
_Parts = Mapping[str, tuple[Cost, str]]
"""Endpoint key -> its cost and the arithmetic."""


def _parts(
    known: Prices,
    specs: Sequence[EndpointSpec],
    facts: Mapping[str, Facts],
    steps: Sequence[Step],
    siblings: Mapping[str, Facts],
    *,
    at_peak: bool,
) -> tuple[dict[str, tuple[Cost, str]], bool]:
    """The cost of each entry of the file, and whether the plan adds to it."""
    chosen, others = {s.key for s in specs}, {s.key: s for spec in specs for s in spec.siblings}
    there = running([(a.endpoint, {a: body}) for each in siblings.values() for a, body in each.items()])
    own, parts, adds = by_endpoint(steps), {}, False
    for spec in specs:
        now = {**there.get(spec.key, {}), **instances.running(facts.get(spec.key) or {}, spec.key)}
        changes = [step for step in own.get(spec.key, ()) if step.changes]
        moments = list(instances.states(now, changes))
        costs = [known.total(each.values()) for each in moments]
        cost, state = _peak(costs, moments) if at_peak else (costs[-1], moments[-1])
        parts[spec.key] = (cost, _added(known, state))
        adds = adds or cost.most > costs[0].most or len(cost.unknown) > len(costs[0].unknown)
    for key in sorted({*others, *there} - chosen):
        runs, asked = known.total(there.get(key, {}).values()), _requested(known, others.get(key))
        if runs.most >= asked.most:
            parts[key] = (runs + Cost(unknown=asked.unknown), f"{_added(known, there.get(key, {}))} running")
        else:
            parts[key] = (asked + Cost(unknown=runs.unknown), f"{_short(asked.most)} in its files")
    return parts, adds


def _requested(known: Prices, spec: EndpointSpec | None) -> Cost:
    """The cost of what the files of an endpoint request, or allow autoscale to run."""
    found = Cost(currency=known.currency)
    if spec:
        for document in spec.deployments:
            most = guards.most_requested(spec, document)
            found += known.of(str(document["instance_type"]), most, most)
    return found


def _added(known: Prices, state: Running) -> str:
    """`blue 2 x 3.673 + green 1 x 3.673`."""
    terms = ((slot, each.most, known.hourly.get(each.size.lower())) for (_, slot), each in state.items() if each.most)
    return " + ".join(f"{slot} {most} x {'unknown' if price is None else price}" for slot, most, price in terms)


def _exceeded(name: str, limit: Decimal, cost: Cost, parts: _Parts) -> str:
    """The arithmetic of a guard, the most expensive endpoints first."""
    ordered = sorted(parts.items(), key=lambda part: (-part[1][0].most, part[0]))
    words = [f"{key}: {text}" for key, (each, text) in ordered[:_NAMED] if each.most]
    rest = sum((each.most for _, (each, _) in ordered[_NAMED:]), NOTHING)
    words += [f"{_short(rest)} of {count(len(ordered) - _NAMED, 'other endpoint')}"] if rest else []
    hour = f"{_short(cost.most)} {cost.currency}".rstrip()
    least = "at least " if cost.unknown else ""
    if name == _MONTHLY:
        month = f"{rounded(cost.most * HOURS)} {cost.currency}".rstrip()
        total_words = f"the endpoints of the file would cost {least}{month} a month after the plan: {HOURS} h x {hour}"
    else:
        total_words = f"the endpoints of the file would cost {least}{hour} an hour at the peak of the plan"
    return f"{total_words} ({', '.join(words)}), and guards.{name} is {_short(limit)}"


def rounded(amount: Decimal) -> Decimal:
    """To the cent, half a cent up."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _short(amount: Decimal) -> str:
    """Exact, without zeros at the end: `7.346`."""
    return f"{amount.normalize():f}"

"""Costs in words and as JSON. Pure.

`3.67 USD an hour, 2681.29 USD a month (730 h)`. Amounts are rounded to the cent; what is computed from them is not.
"""

from __future__ import annotations

from decimal import Decimal

from deploy.domain.arm import Json
from deploy.domain.cost import HOURS, Cost
from deploy.domain.plan import Plan
from deploy.preflight import cost as planned
from deploy.preflight.cost import PlanCost, rounded


def plan_cost(plan: Plan) -> str:
    """The line of a plan: cost after it, difference to now, peak, what serves no traffic. Empty without prices or
    instances.
    """
    found = planned.total(plan)
    if found is None:
        return ""
    words = [cost_words(found.after)]
    is_known = not found.now.unknown and not found.after.unknown
    if is_known and (found.after.least, found.after.most) == (found.now.least, found.now.most):
        words.append("as now")
    elif is_known:
        words.append(f"{_range(found.after.minus(found.now), signed=True)} an hour compared with now")
    if found.peak.most > found.now.most > 0:
        words.append(f"peak {_at_least(found.peak)}{_range(found.peak)} an hour")
    if found.idle.most:
        words.append(f"{_at_least(found.idle)}{_range(found.idle)} an hour of it for slots without traffic")
    return f"Cost: {'; '.join(words)}."


def running_cost(cost: Cost | None) -> str:
    """`Running cost: 3.67 USD an hour, ...` of what runs; empty if it was not looked up, or nothing runs."""
    if cost is None or not (cost.most or cost.unknown):
        return ""
    return f"Running cost: {cost_words(cost)}."


def cost_words(cost: Cost) -> str:
    """`3.67 USD an hour, 2681.29 USD a month (730 h)`; with `at least`, or `unknown`, if a price is unknown; `none`."""
    if not (cost.most or cost.unknown):
        return "none"
    missing = f" ({cost.problem or 'no price of ' + ', '.join(cost.unknown)})" if cost.unknown else ""
    if cost.unknown and not cost.most:
        return f"unknown{missing}"
    least = _at_least(cost)
    return f"{least}{_range(cost)} an hour, {least}{_range(cost, HOURS)} a month ({HOURS} h){missing}"


def _at_least(cost: Cost) -> str:
    return "at least " if cost.unknown else ""


def hourly_words(cost: Cost) -> str:
    """`3.67 USD an hour`; empty if a price is unknown, or nothing runs."""
    return f"{_range(cost)} an hour" if cost.most and not cost.unknown else ""


def cost_json(cost: Cost | None) -> Json:
    """{currency, hourly, monthly, max_hourly, max_monthly, unknown, problem}; null is unknown."""
    if cost is None:
        return None
    amounts = {
        "hourly": cost.least,
        "monthly": cost.least * HOURS,
        "max_hourly": cost.most,
        "max_monthly": cost.most * HOURS,
    }
    numbers = {name: None if cost.unknown else float(_exact(name, amount)) for name, amount in amounts.items()}
    return {"currency": cost.currency, **numbers, "unknown": list(cost.unknown), "problem": cost.problem}


def plan_cost_json(plan: Plan) -> Json:
    """Costs of the plan and of each endpoint, as `schemas/plan.json` describes them; null if there are none."""
    found = planned.total(plan)
    if found is None:
        return None
    endpoints = {key: _costs(each) for key, each in planned.of_endpoints(plan).items()}
    return {**_costs(found), "endpoints": endpoints}


def _costs(found: PlanCost) -> dict[str, Json]:
    costs = {"now": found.now, "after": found.after, "difference": found.after.minus(found.now)}
    costs |= {"peak": found.peak, "idle": found.idle}
    return {name: cost_json(each) for name, each in costs.items()}


def _exact(name: str, amount: Decimal) -> Decimal:
    """An amount per month to the cent, one per hour as it is: prices have up to six decimals."""
    return rounded(amount) if name.endswith("monthly") else amount


def _range(cost: Cost, hours: int = 1, *, signed: bool = False) -> str:
    """`3.67 USD`, `3.67 to 11.02 USD`, `+3.67 USD`; `less than 0.01 USD` instead of 0.00 for what is not free."""
    amounts = dict.fromkeys(_money(each * hours, signed=signed) for each in (cost.least, cost.most))
    return f"{' to '.join(amounts)} {cost.currency}".rstrip()


def _money(amount: Decimal, *, signed: bool) -> str:
    short = rounded(amount) + 0  # no negative zero
    if amount > 0 and not short:
        return "less than 0.01"
    return f"{short:+}" if signed and short else f"{short}"

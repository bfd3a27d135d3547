"""What a run can cost at most: from the number of instances, the time limit, and a price that the user passes.

No price is looked up. Instances are counted as Azure ML bills them: each instance of a deployment, from its creation to
its deletion. Storage, network and logs are not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

INSTANCES = 2
"""The most that run at one time: one in each slot."""
TEARDOWN_HOURS = 0.5
"""The time for the teardown, after the time limit of the steps."""


class Refused(Exception):
    """The run is not started; the message names the reason and what to do."""


@dataclass(frozen=True)
class Budget:
    """The limits of a run. `cost` is in the currency of the price; None without a price."""

    max_hours: float
    instance_hours: float
    cost: float | None

    @property
    def seconds(self) -> float:
        """The time limit of the steps."""
        return self.max_hours * 3600


def budget(*, price: float | None, max_cost: float, max_hours: float | None, free: bool) -> Budget:
    """The limits of a run. `free`: nothing is billed. Raises Refused."""
    numbers = {"--price": price, "--max-cost": max_cost, "--max-hours": max_hours}
    for name, number in numbers.items():
        if number is not None and not (math.isfinite(number) and number > 0):
            raise Refused(f"{name} must be a number greater than 0.")
    if price is None and max_hours is None and not free:
        raise Refused(
            "Pass --price PRICE, the price of one instance per hour, for a limit of cost. Or pass --max-hours HOURS for"
            " a limit of time only."
        )
    hours = max_hours or 2.0
    instance_hours = INSTANCES * (hours + TEARDOWN_HOURS)
    cost = None if price is None else price * instance_hours
    if cost is not None and cost > max_cost:
        raise Refused(
            f"The run can cost {cost:.2f}, more than --max-cost {max_cost:.2f}. Lower --max-hours, choose a cheaper"
            " --instance-type, or raise --max-cost."
        )
    return Budget(hours, instance_hours, cost)


def explained(found: Budget, price: float | None, instance_type: str, max_cost: float) -> str:
    """The limits as text, with what they are based on."""
    limit = (
        f"At most {INSTANCES} instances of {instance_type} run at one time, for at most {found.max_hours:g} h and"
        f" {TEARDOWN_HOURS:g} h for the teardown: {found.instance_hours:g} instance-hours."
    )
    if found.cost is None:
        cost = "The cost is not calculated: no --price. No price is looked up."
    else:
        cost = (
            f"With your --price of {price:g} per instance-hour: at most {found.cost:.2f}, below --max-cost"
            f" {max_cost:.2f}. The price is not checked. Storage, network and logs are not included."
        )
    return f"{limit}\n{cost}"

"""Instances and what they cost: frozen data and exact arithmetic.

A managed online endpoint costs what its virtual machines cost, without a surcharge (documentation of online endpoints),
and shared quota is billed like dedicated quota. Prices are those of Azure's vmSizes list, per hour and instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

HOURS = 730
"""Hours of a month, as Azure's price calculator counts them."""
NOTHING = Decimal(0)


class Instances(NamedTuple):
    """The instances of a deployment. `scaled`: the least and the most that an autoscale setting runs, None without one.
    `serves`: whether the deployment receives traffic.
    """

    size: str
    number: int
    scaled: tuple[int, int] | None = None
    serves: bool = False

    @property
    def least(self) -> int:
        return self.scaled[0] if self.scaled else self.number

    @property
    def most(self) -> int:
        return self.scaled[1] if self.scaled else self.number


Running = Mapping[tuple[str, str], Instances]
"""(endpoint name, deployment name) -> its instances."""


@dataclass(frozen=True)
class Cost:
    """A cost per hour: from `least` to `most`, which differ where autoscale or a failed step leaves it open.

    `unknown`: sizes without a price. The numbers do not contain them. `problem`: why no price is known, if none is.
    """

    least: Decimal = NOTHING
    most: Decimal = NOTHING
    currency: str = ""
    unknown: tuple[str, ...] = ()
    problem: str = ""

    def __add__(self, other: Cost) -> Cost:
        sizes = tuple(sorted({*self.unknown, *other.unknown}))
        currency, problem = self.currency or other.currency, self.problem or other.problem
        return Cost(self.least + other.least, self.most + other.most, currency, sizes, problem)

    def minus(self, other: Cost) -> Cost:
        """The difference to a cost that is exact."""
        return replace(self + other, least=self.least - other.least, most=self.most - other.most)


@dataclass(frozen=True)
class Prices:
    """Price per hour of one instance by VM size (lower case) in a region. `problem`: why Azure's list is unknown."""

    currency: str = ""
    hourly: Mapping[str, Decimal] = field(default_factory=dict)
    problem: str = ""

    def of(self, size: str, least: int, most: int) -> Cost:
        """The cost of `least` to `most` instances of a size. An unknown price counts only if there may be instances."""
        price = self.hourly.get(size.lower())
        if price is None:
            return Cost(currency=self.currency, unknown=(size,), problem=self.problem) if most else Cost()
        return Cost(price * least, price * most, self.currency)

    def total(self, running: Iterable[Instances]) -> Cost:
        """The cost of deployments with what their autoscale settings allow."""
        return sum((self.of(each.size, each.least, each.most) for each in running), Cost(currency=self.currency))

    def now(self, running: Iterable[Instances]) -> Cost:
        """The cost of deployments with the instances that run now."""
        return sum((self.of(each.size, each.number, each.number) for each in running), Cost(currency=self.currency))

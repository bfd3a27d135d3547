"""Alternatives: other sizes and regions with enough quota, cheapest first. Prices are Azure's, per hour and instance.

A region is what Azure returned for it: {region, sizes, usages, quotas, ...}; `row` is one size of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.domain.arm import Facts, Json, facts_of
from deploy.preflight import core_quota

_TOTAL = "totaldedicatedcores"
_SERVED = "MIR"
"""The compute type of managed online endpoints in `supportedComputeTypes`."""
_MOST = 3


@dataclass(frozen=True)
class Offer:
    """One size in one region with enough quota. `price` is None if Azure names none."""

    size: str
    region: str
    price: float | None
    currency: str

    def __str__(self) -> str:
        return f"{self.size} ({self.cost})"

    @property
    def cost(self) -> str:
        """`3.67 USD an hour`."""
        return "price unknown" if self.price is None else f"{self.price:g} {self.currency} an hour".replace("  ", " ")


def row(region: Mapping[str, Json], size: str) -> dict[str, Json]:
    """One size in one region; null: unknown."""
    sizes, usages, quotas = region["sizes"], region["usages"], region["quotas"]
    known = (sizes or {}).get(size.lower()) or {}
    kind = core_quota.family(str(known.get("family") or ""))
    mine, total = (usages or {}).get(kind) or {}, (usages or {}).get(_TOTAL) or {}
    share, types = _share(region, kind, mine.get("limit")), known.get("supportedComputeTypes")
    amount, currency = price(known)
    return {
        "region": region["region"],
        "known": sizes is None or size.lower() in sizes,
        "usable": None if not types else _SERVED in types,
        "cores": known.get("vCPUs"),
        "family": known.get("family"),
        "gpus": known.get("gpus"),
        "memory": known.get("memoryGB"),
        "disk": known.get("maxResourceVolumeMB"),
        "price": amount,
        "currency": currency,
        "in_use": mine.get("currentValue"),
        "limit": mine.get("limit"),
        "total_in_use": total.get("currentValue"),
        "total_limit": total.get("limit"),
        "workspace_in_use": share.get("currentValue"),
        "workspace_limit": None if quotas is None and not share else share.get("limit", -1),
        **_sources(region),
    }


def _share(region: Mapping[str, Json], kind: str, limit: Json) -> Mapping[str, Json]:
    """The workspace's own share of a family, from usages, which include its use, or else from quotas.

    Quotas have a row for each workspace; without a share of its own, with the subscription's `limit` (recorded).
    """
    own, row = (region.get("own") or {}).get(kind), (region["quotas"] or {}).get(kind) or {}
    return own or (row if row.get("limit") != limit else {})


def _sources(region: Mapping[str, Json]) -> dict[str, Json]:
    names = {"vmSizes": region["sizes"], "usages": region["usages"], "quotas": region["quotas"]}
    answered, reasons = [name for name, answer in names.items() if answer is not None], region["unanswered"]
    return {
        "source": f"{', '.join(answered)} of {region['region']}" if answered else "",
        "unanswered": [
            f"{', '.join(name for name in reasons if reasons[name] == why)} of {region['region']} {why}"
            for why in dict.fromkeys(reasons.values())
        ],
    }


def price(size: Mapping[str, Json]) -> tuple[float | None, str]:
    """Price and currency of an hour of a dedicated Linux machine; (None, "") if it is unknown. Zero is no price."""
    answer = size.get("estimatedVMPrices") or {}
    found = [
        float(value["retailPrice"])
        for value in answer.get("values") or ()
        if (value.get("osType"), value.get("vmTier")) == ("Linux", "Standard") and (value.get("retailPrice") or 0) > 0
    ]
    return (min(found), str(answer.get("billingCurrency") or "")) if found else (None, "")


def fitting(region: Mapping[str, Json], sizes: Iterable[str], counts: Sequence[int]) -> list[Offer]:
    """Those of `sizes` for which a region has quota for new deployments of `counts` instances."""
    offers = []
    for size in dict.fromkeys(sizes):
        there = row(region, size)
        limits_of_size = core_quota.limits(there, core_quota.sums(there, size, [(0, count) for count in counts]))
        if (
            there["known"]
            and there["usable"]
            and limits_of_size
            and all(g.left is not None and not g.missing for g in limits_of_size)
        ):
            offers.append(Offer(size, str(there["region"]), there["price"], str(there["currency"])))
    return sorted(offers, key=_cheapest)


def words(size: str, counts: Sequence[int], home: Json, others: Sequence[Json], allowed: Sequence[str] | None) -> str:
    """The alternatives in words: other sizes that the model allows here, then other regions. Empty if none is known.

    `home` and `others` are regions; `allowed` the model's sizes, None if it lists none.
    """
    sizes = [name for name in allowed or () if name.lower() != size.lower()]
    here = fitting(home, sizes, counts)[:_MOST] if home else []
    parts = [f"{here[0].region} has quota for {', '.join(map(str, here))}"] if here else []
    if not allowed or len(sizes) < len(allowed):
        parts += _elsewhere(size, counts, others)
    best = sorted((offers[0] for other in others if (offers := fitting(other, sizes, counts))), key=_cheapest)
    if best:
        parts.append(f"Cheapest other size: {', '.join(f'{o.region} {o}' for o in best)}")
    return ". ".join(parts)


def _elsewhere(size: str, counts: Sequence[int], others: Sequence[Json]) -> list[str]:
    """Regions with quota for a size, regions without, and regions that could not be read."""
    desired = sorted((offer for other in others for offer in fitting(other, [size], counts)), key=_cheapest)
    answered = [str(o["region"]) for o in others if o["sizes"] is not None and o["usages"] is not None]
    full = [region for region in answered if region not in {offer.region for offer in desired}]
    silent = [str(o["region"]) for o in others if o["region"] not in answered]
    lists = (
        (f"Quota for {size}", [f"{offer.region} ({offer.cost})" for offer in desired]),
        (f"No quota for {size}", full),
        ("Unknown", silent),
    )
    return [f"{words}: {', '.join(places)}" for words, places in lists if places]


def _cheapest(offer: Offer) -> tuple[bool, float, str, str]:
    return offer.price is None, offer.price or 0.0, offer.region, offer.size


def of_facts(facts: Facts, key: str, size: str, counts: Sequence[int]) -> str:
    """`words`, from the facts of an endpoint: its own region is the first one."""
    regions = [body for rest, body in facts_of(facts, "quota", key).items() if rest.startswith("in/")]
    allowed = [row.get("allowed") for row in facts_of(facts, "model", key).values()]
    if not regions:
        return ""
    return words(size, counts, regions[0], regions[1:], _common(allowed))


def _common(lists: Sequence[Sequence[str] | None]) -> list[str] | None:
    """The sizes that every model allows; None if no model lists sizes."""
    answer = [list(sizes) for sizes in lists if sizes]
    if not answer:
        return None
    return [size for size in answer[0] if all(size in other for other in answer)]

"""Exposure: fields that a plan opens to more networks, or to weaker authentication, than what exists. Pure.

A deployment of a new slot is compared with the live one, since its traffic moves there; an endpoint that succeeds
another on shared quota is compared with that one. A resource without a predecessor is no change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.domain.arm import OWNER_TAG, Address, Facts, Json, address, facts_of
from deploy.domain.plan import Desired, Step
from deploy.domain.spec import Environment
from deploy.domain.traffic_shares import served
from deploy.errors import Finding

_STRENGTH = {"key": 0, "amltoken": 1, "aadtoken": 2}
"""Authentication modes, weakest first: keys do not expire, AML tokens do, Microsoft Entra tokens name a principal."""
_AUTH, _INGRESS, _EGRESS = "auth_mode", "public_network_access", "egress_public_network_access"
_ARM = {_AUTH: "authMode", _INGRESS: "publicNetworkAccess", _EGRESS: "egressPublicNetworkAccess"}


def changes(desired: Desired, steps: Sequence[Step], facts: Facts) -> list[Mapping[str, Json]]:
    """{address, path, before, after} of each field that becomes more exposed; values as CLI v2 writes them."""
    return [*_of_endpoint(desired, steps, facts), *_of_deployments(desired, steps, facts)]


def refused(environment: Environment, found: Sequence[Mapping[str, Json]], *, allowed: bool) -> list[Finding]:
    """A finding for each such change of a protected environment, unless it is allowed."""
    if allowed or not environment.guards.protected:
        return []
    cure = "Revert the change. If it is intended, use --allow-exposure with plan or apply"
    return [
        Finding(
            str(each["address"]),
            "AML249",
            f"{each['path']} changes from {each['before']} to {each['after']}, and the environment is protected",
            cure,
        )
        for each in found
    ]


def _of_endpoint(desired: Desired, steps: Sequence[Step], facts: Facts) -> Iterator[Mapping[str, Json]]:
    where = address("endpoint", desired.spec.key)
    document = _document(steps, where)
    there = facts.get(where)
    chain = [body for name, body in facts_of(facts, "endpoint", desired.spec.key).items() if name]
    former = [there] if there else [body for body in chain if (body.get("tags") or {}).get(OWNER_TAG)]
    if document is None:
        return
    seen = set()
    for path, body in ((path, body) for path in (_INGRESS, _AUTH) for body in former):
        before, after = _current_value(body, path), _cli_value(path, document.get(path))
        if path not in seen and _is_more_exposed(path, before, after):
            seen.add(path)
            yield {"address": str(where), "path": path, "before": before, "after": after}


def _of_deployments(desired: Desired, steps: Sequence[Step], facts: Facts) -> Iterator[Mapping[str, Json]]:
    spec, now = desired.spec, served(facts, desired.spec.key)
    live = facts.get(address("deployment", spec.key, desired.live)) if desired.live else None
    slots = spec.traffic is None and len(spec.deployments) == 1
    for name in desired.deployments:
        where = address("deployment", spec.key, name)
        own, document = facts.get(where), _document(steps, where)
        former = (live or own) if slots else (own or live)
        if former is None or (document is None and desired.traffic.get(name, 0) <= now.get(name, 0)):
            continue
        after = _current_value(own or {}, _EGRESS) if document is None else _cli_value(_EGRESS, document.get(_EGRESS))
        before = _current_value(former, _EGRESS)
        if _is_more_exposed(_EGRESS, before, after):
            yield {"address": str(where), "path": _EGRESS, "before": before, "after": after}


def _document(steps: Sequence[Step], where: Address) -> Mapping[str, Json] | None:
    """The last document that the steps write at an address; None if they write none."""
    documents = [step.body["document"] for step in steps if step.address == where and "document" in step.body]
    return documents[-1] if documents else None


def _current_value(body: Mapping[str, Json], path: str) -> str:
    return _cli_value(path, (body.get("properties") or {}).get(_ARM[path]))


def _cli_value(path: str, value: Json) -> str:
    """A value as CLI v2 writes it; network access that is not set is enabled."""
    plain = str(value or ("key" if path == _AUTH else "enabled")).lower().replace("_", "")
    return plain.replace("token", "_token") if path == _AUTH else plain


def _is_more_exposed(path: str, before: str, after: str) -> bool:
    if path == _AUTH:
        return _rank(before) > _rank(after)
    return (before, after) == ("disabled", "enabled")


def _rank(word: str) -> int:
    return _STRENGTH.get(word.replace("_", ""), 0)

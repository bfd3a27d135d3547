"""The rules of traffic and names, as pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping

MIRROR_LIMIT = 50
_NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")


def name_problem(kind: str, name: str) -> str:
    """The error of an endpoint's or deployment's name; "" when it is valid: 3 to 32 letters, digits and dashes."""
    if 3 <= len(name) <= 32 and _NAME.fullmatch(name):
        return ""
    return (
        f"The {kind} name '{name}' is invalid. It must be 3 to 32 characters long, begin with a letter, "
        "end with a letter or digit, and contain only letters, digits and '-'."
    )


def traffic_problem(
    live: Mapping[str, int], mirror: Mapping[str, int], ready: Mapping[str, bool], current: Mapping[str, int]
) -> str:
    """Why a traffic map is refused; "" when it is not.

    `ready` maps every deployment of the endpoint (lower case) to whether it is Succeeded. A deployment that is being
    updated in place keeps its traffic in `current`, but cannot get new traffic.
    """
    for kind, shares in (("traffic", live), ("mirror traffic", mirror)):
        for name, share in shares.items():
            if not 0 <= share <= 100:
                return f"The {kind} of deployment '{name}' is {share}; it must be between 0 and 100."
            if share > 0 and name.lower() not in ready:
                return f"The {kind} names deployment '{name}', which does not exist in this endpoint."
            if share > 0 and not ready[name.lower()] and not current.get(name):
                return f"The {kind} names deployment '{name}', which is not in provisioning state Succeeded."
    return _sum_problem(live) or _mirror_problem(live, mirror)


def _sum_problem(live: Mapping[str, int]) -> str:
    total = sum(live.values())
    return "" if total in (0, 100) else f"The traffic percentages add up to {total}; they must add up to 0 or 100."


def _mirror_problem(live: Mapping[str, int], mirror: Mapping[str, int]) -> str:
    mirrored = [name for name, share in mirror.items() if share > 0]
    if len(mirrored) > 1:
        return "Only one deployment can receive mirror traffic."
    for name in mirrored:
        if mirror[name] > MIRROR_LIMIT:
            return f"The mirror traffic of deployment '{name}' is {mirror[name]}; the limit is {MIRROR_LIMIT}."
        if any(share > 0 and served.lower() == name.lower() for served, share in live.items()):
            return f"Deployment '{name}' cannot receive both live traffic and mirror traffic."
    return ""


def choose(live: Mapping[str, int], request_number: int) -> str | None:
    """The deployment for this request. Each 100 requests in a row follow the shares exactly, evenly mixed."""
    shares = [(name, share) for name, share in sorted(live.items()) if share > 0]
    point = request_number * 37 % 100  # 37 and 100 have no common factor: 100 requests reach every point once
    for name, share in shares:
        point -= share
        if point < 0:
            return name
    return shares[0][0] if shares else None


def choose_mirror(mirror: Mapping[str, int], request_number: int) -> str | None:
    """The deployment that gets a copy of this request."""
    return next((name for name, share in mirror.items() if request_number * 37 % 100 < share), None)

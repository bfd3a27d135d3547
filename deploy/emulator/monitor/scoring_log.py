"""What metrics are computed from: the scoring requests in the request log, by minute, for autoscale and for readers.

A request counts when a deployment answered it, with the status of its answer; its latency is the real time that the
answer took. A connection that was reset has no answer. A mirrored request counts for the deployment that it was
mirrored to (documented). Whether Azure counts requests that its front end refuses (401, or 429 with too many pending
requests) is unknown; here they do not count. Metrics of machines (CPU, memory, GPU, disk) are not emulated.

The value of a metric for several minutes is computed from the values of each minute. For percentiles this is
documented: `RequestLatency_P90` is an average of P90 values, not the P90 of all requests. Which values it averages is
unknown; here each minute has one, of all requests that are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from deploy.emulator.wire.request_log import SCORED
from deploy.emulator.world.store import World

MINUTE = 60
_RESOURCE = re.compile(r".+/onlineendpoints/[^/]+(/deployments/[^/]+)?")
DIMENSIONS: Mapping[str, Callable[[str, int], str]] = {
    "deployment": lambda target, _: target.rpartition("/")[2],
    "statuscode": lambda _, status: str(status),
    "statuscodeclass": lambda _, status: f"{status // 100}xx",
    "envoy_response_code": lambda _, status: str(status),
}
"""Dimension in lower case -> its value for a request to a deployment (`target`) with a status."""
Row = tuple[float, str, int, float]
"""A request: time in seconds since 1970, id of the deployment in lower case, status, milliseconds."""


def _percentile(share: float) -> Callable[[Sequence[float]], float]:
    return lambda values: sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


LATENCIES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "requestlatency": mean, **{f"requestlatency_p{p}": _percentile(p / 100) for p in (50, 90, 95, 99)},
}  # fmt: skip
REQUESTS = "requestsperminute"
_OF_ENDPOINT = """
WITH RECURSIVE found(target) AS (
    SELECT MIN(target) FROM requests WHERE target != '' AND target > ?1 AND target < ?2
    UNION ALL
    SELECT (SELECT MIN(target) FROM requests WHERE target != '' AND target > found.target AND target < ?2)
    FROM found WHERE found.target IS NOT NULL)
SELECT target FROM found WHERE target IS NOT NULL"""
"""The targets between two texts: one search in the index for each, however many requests they have."""
_ROWS = f"""
SELECT time, target, status, milliseconds FROM requests
WHERE target != '' AND target = ? AND time >= ? AND time < ? AND status > 0 AND operation IN {SCORED}"""  # noqa: S608 - constant names


def is_resource(identifier: str) -> bool:
    """Whether an id, in lower case, is that of an online endpoint or of one of its deployments."""
    return _RESOURCE.fullmatch(identifier) is not None


def is_deployment(identifier: str) -> bool:
    """Whether an id, in lower case, is that of a deployment."""
    found = _RESOURCE.fullmatch(identifier)
    return found is not None and found[1] is not None


def requests(world: World, identifier: str, since: float, before: float = math.inf) -> list[Row]:
    """The requests to an endpoint or deployment (id in lower case) that were answered in a span of time."""
    targets = [identifier]
    if not is_deployment(identifier):
        targets = [row[0] for row in world.db.execute(_OF_ENDPOINT, (f"{identifier}/", f"{identifier}0"))]
    return [row for target in targets for row in world.db.execute(_ROWS, (target, since, before))]


def values(name: str, minutes: Sequence[Sequence[float]]) -> list[float]:
    """The values of a metric (in lower case) in some minutes, given the milliseconds of the requests in each one.

    A minute without requests has the value 0 for `RequestsPerMinute` (recorded). Whether it has a latency is unknown;
    here it has none.
    """
    if name == REQUESTS:
        return [float(len(minute)) for minute in minutes]
    return [LATENCIES[name](minute) for minute in minutes if minute]

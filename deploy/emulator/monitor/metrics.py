"""Azure Monitor's reads of metrics of online endpoints and deployments: values, definitions, and values in batches.

The Resource Manager's reads need `Microsoft.Insights/Metrics/Read` and refuse with a flat error; the batch is on the
data plane, needs the same right on the subscription, and has `error` around its errors (documented). Whether a batch
fails as a whole when one resource does not exist is unknown; here it does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote

from deploy.emulator.monitor import metric_catalog, metric_query, scoring_log
from deploy.emulator.monitor.metric_query import Query, written
from deploy.emulator.monitor.metric_series import Answers, NotMeasured
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal, arm_error, flat_error, resource_not_found
from deploy.emulator.world.store import Resource

READ = "Microsoft.Insights/Metrics/Read"
MOST_RESOURCES = 50
Error = Callable[[int, str, str, str], Refusal]
_T = TypeVar("_T")


def listing(call: Call) -> Answer:
    """GET the values of metrics of one resource."""
    resource = _require(call)

    def found() -> Json:
        metric_query.check_namespace(call.query, resource.body["id"])
        query = metric_query.read(call.query, call.world.now())
        span = f"{written(query.start)}/{written(query.end)}"
        return {"cost": _cost(query), "timespan": span, **_values(call, resource, query)}

    return Answer(200, _checked(found, _flat))


def definitions(call: Call) -> Answer:
    """GET the metrics that a resource has."""
    resource = _require(call)

    def found() -> Json:
        metric_query.check_namespace(call.query, resource.body["id"])
        identifier = resource.body["id"]
        return {"value": [metric_catalog.definition(identifier, each) for each in metric_catalog.of(identifier)]}

    return Answer(200, _checked(found, _flat))


def batch(call: Call) -> Answer:
    """POST the ids of resources of one subscription, region and type: the values of metrics of each one."""
    subscription = call.route_params["subscription"]
    if not call.rights.allows(call.caller.id, READ, f"/subscriptions/{subscription}"):
        message = f"The client '{call.caller.client}' is not authorized to read metrics of the subscription."
        raise arm_error(401, "AuthorizationFailed", message)  # the status is documented, the code is not
    return Answer(200, {"values": _checked(lambda: _batch(call, subscription), _wrapped)})


def _batch(call: Call, subscription: str) -> list[Json]:
    identifiers = call.object().get("resourceids")
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= MOST_RESOURCES:
        raise ValueError(f"Expected 1 to {MOST_RESOURCES} ids in 'resourceids'")
    resources = [_resource(call, str(each), subscription) for each in identifiers]
    types = {metric_catalog.namespace(resource.id) for resource in resources}
    if len(types) > 1:
        raise ValueError("All resources must have the same type")
    if not metric_query.namespace(call.query):
        raise ValueError("The parameter 'metricnamespace' is missing")
    metric_query.check_namespace(call.query, resources[0].id)
    query = metric_query.read(call.query, call.world.now())
    times = {"starttime": written(query.start), "endtime": written(query.end)}
    return [
        {**times, **_values(call, resource, query), "resourceid": identifier}
        for identifier, resource in zip(identifiers, resources, strict=True)
    ]


def _resource(call: Call, identifier: str, subscription: str) -> Resource:
    """A resource of a batch; its id can lack the slash at the beginning."""
    low = "/" + identifier.lower().strip("/")
    found = call.world.get(low) if scoring_log.is_resource(low) else None
    if found is None:
        raise arm_error(404, "ResourceNotFound", f"The emulator has no metrics of the resource '{identifier}'.")
    if not low.startswith(f"/subscriptions/{subscription.lower()}/"):
        raise ValueError(f"The resource '{identifier}' is not in the subscription '{subscription}'")
    region = call.route_params["region"]
    if found.location.lower() != region.lower():
        raise ValueError(f"The resource '{identifier}' is in the region {found.location}, not in {region}")
    return found


def _values(call: Call, resource: Resource, query: Query) -> dict[str, Json]:
    """What the answers of both planes have; without an interval for the values of dimensions."""
    return {
        **({} if query.metadata else {"interval": query.interval}),
        "value": Answers(call.world, resource, query).metrics(),
        "namespace": metric_catalog.namespace(resource.id), "resourceregion": resource.location,
    }  # fmt: skip


def _cost(query: Query) -> int:
    """24 is recorded for one metric in 25 minutes; that it grows in this way is inferred."""
    return (len(query.minutes) - 1) * len(query.names)


def _require(call: Call) -> Resource:
    path = unquote(call.url_path)
    identifier = path[: path.lower().rindex("/providers/microsoft.insights/")]
    found = call.world.get(identifier)
    if found is None:
        raise resource_not_found(identifier.rpartition("/providers/")[2], call.route_params["group"])
    return found


def _checked(found: Callable[[], _T], error: Error) -> _T:
    try:
        return found()
    except ValueError as problem:
        raise error(400, "BadRequest", f"{problem}, TraceId: {{{uuid.uuid4()}}}", "") from None
    except NotMeasured as problem:
        raise error(400, "BadRequest", f"{problem}.", "not emulated") from None


def _flat(status: int, code: str, message: str, note: str) -> Refusal:
    return flat_error(status, code, message, note)


def _wrapped(status: int, code: str, message: str, note: str) -> Refusal:
    return arm_error(status, code, message, note=note)

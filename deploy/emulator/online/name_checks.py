"""checkNameAvailability: endpoint names are unique in a region, deployment names in their endpoint.

Azure lists these actions without a documented answer; this one has the form of its other name checks.
"""

from __future__ import annotations

from deploy.emulator.online import endpoints
from deploy.emulator.wire import traffic_rules
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer
from deploy.emulator.workspace import workspaces


def endpoint(call: Call) -> Answer:
    """GET checkNameAvailability of an endpoint."""
    workspace, name = workspaces.require(call), call.route_params["endpoint"]
    if problem := traffic_rules.name_problem("endpoint", name):
        return _answer("Invalid", problem)
    if call.world.find_by_name(endpoints.KIND, workspace.location, name) is not None:
        where = f"in region {workspace.location}"
        return _answer("AlreadyExists", f"An endpoint with this name already exists {where}: {name}.")
    return _answer()


def deployment(call: Call) -> Answer:
    """GET checkNameAvailability of a deployment."""
    parent, name = endpoints.require(call), call.route_params["deployment"]
    if problem := traffic_rules.name_problem("deployment", name):
        return _answer("Invalid", problem)
    if call.world.get(f"{parent.id}/deployments/{name}") is not None:
        where = f"in endpoint {parent.body['name']}"
        return _answer("AlreadyExists", f"A deployment with this name already exists {where}: {name}.")
    return _answer()


def _answer(reason: str | None = None, message: str | None = None) -> Answer:
    return Answer(200, {"nameAvailable": reason is None, "reason": reason, "message": message})

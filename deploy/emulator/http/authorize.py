"""Authorization: do the caller's roles allow a request? Runs before the resource is looked up, as on Azure."""

from __future__ import annotations

from urllib.parse import unquote

from deploy.emulator.rbac import rights
from deploy.emulator.wire import rbac_actions
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.routing import Route
from deploy.emulator.workspace import workspaces


def allow(evaluator: rights.Rights, route: Route, call: Call) -> None:
    """Return if the request is allowed; raise the Resource Manager's Refusal otherwise."""
    scope = rbac_actions.scope_of(route.path, unquote(call.url_path))
    if route.name in rbac_actions.OPEN or (route.name in rbac_actions.TENANT_WIDE and not call.route_params["scope"]):
        return
    action = route.action.replace("{kind}", call.route_params.get("kind", ""))
    is_allowed = evaluator.can_see if route.name in rbac_actions.COLLECTED else evaluator.allows
    if is_allowed(call.caller.id, action, scope):
        return
    workspaces.require_subscription(call, scope)
    raise rights.refusal(call.caller.client, call.caller.id, action, scope)

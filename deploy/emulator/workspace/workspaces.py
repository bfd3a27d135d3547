"""Subscriptions, resource groups and workspaces. `seed` creates them; they are read only."""

from __future__ import annotations

from deploy.emulator.rbac.rights import SUBSCRIPTION_READ
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Refusal, arm_error
from deploy.emulator.world.store import Resource

PROVIDER = "Microsoft.MachineLearningServices"
WORKSPACE = f"{PROVIDER}/workspaces"


def require(call: Call) -> Resource:
    """The workspace a request's path names.

    Raises:
        Refusal: 404 when the subscription, the group or the workspace does not exist.
    """
    names = call.route_params
    subscription = f"/subscriptions/{names['subscription']}"
    group = f"{subscription}/resourceGroups/{names['group']}"
    found = call.world.get(f"{group}/providers/{WORKSPACE}/{names['workspace']}")
    if found is not None:
        return found
    if call.world.get(subscription) is None:
        raise no_subscription(names["subscription"])
    if call.world.get(group) is None:
        raise arm_error(404, "ResourceGroupNotFound", f"Resource group '{names['group']}' could not be found.")
    raise not_found(f"{WORKSPACE}/{names['workspace']}", names["group"])


def require_subscription(call: Call, scope: str) -> None:
    """Raise 404 when the subscription of a scope does not exist."""
    name = call.route_params.get("subscription") or scope.strip("/").removeprefix("subscriptions/").partition("/")[0]
    if call.world.get(f"/subscriptions/{name}") is None:
        raise no_subscription(name)


def no_subscription(name: str) -> Refusal:
    """404 for a missing subscription."""
    return arm_error(404, "SubscriptionNotFound", f"The subscription '{name}' could not be found.")


def not_found(name: str, group: str) -> Refusal:
    """404 for a missing resource; `name` is its type and names, provider first."""
    return arm_error(
        404, "ResourceNotFound",
        f"The Resource '{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )  # fmt: skip


def get(call: Call) -> Answer:
    """GET a workspace."""
    return Answer(200, require(call).body)


def listing(call: Call) -> Answer:
    """GET the workspaces of a resource group, or of a subscription, that the caller can read."""
    subscription = f"/subscriptions/{call.route_params['subscription']}"
    named = call.route_params.get("group")
    groups = (
        [f"{subscription}/resourceGroups/{named}"]
        if named
        else [item.id for item in call.world.children(subscription, "group")]
    )
    found = [item for group in groups for item in call.world.children(group, "workspace")]
    may = call.rights.allows
    return Answer(200, {"value": [item.body for item in found if may(call.caller.id, f"{WORKSPACE}/read", item.id)]})


def subscriptions(call: Call) -> Answer:
    """GET the subscriptions in which the caller has any role."""
    rows = call.world.db.execute("SELECT id FROM resources WHERE kind = 'subscription' ORDER BY number").fetchall()
    found = [item for row in rows if (item := call.world.get(row[0])) is not None]
    can_see = call.rights.can_see
    return Answer(200, {"value": [item.body for item in found if can_see(call.caller.id, SUBSCRIPTION_READ, item.id)]})


def subscription(call: Call) -> Answer:
    """GET a subscription."""
    found = call.world.get(f"/subscriptions/{call.route_params['subscription']}")
    if found is None:
        raise no_subscription(call.route_params["subscription"])
    return Answer(200, found.body)


def group(call: Call) -> Answer:
    """GET a resource group."""
    return Answer(200, require_group(call).body)


def require_group(call: Call) -> Resource:
    """The resource group that a request's path names; 404 otherwise."""
    found = call.world.get(
        f"/subscriptions/{call.route_params['subscription']}/resourceGroups/{call.route_params['group']}"
    )
    if found is None:
        raise arm_error(
            404, "ResourceGroupNotFound", f"Resource group '{call.route_params['group']}' could not be found."
        )
    return found


def list_in_groups(call: Call, kind: str) -> Answer:
    """GET the resources of a kind in the path's resource group, or in all groups of its subscription."""
    subscription = f"/subscriptions/{call.route_params['subscription']}"
    groups = [require_group(call)] if "group" in call.route_params else call.world.children(subscription, "group")
    return Answer(200, {"value": [item.body for group in groups for item in call.world.children(group.id, kind)]})


def id_in_group(call: Call, resource_type: str) -> str:
    """The id of a resource directly in a resource group, from the names in a request's path."""
    names = call.route_params
    group = f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}"
    return f"{group}/providers/{resource_type}/{names['name']}"


def computes(call: Call) -> Answer:
    """GET the computes of a workspace: always none."""
    require(call)
    return Answer(200, {"value": []})


def compute(call: Call) -> Answer:
    """GET one compute: always 404."""
    require(call)
    raise not_found(
        f"{WORKSPACE}/{call.route_params['workspace']}/computes/{call.route_params['compute']}",
        call.route_params["group"],
    )

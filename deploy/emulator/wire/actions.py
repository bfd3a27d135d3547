"""Which action a request is, over which scope: the Resource Manager reads both from the address alone.

An address is `/place/providers/Namespace/type/name/type/name`; the types without the names are the action, the method
is its last word. Whether the caller may do it is decided in `rights`.
"""

from __future__ import annotations

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
OPEN = frozenset({"OperationsStatus_Get", "OperationResults_Get", "Permissions_List"})
"""Needs a token and no role. The address of an operation is given only to whoever began it (on Azure it is signed),
and everybody may ask what they are allowed."""
TENANT_WIDE = frozenset({"RoleDefinitions_Get", "RoleDefinitions_List"})
"""Asked of no scope at all, these are open too: Azure's own roles are no secret."""
COLLECTED = frozenset(
    {"Subscriptions_List", "Subscriptions_Get", "Workspaces_ListBySubscription", "Workspaces_ListByResourceGroup"}
)
"""Lists that show each caller what they may read; so a role further down is enough to ask."""


def action_of(method: str, path: str) -> str:
    """The action of a route, such as `Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write`.

    A place holder `{kind}` stands for a type and stays.
    """
    _, provided, rest = path.rpartition("/providers/")
    words = (rest if provided else f"Microsoft.Resources{path}").split("/")
    types = [word for word in words if word == "{kind}" or not word.startswith("{")]
    return "/".join([*types, _VERBS.get(method, "action")])


def scope_of(path: str, address: str) -> str:
    """What a request is about: the named resource, or for lists and POSTs the resource that they are asked of.

    `path` is the route's, `address` the request's, decoded.
    """
    parts = address.rstrip("/").split("/")
    if not path.endswith("}") and "/providers/" in path:
        parts = parts[:-1]
        if parts[-2:-1] == ["providers"]:
            parts = parts[:-2]
    return "/".join(parts) or "/"

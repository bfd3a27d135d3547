"""The RBAC action and scope of a request. As in the Resource Manager, both follow from the address.

An address is `/scope/providers/Namespace/type/name/type/name`. The action is the types without the names, and the
method as its last word. `rbac.rights` decides whether the caller is allowed to do it.
"""

from __future__ import annotations

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
OPEN = frozenset(
    {
        "OperationsStatus_Get", "OperationResults_Get", "WorkspaceOperationsStatus_Get", "Permissions_List",
        "Subscriptions_List",
    }
)  # fmt: skip
"""These need a token but no role. Only the caller that started an operation has its address (on Azure it is signed);
every caller can list its own permissions, and the subscriptions that it can see, which may be none."""
TENANT_WIDE = frozenset({"RoleDefinitions_Get", "RoleDefinitions_List"})
"""Without a scope, these need no role either: Azure's built-in roles are public."""
COLLECTED = frozenset({"Subscriptions_Get", "Workspaces_ListBySubscription", "Workspaces_ListByResourceGroup"})
"""These lists contain what the caller can read; a role on a child resource is enough to call them."""
_READING = "checkPolicyRestrictions"
"""The action of this POST ends with `read`."""


def action_of(method: str, path: str) -> str:
    """The action of a route, such as `Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write`.

    The placeholder `{kind}` is a type and stays.
    """
    _, provided, rest = path.rpartition("/providers/")
    words = (rest if provided else f"Microsoft.Resources{path}").split("/")
    types = [word for word in words if word == "{kind}" or not word.startswith("{")]
    return "/".join([*types, "read" if types[-1] == _READING else _VERBS.get(method, "action")])


def scope_of(path: str, address: str) -> str:
    """The scope of a request: the named resource, or for lists and POSTs the resource that they belong to.

    `path` is the route's, `address` the request's, decoded.
    """
    parts = address.rstrip("/").split("/")
    if not path.endswith("}") and "/providers/" in path:
        parts = parts[:-1]
        if parts[-2].lower() == "providers":
            parts = parts[:-2]
    return "/".join(parts) or "/"

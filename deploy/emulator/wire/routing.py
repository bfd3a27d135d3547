"""Routes: the type, shared paths, and constructors for the Resource Manager. The table is in `http.routes`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.emulator.wire import rbac_actions
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer

Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """One operation. `name` is the published operation id; `{x}` is one path segment, `{x*}` any number of them.

    `when` are query parameters and headers that a request must have, for operations with the same method and path.
    """

    plane: str
    method: str
    path: str
    name: str
    run: Handler | None
    mutating: bool = False
    when: Mapping[str, str] = field(default_factory=dict, hash=False)
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False, default=re.compile(""))
    action: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", _pattern(self.path))
        object.__setattr__(self, "action", rbac_actions.action_of(self.method, self.path))


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+\*?)\}", path)  # text, name, text, name, ... text
    for at, part in enumerate(parts):
        if at % 2 == 0:
            parts[at] = re.escape(part)
        else:
            parts[at] = f"(?P<{part[:-1]}>.*?)" if part.endswith("*") else f"(?P<{part}>[^/]+)"
    return re.compile("".join(parts), re.IGNORECASE)


SUB = "/subscriptions/{subscription}"
GROUP = SUB + "/resourceGroups/{group}"
WORKSPACES = GROUP + "/providers/Microsoft.MachineLearningServices/workspaces"
WS = WORKSPACES + "/{workspace}"
EP = WS + "/onlineEndpoints/{endpoint}"
DP = EP + "/deployments/{deployment}"
LOC = SUB + "/providers/Microsoft.MachineLearningServices/locations/{location}"
ROLE = "{scope*}/providers/Microsoft.Authorization"
INSIGHTS = "/providers/Microsoft.Insights"
SCALE = INSIGHTS + "/autoscaleSettings"
METRICS_HOST = "/{region}.metrics.monitor.azure.com"
TAGS = "{scope*}/providers/Microsoft.Resources/tags/{name}"
REGISTRY = "/mferp/managementfrontend" + GROUP + "/providers/Microsoft.MachineLearningServices/registries/{registry}"
CONTAINER = "/{account}.blob.core.windows.net/{container}"
BLOB = CONTAINER + "/{blob*}"


def read(path: str, name: str, run: Handler) -> Route:
    """A GET of the Resource Manager."""
    return Route("arm", "GET", path, name, run)


def write(method: str, path: str, name: str, run: Handler) -> Route:
    """A mutating request of the Resource Manager."""
    return Route("arm", method, path, name, run, mutating=True)


def post(path: str, name: str, run: Handler) -> Route:
    """A POST that changes nothing."""
    return Route("arm", "POST", path, name, run)

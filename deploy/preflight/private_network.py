"""Whether the machine that probes reaches a private endpoint, before an instance is paid for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.domain.arm import Json
from deploy.preflight.check_result import CheckResult, Reason

_CURE = (
    "Run amldeploy on a self-hosted runner in the virtual network of the workspace's private endpoint, or set "
    "probe: {from: none} in pipeline.yml, which deploys without a probe"
)


def check(row: Mapping[str, Json]) -> CheckResult:
    """Whether the host resolves to a private address and accepts a connection. `row`: see `cloud.network`."""
    runner, host = row["runner"], row["host"]
    words = f"public_network_access is disabled, and the probe runs from {runner}"
    if row["unread"]:
        return CheckResult(words, "", unknown=(f"whether it reaches the endpoint: {row['unread']}",))
    if row["problem"]:
        cause = f"{words}, which does not reach {host}: {row['problem']}"
        return CheckResult(words, "", (Reason("AML266", cause, _CURE),))
    return CheckResult(f"{words}; {host} resolves to {row['address']}, and port {row['port']} is open", "")

"""Whether this machine reaches the scoring host of a private endpoint: its addresses, and a TCP connection.

Sends nothing over the connection. Every wait is bounded.
"""

from __future__ import annotations

import os
import socket
import urllib.request
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from deploy.cloud.connect import Cloud
from deploy.domain.arm import Json

_SECONDS = 5.0
"""The longest wait for a name server, and for a connection."""


def runner() -> str:
    """The machine that runs this, in words."""
    kind = os.environ.get("RUNNER_ENVIRONMENT") if os.environ.get("GITHUB_ACTIONS") == "true" else ""
    names = {"github-hosted": "this GitHub-hosted runner", "self-hosted": "this self-hosted runner"}
    return names.get(kind or "", "this machine")


def read_reach(cloud: Cloud, name: str, body: Json | None) -> dict[str, Json]:
    """{host, port, runner, address, problem, unread} for an endpoint (`body` is null for a new one).

    `problem`: why the host is not reached at a private address; `unread`: why that is unknown.
    """
    url = _url(cloud, name, body)
    row: dict[str, Json] = {"host": "", "port": 0, "runner": runner(), "address": "", "problem": "", "unread": ""}
    if not url:
        return {**row, "unread": f"the private host names of {cloud.environment.cloud} are unknown"}
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 443
    row = {**row, "host": host, "port": port}
    if cloud.environment.cloud != "local" and _is_proxied(host):
        return {**row, "unread": "a proxy connects to it (HTTPS_PROXY)"}
    try:
        found = cloud.addresses(host)
    except OSError as error:
        return {**row, "problem": f"its name does not resolve ({error.strerror or error})"}
    public = [each for each in found if ip_address(each.partition("%")[0]).is_global]
    if public or not found:
        return {**row, "problem": f"it resolves to the public address {public[0]}" if public else "it has no address"}
    problem = cloud.arm.once(f"connection to {found[0]} {port}", lambda: _connect(found, port))
    return {**row, "address": found[0], "problem": problem}


def _url(cloud: Cloud, name: str, body: Json | None) -> str:
    """The scoring URI of an endpoint; of a new one, its host in the zone of the workspace's private endpoint."""
    if uri := ((body or {}).get("properties") or {}).get("scoringUri"):
        return str(uri)
    workspace = cloud.workspace()
    guid, region = (workspace.get("properties") or {}).get("workspaceId"), str(workspace["location"])
    return cloud.hosts.private.format(name=name, workspace=guid, region=region.lower().replace(" ", ""))


def _is_proxied(host: str) -> bool:
    proxies = urllib.request.getproxies()
    return "https" in proxies and not urllib.request.proxy_bypass(host)


def _connect(addresses: Sequence[str], port: int) -> str:
    """Why there is no connection; "" if one of the addresses accepts it."""
    problem = ""
    for address in addresses[:2]:
        try:
            socket.create_connection((address, port), timeout=_SECONDS).close()
        except OSError as error:
            problem = f"there is no connection to {address} port {port} ({error.strerror or error})"
        else:
            return ""
    return problem

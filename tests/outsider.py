"""Another client in the same workspace: raw ARM requests without code of amldeploy."""

from __future__ import annotations

import os
import time
from typing import Any

import requests

from tests.table import WORKSPACE

VERSION = "2024-10-01"
PATIENCE = 180.0
"""Seconds that an operation may take: a scoring server of somebody's own is really started."""


class Outsider:
    """A client that is signed in as the emulator's owner, while an emulator is open in this process."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.verify = os.environ["REQUESTS_CA_BUNDLE"]
        self.manager = os.environ["REGISTRY_DISCOVERY_ENDPOINT_URL"].rstrip("/")
        told = self.session.get(
            os.environ["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
            headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
            timeout=10,
        )
        self.session.headers["Authorization"] = f"Bearer {told.json()['access_token']}"

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request; return the body of the response. `path` starts below the workspace."""
        answer = self.session.request(
            method, f"{self.manager}{WORKSPACE}{path}", params={"api-version": VERSION}, json=body, timeout=10
        )
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def put(self, path: str, body: Any) -> None:
        """PUT, and wait for the end of the operation."""
        self.send("PUT", path, body)
        self.settle(path)

    def settle(self, path: str) -> None:
        """Wait until no operation runs on it."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.send("GET", path)["properties"]["provisioningState"] not in ("Creating", "Updating"):
                return
        raise AssertionError(f"{path} does not settle")

    def gone(self, path: str) -> None:
        """Wait until it does not exist."""
        above, _, name = path.rpartition("/")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if name not in [body["name"] for body in self.send("GET", above)["value"]]:
                return
        raise AssertionError(f"{path} stays")

    def endpoint(self, name: str, **body: Any) -> None:
        """PUT an endpoint."""
        sent = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "tags": {}, **body}
        self.put(f"/onlineEndpoints/{name}", sent)

    def deployment(self, endpoint: str, name: str, **body: Any) -> None:
        """PUT a deployment."""
        self.put(f"/onlineEndpoints/{endpoint}/deployments/{name}", {"location": "eastus", "tags": {}, **body})

    def get(self, path: str) -> Any:
        """Return the body at a path below the workspace's endpoints."""
        return self.send("GET", f"/onlineEndpoints/{path}")

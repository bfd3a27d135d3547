"""The emulator as one object: requests go directly to the application, and the clock can be advanced."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.emulator.entra import access_tokens
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.entra.directory import Principal
from deploy.emulator.http.app import Emulator
from deploy.emulator.seed import default_world
from deploy.emulator.seed.open_world import open_world

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
WORKSPACE = default_world.WORKSPACE_ID
LOCATION = f"/subscriptions/{default_world.SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/eastus"
HOST = "127.0.0.1:1234"


class SetClock:
    """A clock that only `advance` moves."""

    def __init__(self) -> None:
        self.time = time.time()

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        """The message of an error, with the nested ones."""
        error = self.json["error"]
        return " ".join([error["message"], *(f"{d['code']} {d['message']}" for d in error.get("details", []))])


class Azure:
    """A new world, its application, and a signed-in caller."""

    def __init__(self, folder: Path, tokens: Tokens) -> None:
        self.clock, self.tokens, self.port = SetClock(), tokens, 1234
        self.world = open_world(folder / "world.sqlite", self.clock)
        self.app = Emulator(self.world, tokens)
        self._use(access_tokens.default_principal())

    def _use(self, principal: Principal) -> None:
        """Sign in: `token` is for the Resource Manager, `storage_token` for blobs."""
        self.token, self.storage_token = (
            access_tokens.issue(self.tokens, audience, time.time(), principal)
            for audience in ("https://management.azure.com", "https://storage.azure.com")
        )

    def sign_in(self, name: str, kind: str = "ServicePrincipal", **more: Any) -> str:
        """Sign in a new principal; returns its object id."""
        who = Principal(str(uuid.uuid4()), kind, name, str(uuid.uuid4()) if kind == "ServicePrincipal" else "")
        body = {"kind": kind, "name": name, **({"appId": who.client} if who.client else {}), **more}
        assert self.send("PUT", f"/emulator/principals/{who.id}", body).status == 200
        self._use(who)
        return who.id

    def assign_role(self, principal: str, role: str, scope: str) -> Reply:
        """Assign a role as the world's owner."""
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        definition = f"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{role}"
        wanted = {"roleDefinitionId": definition, "principalId": principal}
        owner = access_tokens.issue(self.tokens, "https://management.azure.com", time.time())
        return self.send("PUT", path, {"properties": wanted}, {"authorization": f"Bearer {owner}"})

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, scheme: str = "https"
    ) -> Reply:
        """One request. `body` is bytes as they are, or a value written as JSON."""
        return asyncio.run(self.exchange(method, path, body, headers, scheme))

    async def exchange(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, scheme: str = "https"
    ) -> Reply:
        """Like `send`, for requests at the same time."""
        address, _, query = path.partition("?")
        if address.lower().startswith(("/subscriptions", "/providers")) and "api-version" not in query:
            query = "&".join(filter(None, (query, "api-version=2023-04-01-preview")))
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        token = self.storage_token if ".blob." in address else self.token
        token = self.app.control_token if address.startswith("/emulator/") else token
        sent = {"host": HOST, "authorization": f"Bearer {token}", **(headers or {})}
        scope = {
            "type": "http", "method": method, "path": address, "raw_path": address.encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in sent.items() if v], "scheme": scheme,
            "server": ("127.0.0.1", self.port), "client": ("127.0.0.1", 5), "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        return await self._exchange(scope, raw)

    async def _exchange(self, scope: dict[str, Any], raw: bytes) -> Reply:
        sent_messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            sent_messages.append(message)

        await self.app(scope, receive, send)
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in sent_messages[0]["headers"]}
        return Reply(sent_messages[0]["status"], headers, b"".join(m.get("body", b"") for m in sent_messages[1:]))

    def endpoint(self, name: str = "mip", **changes: Any) -> Reply:
        """PUT an endpoint; `changes` go into its properties."""
        return self.send("PUT", f"{WORKSPACE}/onlineEndpoints/{name}", endpoint_body(**changes))

    def created_endpoint(self, name: str = "mip", **changes: Any) -> Any:
        """PUT an endpoint, and read it: the answer to its creation has no identity."""
        assert self.endpoint(name, **changes).status == 201
        return self.get(name)

    def deployment(self, name: str = "blue", endpoint: str = "mip", **changes: Any) -> Reply:
        """PUT a deployment; `instances` is its capacity, other changes go into its properties."""
        path = f"{WORKSPACE}/onlineEndpoints/{endpoint}/deployments/{name}"
        return self.send("PUT", path, deployment_body(**changes))

    def get(self, path: str) -> Any:
        return self.send("GET", f"{WORKSPACE}/onlineEndpoints/{path}").json

    def serving_endpoint(self, name: str = "mip", **traffic: int) -> None:
        """Create an endpoint with Succeeded deployments and traffic."""
        assert self.endpoint(name).status == 201
        self.finish_operations()
        for deployment in traffic:
            assert self.deployment(deployment, name).status == 201
        self.finish_operations()
        assert self.endpoint(name, traffic=traffic).status == 201
        self.finish_operations()

    def score(self, body: Any, name: str = "mip", headers: dict[str, str] | None = None) -> Reply:
        """A scoring request with the endpoint's primary key."""
        key = self.send("POST", f"{WORKSPACE}/onlineEndpoints/{name}/listKeys").json["primaryKey"]
        shown = {"authorization": f"Bearer {key}", **(headers or {})}
        return self.send("POST", f"/inference/eastus/{name}/score", body, shown)

    def finish_operations(self) -> None:
        """Advance the clock so that every operation ends."""
        self.clock.advance(3600)


def endpoint_body(**changes: Any) -> dict[str, Any]:
    properties = {"authMode": "Key", "traffic": {}, "mirrorTraffic": {}, "properties": {}, **changes}
    return {"location": "eastus", "identity": {"type": "SystemAssigned"}, "tags": {}, "properties": properties}


def deployment_body(instances: int = 1, **changes: Any) -> dict[str, Any]:
    properties = {"model": MODEL, "instanceType": "Standard_DS3_v2", "endpointComputeType": "Managed", **changes}
    sku = {"name": "Default", "capacity": instances}
    return {"location": "eastus", "tags": {}, "properties": properties, "sku": sku}

"""A request matched to its route: the argument of every handler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from deploy.emulator.wire.responses import Answer, Json, arm_error, timestamp
from deploy.emulator.world.store import Resource, World, dump


class Signer(Protocol):
    """Signs and checks JSON Web Tokens (`entra.jwt`)."""

    def sign(self, claims: Mapping[str, Any]) -> str: ...

    def claims(self, token: str) -> dict[str, Any] | None: ...

    def key_set(self) -> dict[str, Any]: ...


class Tokens(Signer, Protocol):
    """The signer of the directory, and that of the GitHub issuer."""

    @property
    def github(self) -> Signer: ...


class Rights(Protocol):
    """The permissions of principals (`rbac.rights`)."""

    def allows(self, principal: str, action: str, scope: str, data: bool = False) -> bool: ...

    def can_see(self, principal: str, action: str, scope: str) -> bool: ...

    def permission_blocks(self, principal: str, scope: str) -> list[Json]: ...


@dataclass(frozen=True)
class Caller:
    """The caller of a request: object id ("" without a token), display name, application id or user name.

    `kind` is the word of `createdByType`: User or Application.
    """

    id: str = ""
    name: str = ""
    client: str = ""
    kind: str = "Application"


@dataclass(frozen=True)
class Call:
    """One request, matched to its route.

    `route_params` are the values of the route's variables, such as `workspace`. `base` is the emulator's URL without a
    slash at the end. `url_path` is the path as sent, still encoded; `search` is the query string.
    """

    world: World
    tokens: Tokens
    route_params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    base: str
    url_path: str
    search: str
    caller: Caller
    rights: Rights

    @property
    def version(self) -> str:
        """The api-version, encoded for a URL."""
        return quote(self.query.get("api-version", ""), safe="")

    def object(self) -> dict[str, Json]:
        """The body as a JSON object.

        Raises:
            Refusal: 400 InvalidRequestContent when it is anything else.
        """
        try:
            value = json.loads(self.raw or b"{}", parse_constant=_no_constant)
            dump(value).encode()  # JSON can contain half of a surrogate pair, which is not valid text
        except (ValueError, RecursionError) as error:
            raise arm_error(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from None
        if not isinstance(value, dict):
            raise arm_error(400, "InvalidRequestContent", "The request content must be a JSON object.")
        return value

    def written(self, status: int, body: dict[str, Json]) -> Answer:
        """The answer of a PUT: a 201 has the address of the resource, with the query of the request (recorded)."""
        headers = {"Location": f"{self.base}{body['id']}?{self.search}"} if status == 201 else {}
        return Answer(status, body, headers)

    def system_data(self, existing: Resource | None = None) -> dict[str, Json]:
        """The `systemData` of a resource that the caller creates, or of an existing one that it changes."""
        now = timestamp(self.world.now())
        created = {"createdAt": now, "createdBy": self.caller.name, "createdByType": self.caller.kind}
        changed = {"lastModifiedAt": now, "lastModifiedBy": self.caller.name, "lastModifiedByType": self.caller.kind}
        return {**(existing.body["systemData"] if existing else created), **changed}


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")

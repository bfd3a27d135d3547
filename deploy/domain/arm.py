"""Addresses, facts (ARM bodies by address), and the tags that amldeploy writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Json = Any
"""A JSON value; the border to Azure's bodies, which have no fixed type."""


class Address(NamedTuple):
    """The address of a step or a resource: `deployment/mip/green` as text, which only JSON and the screen contain."""

    kind: str
    endpoint: str
    """The endpoint's key in the environment file."""
    rest: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that a text contains. `parse(str(a)) == a` for every address that `address` returns."""
        kind, _, rest = text.partition("/")
        endpoint, *others = rest.split("/")
        return cls(kind, endpoint, tuple(others))

    def __str__(self) -> str:
        return "/".join((self.kind, self.endpoint, *self.rest))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """A plan file contains addresses as text, also as keys."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())

    @property
    def name(self) -> str:
        """The last part: of a deployment, its name."""
        return self.rest[-1] if self.rest else self.endpoint


Facts = Mapping[Address, Mapping[str, Json]]
"""What exists in Azure: address -> ARM body. An address that is absent is a resource that does not exist."""
OWNER_TAG = "amldeploy-owner"
"""Tag on endpoint and deployment: see `owners.Owner`. Resources without our tag are never changed."""
RELEASE_TAG = "amldeploy-release"
"""Tag on a deployment: the digest of what it is made of."""
SLOTS = ("blue", "green")
UNVERIFIED = "-unverified"  # suffix of the release tag: changed in place while it had traffic, not yet probed


def address(kind: str, key: str, *rest: str) -> Address:
    """The address of a resource or a step of one endpoint. A part of `rest` may contain slashes (a role's ARM id)."""
    return Address(kind, key, tuple(part for each in rest for part in each.split("/")))


def facts_of(facts: Facts, kind: str, key: str) -> dict[str, Mapping[str, Json]]:
    """The facts of one kind about one endpoint, keyed by the rest of their address as text."""
    return {"/".join(a.rest): body for a, body in facts.items() if (a.kind, a.endpoint) == (kind, key)}


def release_of(body: Mapping[str, Json] | None) -> str:
    """The release of a deployment (ARM body or document), verified or not; empty without a release tag."""
    return str(((body or {}).get("tags") or {}).get(RELEASE_TAG) or "").removesuffix(UNVERIFIED)


def is_succeeded(body: Mapping[str, Json]) -> bool:
    """Whether the last operation on a resource (its ARM body) succeeded."""
    return bool((body.get("properties") or {}).get("provisioningState") == "Succeeded")


def capacity_of(body: Mapping[str, Json] | None) -> int:
    """The instances of a deployment, from its ARM body; 0 if it contains no number."""
    return int(((body or {}).get("sku") or {}).get("capacity") or 0)

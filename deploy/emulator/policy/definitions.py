"""Policies of the world file: their shape, and which resources they refuse. Pure.

A policy has one condition on one field; its effect applies where the condition is true. As in Azure, `not_in` is also
true for a missing field, and texts are compared in any case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from deploy.emulator.wire.responses import Json
from deploy.emulator.world.parse import Strict

ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/deployments"
DATA_MODE = "Microsoft.MachineLearningServices.v2.Data"
"""The mode of policies that the Machine Learning service evaluates, not the Resource Manager."""
_PLAIN = ("type", "name", "kind", "location", "identity.type")
_TAG = re.compile(r"tags(?:\.([^\[\]]+)|\['(.+)'\])", re.IGNORECASE)


def _known_field(field: str) -> str:
    if field.lower() in _PLAIN or _TAG.fullmatch(field) or _alias(field):
        return field
    raise ValueError(f"expected {', '.join(_PLAIN)}, tags['NAME'], or an alias such as {ENDPOINTS}/publicNetworkAccess")


def _alias(field: str) -> tuple[str, str] | None:
    """The type and the property of an alias."""
    for kind in (DEPLOYMENTS, ENDPOINTS):
        if field.lower().startswith(f"{kind}/".lower()):
            return kind, field[len(kind) + 1 :]
    return None


class Policy(Strict):
    """A policy definition with its assignment at a scope: an ARM id or a workspace (default: the first subscription).

    One of `equals`, `in`, `not_in` and `exists` is the condition. `type` limits it to resources of a type; an alias
    does so, too.
    """

    name: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    display_name: str = ""
    scope: str | None = None
    effect: Literal["deny", "audit"] = "deny"
    mode: Literal["All", "Indexed", "Microsoft.MachineLearningServices.v2.Data"] = "Indexed"
    type: str | None = None
    field: Annotated[str, AfterValidator(_known_field)]
    equals: str | None = None
    is_in: list[str] | None = Field(None, alias="in")
    not_in: list[str] | None = None
    exists: bool | None = None

    @model_validator(mode="after")
    def _has_one_condition(self) -> Policy:
        if sum(each is not None for each in (self.equals, self.is_in, self.not_in, self.exists)) != 1:
            raise ValueError("expected one of equals, in, not_in and exists")
        return self

    @property
    def title(self) -> str:
        """The display name."""
        return self.display_name or self.name

    @property
    def resource_type(self) -> str | None:
        """The type of the resources that it applies to; None for all."""
        alias = _alias(self.field)
        return self.type or (alias and alias[0])

    def applies_to(self, content: Mapping[str, Json]) -> bool:
        """Whether a resource has the type that the policy is for."""
        return self.resource_type is None or _same(content.get("type"), self.resource_type)

    def violations(self, content: Mapping[str, Json]) -> list[dict[str, Json]]:
        """The expressions that are true of a resource, as Azure reports them; empty if the policy has no effect."""
        if not self.applies_to(content):
            return []
        value = self._value(content)
        if not self.is_true_of(value):
            return []
        found = {"result": "True", "expressionKind": "Field", "expression": self.field, "path": self._path}
        if value is not None:
            found["expressionValue"] = value
        name, target = self.condition
        own = {**found, "targetValue": target, "operator": name[0].upper() + name[1:]}
        return [*self._type_expression(content), own]

    def is_true_of(self, value: str | None) -> bool:
        """Whether the condition is true of a value of the field; None is a missing field."""
        if self.exists is not None:
            return (value is not None) == self.exists
        if self.not_in is not None:
            return not any(_same(value, each) for each in self.not_in)
        return any(_same(value, each) for each in self.denied_values)

    @property
    def denied_values(self) -> list[str]:
        """The values of `equals` or `in`; empty for the other conditions."""
        return self.is_in or ([] if self.equals is None else [self.equals])

    @property
    def condition(self) -> tuple[str, Json]:
        """Azure's name of the condition, and its values."""
        if self.exists is not None:
            return "exists", str(self.exists)
        if self.not_in is not None:
            return "notIn", self.not_in
        return ("in", self.is_in) if self.is_in is not None else ("equals", self.equals)

    def _type_expression(self, content: Mapping[str, Json]) -> list[dict[str, Json]]:
        if self.resource_type is None:
            return []
        target, value = self.resource_type, content["type"]
        return [
            {
                "result": "True", "expressionKind": "Field", "expression": "type", "path": "type",
                "expressionValue": value, "targetValue": target, "operator": "Equals",
            }
        ]  # fmt: skip

    @property
    def _path(self) -> str:
        if tag := tag_of(self.field):
            return f"tags[{tag}]"
        alias = _alias(self.field)
        return f"properties.{alias[1]}" if alias else self.field

    def _value(self, content: Mapping[str, Json]) -> str | None:
        """The value of the field in a resource, as text; properties are first sought in `properties`."""
        tags, alias = content.get("tags"), _alias(self.field)
        if tag := tag_of(self.field):
            return _text(_find(tags, [tag]))
        if alias is None:
            return _text(_find(content, self.field.split(".")))
        steps = re.split(r"[./]", alias[1])
        found = _find(content.get("properties"), steps)
        return _text(_find(content, steps) if found is None else found)


def tag_of(field: str) -> str | None:
    """The name of the tag that a field is."""
    match = _TAG.fullmatch(field)
    return match and (match[1] or match[2])


def is_same_field(left: str, right: str) -> bool:
    """Whether two spellings name the same field; `tags` includes every tag."""
    if right.lower() == "tags":
        return tag_of(left) is not None
    names = [f"tags.{tag}" if (tag := tag_of(field)) else field for field in (left, right)]
    return names[0].lower() == names[1].lower()


def _find(value: Json, steps: list[str]) -> Json:
    for step in steps:
        pairs = value.items() if isinstance(value, dict) else ()
        value = next((inner for name, inner in pairs if name.lower() == step.lower()), None)
    return value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _same(left: Json, right: Json) -> bool:
    """Whether two texts are the same, in any case and with or without spaces, as names of regions are written."""
    if left is None or right is None:
        return False
    return str(left).replace(" ", "").lower() == str(right).replace(" ", "").lower()

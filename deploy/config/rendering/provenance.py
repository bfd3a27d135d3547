"""Values from an environment file that remember where they were written, for as long as nobody changes them.

They behave like the builtin types that they are kinds of, and never leave the renderer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.documents.places import Node


class Placed:
    """A value that knows its node in the environment file and the dotted path that leads to it."""

    node: Node | None = None
    label = ""


class PlacedStr(Placed, str):
    """Text from an environment file."""


class PlacedInt(Placed, int):
    """A whole number from an environment file."""


class PlacedFloat(Placed, float):
    """A number from an environment file."""


class PlacedList(Placed, list[Any]):
    """A list from an environment file."""


class PlacedDict(Placed, dict[str, Any]):
    """A mapping from an environment file."""


def placed(node: Node, label: str) -> Any:
    """The node's value for a template's eyes. Booleans and null stay bare: Python allows no kind of them."""
    value: Any = node.value
    match value:
        case dict():
            value = PlacedDict({str(key): placed(child, f"{label}.{key}") for key, child in node.children.items()})
        case list():
            value = PlacedList(placed(child, f"{label}[{key}]") for key, child in node.children.items())
        case None | bool():
            return value
        case str() | int() | float():
            value = {str: PlacedStr, int: PlacedInt, float: PlacedFloat}[type(value)](value)
    value.node, value.label = node, label
    return value


def node_of(value: Any) -> Node | None:
    """The node of a value that comes from an environment file as it is."""
    return value.node if isinstance(value, Placed) else None


def labelled(value: Mapping[str, str], label: str) -> PlacedDict:
    """A mapping that is not from a file, so that a misspelt key of it can be named."""
    found = PlacedDict(value)
    found.label = label
    return found

"""Values from an environment file with their location, which is lost when an expression changes the value.

They are subclasses of the builtin types, and are used only inside the renderer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.documents.locations import Node


class Placed:
    """A value with its node in the environment file and its dotted path."""

    node: Node | None = None
    dotted_path = ""


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


def with_locations(node: Node, dotted_path: str) -> Any:
    """The value of a node for a template. Booleans and null stay plain: Python allows no subclasses of them."""
    value: Any = node.value
    match value:
        case dict():
            value = PlacedDict(
                {str(key): with_locations(child, f"{dotted_path}.{key}") for key, child in node.children.items()}
            )
        case list():
            value = PlacedList(with_locations(child, f"{dotted_path}[{key}]") for key, child in node.children.items())
        case None | bool():
            return value
        case str() | int() | float():
            value = {str: PlacedStr, int: PlacedInt, float: PlacedFloat}[type(value)](value)
    value.node, value.dotted_path = node, dotted_path
    return value


def node_of(value: Any) -> Node | None:
    """The node of an unchanged value from an environment file."""
    return value.node if isinstance(value, Placed) else None


def with_dotted_path(value: Mapping[str, str], dotted_path: str) -> PlacedDict:
    """A mapping that is not from a file, with a dotted path for messages about misspelt keys."""
    found = PlacedDict(value)
    found.dotted_path = dotted_path
    return found

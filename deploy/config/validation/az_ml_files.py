"""Reads files for `az ml` as azure-ai-ml does: more spellings of a value, names in another file, read-only keys.

Accepted besides the values of the models: enum values in any case (`Key`, `SystemAssigned`), numbers and booleans in
quotes, and names with capitals, which azure-ai-ml converts to lower case. A value that the model accepts is never
changed, so the release of a deployment stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from deploy.documents.locations import FieldPath, Node, Source
from deploy.domain.arm import SLOTS
from deploy.domain.put_merge import SERVERS_OWN
from deploy.errors import Problem

ENDPOINT_READ_ONLY = frozenset(
    {"id", "kind", "location", "openapi_uri", "provisioning_state", "resourceGroup", "scoring_uri"}
)
DEPLOYMENT_READ_ONLY = frozenset({"creation_context", "id", "provisioning_state", "resourceGroup"})
"""Keys in the output of `az ml ... show` that a file cannot set."""
_TRUE = frozenset({"t", "true", "on", "y", "yes", "1"})
_FALSE = frozenset({"f", "false", "off", "n", "no", "0"})
_NAME = re.compile("[A-Za-z0-9-]*[A-Z][A-Za-z0-9-]*")
_WHOLE, _NUMBER = re.compile(r"[-+]?[0-9]{1,20}"), re.compile(r"[-+]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})")
_LOWER: tuple[FieldPath, ...] = (("name",), ("endpoint_name",))
_LOWER_KEYS: tuple[FieldPath, ...] = (("traffic",), ("mirror_traffic",))


def as_read_by_azure(model: type[BaseModel], source: Source) -> Source:
    """The document with each value in the spelling of the model, where azure-ai-ml accepts another one."""
    root = _spelled((model,), source.root)
    for field_path in _LOWER:
        root = _changed(root, field_path, _lower)
    for field_path in _LOWER_KEYS:
        root = _changed(root, field_path, _with_lower_keys)
    return replace(source, root=root)


def with_names(deployment: Source, endpoint: Source) -> Source:
    """The deployment with the names that its file lacks: of the endpoint, from its file; its own, from the name of its
    file (`blue-deployment.yml`, `deployments/blue.yml`) or from a traffic map with one deployment.
    """
    root = deployment.root
    if not isinstance(root.value, dict):
        return deployment
    name, traffic = (endpoint.find((key,)) for key in ("name", "traffic"))
    if root.value.get("endpoint_name") is None and name and isinstance(name.value, str):
        root = _with(root, {**root.children, "endpoint_name": name})
    if root.value.get("name") is None and (own := _own_name(deployment.file, traffic)):
        root = _with(root, {**root.children, "name": Node(own, deployment.place())})
    return replace(deployment, root=root)


def _own_name(file: str, traffic: Node | None) -> str:
    stem = PurePosixPath(file).name.partition(".")[0]
    if prefix := stem.removesuffix("deployment").removesuffix("-"):
        return prefix
    return str(next(iter(traffic.children))) if traffic and len(traffic.children) == 1 else ""


def unused_name(endpoint: Source, deployments: Sequence[Source]) -> list[Problem]:
    """A warning about the name of the only deployment file, which is not that of the deployment."""
    name = deployments[0].find(("name",)) if len(deployments) == 1 else None
    if name is None or endpoint.find(("traffic",)) or str(name.value).lower() in SLOTS:
        return []
    cause = f"The name {name.value} is not used: amldeploy deploys to blue and green in turn."
    cure = "Remove it, or add traffic to endpoint.yml to keep it."
    return [Problem(deployments[0].place(("name",)), "AML151", cause, cure)]


def without_read_only(source: Source, keys: frozenset[str]) -> tuple[Source, list[Problem]]:
    """The document without the keys that only Azure sets, and a warning about each.

    The properties that Azure adds stay, so that the release of a deployment stays the same; they are never sent.
    """
    root, properties = source.root, source.find(("properties",))
    found: list[FieldPath] = [(key,) for key in root.children if key in keys]
    own = [key for key in (properties.children if properties else ()) if str(key).lower() in SERVERS_OWN]
    if found:
        root = _with(root, {key: child for key, child in root.children.items() if key not in keys})
    warnings = [
        Problem(
            source.key(field_path),
            "AML147",
            f"Azure sets {'.'.join(map(str, field_path))}, so it is ignored here.",
            "Remove it.",
        )
        for field_path in (*found, *(("properties", key) for key in own))
    ]
    return replace(source, root=root), warnings


def _spelled(options: tuple[Any, ...], node: Node) -> Node:
    """The node in the spelling of one of the types."""
    if isinstance(node.value, dict):
        children = {key: _spelled(_types_at(options, key), child) for key, child in node.children.items()}
    elif isinstance(node.value, list):
        inner = tuple(_types(get_args(each)[0]) for each in options if get_origin(each) is list)
        children = {key: _spelled(sum(inner, ()), child) for key, child in node.children.items()}
    else:
        return _scalar(options, node)
    same = all(child is node.children[key] for key, child in children.items())
    return node if same else _with(node, children)


def _types_at(options: tuple[Any, ...], key: str | int) -> tuple[Any, ...]:
    """The types of a key of a model or of a mapping."""
    found: list[Any] = []
    for each in options:
        if get_origin(each) is dict:
            found += _types(get_args(each)[1])
        elif isinstance(each, type) and issubclass(each, BaseModel):
            fields = each.model_fields.items()
            found += (
                kind for name, field in fields if (field.alias or name) == key for kind in _types(field.annotation)
            )
    return tuple(found)


def _types(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, without their constraints."""
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(kind for each in get_args(annotation) for kind in _types(each))
    return (annotation,)


def _scalar(options: tuple[Any, ...], node: Node) -> Node:
    value = node.value
    words = [word for each in options if get_origin(each) is Literal for word in get_args(each)]
    if str in options or Any in options or value in words or value is None:
        return node
    for found in _readings(options, words, value):
        return replace(node, value=found, source_text=None)
    return node


def _readings(options: tuple[Any, ...], words: list[Any], value: Any) -> Iterator[Any]:
    """The values that a scalar of another type or spelling can mean."""
    text = str(value) if isinstance(value, str) or (type(value) is int and int not in options) else ""
    yield from (word for word in words if isinstance(word, str) and word.lower() in (text.lower(), _snake(text)))
    if bool in options and text.lower() in _TRUE | _FALSE:
        yield text.lower() in _TRUE
    if int in options and _WHOLE.fullmatch(text):
        yield int(text)
    if float in options and isinstance(value, str) and _NUMBER.fullmatch(text):
        yield float(text)


def _snake(text: str) -> str:
    """`SystemAssigned` -> `system_assigned`, as azure-ai-ml converts it."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", text)).lower()


def _changed(node: Node, field_path: FieldPath, change: Callable[[Node], Node]) -> Node:
    """The node with a changed part, if it has the part."""
    if not field_path:
        return change(node)
    key, *rest = field_path
    if key not in node.children:
        return node
    child = _changed(node.children[key], tuple(rest), change)
    return node if child is node.children[key] else _with(node, {**node.children, key: child})


def _with(node: Node, children: Mapping[str | int, Node]) -> Node:
    """The node with other parts, at the same location."""
    values = {key: child.value for key, child in children.items()}
    return replace(node, value=values if isinstance(node.value, dict) else [*values.values()], children=children)


def _lower(node: Node) -> Node:
    """A name in lower case; a text with other characters is no name, and stays as it was written."""
    text = node.value
    return replace(node, value=text.lower()) if isinstance(text, str) and _NAME.fullmatch(text) else node


def _with_lower_keys(node: Node) -> Node:
    """A mapping with lower-case keys; unchanged if two of them would be the same."""
    if not isinstance(node.value, dict) or len({str(key).lower() for key in node.children}) < len(node.children):
        return node
    lowered = _with(node, {str(key).lower(): child for key, child in node.children.items()})
    return replace(lowered, keys={key.lower(): place for key, place in node.keys.items()})

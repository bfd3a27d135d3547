"""Merges `pipeline` of an entry in the environment file over the template's pipeline.yml.

Mappings are merged, lists and other values are replaced, and null removes a key. Each part keeps its location, so a
problem names the file in which it was written.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.documents.locations import Node, Rendered, Source


def with_pipeline(rendered: Rendered, over: Node | None, file: str) -> Rendered:
    """The documents of an endpoint with the entry's `pipeline`, which was written in `file`."""
    if over is None:
        return rendered
    base = rendered.pipeline or Source(file, Node({}, over.place))
    return replace(rendered, pipeline=replace(base, root=merged(base.root, over)))


def merged(base: Node, over: Node) -> Node:
    """`over` in front of `base`. `{from: none}`, which is no probe, replaces a probe as a whole."""
    if not isinstance(over.value, dict) or over.value == {"from": "none"}:
        return over
    old = base if isinstance(base.value, dict) else Node({}, over.place)
    children = dict(old.children)
    for key, child in over.children.items():
        children.pop(key, None)
        if child.value is not None:
            children[key] = merged(old.children.get(key, Node(None, child.place)), child)
    value = {str(key): child.value for key, child in children.items()}
    return Node(value, over.place, children, {**old.keys, **over.keys})

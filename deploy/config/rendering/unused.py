"""Finds values of an environment that no file of the template uses; most often they are misspelt.

A template that uses `values` as a whole, or includes a file by a computed name, may use any value: no problem then.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import TemplateSyntaxError, meta, nodes

from deploy.config.rendering.sandbox import Sandbox, resolved
from deploy.documents.locations import TemplateFiles, did_you_mean
from deploy.errors import Place, Problem

_VALUES = "values"


def unused_values(files: TemplateFiles, own: Mapping[str, Place]) -> list[Problem]:
    """A problem for each of an endpoint's own values (name -> location) that no file of its template uses."""
    known = _known(files) if own else None
    if known is None:
        return []
    return [
        Problem(
            place,
            "AML116",
            f"No file of template {files.name} uses values.{name}.",
            did_you_mean(name, known, "Remove it."),
        )
        for name, place in own.items()
        if name not in known
    ]


def _known(files: TemplateFiles) -> frozenset[str] | None:
    """The names of all values that the files and their includes use; None if unknown."""
    known: frozenset[str] = frozenset()
    ahead, seen = [n for n in (files.endpoint, *files.deployments, files.pipeline) if n and n.endswith(".j2")], set()
    while ahead:
        name = ahead.pop()
        text = None if name in seen else files.read(name)
        seen.add(name)
        if text is None:
            continue
        used, included = _read(text)
        if used is None or None in included:
            return None
        known |= used
        ahead += [resolved(files.read, other, name) for other in included if other]
    return known


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[frozenset[str] | None, tuple[str | None, ...]]:
    """(names of the values that one text uses, files that it includes); None for what is unknown."""
    try:
        tree = Sandbox(lambda _: None, {}).parse(text)
    except TemplateSyntaxError:
        return None, ()
    looks = (node for node in tree.find_all(nodes.Expr) if isinstance(node, nodes.Getattr | nodes.Getitem))
    named = [node for node in looks if _is_values(node.node)]
    used = [_word(node) for node in named]
    whole = sum(_is_values(node) for node in tree.find_all(nodes.Name)) > len(named)
    included = tuple(meta.find_referenced_templates(tree))
    return (None if whole or None in used else frozenset(str(word) for word in used)), included


def _is_values(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == _VALUES


def _word(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else None

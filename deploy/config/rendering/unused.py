"""Which values a template speaks of, so that a value that nothing speaks of (a misspelt one, most often) is found.

A template that takes `values` as a whole, or includes by a computed name, may use any of them: then nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import TemplateSyntaxError, meta, nodes

from deploy.config.rendering.sandbox import Sandbox, resolved
from deploy.documents.places import TemplateFiles, did_you_mean
from deploy.errors import Place, Problem

_VALUES = "values"


def unspoken(files: TemplateFiles, own: Mapping[str, Place]) -> list[Problem]:
    """A problem for each of an endpoint's own values (name -> place) that no file of its template speaks of."""
    known = _known(files) if own else None
    if known is None:
        return []
    return [
        Problem(
            place,
            "AML116",
            f"No file of template {files.name} uses values.{name}.",
            did_you_mean(name, known, "Take it out."),
        )
        for name, place in own.items()
        if name not in known
    ]


def _known(files: TemplateFiles) -> frozenset[str] | None:
    """Every value that the files and what they include speak of; None when that cannot be told."""
    known: frozenset[str] = frozenset()
    ahead, seen = [n for n in (files.endpoint, *files.deployments, files.pipeline) if n and n.endswith(".j2")], set()
    while ahead:
        name = ahead.pop()
        text = None if name in seen else files.read(name)
        seen.add(name)
        if text is None:
            continue
        spoken, included = _read(text)
        if spoken is None or None in included:
            return None
        known |= spoken
        ahead += [resolved(files.read, other, name) for other in included if other]
    return known


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[frozenset[str] | None, tuple[str | None, ...]]:
    """(the values that one text speaks of, the files that it includes); None for what cannot be told."""
    try:
        tree = Sandbox(lambda _: None, {}).parse(text)
    except TemplateSyntaxError:
        return None, ()
    looks = (node for node in tree.find_all(nodes.Expr) if isinstance(node, nodes.Getattr | nodes.Getitem))
    named = [node for node in looks if _is_values(node.node)]
    spoken = [_word(node) for node in named]
    whole = sum(_is_values(node) for node in tree.find_all(nodes.Name)) > len(named)
    included = tuple(meta.find_referenced_templates(tree))
    return (None if whole or None in spoken else frozenset(str(word) for word in spoken)), included


def _is_values(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == _VALUES


def _word(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else None

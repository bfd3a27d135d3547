"""Text that looks like a placeholder which no program replaced: `{{ ... }}`, `${X}`, `$X`, `$(X)`, `#{X}`, `<X>`.

Names, references, sizes and paths never contain such text, so a file with it is refused. Free text can contain it: the
values of tags, properties and environment variables, descriptions, conda specifications, and the requests of probes.
There only an expression of this project is refused (`{{ values.x }}`), unless a file with the suffix .j2 contains it as
text. Azure ML expressions `${{ ... }}` are never refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from deploy.documents.local_paths import local_paths
from deploy.documents.locations import TEMPLATES, FieldPath, Node, Source
from deploy.errors import Place, Problem, SpecError
from deploy.redact import HIDDEN
from deploy.sanitize import sanitize

_AZURE = re.compile(r"\$\{\{(?:(?!\$\{\{|\}\})[^\n])*\}\}")
_EXPRESSION = re.compile(r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%(?:(?!\{%|%\}).)*%\}", re.DOTALL)
_OWN = re.compile(r"\b(?:values\.\w|environment\.\w|unique\()")
_VARIABLE = re.compile(r"\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Za-z_]\w*|#\{[^{}]*\}|<[^<>]+>")
_ANY = "*"
DOCUMENT: tuple[FieldPath, ...] = (
    ("$schema",),
    ("description",),
    ("tags",),
    ("properties",),
    ("environment_variables",),
    *(("model", name) for name in ("description", "tags", "properties", "flavors")),
    *(("environment", name) for name in ("description", "tags", "properties")),
    ("environment", "conda_file", _ANY),
)
"""The fields of an endpoint or deployment file with free text."""
PIPELINE: tuple[FieldPath, ...] = (("probe",), ("lease",))
"""Those of pipeline.yml: requests, and commands."""
ENVIRONMENT: tuple[FieldPath, ...] = (
    ("values",),
    ("endpoints", _ANY, "values"),
    *(("endpoints", _ANY, "pipeline", *field_path) for field_path in PIPELINE),
)
"""Those of an environment file; a value is checked where a template uses it."""


def unreplaced(source: Source, free: tuple[FieldPath, ...], folder: Path | None = None) -> Iterator[Problem]:
    """A problem for each text with a placeholder. `folder`: where the local paths of a deployment start.

    A path of an existing file is no placeholder.
    """
    value = source.value if isinstance(source.value, dict) else {}
    paths = [*local_paths(value, folder)] if folder else []
    present = {field_path for field_path, path in paths if os.path.exists(path)}  # noqa: PTH110 accepts any text
    for field_path, text, node in _texts(source):
        found = _found(text, free=_is_free(field_path, free), literal=_is_literal(node))
        if not found or field_path in present:
            continue
        place = source.place(field_path) if text is node.value else source.key(field_path)
        used = source.template_place(field_path)
        hidden = any(secret in text for secret in source.secrets if secret)
        problem = _problem(HIDDEN if hidden else found, place)
        yield replace(problem, cause=f"{problem.cause} The template uses it at {used}.") if used else problem


def unrendered(error: SpecError, text: str) -> SpecError:
    """The error of invalid YAML; that of an expression in a file that jinja2 does not render has its own cure."""
    lines = text.split("\n")
    problems = [
        _problem(found[0], problem.place)
        if (found := re.search(r"\{\{[^\n]*|\{%[^\n]*", _AZURE.sub("", lines[problem.place.line - 1])))
        else problem
        for problem in error.problems
    ]
    return SpecError(problems)


def _texts(source: Source) -> Iterator[tuple[FieldPath, str, Node]]:
    """Each text of a document with its path and node; a key with the node of its mapping."""
    waiting: list[tuple[FieldPath, Node]] = [((), source.root)]
    while waiting:
        field_path, node = waiting.pop()
        if isinstance(node.value, str):
            yield field_path, node.value, node
        for key, child in node.children.items():
            if isinstance(key, str):
                yield (*field_path, key), key, node
            waiting.append(((*field_path, key), child))


def _found(text: str, *, free: bool, literal: bool) -> str:
    """The placeholder in a text; empty if there is none."""
    rest = _AZURE.sub("", text)
    expressions = (found[0] for found in _EXPRESSION.finditer(rest))
    if free:
        return "" if literal else next((each for each in expressions if _OWN.search(each)), "")
    variable = _VARIABLE.search(rest)
    return next(expressions, variable[0] if variable else "")


def _is_free(field_path: FieldPath, free: tuple[FieldPath, ...]) -> bool:
    return any(
        len(field_path) >= len(each) and all(a in (b, _ANY) for a, b in zip(each, field_path, strict=False))
        for each in free
    )


def _is_literal(node: Node) -> bool:
    """Whether a rendered file contains the text, for example in {% raw %}."""
    return node.origin is None and node.place.file.endswith(".j2")


def _problem(found: str, place: Place) -> Problem:
    shown = found if len(found) <= 60 else f"{found[:57]}..."
    name = PurePosixPath(place.file).name
    word = re.sub(r"\W+", "_", found).strip("_").lower() or "name"
    value = f"{{{{ values.{word} }}}}"
    if not place.file.startswith(f"{TEMPLATES}/"):
        cure = "Write the value itself: nothing is replaced in an environment file."
    elif found.startswith("{"):
        cure = f"Rename the file to {name}.j2. Expressions can use the `values` of the environment file."
        cure = "Move the expression out of the {% raw %} block." if name.endswith(".j2") else cure
    else:
        where = "" if name.endswith(".j2") else f" in {name}.j2"
        cure = f"Use {value}{where}, and set {word} under `values` in the environment file."
    return Problem(place, "AML117", sanitize(f"{shown!r} was not replaced by a value."), cure)

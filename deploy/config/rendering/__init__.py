"""Renders templates to documents: jinja2 writes placeholders, the text is parsed as YAML, then values replace them.

A scalar that consists of one expression becomes the value with its type, quoted or not; also a mapping or a list.
Otherwise the value becomes text: strings as they are, numbers and booleans as they were written.
Our own, because no template engine keeps values apart from the structure of YAML, with a location for each value.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

from deploy import redact
from deploy.config import placeholders
from deploy.config.rendering.markers import MARK, TOKEN
from deploy.config.rendering.sandbox import Sandbox
from deploy.config.rendering.undefined import UndefinedValue
from deploy.config.rendering.unused import unused_values
from deploy.config.rendering.value_locations import node_of, with_dotted_path, with_locations
from deploy.documents import yaml12
from deploy.documents.locations import TEMPLATES, Node, Rendered, Source, TemplateFiles, as_text
from deploy.domain.spec import Environment
from deploy.errors import Place, Problem, SpecError
from deploy.sanitize import sanitize

SIZE = 2**20
_ENDLESS = "This has no end: a file includes itself, a macro calls itself, or brackets are nested too deeply."
_OWNERS = re.compile(r"(?<![\w.<>])(?:[\w<>]+\.)*(?:_|(?:sync_)?do_)?(?=[a-z]\w*\(\) )")
"""The prefix in Python's messages before the name of a function that a template can call."""
_NO_VALUE = "A null, a mapping or a list cannot be part of a text"


def render_endpoint(
    files: TemplateFiles, environment: Environment, key: str, values: Node, own: Mapping[str, Place] | None = None
) -> Rendered:
    """Render all files of a template for one endpoint. Raises SpecError with the problems of all files.

    `own`: locations of the endpoint's own values; one that no file uses is a problem, too.
    """
    names, secrets = _names(environment, key, values), redact.secret_values(values.value)
    problems = unused_values(files, own or {})

    def document(name: str) -> Source:
        try:
            return replace(_document(files, name, names), secrets=secrets)
        except SpecError as error:
            problems.extend(error.problems)
            return Source(name, Node(None, Place(name)))

    endpoint = document(files.endpoint)
    deployments = tuple(document(name) for name in files.deployments)
    pipeline = document(files.pipeline) if files.pipeline else None
    if problems:
        raise SpecError(problems)
    return Rendered(key, files.folder, endpoint, deployments, pipeline)


def unique_letters(environment: Environment, count: int) -> str:
    """`count` letters a-z (1 to 32), stable for one subscription, workspace and project."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 32:
        raise ValueError("unique(n) needs a number from 1 to 32")
    parts = (environment.subscription_id, environment.workspace, environment.project)
    seed = "/".join(filter(None, parts)).lower()
    return "".join(chr(97 + byte % 26) for byte in hashlib.sha256(seed.encode()).digest()[:count])


def _names(environment: Environment, key: str, values: Node) -> dict[str, Any]:
    def unique(count: int) -> str:
        return unique_letters(environment, count)

    fields = ("name", "cloud", "subscription_id", "resource_group", "workspace")
    return {
        "environment": with_dotted_path({field: getattr(environment, field) for field in fields}, "environment"),
        "endpoint": key,
        "values": with_locations(values, "values"),
        "unique": unique,
    }


def _document(files: TemplateFiles, name: str, names: Mapping[str, Any]) -> Source:
    file = f"{TEMPLATES}/{name}"
    if not name.endswith(".j2"):
        text = files.read(name) or ""
        try:
            return yaml12.parse(text, file)
        except SpecError as error:
            raise placeholders.unrendered(error, text) from None
    sandbox = Sandbox(files.read, names)
    raw = ""
    problems: list[Problem] = []
    try:
        raw = _run(sandbox, files, name)
    except SpecError as error:
        problems += error.problems
    problems += [_undefined_problem(files, *found) for found in sandbox.undefined_values]
    if problems:
        raise SpecError(problems)
    rendering = _Rendering(sandbox, raw, file)
    source = yaml12.parse(rendering.text, file, rendering.locate, rendering.fill)
    rendering.check()
    return source


class _Rendering:
    """The rendered text without its marks, and the values for its tokens."""

    def __init__(self, sandbox: Sandbox, raw: str, file: str) -> None:
        self._sandbox, self._file = sandbox, file
        start, *parts = MARK.split(raw)
        pieces, self._offsets, self._places, offset = [start], [0], [Place(file)], len(start)
        for line, column, name, text in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
            self._offsets.append(offset)
            self._places.append(Place(f"{TEMPLATES}/{name}", int(line), int(column)))
            pieces.append(text)
            offset += len(text)
        self.text = "".join(pieces)
        self._seen: Counter[int] = Counter()
        if len(self.text) > SIZE:
            raise yaml12.problem(Place(file), "AML104", "The template renders to more than 1 MiB.", "Make it shorter.")

    def locate(self, offset: int) -> Place:
        """Offset in the text -> location in the template."""
        number = bisect_right(self._offsets, offset) - 1
        place = self._places[number]
        return Place(place.file, place.line, place.column + offset - self._offsets[number])

    def fill(self, text: str, place: Place) -> Node | None:
        """The node for a scalar with tokens; None if it has none."""
        if not TOKEN.search(text):
            return None
        if whole := TOKEN.fullmatch(text):
            return self._node(*self._value(whole), place)
        return Node(TOKEN.sub(lambda found: self._part(found, place), text), place)

    def check(self) -> None:
        """Raises SpecError for an expression that is not part of a value or a key."""
        for found in TOKEN.finditer(self.text):
            if self._seen[int(found[1])] < 1:
                cause = "An expression is not allowed here: in a YAML comment, a tag or an anchor."
                raise yaml12.problem(self.locate(found.start()), "AML114", cause, "To comment it out, use {# ... #}.")
            self._seen[int(found[1])] -= 1

    def _value(self, found: re.Match[str]) -> tuple[Any, Node | None]:
        self._seen[int(found[1])] += 1
        return self._sandbox.values[int(found[1])]

    def _part(self, found: re.Match[str], place: Place) -> str:
        value, node = self._value(found)
        if not isinstance(value, (str, int, float)):
            where = f" (at {node.place})" if node else ""
            raise yaml12.problem(place, "AML114", f"{_NO_VALUE}{where}.", "Use the expression as the whole scalar.")
        return as_text(value, node.source_text if node else None)

    def _node(self, value: Any, origin: Node | None, place: Place) -> Node:
        """The value of an expression as builtin types, each part with its location."""
        origin = origin or node_of(value)
        if origin:
            return Node(origin.value, place, origin.children, origin.keys, origin.source_text, origin.place)
        match value:
            case UndefinedValue():
                cause, _, cure = value.words().partition("\n")
                raise yaml12.problem(place, "AML112", cause, cure)
            case dict() if all(isinstance(key, str) for key in value):
                children: dict[str | int, Node] = {
                    str.__str__(key): self._node(item, None, place) for key, item in value.items()
                }
                plain: Any = {key: child.value for key, child in children.items()}
                return Node(plain, place, children)
            case list() | tuple():
                children = {number: self._node(item, None, place) for number, item in enumerate(value)}
                return Node([child.value for child in children.values()], place, children)
            case None | bool():
                return Node(value, place)
            case str():
                return Node(str.__str__(value), place)
            case int():
                return Node(int.__int__(value), place)
            case float():
                return Node(float.__float__(value), place)
        raise yaml12.problem(
            place, "AML114", f"A {type(value).__name__} is not a YAML value.", "Use text, a number or a list."
        )


def _run(sandbox: Sandbox, files: TemplateFiles, name: str) -> str:
    try:
        return sandbox.run(name)
    except SpecError:
        raise
    except TemplateSyntaxError as error:
        place = _place(files, error.name or name, error.lineno, "")
        raise yaml12.problem(
            place, "AML111", f"This is not valid jinja2: {_sentence(error.message)}", "Fix the template."
        ) from None
    except UndefinedError as error:
        raise SpecError([_undefined_problem(files, str(error.message), *_at(error, name))]) from None
    except TemplateNotFound as error:
        cause = f"There is no {error.name!r} in {TEMPLATES}/{files.name}/ or {TEMPLATES}/."
        cure = f"Use the name of a file in {TEMPLATES}/{files.name}/, or its path in {TEMPLATES}/."
        raise yaml12.problem(_where(error, files, name, str(error.name)), "AML115", cause, cure) from None
    except RecursionError as error:
        cure = "Add an end condition, or remove it."
        raise yaml12.problem(_where(error, files, name, ""), "AML113", _ENDLESS, cure) from None
    except Exception as error:  # noqa: BLE001 a user's expression can raise any exception
        words = _OWNERS.sub("", str(error) or type(error).__name__)
        cause = f"The expression failed: {_sentence(words)}"
        raise yaml12.problem(_where(error, files, name, ""), "AML113", cause, "Fix the expression.") from None


def _undefined_problem(files: TemplateFiles, words: str, name: str, line: int) -> Problem:
    """The problem of an undefined value, at its last word in the line that uses it."""
    cause, _, cure = words.partition("\n")
    last = re.split(r"[.\s]", cause.removesuffix(" is not defined."))[-1]
    return Problem(_place(files, name, line, last), "AML112", sanitize(cause), cure)


def _where(error: BaseException, files: TemplateFiles, name: str, word: str) -> Place:
    """The location of a word in the line of the template that was running."""
    return _place(files, *_at(error, name), word)


def _at(error: BaseException, name: str) -> tuple[str, int]:
    """Name and line of the template that was running."""
    line, trace = 1, error.__traceback__
    while trace:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            name, line = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return name, line


def _place(files: TemplateFiles, name: str, line: int, word: str) -> Place:
    lines = (files.read(name) or "").split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    found = (word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)) or re.search(r"\{[{%]|\S", text)
    return Place(f"{TEMPLATES}/{name}", line, found.start() + 1 if found else 1)


def _sentence(words: str | None) -> str:
    return f"{(words or '').splitlines()[0].rstrip('.')}."

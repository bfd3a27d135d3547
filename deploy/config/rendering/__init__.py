"""Templates and values to documents: rendered as text, parsed as YAML, and only then filled with the values.

A scalar that is exactly one expression becomes its value with its type, quoted or not; a mapping or list too. Anything
else is text: strings as they are, numbers and booleans as they were written. This room reads files only through the
`read` that it is handed, and never judges a document.
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
from deploy.config.rendering.markers import MARK, TOKEN
from deploy.config.rendering.provenance import labelled, node_of, placed
from deploy.config.rendering.sandbox import Sandbox
from deploy.config.rendering.undefined import Missing
from deploy.config.rendering.unused import unspoken
from deploy.documents import yaml12
from deploy.documents.places import TEMPLATES, Node, Rendered, Source, TemplateFiles, as_text
from deploy.domain.spec import Environment
from deploy.errors import Place, Problem, SpecError, sanitize

SIZE = 2**20
_ENDLESS = "This has no end: a file includes itself, a macro calls itself, or brackets are nested too deeply."
_OWNERS = re.compile(r"(?<![\w.<>])(?:[\w<>]+\.)*(?:_|(?:sync_)?do_)?(?=[a-z]\w*\(\) )")
"""What Python puts before the name that a template knows a function by."""
_NO_VALUE = "A null, a mapping or a list cannot be part of a text"


def render_endpoint(
    files: TemplateFiles, environment: Environment, key: str, values: Node, own: Mapping[str, Place] | None = None
) -> Rendered:
    """Render every file of a template for one endpoint. Raises SpecError with the problems of all of them.

    `own` says where the endpoint's own values are written; one that no file speaks of is a problem, too.
    """
    names, secrets = _names(environment, key, values), redact.secret_values(values.value)
    problems = unspoken(files, own or {})

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
    """`count` letters a-z (1 to 32), the same for ever for one subscription, workspace and project."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 32:
        raise ValueError("unique(n) takes a number from 1 to 32")
    parts = (environment.subscription_id, environment.workspace, environment.project)
    seed = "/".join(filter(None, parts)).lower()
    return "".join(chr(97 + byte % 26) for byte in hashlib.sha256(seed.encode()).digest()[:count])


def _names(environment: Environment, key: str, values: Node) -> dict[str, Any]:
    def unique(count: int) -> str:
        return unique_letters(environment, count)

    fields = ("name", "cloud", "subscription_id", "resource_group", "workspace")
    return {
        "environment": labelled({field: getattr(environment, field) for field in fields}, "environment"),
        "endpoint": key,
        "values": placed(values, "values"),
        "unique": unique,
    }


def _document(files: TemplateFiles, name: str, names: Mapping[str, Any]) -> Source:
    file = f"{TEMPLATES}/{name}"
    if not name.endswith(".j2"):
        return yaml12.parse(files.read(name) or "", file)
    sandbox = Sandbox(files.read, names)
    raw = ""
    problems: list[Problem] = []
    try:
        raw = _run(sandbox, files, name)
    except SpecError as error:
        problems += error.problems
    problems += [_missed(files, *found) for found in sandbox.missed]
    if problems:
        raise SpecError(problems)
    filling = _Filling(sandbox, raw, file)
    source = yaml12.parse(filling.text, file, filling.locate, filling.fill)
    filling.check()
    return source


class _Filling:
    """The rendered text without its marks, and what to put in the place of its tokens."""

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
            raise _problem(Place(file), "AML104", "The template renders to more than 1 MiB.", "Write less.")

    def locate(self, offset: int) -> Place:
        """Offset in the text -> place in the template that wrote it."""
        number = bisect_right(self._offsets, offset) - 1
        place = self._places[number]
        return Place(place.file, place.line, place.column + offset - self._offsets[number])

    def fill(self, text: str, place: Place) -> Node | None:
        """The node for a scalar that holds tokens."""
        if not TOKEN.search(text):
            return None
        if whole := TOKEN.fullmatch(text):
            return self._node(*self._value(whole), place)
        return Node(TOKEN.sub(lambda found: self._part(found, place), text), place)

    def check(self) -> None:
        """Every expression must have ended up in a value or a key."""
        for found in TOKEN.finditer(self.text):
            if self._seen[int(found[1])] < 1:
                cause = "An expression stands where no value can go: in a YAML comment, a tag or an anchor."
                raise _problem(self.locate(found.start()), "AML114", cause, "To comment it out, use {# ... #}.")
            self._seen[int(found[1])] -= 1

    def _value(self, found: re.Match[str]) -> tuple[Any, Node | None]:
        self._seen[int(found[1])] += 1
        return self._sandbox.values[int(found[1])]

    def _part(self, found: re.Match[str], place: Place) -> str:
        value, node = self._value(found)
        if not isinstance(value, (str, int, float)):
            where = f" (at {node.place})" if node else ""
            raise _problem(place, "AML114", f"{_NO_VALUE}{where}.", "Give it a scalar of its own.")
        return as_text(value, node.written if node else None)

    def _node(self, value: Any, origin: Node | None, place: Place) -> Node:
        """A template's value as builtin types, every part of it with its place."""
        origin = origin or node_of(value)
        if origin:
            return Node(origin.value, place, origin.children, origin.keys, origin.written, origin.place)
        match value:
            case Missing():
                cause, _, cure = value.words().partition("\n")
                raise _problem(place, "AML112", cause, cure)
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
        raise _problem(place, "AML114", f"A {type(value).__name__} is not a value.", "Give text, a number or a list.")


def _run(sandbox: Sandbox, files: TemplateFiles, name: str) -> str:
    try:
        return sandbox.run(name)
    except SpecError:
        raise
    except TemplateSyntaxError as error:
        place = _place(files, error.name or name, error.lineno, "")
        raise _problem(
            place, "AML111", f"This is not jinja: {_sentence(error.message)}", "Mend the template."
        ) from None
    except UndefinedError as error:
        raise SpecError([_missed(files, str(error.message), *_at(error, name))]) from None
    except TemplateNotFound as error:
        cause = f"There is no {error.name!r} in {TEMPLATES}/{files.name}/, nor below {TEMPLATES}/."
        cure = f"Write a file's name in {TEMPLATES}/{files.name}/, or its path below {TEMPLATES}/."
        raise _problem(_where(error, files, name, str(error.name)), "AML115", cause, cure) from None
    except RecursionError as error:
        cure = "Give it an end, or take it out."
        raise _problem(_where(error, files, name, ""), "AML113", _ENDLESS, cure) from None
    except Exception as error:  # noqa: BLE001 an expression of a user's can raise anything at all
        words = _OWNERS.sub("", str(error) or type(error).__name__)
        cause = f"The expression fails: {_sentence(words)}"
        raise _problem(_where(error, files, name, ""), "AML113", cause, "Mend the expression.") from None


def _missed(files: TemplateFiles, words: str, name: str, line: int) -> Problem:
    """A value that is not there, at its last word in the line that asks for it."""
    cause, _, cure = words.partition("\n")
    last = re.split(r"[.\s]", cause.removesuffix(" is not defined."))[-1]
    return Problem(_place(files, name, line, last), "AML112", sanitize(cause), cure)


def _where(error: BaseException, files: TemplateFiles, name: str, word: str) -> Place:
    """The line of the template that was running, and the column of a word in it."""
    return _place(files, *_at(error, name), word)


def _at(error: BaseException, name: str) -> tuple[str, int]:
    """The template that was running, and its line."""
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


def _problem(place: Place, code: str, cause: str, cure: str) -> SpecError:
    return SpecError([Problem(place, code, sanitize(cause), cure)])

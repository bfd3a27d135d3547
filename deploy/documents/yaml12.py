"""Parses YAML 1.2 (core schema) to values with locations; raises SpecError.

`no`, `on` and `12:30:45` are text, `010` is ten and `0o10` eight, as editors assume. The merge key `<<` of
YAML 1.1 is accepted, because azure-ai-ml reads it. Refused: duplicate keys, keys that are not text, tags other than the
core ones, several documents in one file, more than 64 levels, and more than a million values after aliases are
expanded.
Our own, on PyYAML's events: no library has the core schema, locations, these limits and placeholders at once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from deploy.documents.locations import Node, Source
from deploy.errors import Place, Problem, SpecError
from deploy.sanitize import sanitize

DEPTH = 64
VALUES = 1_000_000
_TAG = "tag:yaml.org,2002:"
_CORE: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("null", re.compile(r"null|Null|NULL|~|"), lambda _: None),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    ("int", re.compile(r"[-+]?[0-9]+"), int),
    ("int", re.compile(r"0o[0-7]+"), lambda text: int(text, 0)),
    ("int", re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    ("float", re.compile(r"[-+]?\.(inf|Inf|INF)"), lambda text: float(text.replace(".", ""))),
    ("float", re.compile(r"\.(nan|NaN|NAN)"), lambda _: float("nan")),
)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_PLAIN_START = frozenset("-+.0123456789~ntfNTF")

Locate = Callable[[int], Place]
"""Offset in the parsed text (in characters) -> location in the file."""
Fill = Callable[[str, Place], Node | None]
"""Text and location of a scalar -> the node that replaces it, or None if the text contains no placeholder."""


def parse(text: str, file: str, locate: Locate | None = None, fill: Fill | None = None) -> Source:
    """Parse one document; an empty one is null. Each problem has its location."""
    locate = locate or Lines(text, file)
    refuse_characters(text, locate)
    return Source(file, _Composer(text, locate, fill or (lambda *_: None)).document())


class Lines:
    """Offset in a text -> location in its file."""

    def __init__(self, text: str, file: str) -> None:
        self._file, self._end = file, len(text)
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def __call__(self, offset: int) -> Place:
        offset = min(offset, self._end)
        line = bisect_right(self._starts, offset)
        return Place(self._file, line, offset - self._starts[line - 1] + 1)


def refuse_characters(text: str, locate: Locate) -> None:
    """Refuse characters that YAML does not allow or that its versions read differently (U+0085, U+2028, U+2029)."""
    if found := _FORBIDDEN.search(text):
        raise problem(
            locate(found.start()),
            "AML102",
            f"The character U+{ord(found[0]):04X} is not allowed in a file.",
            'Remove it, or use an escape sequence in a "double-quoted" text.',
        )


def problem(place: Place, code: str, cause: str, cure: str) -> SpecError:
    """An error of one problem; the cause may contain text of the file."""
    return SpecError([Problem(place, code, sanitize(cause), cure)])


class _Composer:
    """Builds the nodes of one document from its events."""

    def __init__(self, text: str, locate: Locate, fill: Fill) -> None:
        self._text, self._locate, self._fill = text, locate, fill
        self._events = self._read()
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._count = self._deepest = 0

    def _read(self) -> Iterator[yaml.Event]:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(self._text)
        try:
            while loader.check_event():
                yield loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = " ".join(filter(None, (error.context, error.problem)))
            place = self._locate(mark.index if mark else 0)
            if error.context_mark and "flow" in str(error.context):
                begun = self._locate(error.context_mark.index)
                place = place if begun.file == place.file else begun
            raise problem(place, "AML103", f"This is not YAML: {words}.", "Fix the text here or just above.") from None
        except yaml.YAMLError as error:
            words = str(error).splitlines()[0]
            raise problem(self._locate(0), "AML103", f"This is not YAML: {words}.", "Fix the text.") from None

    def document(self) -> Node:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Node(None, self._locate(0), source_text="")
        node = self._node(next(self._events), 1)
        next(self._events)
        more = next(self._events)
        if isinstance(more, yaml.DocumentStartEvent):
            raise self._fault(more, "AML103", "A second document starts here.", "Keep one document per file.")
        return node

    def _fault(self, event: Any, code: str, cause: str, cure: str) -> SpecError:
        return problem(self._locate(event.start_mark.index), code, cause, cure)

    def _node(self, event: Any, depth: int) -> Node:
        """The node that starts with the event; counts values and levels."""
        before, outer, self._deepest = self._count, self._deepest, depth
        self._bound(event, 1, depth)
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event, depth)
        elif isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, depth)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            node = self._sequence(event, depth)
        if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self._anchors[event.anchor] = (node, self._count - before, self._deepest - depth)
        self._deepest = max(outer, self._deepest)
        return node

    def _bound(self, event: Any, more: int, deepest: int) -> None:
        self._count += more
        self._deepest = max(self._deepest, deepest)
        if self._deepest > DEPTH:
            raise self._fault(event, "AML104", f"Values are nested deeper than {DEPTH} levels.", "Make it flatter.")
        if self._count > VALUES:
            cause = f"The file has more than {VALUES} values after its aliases are expanded."
            raise self._fault(event, "AML104", cause, "Use fewer values or aliases.")

    def _alias(self, event: Any, depth: int) -> Node:
        if event.anchor not in self._anchors:
            cause = f"The alias *{event.anchor} has no complete anchor above it."
            raise self._fault(event, "AML103", cause, f"Add &{event.anchor} before the value to repeat.")
        node, size, height = self._anchors[event.anchor]
        self._bound(event, size, depth + height)
        return node

    def _sequence(self, event: Any, depth: int) -> Node:
        self._core_tag(event, "seq")
        children: dict[str | int, Node] = {}
        for number, item in enumerate(self._events):
            if isinstance(item, yaml.SequenceEndEvent):
                break
            children[number] = self._node(item, depth + 1)
        return Node([child.value for child in children.values()], self._locate(event.start_mark.index), children)

    def _mapping(self, event: Any, depth: int) -> Node:
        self._core_tag(event, "map")
        children: dict[str | int, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[tuple[Any, Node]] = []
        for item in self._events:
            if isinstance(item, yaml.MappingEndEvent):
                break
            if isinstance(item, yaml.ScalarEvent) and item.value == "<<" and item.implicit[0]:
                if merged:
                    raise self._fault(item, "AML105", 'The key "<<" exists already.', "Use one list: `<<: [*a, *b]`.")
                merged.append((item, self._node(next(self._events), depth + 1)))
                continue
            key = self._key(item, depth)
            if key.value in children:
                cause = f"The key {key.value!r} exists already in line {keys[key.value].line}."
                raise self._fault(item, "AML105", cause, "Remove one of the two.")
            keys[key.value] = key.origin or key.place
            children[key.value] = self._node(next(self._events), depth + 1)
        for item, node in merged:
            self._merge(item, node, children, keys)
        value = {key: child.value for key, child in children.items()}
        return Node(value, self._locate(event.start_mark.index), children, keys)

    def _merge(self, event: Any, node: Node, children: dict[str | int, Node], keys: dict[str, Place]) -> None:
        """Add the entries of a merge key. Keys of the mapping itself come first, then those of earlier mappings."""
        for each in node.children.values() if isinstance(node.value, list) else (node,):
            if not isinstance(each.value, dict):
                cause = f'The merge key "<<" needs a mapping or a list of mappings, not {kind(each.value)}.'
                raise self._fault(event, "AML106", cause, "Use an alias of a mapping, such as `<<: *name`.")
            for key, child in each.children.items():
                children.setdefault(key, child)
                keys.setdefault(str(key), each.keys.get(str(key), child.place))

    def _key(self, event: Any, depth: int) -> Node:
        node = self._node(event, depth + 1)
        if not isinstance(node.value, str):
            cause = f"A key must be text, but this one is {kind(node.value)}."
            raise self._fault(event, "AML106", cause, 'Use quotes: "key".')
        return node

    def _core_tag(self, event: Any, name: str) -> None:
        if event.tag not in (None, "!", _TAG + name):
            raise self._fault(event, "AML106", f"The tag {event.tag!r} is not supported.", "Remove the tag.")

    def _scalar(self, event: Any, depth: int) -> Node:
        place = self._locate(event.start_mark.index)
        if event.tag is None and (filled := self._fill(event.value, place)):
            self._bound(event, 0, depth + _height(filled.value))
            return filled
        plain, _ = event.implicit
        try:
            value = resolve(event.value) if plain else self._tagged(event)
        except ValueError:
            raise self._fault(event, "AML104", "This number is too long.", "Use quotes if it is text.") from None
        return Node(value, place, source_text=None if isinstance(value, str) else event.value)

    def _tagged(self, event: Any) -> Any:
        if event.tag in (None, "!", _TAG + "str"):
            return event.value
        for name, pattern, convert in _CORE:
            if event.tag == _TAG + name and pattern.fullmatch(event.value):
                return convert(event.value)
        raise self._fault(event, "AML106", f"The tag {event.tag!r} does not fit {event.value!r}.", "Remove the tag.")


def resolve(text: str) -> Any:
    """The value of a plain scalar in the core schema."""
    if text and text[0] not in _PLAIN_START:
        return text
    for _, pattern, convert in _CORE:
        if pattern.fullmatch(text):
            return convert(text)
    return text


def _height(value: Any) -> int:
    """The number of levels below a value; values have no cycles."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _height(item) for item in inner), default=0)


def kind(value: Any) -> str:
    """The type of a value in plain words, such as `a number`."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", dict: "a mapping", list: "a list"}
    return names.get(type(value), "null")

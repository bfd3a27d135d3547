"""Expressions of GitHub Actions: `${{ }}` in text, and conditions. Supports only what our workflows use.

Values are JSON values. As on GitHub: names ignore case, a missing value is null, strings compare without case, `&&` and
`||` return one of their operands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<string>'(?:[^']|'')*')|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[!<>().,*\[\]]))"
)
_HOLE = re.compile(r"\$\{\{((?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*)\}\}")
STATUS = ("success", "failure", "cancelled", "always")


class Wrong(ValueError):
    """The text is not a valid expression."""


@dataclass(frozen=True)
class Scope:
    """The names that an expression can use: contexts, and functions in addition to the common ones."""

    contexts: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]

    def value(self, text: str) -> Any:
        """Return the value of the expression `text` (without `${{ }}`)."""
        parser = _Parser(text, self)
        found = parser.either()
        parser.end()
        return found

    def fill(self, text: Any) -> Any:
        """Return a scalar with its expressions evaluated; a scalar that is a single expression keeps its type."""
        if not isinstance(text, str):
            return text
        whole = _HOLE.fullmatch(text.strip())
        if whole:
            return self.value(whole[1])
        return _HOLE.sub(lambda hole: words(self.value(hole[1])), text)

    def holds(self, condition: Any) -> bool:
        """Return whether an `if:` is met. A condition without a status function means success()."""
        text = "success()" if condition is None else words(condition)
        inner = _HOLE.fullmatch(text.strip())
        text = inner[1] if inner else text
        asks = re.search(rf"\b({'|'.join(STATUS)})\s*\(", re.sub(r"'(?:[^']|'')*'", "", text))
        return truthy(self.value(text)) and (bool(asks) or truthy(self.value("success()")))


class _Parser:
    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope, self.at = text, scope, 0
        self.kind, self.word = "", ""
        self._next()

    def _next(self) -> None:
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            if self.text[self.at :].strip():
                raise Wrong(f"{self.text!r} at {self.at}")
            self.kind, self.word = "end", ""
            return
        self.at, self.kind, self.word = found.end(), str(found.lastgroup), found[str(found.lastgroup)]

    def _take(self, *signs: str) -> str:
        if self.kind != "sign" or self.word not in signs:
            return ""
        word = self.word
        self._next()
        return word

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise Wrong(f"{self.text!r}: {sign} is missing")

    def end(self) -> None:
        if self.kind != "end":
            raise Wrong(f"{self.text!r}: {self.word!r} is too much")

    def either(self) -> Any:
        left = self._both()
        while self._take("||"):
            right = self._both()
            left = left if truthy(left) else right
        return left

    def _both(self) -> Any:
        left = self._compared()
        while self._take("&&"):
            right = self._compared()
            left = right if truthy(left) else left
        return left

    def _compared(self) -> Any:
        left = self._denied()
        while sign := self._take("==", "!=", "<", ">", "<=", ">="):
            left = compare(sign, left, self._denied())
        return left

    def _denied(self) -> Any:
        return not truthy(self._denied()) if self._take("!") else self._reached()

    def _reached(self) -> Any:
        found = self._atom()
        while sign := self._take(".", "["):
            if sign == "." and self._take("*"):
                found = Filtered(found.values() if isinstance(found, Mapping) else found or ())
                continue
            if sign == ".":
                key, self_kind = self.word, self.kind
                if self_kind != "name":
                    raise Wrong(f"{self.text!r}: a name is missing")
                self._next()
            else:
                key = self.either()
                self._need("]")
            found = reach(found, key)
        return found

    def _atom(self) -> Any:
        if self._take("("):
            found = self.either()
            self._need(")")
            return found
        kind, word = self.kind, self.word
        self._next()
        if kind == "number":
            return float(word) if "." in word else int(word)
        if kind == "string":
            return word[1:-1].replace("''", "'")
        if kind != "name":
            raise Wrong(f"{self.text!r}: {word!r} is no value")
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        return self._called(word) if self._take("(") else self._context(word)

    def _context(self, name: str) -> Any:
        if name.lower() not in self.scope.contexts:
            raise Wrong(f"{self.text!r}: there is no context {name} here")
        return self.scope.contexts[name.lower()]

    def _called(self, name: str) -> Any:
        given: list[Any] = []
        while not self._take(")"):
            given.append(self.either())
            if not self._take(","):
                self._need(")")
                break
        functions = {**FUNCTIONS, **{key.lower(): f for key, f in self.scope.functions.items()}}
        if name.lower() not in functions:
            raise Wrong(f"{self.text!r}: there is no function {name} here")
        return functions[name.lower()](*given)


def truthy(value: Any) -> bool:
    return value not in (None, False, 0, "") or isinstance(value, list | dict)


def words(value: Any) -> str:
    """Return a value as text in a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def compare(sign: str, left: Any, right: Any) -> bool:
    """Strings compare without case; values of different types compare as numbers; what is no number equals nothing."""
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.lower(), right.lower()
    elif type(left) is not type(right):
        left, right = _number(left), _number(right)
    if sign in ("==", "!="):
        return (left == right) == (sign == "==")
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign]


def _number(value: Any) -> float:
    if isinstance(value, str | int | float | None):
        try:
            return float(value or 0)
        except ValueError:
            return float("nan")
    return float("nan")


class Filtered(list[Any]):
    """The result of `.*`; a property of it is the list of this property of its items."""


def reach(value: Any, key: Any) -> Any:
    if isinstance(value, Filtered):
        return Filtered(reach(each, key) for each in value)
    if isinstance(value, list):
        return value[key] if isinstance(key, int) and 0 <= key < len(value) else None
    if not isinstance(value, Mapping):
        return None
    return next((found for name, found in value.items() if name.lower() == words(key).lower()), None)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(compare("==", each, what) for each in where)
    return words(what).lower() in words(where).lower()


def _format(text: str, *given: Any) -> str:
    return re.sub(r"\{\{|\}\}|\{(\d+)\}", lambda m: words(given[int(m[1])]) if m[1] else m[0][0], text)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "contains": _contains,
    "startswith": lambda text, start: words(text).lower().startswith(words(start).lower()),
    "endswith": lambda text, end: words(text).lower().endswith(words(end).lower()),
    "format": _format,
    "join": lambda values, by=",": words(by).join(map(words, values)),
    "tojson": lambda value: json.dumps(value, indent=2),
    "fromjson": lambda text: json.loads(words(text)),
}

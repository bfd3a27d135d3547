"""The two markers in rendered text, and the lexer that writes them.

A token is the placeholder of a value; a mark contains the location of the text after it. Both contain a random word,
so that no file and no value can forge one.
"""

from __future__ import annotations

import re
import secrets
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from jinja2.lexer import TOKEN_DATA, TOKEN_VARIABLE_BEGIN, Lexer

_NONCE = secrets.token_hex(8)
TOKEN = re.compile(f"zq{_NONCE}x([0-9]+)qz")
"""The placeholder of value number n: a plain word in YAML; no escape sequence starts with its first letter."""
MARK = re.compile(f"\x02{_NONCE};([0-9]+);([0-9]+);([^\x03]*)\x03")
"""Line, column and template of the text that follows."""
_AZURE_EXPRESSION = re.compile(r"\$\{\{(?:(?:(?!\$\{\{|\}\})[^\n])*\}\})?")
_HIDDEN_BRACE = "\x0e"


def token(number: int) -> str:
    """The placeholder of value `number`."""
    return f"zq{_NONCE}x{number}qz"


class MarkingLexer(Lexer):
    """Writes a mark before each line of template text and each expression; `${{ ... }}` stays text."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        hidden = _AZURE_EXPRESSION.sub(lambda found: found[0].replace("{", _HIDDEN_BRACE), source)
        starts = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
        at = 0
        for lineno, kind, value in super().tokeniter(hidden, name, filename, state):
            at = hidden.index(value, at)
            line = bisect_right(starts, at)
            shown = value.replace(_HIDDEN_BRACE, "{")
            if kind == TOKEN_VARIABLE_BEGIN:
                yield lineno, TOKEN_DATA, _mark(line, at - starts[line - 1] + 1, name)
            if kind == TOKEN_DATA:
                shown = _marked(shown, line, at - starts[line - 1] + 1, name)
            yield lineno, kind, shown
            at += len(value)


def _mark(line: int, column: int, name: str | None) -> str:
    return f"\x02{_NONCE};{line};{column};{name}\x03"


def _marked(text: str, line: int, column: int, name: str | None) -> str:
    first, *rest = text.split("\n")
    lines = [_mark(line, column, name) + first]
    lines += [_mark(number, 1, name) + more for number, more in enumerate(rest, line + 1)]
    return "\n".join(lines)

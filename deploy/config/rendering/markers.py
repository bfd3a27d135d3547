"""The two signs that a rendering leaves in its text, and the lexer that sets them.

A token stands for a value, a mark says where the text after it was written. Both hold a word that nobody can guess, so
no file and no value can forge one. This room renders nothing.
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
"""Stands for value number n. It is a plain word to YAML, and no escape sequence can begin with its first letter."""
MARK = re.compile(f"\x02{_NONCE};([0-9]+);([0-9]+);([^\x03]*)\x03")
"""Line, column and template of the text that follows."""
_FOREIGN = re.compile(r"\$\{\{(?:(?:(?!\$\{\{|\}\})[^\n])*\}\})?")
_HIDDEN_BRACE = "\x0e"


def token(number: int) -> str:
    """What the text holds in the place of value `number`."""
    return f"zq{_NONCE}x{number}qz"


class MarkingLexer(Lexer):
    """Puts a mark before every line of template text and every expression; `${{ ... }}` stays text."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        secrets_in = _FOREIGN.sub(lambda found: found[0].replace("{", _HIDDEN_BRACE), source)
        starts = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
        at = 0
        for lineno, kind, value in super().tokeniter(secrets_in, name, filename, state):
            at = secrets_in.index(value, at)
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

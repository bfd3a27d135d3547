"""Remote text made safe to print: without control characters, workflow commands and secrets (`redact` finds them)."""

from __future__ import annotations

import re
from functools import lru_cache

from deploy.redact import redact_text

_CONTROL = {c: chr(0x2400 + c) for c in range(0x20) if c not in (0x09, 0x0A)} | {0x7F: "\u2421"}
_CONTROL |= dict.fromkeys((*range(128, 160), *range(8234, 8239), *range(8294, 8298)), "�")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COMMAND = re.compile(r"##(?=(?:vso)?\[)")
_SHORT = 400


def sanitize(text: str) -> str:
    """Remote text made safe to print: without control characters, workflow commands and secrets."""
    return _sanitize_cached(text) if len(text) <= _SHORT else _sanitize(text)


def _sanitize(text: str) -> str:
    text = redact_text(_ANSI.sub("", text)).translate(_CONTROL)
    return _COMMAND.sub("# #", re.sub(r"(?m)^(\s*):(?=:)", "\\1\u2236", text))


_sanitize_cached = lru_cache(maxsize=4096)(_sanitize)
"""A plan contains the same short texts in each of its output formats."""

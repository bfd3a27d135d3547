"""Remote text made safe to print: without control characters, workflow commands and texts that look like secrets.

`redact` hides values by their name; this module finds secrets by their form.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CONTROL = {c: chr(0x2400 + c) for c in range(0x20) if c not in (0x09, 0x0A)} | {0x7F: "\u2421"}
_CONTROL |= dict.fromkeys((*range(128, 160), *range(8234, 8239), *range(8294, 8298)), "�")
_SECRETS = re.compile(
    r"(?i)(?P<keep>\bbearer\s+|[?&](?:sig|s|sv|se)=|(?:account|shared)?key\s*[=:]\s*\"?|password\s*[=:]\s*\"?"
    r"|client_secret\s*[=:]\s*\"?|\"(?:primaryKey|secondaryKey|accessToken|access_token|sasToken)\"\s*:\s*\")"
    r"(?P<hide>[^\s\"'&,;}]{6,})"
)
_NAMED = re.compile(
    r"(?i)(?P<keep>(?:key|password|pwd|secret|token|signature|sas)[\\\"']*\s*[=:]\s*[\\\"']*)"
    r"(?P<hide>[^\s\"'&,;}\\]{16,})"
)
_KNOWN = re.compile(r"\b(?:hf_|gh[pousr]_|github_pat_)\w{16,}|(?<![\w+/])[\w+/]{86}==|(?i:\bbasic\s+)[\w+/=]{12,}")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOGIN = re.compile(r"(?i)(?<=://)[^\s/:@]+:[^\s/@]+(?=@)|\bsk-[\w-]{12,}")
_COMMAND = re.compile(r"##(?=(?:vso)?\[)")
_SHORT = 400
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")


def sanitize(text: str) -> str:
    """Remote text made safe to print: without control characters, workflow commands and secrets."""
    return _sanitize_cached(text) if len(text) <= _SHORT else _sanitize(text)


def _sanitize(text: str) -> str:
    text = _LOGIN.sub("(hidden)", _ANSI.sub("", text))
    text = _NAMED.sub(r"\g<keep>(hidden)", _KNOWN.sub("(hidden)", text))
    text = _SECRETS.sub(r"\g<keep>(hidden)", _JWT.sub("(hidden)", text.translate(_CONTROL)))
    return _COMMAND.sub("# #", re.sub(r"(?m)^(\s*):(?=:)", "\\1\u2236", text))


_sanitize_cached = lru_cache(maxsize=4096)(_sanitize)
"""A plan contains the same short texts in each of its output formats."""

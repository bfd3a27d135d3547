"""Hides what nobody should read, by the name a value carries and by the look of the value itself.

Knows nothing of plans or reports: a JSON value goes in, the same value without its secrets comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from deploy.errors import sanitize

Json = Any
HIDDEN = "(hidden)"
_LAST_WORDS = {
    "secret",
    "secrets",
    "password",
    "passwords",
    "passwd",
    "pwd",
    "token",
    "sas",
    "credential",
    "credentials",
}
_JOINED = re.compile(
    r"(?i)((api|access|account|primary|secondary|shared|private|storage|master)keys?|connection_?string)$"
)
_HARMLESS_KEYS = {"public", "endpoint", "partition", "sort", "foreign"}
_SHORTEST = 6
"""Characters; a shorter secret would hide half of every text."""
_NAMED_BESIDE = ("before", "after", "value")


def is_secret(name: str) -> bool:
    """Whether a value of this name is one to hide: `API_KEY`, `primaryKey`, `hf-token`; not `max_tokens`."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    if len(words) > 1 and words[-1] == "key":
        return words[-2] not in _HARMLESS_KEYS
    return bool(words and words[-1] in _LAST_WORDS) or bool(_JOINED.search(name))


def redact_secrets(value: Json, name: str = "", mark: Callable[[Json], str] = lambda _: "") -> Json:
    """The same value, its secrets replaced by `(hidden)` and its `mark`; text without a secret is not touched.

    A list entry such as {path, before, after} or {name, value} is judged by the name that stands beside the value.
    """
    if _is_hidden(value, name):
        return HIDDEN + mark(value)
    if isinstance(value, Mapping):
        return {key: redact_secrets(item, _name(value, key), mark) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_secrets(item, name, mark) for item in value]
    if not isinstance(value, str):
        return value
    safe = redact_text(value)
    return safe if safe == value else safe + mark(value)


def secrets_in(value: Json, name: str = "", path: str = "") -> Iterator[tuple[str, Json]]:
    """Dotted path and value of everything that `hide` hides, in whole or in part."""
    if _is_hidden(value, name) or (isinstance(value, str) and redact_text(value) != value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, _name(value, key), f"{path}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from secrets_in(item, name, f"{path}.{number}".lstrip("."))


def _is_hidden(value: Json, name: str) -> bool:
    return is_secret(name) and value not in (None, "", True, False) and not _is_reference(value)


def _name(around: Mapping[str, Json], key: str) -> str:
    """The name by which a value of a mapping is judged."""
    siblings = _name_at(str(around.get("path") or around.get("name") or ""))
    return siblings if key in _NAMED_BESIDE and siblings else str(key)


def redact_at(path: str, value: Json) -> Json:
    """Likewise a value at a dotted path."""
    return redact_secrets(value, _name_at(path))


def _name_at(path: str) -> str:
    """The name to judge a value by: the last of the path's. Keys of maps may have dots, so any end of the path that
    names a secret counts.
    """
    names = path.split(".")
    ends = [".".join(names[number:]) for number in range(1, len(names))]
    return next(filter(is_secret, ends), names[-1])


def secret_values(value: Json, name: str = "") -> frozenset[str]:
    """The texts that `hide` would hide for their name: what must not turn up elsewhere either."""
    if isinstance(value, Mapping):
        siblings = _name_at(str(value.get("path") or value.get("name") or ""))
        inside = [secret_values(v, siblings if k in _NAMED_BESIDE and siblings else str(k)) for k, v in value.items()]
        return frozenset().union(*inside)
    if isinstance(value, list | tuple):
        return frozenset().union(*(secret_values(item, name) for item in value))
    found = isinstance(value, str) and len(value) >= _SHORTEST and is_secret(name) and not _is_reference(value)
    return frozenset({str(value)}) if found else frozenset()


def redact_values(value: Any, secrets: Collection[str]) -> Any:
    """The same value (text, bytes, JSON) with these texts hidden wherever they stand."""
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, bytes):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret.encode(), HIDDEN.encode())
        return value
    if isinstance(value, Mapping):
        return {redact_values(key, secrets): redact_values(item, secrets) for key, item in value.items()}
    return [redact_values(item, secrets) for item in value] if isinstance(value, list | tuple) else value


def redact_text(text: str) -> str:
    """The text without the secrets that can be told by their looks, otherwise untouched."""
    safe = sanitize(text)
    return safe if safe.count(HIDDEN) > text.count(HIDDEN) else text


def _is_reference(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("${{") and value.endswith("}}")

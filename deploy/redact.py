"""Replaces secrets in JSON values and text by `(hidden)`: by the name of a value, and by the pattern of its text.

A JSON value goes in, the same value without its secrets comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from deploy.sanitize import sanitize

Json = Any
HIDDEN = "(hidden)"
_SECRET_WORDS = {
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
_NAMED_BY_SIBLING = ("before", "after", "value")
_POSSIBLE_SECRET_NAME = re.compile(
    r"(?i)(^|[_.-])(key|token|secret|password|passwd|pwd|pass|credentials?|sas|auth|dsn|connection_?string)s?$"
    r"|(key|token|secret|password|connection_?string)$"
)
_RUN = r"[A-Za-z0-9+=_~-]"
_RANDOM = re.compile(rf"(?={_RUN}*[0-9])(?={_RUN}*[A-Za-z]){_RUN}{{32,}}")
_HARMLESS_VALUE = re.compile(r"|true|false|[0-9.]{1,6}|\$\{\{.*\}\}", re.IGNORECASE | re.DOTALL)


def is_secret(name: str) -> bool:
    """Whether a value with this name is a secret: `API_KEY`, `primaryKey`, `hf-token`; not `max_tokens`."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    if len(words) > 1 and words[-1] == "key":
        return words[-2] not in _HARMLESS_KEYS
    return bool(words and words[-1] in _SECRET_WORDS) or bool(_JOINED.search(name))


def redact_secrets(value: Json, name: str = "", mark: Callable[[Json], str] = lambda _: "") -> Json:
    """The value with each secret replaced by `(hidden)` and its `mark`; text without a secret does not change.

    In an entry such as {path, before, after} or {name, value}, `path` or `name` decides about the values.
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
    """Dotted path and value of everything that `redact_secrets` replaces, in whole or in part."""
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
    """The name that decides whether a value of a mapping is a secret."""
    sibling = _name_at(str(around.get("path") or around.get("name") or ""))
    return sibling if key in _NAMED_BY_SIBLING and sibling else str(key)


def redact_at(path: str, value: Json) -> Json:
    """The value at a dotted path, its secrets replaced."""
    return redact_secrets(value, _name_at(path))


def _name_at(path: str) -> str:
    """The name at the end of a path. Keys of maps can contain dots, so the first end that names a secret wins."""
    names = path.split(".")
    ends = [".".join(names[number:]) for number in range(1, len(names))]
    return next(filter(is_secret, ends), names[-1])


def secret_values(value: Json, name: str = "") -> frozenset[str]:
    """The texts that `redact_secrets` replaces because of their name, so that they can be replaced elsewhere, too."""
    if isinstance(value, Mapping):
        return frozenset().union(*(secret_values(item, _name(value, key)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return frozenset().union(*(secret_values(item, name) for item in value))
    found = isinstance(value, str) and len(value) >= _SHORTEST and is_secret(name) and not _is_reference(value)
    return frozenset({str(value)}) if found else frozenset()


def redact_values(value: Any, secrets: Collection[str]) -> Any:
    """The value (text, bytes, JSON) with each occurrence of these texts replaced."""
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
    """The text without the secrets that a pattern recognizes; text without such secrets does not change."""
    safe = sanitize(text)
    return safe if safe.count(HIDDEN) > text.count(HIDDEN) else text


def _is_reference(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("${{") and value.endswith("}}")


def looks_secret(name: str, value: str) -> bool:
    """Whether a value may be a secret: by its name, by its form, or because it is long and random.

    Wider than `is_secret`: `import` writes no such value into a file.

    A reference such as `${{keyvault:...}}`, a boolean or a small number is no secret.
    """
    if _HARMLESS_VALUE.fullmatch(value):
        return False
    return bool(_POSSIBLE_SECRET_NAME.search(name) or sanitize(value) != value or _RANDOM.search(value))

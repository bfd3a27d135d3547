"""Read fields of request bodies: a value of the right type, or a refusal that names the field."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from deploy.emulator.wire.responses import Json, user_error


def text(body: Mapping[str, Json], key: str, default: str | None = None) -> str | None:
    """A string; `default` when it is missing or null."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise user_error(f"The field '{key}' must be a string.")
    return value


def one_of(body: Mapping[str, Json], key: str, words: Collection[str], default: str | None = None) -> str:
    """One of `words`, in any case; returned in Azure's spelling."""
    value = text(body, key, default)
    if value is None:
        raise user_error(f"The field '{key}' is required.")
    for word in words:
        if word.lower() == value.lower():
            return word
    raise user_error(f"The value '{value}' of field '{key}' is invalid. Allowed values: {', '.join(words)}.")


def mapping(body: Mapping[str, Json], key: str) -> dict[str, Json]:
    """An object; a missing one is empty."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise user_error(f"The field '{key}' must be an object.")
    return value


def texts(body: Mapping[str, Json], key: str) -> dict[str, str]:
    """An object whose values are strings. Numbers and booleans become strings, as in the service; nulls are dropped."""
    value = mapping(body, key)
    for name, item in value.items():
        if isinstance(item, dict | list):
            raise user_error(f"The value of '{name}' in field '{key}' must be a string.")
    return {
        name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items() if item is not None
    }


def shares(body: Mapping[str, Json], key: str) -> dict[str, int]:
    """An object whose values are integers. Zeros are dropped, as in the service."""
    value = mapping(body, key)
    for name, item in value.items():
        if not isinstance(item, int) or isinstance(item, bool):
            raise user_error(f"The value of '{name}' in field '{key}' must be an integer.")
    return {name: item for name, item in value.items() if item != 0}


def number(body: Mapping[str, Json], key: str, default: int) -> int:
    """An integer; `default` when it is missing or null."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise user_error(f"The field '{key}' must be an integer.")
    return value


def flag(body: Mapping[str, Json], key: str, default: bool) -> bool:
    """A boolean; `default` when it is missing or null."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise user_error(f"The field '{key}' must be true or false.")
    return value

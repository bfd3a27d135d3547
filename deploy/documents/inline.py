"""Environments that a deployment file defines itself: whether it does, and what its conda file says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

Json = Any


def is_inline(document: Mapping[str, Json]) -> bool:
    """Whether a deployment's environment is made of its file, in a version that Azure names."""
    environment = document.get("environment")
    if not isinstance(environment, Mapping):
        return False
    return not environment.get("name") or environment.get("version") is None


def parsed(text: Json) -> Json:
    """A conda specification, or its text, as a value; None for what is not one."""
    if not isinstance(text, str | bytes):
        return text if isinstance(text, Mapping) else None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, Mapping) else None

"""Environment assets that a deployment file defines inline, and their conda specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

Json = Any


def is_inline(document: Mapping[str, Json]) -> bool:
    """Whether the deployment file defines its environment inline, without a version of its own."""
    environment = document.get("environment")
    if not isinstance(environment, Mapping):
        return False
    return not environment.get("name") or environment.get("version") is None


def parsed(text: Json) -> Json:
    """A conda specification, or its text, as a value; None if it is invalid."""
    if not isinstance(text, str | bytes):
        return text if isinstance(text, Mapping) else None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, Mapping) else None

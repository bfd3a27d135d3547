"""The target of an alias, and the context in which an alias is read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """The current endpoint: its name, its scoring URI, and the end of its lease (ISO 8601)."""

    endpoint: str
    scoring_uri: str
    lease_ends: str

    def as_json(self) -> str:
        """The JSON that files and variables contain."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class Context:
    """The project folder, where relative paths start, and the variables of this process."""

    root: Path
    variables: Mapping[str, str]


def parse_target(text: str) -> Target | None:
    """A target from its JSON; None for any other text."""
    try:
        found = json.loads(text)
        return Target(str(found["endpoint"]), str(found["scoring_uri"]), str(found.get("lease_ends") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

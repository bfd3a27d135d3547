"""What an alias points at, and what it may use of the world."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """Where callers are sent: the endpoint's name, its scoring URI, and when its lease ends (ISO 8601)."""

    endpoint: str
    scoring_uri: str
    lease_ends: str

    def as_json(self) -> str:
        """The form in which files and variables hold it."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class Context:
    """The project's folder, where relative paths start, and the variables of this process."""

    root: Path
    variables: Mapping[str, str]


def parsed(text: str) -> Target | None:
    """A target from its JSON; None for anything else: whoever wrote that did not speak of an endpoint of ours."""
    try:
        told = json.loads(text)
        return Target(str(told["endpoint"]), str(told["scoring_uri"]), str(told.get("lease_ends") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

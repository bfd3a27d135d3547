"""Who holds the lock of an endpoint: the record that a run writes beside its lease, and other runs read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from deploy.sanitize import sanitize

MAX_BYTES = 8192
_LONGEST = 256
"""Characters of one value."""


@dataclass(frozen=True)
class LockRecord:
    """The run that holds a lock. All values are texts for people, except `lock_id` and `epoch`.

    `lock_id`: the id of the lease, a GUID, which is new for each run; `since`: ISO 8601, by the service's clock;
    `run_url`: empty outside GitHub Actions; `epoch`: 1 for the first holder, and one more for each further one.
    """

    endpoint: str = ""
    lock_id: str = ""
    command: str = ""
    holder: str = ""
    host: str = ""
    run_url: str = ""
    fingerprint: str = ""
    since: str = ""
    epoch: int = 0

    def to_json(self) -> str:
        """The record as ASCII, so that it is valid in a blob and in metadata."""
        return json.dumps(asdict(self))

    @property
    def text(self) -> str:
        """`apply by jo@example.com on ci-7 (https://...)`; `another run` if unknown."""
        if not self.command:
            return "another run"
        words = f"{self.command} by {self.holder or 'unknown'} on {self.host or 'an unknown host'}"
        return words + (f" ({self.run_url})" if self.run_url else "")

    @property
    def holds(self) -> str:
        """`apply by jo@example.com on ci-7 has held its lock since 2026-11-30T14:00:00Z`."""
        return f"{self.text} has held its lock since {self.since}" if self.since else f"{self.text} holds its lock"


def parse(text: str | bytes | None) -> LockRecord:
    """The record in a text that another program may have written; without values if it is no record."""
    try:
        found: Any = json.loads((text or "")[:MAX_BYTES])
    except (ValueError, RecursionError):
        return LockRecord()
    if not isinstance(found, dict):
        return LockRecord()
    known = {f.name: _shown(found.get(f.name)) for f in fields(LockRecord)}
    epoch = known.pop("epoch")
    record = LockRecord(**known)  # type: ignore[arg-type]
    return replace(record, epoch=int(epoch) if epoch.isdecimal() and len(epoch) < 10 else 0)


def _shown(value: Any) -> str:
    """A value as one safe line, without halves of surrogate pairs, which no terminal prints."""
    text = str(value or "").encode("utf-8", "replace").decode()
    return " ".join(sanitize(text).split())[:_LONGEST]

"""Where a deployment is from: commit, user, time and run, in the same words in each output."""

from __future__ import annotations

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.provenance import Provenance

_SHORT = 8
"""Number of digits of a commit that are shown."""


def origin_words(provenance: Provenance) -> list[str]:
    """`commit 0123abcd (uncommitted changes)`, `by jane@contoso.com`, `2026-11-29 13:27 UTC`, without unknown parts."""
    commit = commit_words(provenance)
    by = f"by {provenance.by}" if provenance.by else ""
    when = leases.local_and_utc(provenance.at) if provenance.at else ""
    return [part for part in (f"commit {commit}" if commit else "", by, when) if part]


def commit_words(provenance: Provenance) -> str:
    """`0123abcd (uncommitted changes)`; empty if unknown."""
    short = provenance.commit[:_SHORT]
    return f"{short} (uncommitted changes)" if short and provenance.dirty else short


def origin_json(provenance: Provenance) -> dict[str, Json]:
    """{commit, dirty, by, run_url, at}; unknown text is empty, an unknown `at` (ISO 8601) is null."""
    at = leases.iso_time(provenance.at) if provenance.at else None
    known = {"commit": provenance.commit, "dirty": provenance.dirty, "by": provenance.by}
    return {**known, "run_url": provenance.run_url, "at": at}

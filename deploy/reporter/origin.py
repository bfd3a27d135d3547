"""The commit that something was deployed from, by whom, when and in which run: the same words in every output."""

from __future__ import annotations

from deploy.domain import leases
from deploy.domain.arm import Json
from deploy.domain.provenance import Provenance

_SHORT = 8
"""Digits of a commit that are shown."""


def words(provenance: Provenance) -> list[str]:
    """`commit 0123abcd (uncommitted changes)`, `by jane@contoso.com`, `2026-11-29 13:27 UTC`: as much as is known."""
    short = provenance.commit[:_SHORT]
    told = f"commit {short} (uncommitted changes)" if provenance.dirty else f"commit {short}"
    by = f"by {provenance.by}" if provenance.by else ""
    when = leases.both(provenance.at) if provenance.at else ""
    return [part for part in (told if short else "", by, when) if part]


def origin_json(provenance: Provenance) -> dict[str, Json]:
    """{commit, dirty, by, run_url, at}; text that is not known is empty, `at` (ISO 8601) null."""
    at = leases.written(provenance.at) if provenance.at else None
    told = {"commit": provenance.commit, "dirty": provenance.dirty, "by": provenance.by}
    return {**told, "run_url": provenance.run_url, "at": at}

"""Whose a thing in Azure is, as its tag says it, in words. Pure: nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.model import OWNER_TAG, Json


def whose(body: Mapping[str, Json]) -> str:
    """Of what is not ours: to whom it belongs."""
    owner = (body.get("tags") or {}).get(OWNER_TAG)
    return f"belongs to {owner}" if owner else "was not made by amldeploy"

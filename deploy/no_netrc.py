"""Prevents `requests` from adding credentials of ~/.netrc to our requests, which it does where `auth` is not set."""

from __future__ import annotations

from typing import Any


def no_netrc_auth(request: Any) -> Any:
    """An `auth` for requests that adds nothing, so that only our own Authorization header is sent."""
    return request

"""Addresses in tests, written as their text."""

from __future__ import annotations

from deploy.domain.arm import Address

addr = Address.parse

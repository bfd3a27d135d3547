"""Values of shared options: a time is read, or refused with a message."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploy.cli.options import hours_of
from deploy.errors import UsageError


@pytest.mark.parametrize(("typed", "hours"), [("90m", 1.5), ("24h", 24), ("7d", 168), ("0.5h", 0.5), (None, None)])
def test_a_time_is_read(typed: str | None, hours: float | None) -> None:
    """Minutes, hours and days."""
    assert hours_of(typed) == hours


@given(st.text(max_size=9) | st.text("0123456789.²½٣-+e", max_size=6).map(lambda text: f"{text}h"))
@example("²h")
@example(".h")
@example("1.2.3h")
def test_any_other_text_is_refused(typed: str) -> None:
    """No traceback for any text."""
    with contextlib.suppress(UsageError):
        assert (hours_of(typed) or 0.0) >= 0

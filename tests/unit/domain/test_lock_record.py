"""The record of a lock: what another run or program wrote never breaks a command, and is shown as safe text."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import lock_record
from deploy.domain.lock_record import LockRecord

WORDS = st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), max_size=40)


@given(st.builds(LockRecord, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, st.integers(0, 10**8)))
def test_a_record_is_read_as_it_was_written(record: LockRecord) -> None:
    """Through a text in ASCII, which metadata and headers accept."""
    text = record.to_json()
    assert text.isascii()
    assert lock_record.parse(text) == record
    assert lock_record.parse(text.encode()) == record


KEYS = st.sampled_from(["command", "epoch", "since", "lock_id", "other"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=6
)


@given(st.text() | st.binary() | st.none() | JSON.map(json.dumps))
def test_any_text_is_a_record(text: str | bytes | None) -> None:
    """What is no record has no values; what is shown has one line and no control characters."""
    record = lock_record.parse(text)
    assert record.epoch >= 0
    assert not {unicodedata.category(each) for each in record.holds} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(record.holds) < 2000


def test_a_record_too_deep_or_too_long_is_none() -> None:
    """Bounded, as somebody else can write it."""
    assert lock_record.parse("[" * 100_000) == LockRecord()
    assert lock_record.parse(json.dumps({"command": "x" * 100_000})) == LockRecord()

"""The history tags: what was written is read again, and what cannot be read counts for nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import history
from deploy.domain.history import FAILED_TAG, LIVE_TAG, ROLLED_BACK_TAG, TAGS, Record

NOW = datetime(2026, 11, 29, 13, 0, tzinfo=UTC)
SLOTS = st.from_regex(r"[a-z](-?[a-z0-9]){2,20}", fullmatch=True)
RELEASES = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)


def endpoint(tags: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mip", "tags": tags}


@given(st.lists(st.tuples(SLOTS, RELEASES), max_size=12))
def test_the_newest_releases_are_kept_within_what_a_tag_holds(events: list[tuple[str, str]]) -> None:
    """Newest first, each release of a deployment once, 256 characters at most."""
    tags: dict[str, Any] = {}
    for number, (slot, release) in enumerate(events):
        tags = history.after_live(endpoint(tags), slot, release, NOW + timedelta(minutes=number))
    expected = list(dict.fromkeys(reversed(events)))
    found = [(each.slot, each.release) for each in history.live(endpoint(tags))]

    assert found == expected[: len(found)]
    assert len(found) >= min(len(expected), 3)
    assert all(len(value) <= 256 for value in tags.values())


@given(SLOTS, RELEASES, st.lists(st.tuples(SLOTS, RELEASES), max_size=4))
def test_a_failure_ends_the_record_of_a_release(slot: str, release: str, before: list[tuple[str, str]]) -> None:
    """What failed is not listed as live any more, until it is live again."""
    tags: dict[str, Any] = {}
    for each in (*before, (slot, release)):
        tags = history.after_live(endpoint(tags), *each, NOW)
    tags = history.after_rescue(endpoint(tags), slot, release, NOW)
    again = history.after_live(endpoint(tags), slot, release, NOW)

    assert (slot, release) not in [(r.slot, r.release) for r in history.live(endpoint(tags))]
    assert history.failed(endpoint(tags)) == Record(slot, release, NOW)
    assert history.live(endpoint(again))[0] == Record(slot, release, NOW)
    assert history.failed(endpoint(again)) is None


@given(RELEASES, RELEASES, st.text(max_size=300))
def test_a_rollback_is_recorded_until_another_release_is_live(release: str, left: str, by: str) -> None:
    """Who and when can be read again, whatever the name; a later release ends it."""
    tags = history.after_rollback(endpoint({}), "blue", release, left, NOW, by)
    found = history.rolled_back(endpoint(tags))

    assert len(tags[ROLLED_BACK_TAG]) <= 256
    assert found is not None
    assert (found.release, found.at) == (left, NOW)
    assert history.after_live(endpoint(tags), "blue", release, NOW) == tags
    assert ROLLED_BACK_TAG not in history.after_live(endpoint(tags), "green", "a" * 12, NOW)


@given(st.dictionaries(st.sampled_from([*TAGS, LIVE_TAG.upper(), FAILED_TAG.title()]), st.text(max_size=80)))
def test_tags_that_cannot_be_read_count_for_nothing(tags: dict[str, str]) -> None:
    """Whatever a person writes into them: records or nothing, never an error."""
    body = endpoint(tags)
    history.live(body), history.failed(body), history.rolled_back(body)
    assert history.live(endpoint({LIVE_TAG: "blue=r1 @ =x@y blue=r2@never"})) == ()


@given(SLOTS, RELEASES, st.integers(1, 99), st.booleans(), st.integers(0, 10_000))
def test_a_stage_is_read_again(slot: str, release: str, percent: int, paused: bool, minutes: int) -> None:
    """With the time of the first stage of the same release; not if the traffic is another."""
    body = endpoint(history.after_live(endpoint({}), "old", "r", NOW))
    body["properties"] = {"traffic": {slot: percent}}
    first = history.after_stage(body, slot, release, percent, NOW, is_paused=False)
    later = NOW + timedelta(minutes=minutes)
    body["tags"] = first
    body["tags"] = history.after_stage(body, slot, release, percent, later, is_paused=paused)

    assert history.stage(body) == history.Stage(slot, release, NOW, percent, later, paused)
    assert history.live(body) == (Record("old", "r", NOW),)
    assert history.stage({**body, "properties": {"traffic": {slot: percent + 1}}}) is None
    assert len(body["tags"][history.STAGE_TAG]) <= 256


@given(SLOTS, RELEASES)
def test_the_end_of_a_rollout_removes_its_stage(slot: str, release: str) -> None:
    """All traffic, a rescue and a rollback end it."""
    body = endpoint({history.STAGE_TAG: f"{slot}={release}@2026-11-29T13:00:00Z 10 2026-11-29T13:00:00Z"})
    ends = [
        history.after_live(body, slot, release, NOW),
        history.after_rescue(body, slot, release, NOW),
        history.after_rollback(body, "old", "r", release, NOW, "jo"),
    ]
    assert all(history.STAGE_TAG not in tags for tags in ends)


@given(st.text(max_size=60))
def test_a_text_that_is_no_stage_counts_for_nothing(text: str) -> None:
    history.stage({**endpoint({history.STAGE_TAG: text}), "properties": {"traffic": {"green": 10}}})

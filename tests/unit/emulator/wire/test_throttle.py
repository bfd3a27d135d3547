"""Throttling: remaining counts, empty buckets, refill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.seed import default_world
from deploy.emulator.wire import throttle
from deploy.emulator.world.timing import QUICK
from tests.unit.emulator.azure import WORKSPACE, Azure

EP = f"{WORKSPACE}/onlineEndpoints"
LEFT = "x-ms-ratelimit-remaining-subscription"


@pytest.fixture
def counted(azure: Azure) -> Azure:
    azure.world.timing = replace(QUICK, throttle=True)
    return azure


def test_remaining_requests_are_in_headers(counted: Azure) -> None:
    """For reads, writes and deletes, the principal's and the subscription's; refused requests count."""
    replies = [counted.send("GET", EP), counted.send("GET", f"{EP}/none"), counted.endpoint(), counted.endpoint()]
    assert [(r.headers[f"{LEFT}-reads"], r.headers[f"{LEFT}-global-reads"]) for r in replies[:2]] == [
        ("249", "3749"), ("248", "3748"),
    ]  # fmt: skip
    assert [(r.headers[f"{LEFT}-writes"], r.headers[f"{LEFT}-global-writes"]) for r in replies[2:]] == [
        ("199", "2999"), ("198", "2998"),
    ]  # fmt: skip
    gone = counted.send("DELETE", f"{EP}/none")
    assert (gone.headers[f"{LEFT}-deletes"], gone.headers[f"{LEFT}-global-deletes"]) == ("199", "2999")
    counted.clock.advance(1)
    assert counted.send("GET", EP).headers[f"{LEFT}-reads"] == "249"


def test_an_empty_bucket_is_429(counted: Azure) -> None:
    """With the seconds to wait; other kinds are not affected; after the wait requests pass."""
    replies = [counted.send("DELETE", f"{EP}/none") for _ in range(201)]
    assert [reply.status for reply in replies] == [204] * 200 + [429]
    refused = replies[-1]
    assert (refused.code, refused.headers["retry-after"]) == ("SubscriptionRequestsThrottled", "1")
    assert f"'delete' requests for subscription '{default_world.SUBSCRIPTION}'" in refused.message
    assert refused.headers[f"{LEFT}-deletes"] == "0"
    assert counted.send("GET", EP).status == 200
    rows = counted.send("GET", "/emulator/requests?after=200").json["value"]
    assert rows[0]["note"] == "throttled"
    counted.clock.advance(0.05)
    assert counted.send("DELETE", f"{EP}/none").status == 429
    counted.clock.advance(0.06)
    assert counted.send("DELETE", f"{EP}/none").status == 204


def test_processes_share_the_buckets(counted: Azure, tokens: Tokens) -> None:
    """Also after a restart."""
    other = Azure(Path(counted.world.db.execute("PRAGMA database_list").fetchone()[2]).parent, tokens)
    other.world.timing, other.clock.time = counted.world.timing, counted.clock.time
    counted.send("GET", EP)
    assert other.send("GET", EP).headers[f"{LEFT}-reads"] == "248"
    other.world.close()


def test_without_throttling_no_request_is_refused(azure: Azure) -> None:
    """The headers have full buckets, and nothing is stored."""
    for _ in range(260):
        reply = azure.send("GET", EP)
    assert (reply.status, reply.headers[f"{LEFT}-reads"], reply.headers[f"{LEFT}-global-reads"]) == (200, "249", "3749")
    assert azure.world.db.execute("SELECT COUNT(*) FROM buckets").fetchone() == (0,)


@given(waits=st.lists(st.floats(0, 3), min_size=1, max_size=25))
def test_a_bucket_refills_at_its_rate(counted_once: Azure, waits: list[float]) -> None:
    """For any pauses; never above its size, never below zero."""
    world = counted_once.world
    with world.transaction():
        world.db.execute("DELETE FROM buckets")
        level = 250.0
        for wait in waits:
            counted_once.clock.advance(wait)
            level = min(250.0, level + wait * 25) - 1
            told = throttle.take(world, "GET", "s", "p")
            assert int(told[f"{LEFT}-reads"]) == pytest.approx(int(level), abs=1)
            level = max(level, 0.0)


@pytest.fixture(scope="module")
def counted_once(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Iterator[Azure]:
    found = Azure(tmp_path_factory.mktemp("world"), tokens)
    yield found
    found.world.close()

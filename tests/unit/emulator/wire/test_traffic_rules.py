"""The rules of traffic and names."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.wire import traffic_rules

NAMES = ("blue", "green", "red")
SHARES = st.dictionaries(st.sampled_from(NAMES), st.integers(-5, 110))


@given(SHARES, SHARES, st.dictionaries(st.sampled_from(NAMES), st.booleans()), SHARES)
def test_valid_traffic_sums_to_0_or_100(
    live: dict[str, int], mirror: dict[str, int], ready: dict[str, bool], current: dict[str, int]
) -> None:
    """And contains only deployments that are Succeeded or already have traffic."""
    if traffic_rules.traffic_problem(live, mirror, ready, current):
        return
    assert sum(live.values()) in (0, 100)
    serving_endpoint = {name for shares in (live, mirror) for name, share in shares.items() if share > 0}
    assert all(ready[name] or current.get(name) for name in serving_endpoint)
    assert sum(mirror.values()) <= traffic_rules.MIRROR_LIMIT
    assert not {n for n in live if live[n] > 0} & {n for n in mirror if mirror[n] > 0}


@given(st.sampled_from([{}, {"blue": 100}, {"blue": 30, "green": 70}, {"blue": 1, "green": 1, "red": 98}]))
def test_traffic_of_100_percent_is_valid(live: dict[str, int]) -> None:
    """Between Succeeded deployments."""
    assert traffic_rules.traffic_problem(live, {}, dict.fromkeys(NAMES, True), {}) == ""


def test_invalid_traffic_has_its_reason() -> None:
    """One message for each rule."""
    ready = dict.fromkeys(NAMES, True)
    cases = [
        ({"blue": 99}, {}, "add up to 99"), ({"blue": 101}, {}, "between 0 and 100"),
        ({"gold": 100}, {}, "does not exist"),
        ({"blue": 100}, {"green": 51}, "the limit is 50"), ({"blue": 100}, {"blue": 10}, "cannot receive both"),
        ({"blue": 100}, {"green": 10, "red": 10}, "Only one"),
    ]  # fmt: skip
    for live, mirror, words in cases:
        assert words in traffic_rules.traffic_problem(live, mirror, ready, {})


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 10_000))
def test_100_requests_follow_the_shares_exactly(first: int, second: int, start: int) -> None:
    """For any 100 requests in a row."""
    second = min(second, 100 - first)
    live = {"blue": first, "green": second, "red": 100 - first - second}
    seen = Counter(traffic_rules.choose(live, turn) for turn in range(start, start + 100))
    assert seen == Counter({name: share for name, share in live.items() if share})


@given(st.integers(0, 50), st.integers(0, 10_000))
def test_a_mirror_gets_its_share(share: int, start: int) -> None:
    """Copies are counted like live requests."""
    mirrored = [traffic_rules.choose_mirror({"green": share}, turn) for turn in range(start, start + 100)]
    assert mirrored.count("green") == share


def test_without_traffic_there_is_no_deployment() -> None:
    """No map, or only zeros."""
    assert traffic_rules.choose({}, 3) is None
    assert traffic_rules.choose({"blue": 0}, 3) is None


@given(st.from_regex(r"[a-zA-Z][-a-zA-Z0-9]{1,30}[a-zA-Z0-9]", fullmatch=True))
def test_valid_names_are_accepted(name: str) -> None:
    """3 to 32 letters, digits and dashes, a letter first, no dash last."""
    assert traffic_rules.name_problem("endpoint", name) == ""


@given(st.text(max_size=40))
def test_accepted_names_are_ascii(name: str) -> None:
    """Only letters, digits and dashes."""
    if not traffic_rules.name_problem("endpoint", name):
        assert name.isascii()
        assert name.replace("-", "").isalnum()
        assert 3 <= len(name) <= 32

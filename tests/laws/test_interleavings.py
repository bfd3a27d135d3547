"""Law 12: several runs at once have the same result as those with exit 0, one after the other.

Commands run in threads, and one of them at a time has control (`tests.interleaving`). By default a fixed choice of the
schedules with one switch; with `--laws full` all of them, and random ones with more runners, switches and pauses.
`benchmarks/schedules.py` plays random schedules for as long as you want.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.interleaving import client
from tests.interleaving.oracle import Oracle, answers
from tests.interleaving.player import Player, is_counted, open_player, own
from tests.interleaving.schedules import COMMANDS, MODES, STARTS, Schedule, drawn, parse, spread

SOME = {"blob": 6, "arm": 2, "off": 2}
"""How many schedules with one switch the default run plays in each mode."""
SEEDS = range(80)
"""The random schedules of `--laws full`, in each mode."""
SHARES = 6
"""The tests that share the schedules of a mode with `--laws full`."""
FAILED = (
    "blob none teardown+apply-3+teardown 0@4>1 0@39>1 1@6>2 1@16>0",
    "off one bad+apply-4+bad 0@2>1 1@21>2 1@26>2 2@9>0",
)
"""Every schedule that ever failed."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "share" in metafunc.fixturenames:
        metafunc.parametrize("share", range(SHARES if _is_full(metafunc.config) else 1))


def _is_full(config: pytest.Config) -> bool:
    return bool(config.getoption("--laws", default="some") == "full")


@pytest.fixture(scope="module", params=MODES)
def player(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """An emulator with four runners, with one kind of lock."""
    with open_player(tmp_path_factory.mktemp("player"), request.param) as found:
        yield found


@pytest.fixture(scope="module")
def oracle(player: Player) -> Oracle:
    """Remembers what commands bring one after the other."""
    return Oracle(player)


def judge(player: Player, oracle: Oracle, schedules: Sequence[Schedule]) -> dict[str, list[str]]:
    """What is broken, by schedule."""
    found = {str(each): oracle.broken(player.play(each)) for each in schedules}
    return {schedule: broken for schedule, broken in found.items() if broken}


def test_one_switch(player: Player, oracle: Oracle, share: int, request: pytest.FixtureRequest) -> None:
    """One run is held at a request, while another one runs; and so long that its lock expires."""
    schedules = spread(player.every_switch(), SOME[player.mode])
    if _is_full(request.config):
        paused = player.every_switch(expires=True) if player.mode != "off" else []
        schedules = [*player.every_switch(), *paused][share::SHARES]
    elif player.mode != "off":
        schedules += player.pauses_before_a_write()
    broken = judge(player, oracle, schedules)

    assert schedules
    assert not broken, json.dumps(broken, indent=1)


def test_random_schedules(player: Player, oracle: Oracle, share: int, request: pytest.FixtureRequest) -> None:
    """Two to four runners of any commands, and up to four switches; and each schedule that ever failed."""
    failed = [each for each in map(parse, FAILED) if each.mode == player.mode]
    full = _is_full(request.config)
    seeds = SEEDS[share::SHARES] if full else [MODES.index(player.mode)]
    broken = judge(player, oracle, [*(failed if share == 0 else []), *(drawn(seed, [player.mode]) for seed in seeds)])

    assert not broken, json.dumps(broken, indent=1)


def test_requests_without_a_switch_commute(player: Player, request: pytest.FixtureRequest) -> None:
    """They change nothing, so it does not matter when they are sent."""
    starts = STARTS if _is_full(request.config) else STARTS[:1]
    for start, command in itertools.product(starts, COMMANDS):
        free = [row for row in own(player.alone(command, start).rows, 0) if not is_counted(row)]
        assert [row for row in free if row["mutating"]] == []
        assert free, command


def test_a_failed_request_of_the_client_is_found(player: Player) -> None:
    """The client has sent requests, and the oracle names one that failed."""
    played = player.alone("apply-3")
    mine = [row for row in played.rows if client.is_own(row)]
    failed = [{**row, "status": 404 if row is mine[-1] else row["status"]} for row in played.rows]

    assert {row["status"] for row in mine} == {200}
    assert answers(played) == []
    assert len(answers(replace(played, rows=failed))) == 1


def test_a_schedule_is_its_text() -> None:
    """So a failure can be played again."""
    for seed in range(200):
        assert parse(str(drawn(seed))) == drawn(seed)

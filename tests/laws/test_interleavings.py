"""Law 12: several runs at once have the same result as those with exit 0, one after the other.

Commands run in threads, and one of them at a time has control (`tests.interleaving`). By default a fixed choice of the
schedules with one switch; with `--laws full` all of them, and random ones with more runners, switches and pauses.
`benchmarks/schedules.py` plays random schedules for as long as you want.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from tests.interleaving import client
from tests.interleaving.oracle import Oracle, answers
from tests.interleaving.player import Player, is_counted, open_player, own
from tests.interleaving.schedules import COMMANDS, MODES, STARTS, Schedule, drawn, parse, spread

SOME = {"blob": 2, "arm": 1, "off": 1}
"""How many schedules with one switch the default run plays in each mode, in one test: its parts share what commands
bring alone.
"""
SEEDS = range(80)
"""The random schedules of `--laws full`, in each mode."""
SHARES = 6
"""The tests that share the schedules of a mode with `--laws full`."""
FAILED = (
    "blob none teardown+apply-3+teardown 0@4>1 0@39>1 1@6>2 1@16>0",
    "off one bad+apply-4+bad 0@2>1 1@21>2 1@26>2 2@9>0",
)
"""Every schedule that ever failed."""


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


def one_switch(player: Player, oracle: Oracle, share: int | None) -> None:
    """One run is held at a request, while another one runs; and so long that its lock expires."""
    if share is None:
        schedules = spread(player.every_switch(), SOME[player.mode])
        schedules += player.pauses_before_a_write() if player.mode != "off" else []
    else:
        paused = player.every_switch(expires=True) if player.mode != "off" else []
        schedules = [*player.every_switch(), *paused][share::SHARES]
    broken = judge(player, oracle, schedules)

    assert schedules
    assert not broken, json.dumps(broken, indent=1)


def random_schedules(player: Player, oracle: Oracle, share: int | None) -> None:
    """Two to four runners of any commands, and up to four switches; by default only each schedule that ever failed."""
    failed = [each for each in map(parse, FAILED) if each.mode == player.mode]
    seeds = () if share is None else SEEDS[share::SHARES]
    broken = judge(player, oracle, [*([] if share else failed), *(drawn(seed, [player.mode]) for seed in seeds)])

    assert not broken, json.dumps(broken, indent=1)


def requests_without_a_switch_commute(player: Player, _: Oracle, share: int | None) -> None:
    """They change nothing, so it does not matter when they are sent."""
    starts = STARTS[:1] if share is None else STARTS
    for start, command in itertools.product(starts, COMMANDS):
        free = [row for row in own(player.alone(command, start).rows, 0) if not is_counted(row)]
        assert [row for row in free if row["mutating"]] == []
        assert free, command


def a_failed_request_of_the_client_is_found(player: Player, _: Oracle, __: int | None) -> None:
    """The client has sent requests, and the oracle names one that failed."""
    played = player.alone("apply-3")
    mine = [row for row in played.rows if client.is_own(row)]
    failed = [{**row, "status": 404 if row is mine[-1] else row["status"]} for row in played.rows]

    assert {row["status"] for row in mine} == {200}
    assert answers(played) == []
    assert len(answers(replace(played, rows=failed))) == 1


PARTS = (
    one_switch,
    random_schedules,
    requests_without_a_switch_commute,
    a_failed_request_of_the_client_is_found,
)
SHARED = (one_switch, random_schedules)
Part = Callable[[Player, Oracle, int | None], None]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--laws full` each part is a test, or several."""
    if "parts" not in metafunc.fixturenames:
        return
    some: list[tuple[tuple[Part, ...], int | None]] = [(PARTS, None)]
    full = [((part,), share) for part in PARTS for share in range(SHARES if part in SHARED else 1)]
    chosen = full if metafunc.config.getoption("--laws") == "full" else some
    names = [f"{parts[0].__name__}-{share}" if len(parts) == 1 else "some" for parts, share in chosen]
    metafunc.parametrize(("parts", "share"), chosen, ids=names)


def test_schedules(player: Player, oracle: Oracle, parts: Sequence[Part], share: int | None) -> None:
    """Several runs at once have the result of some of them, one after the other."""
    for part in parts:
        part(player, oracle, share)


def test_a_schedule_is_its_text() -> None:
    """So a failure can be played again."""
    for seed in range(200):
        assert parse(str(drawn(seed))) == drawn(seed)

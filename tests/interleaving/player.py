"""Plays schedules on one emulator: starts runners, holds them at their switches, and keeps what happened."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from deploy import emulator
from deploy.emulator import Running
from tests.interleaving import client, journal
from tests.interleaving.runners import PRINCIPALS, RUNNERS, Ended, Runner, world_file
from tests.interleaving.schedules import REQUESTS, Schedule, Switch, one_switch, pairs
from tests.laws.stage import copy_world
from tests.order import Order, Thread

EXPIRES = 61
"""Seconds of a pause in which a lock expires."""
PATIENCE = 60.0
"""The longest that a runner may take until it is held or ends."""


@dataclass(frozen=True)
class Reached:
    """A switch that was reached: what the request was, and the number of the last request in the log then."""

    switch: Switch
    operation: str
    method: str
    after: int


@dataclass(frozen=True)
class Played:
    """What happened: how the runners ended, which switches were reached, the requests, the world after each."""

    schedule: Schedule
    ends: tuple[Ended, ...]
    reached: tuple[Reached, ...]
    rows: Sequence[dict[str, Any]]
    moments: Sequence[journal.Moment]


def is_counted(row: Mapping[str, Any]) -> bool:
    """Whether a runner can lose control at a request of the log."""
    return fnmatchcase(row["operation"].lower(), REQUESTS)


def is_change(row: Mapping[str, Any]) -> bool:
    """Whether a request of the log changes an endpoint or a deployment."""
    return bool(row["mutating"]) and row["operation"].startswith("Online")


def own(rows: Sequence[dict[str, Any]], runner: int) -> list[dict[str, Any]]:
    """The requests of a runner in the log."""
    return [row for row in rows if row["caller"] == PRINCIPALS[runner]]


class Watcher(threading.Thread):
    """Notices held requests, and ends of runners, without polling."""

    def __init__(self, running: Running) -> None:
        super().__init__(daemon=True)
        self._order = Order(running)
        self.changed = threading.Condition()
        self.held: list[dict[str, Any]] = []
        self._over = False
        self.start()

    def run(self) -> None:
        after = 0
        while not self._over:
            try:
                found = self._order.held(after, wait=1)
            except Exception:  # the emulator has stopped
                if self._over:
                    return
                raise
            after = max([after, *(each["number"] for each in found)])
            with self.changed:
                self.held += found
                self.changed.notify_all()

    def tell(self) -> None:
        """A runner has ended."""
        with self.changed:
            self.changed.notify_all()

    def stop(self) -> None:
        self._over = True


class Player:
    """One emulator, its start worlds, and the runners."""

    def __init__(self, folder: Path, running: Running, mode: str) -> None:
        self.mode, self._folder = mode, folder
        self._running, self._order, self._watcher = running, Order(running), Watcher(running)
        self.runners = [Runner(folder / f"runner-{number}", running, number) for number in range(RUNNERS)]
        self._alone: dict[tuple[str, str], Played] = {}
        self._starts: dict[str, tuple[Path, journal.State]] = {}
        self._client = client.Client(running, self.world, self.runners[0].request)

    @property
    def world(self) -> Path:
        return self._folder / "world" / "world.sqlite"

    def close(self) -> None:
        self._watcher.stop()
        self._client.close()
        self._order.close()

    def begin(self, start: str) -> journal.State:
        """Put a start world in place; returns what exists in it. Each is made once."""
        if start not in self._starts:
            emulator.reset(self.world.parent)
            for command in {"none": (), "one": ("apply-1",), "two": ("apply-1", "apply-2")}[start]:
                assert self.runners[0].begin(command, self.mode)() == Ended(0)
            kept = self.world.with_name(f"{start}.sqlite")
            copy_world(self.world, kept)
            journal.install(kept)
            self._starts[start] = (kept, journal.read_state(kept))
        kept, state = self._starts[start]
        copy_world(kept, self.world)
        return state

    def play(self, schedule: Schedule) -> Played:
        """Play a schedule from its start world."""
        assert schedule.mode == self.mode
        state = self.begin(schedule.start)
        with self._client:
            ends, reached = _Run(self, schedule).play()
        rows = emulator.requests(self.world.parent)
        return Played(schedule, ends, reached, rows, list(journal.moments(self.world, state)))

    def again(self, command: str, runner: int = 0) -> Ended:
        """Run a command alone, in the world as it is."""
        return self.runners[runner].begin(command, self.mode)()

    def state(self) -> journal.State:
        """What exists now."""
        return journal.read_state(self.world)

    def advance(self, seconds: float) -> None:
        """Let time pass in the world, and for every runner."""
        self._order.ask("POST", "clock", {"advance": seconds})
        for runner in self.runners:
            runner.clock.ahead += seconds

    def alone(self, command: str, start: str = "two") -> Played:
        """A command without other runners; played once."""
        if (command, start) not in self._alone:
            self._alone[command, start] = self.play(Schedule((command,), (), self.mode, start))
        return self._alone[command, start]

    def requests(self, command: str) -> tuple[int, int]:
        """How many requests a command sends alone at which it can lose control, and how many scoring requests."""
        rows = self.alone(command).rows
        return sum(map(is_counted, own(rows, 0))), sum(row["operation"] == "Score" for row in rows)

    def every_switch(self, *, expires: bool = False) -> list[Schedule]:
        """Every schedule with one switch, of an apply and each other command, both ways."""
        made = [one_switch(pair, *self.requests(pair[0]), self.mode, expires=expires) for pair in pairs()]
        return list(chain.from_iterable(made))

    def pauses_before_a_write(self) -> list[Schedule]:
        """An apply is held so long that its lock expires, at each of the two requests before its last change (a read,
        and a renewal of its lock), while a rollback runs.
        """
        counted = [row for row in own(self.alone("apply-3").rows, 0) if is_counted(row)]
        last = max(number for number, row in enumerate(counted, 1) if is_change(row))
        switches = [Switch(0, number, 1, expires=True) for number in (last - 2, last - 1)]
        return [Schedule(("apply-3", "rollback"), (each,), self.mode) for each in switches]


class _Run:
    """One play of a schedule."""

    def __init__(self, player: Player, schedule: Schedule) -> None:
        self._player, self._schedule = player, schedule
        self._order, self._watcher = player._order, player._watcher
        self._work = [
            player.runners[number].begin(command, schedule.mode) for number, command in enumerate(schedule.commands)
        ]
        self._threads: dict[int, Thread] = {}
        self._over: set[int] = set()
        self._switches: dict[int, Switch] = {}
        """The switches by the ids of their holds."""
        self._held: dict[int, int] = {}
        """Runner -> the number of its request that is held."""
        self._stack: list[int] = []
        self._reached: list[Reached] = []
        self._scored: Counter[int] = Counter()

    def play(self) -> tuple[tuple[Ended, ...], tuple[Reached, ...]]:
        self._hold()
        current: int | None = 0
        self._enter(0)
        while current is not None:
            held = self._wait(current)
            current = self._next() if held is None else self._switch(*held)
            if current is not None:
                self._enter(current)
        if self._schedule.switches:
            self._order.ask("DELETE", "faults")
        return tuple(self._threads[n].wait() for n in range(len(self._work))), tuple(self._reached)

    def _hold(self) -> None:
        """Add a hold for each switch, and one for all scoring requests, if one of the switches counts them."""
        switches = [switch for switch in self._schedule.switches if not switch.scores]
        holds: list[dict[str, Any]] = [
            {"operation": REQUESTS, "runner": self._player.runners[switch.leaves].principal, "number": switch.number}
            for switch in switches
        ]
        if len(switches) < len(self._schedule.switches):
            holds.append({"operation": "Score", "times": "always"})
        if holds:
            body = {"faults": [{"kind": "hold", "seconds": 600, **each} for each in holds]}
            added = self._order.ask("POST", "faults", body).json()["value"]
            self._switches = {each["fault"]: switch for each, switch in zip(added, switches, strict=False)}

    def _enter(self, runner: int) -> None:
        """Give control to a runner: it starts, or its request is released."""
        if runner not in self._threads:
            work, tell = self._work[runner], self._watcher.tell

            def run() -> Ended:
                try:
                    return work()
                finally:
                    self._over.add(runner)
                    tell()

            self._threads[runner] = Thread(run)
        elif runner in self._held:
            self._release(self._held.pop(runner))

    def _release(self, number: int) -> None:
        """Release a request, unless its client has given up: on a slow machine a lock's request times out."""
        if any(each["number"] == number for each in self._order.held(number - 1)):
            self._order.release(number)

    def _wait(self, runner: int) -> tuple[Switch, dict[str, Any]] | None:
        """The next switch of a runner, with its held request; None when it has ended. Other requests are released."""
        watcher = self._watcher
        deadline = time.monotonic() + PATIENCE
        while True:
            with watcher.changed:
                if not watcher.held and runner not in self._over:
                    watcher.changed.wait(1)
                found, watcher.held = watcher.held, []
            for each in found:
                if (switch := self._switch_at(runner, each)) and runner not in self._held:
                    self._held[runner] = each["number"]
                    return switch, each
                self._release(each["number"])
            if not found and runner in self._over:
                return None
            assert time.monotonic() < deadline, f"{self._schedule}: runner {runner} neither is held nor ends"

    def _switch_at(self, runner: int, held: Mapping[str, Any]) -> Switch | None:
        """The switch that a held request belongs to. A scoring request is that of the runner that has control."""
        if held["runner"] == client.NAME:
            return None
        if held["operation"] != "Score":
            switch = self._switches.get(held["fault"])
            return switch if switch and switch.leaves == runner else None
        self._scored[runner] += 1
        number = self._scored[runner]
        found = (
            each for each in self._schedule.switches if each.scores and (each.leaves, each.number) == (runner, number)
        )
        return next(found, None)

    def _switch(self, switch: Switch, held: dict[str, Any]) -> int:
        """Note a switch; returns the runner that continues: the one that is held, if the other one has ended."""
        rows = journal.last_request(self._player.world)
        self._reached.append(Reached(switch, held["operation"], held["method"], rows))
        if switch.expires:
            self._player.advance(EXPIRES)
        if switch.enters >= len(self._work) or switch.enters in self._over:
            return switch.leaves
        self._stack = [each for each in self._stack if each != switch.enters] + [switch.leaves]
        return switch.enters

    def _next(self) -> int | None:
        """The runner that was held last, or else one that has not started."""
        if self._stack:
            return self._stack.pop()
        return next((n for n in range(len(self._work)) if n not in self._threads), None)


@contextmanager
def open_player(folder: Path, mode: str) -> Iterator[Player]:
    """A player with an emulator of its own, in a separate process."""
    state = folder / "world"
    state.mkdir(parents=True)
    file = folder / "world.yml"
    file.write_text(yaml.safe_dump(world_file(closed=mode == "arm")))
    running = emulator.launch(state, profile="instant", world=file)
    before = dict(os.environ)
    os.environ.update(running.variables())
    player = Player(folder, running, mode)
    try:
        yield player
    finally:
        player.close()
        emulator.stop(state)
        os.environ.clear()
        os.environ.update(before)

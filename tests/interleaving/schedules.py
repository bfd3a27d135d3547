"""A schedule: which commands run, and at which of its requests each of them loses control. Text, seeds, choices."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

MODES = ("blob", "arm", "off")
"""The lock: a lease of a blob; Azure Resource Manager's lease of a container, as storage is closed; no lock."""
STARTS = ("two", "one", "none")
"""What exists first: release 2 live and release 1 in the other slot; release 1; nothing."""
COMMANDS = ("apply-3", "apply-4", "bad", "rollback", "teardown")
"""`apply-N` deploys release N; `bad` is an apply of a release whose probe fails."""
OTHERS = ("apply-1", "apply-2", "adopt", "takeover", "takeover", "plan", "status")
"""Further commands, for the random schedules. `takeover` is a rollback that stops the run that holds the lock."""
REQUESTS = "[bcor][!e]*"
"""The operations at which a runner can lose control, as a glob: of endpoints and deployments, role assignments, blobs
and containers. Scoring requests, which the emulator cannot attribute to a runner, are counted apart (`score`).
"""
_SWITCH = re.compile(r"(\d+)@(\d+)(s?)>(\d+)(!?)")


@dataclass(frozen=True, order=True)
class Switch:
    """Runner `leaves` is held at its request `number` (of `REQUESTS`), and runner `enters` continues, or starts.

    `scores`: `number` counts its scoring requests instead. `expires`: 61 seconds pass meanwhile, so that a lock of the
    runner that is held has expired.
    """

    leaves: int
    number: int
    enters: int
    expires: bool = False
    scores: bool = False

    def __str__(self) -> str:
        return f"{self.leaves}@{self.number}{'s' * self.scores}>{self.enters}{'!' * self.expires}"


@dataclass(frozen=True)
class Schedule:
    """Runner 0 begins. A runner that ends gives control to the one that was held last, else to one not started yet."""

    commands: tuple[str, ...]
    switches: tuple[Switch, ...] = ()
    mode: str = "blob"
    start: str = "two"
    seed: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        switches = " ".join(map(str, self.switches))
        return f"{self.mode} {self.start} {'+'.join(self.commands)} {switches}".strip()

    @property
    def loses_locks(self) -> bool:
        """Whether a run can lose its lock: it expires while its runner is held, or another run takes it over."""
        return "takeover" in self.commands or any(switch.expires for switch in self.switches)


def parse(text: str) -> Schedule:
    """The schedule with this text."""
    mode, start, commands, *switches = text.split()
    found = [_SWITCH.fullmatch(each) for each in switches]
    made = [Switch(int(m[1]), int(m[2]), int(m[4]), bool(m[5]), bool(m[3])) for m in found if m]
    assert len(made) == len(switches), text
    return Schedule(tuple(commands.split("+")), tuple(made), mode, start)


def pairs(commands: Sequence[str] = COMMANDS) -> list[tuple[str, str]]:
    """Which command is held, and which one runs meanwhile: an apply and each other command, both ways."""
    first, *others = commands
    return [pair for other in others for pair in ((first, other), (other, first))]


def one_switch(
    commands: tuple[str, str], requests: int, scores: int, mode: str, *, expires: bool = False
) -> list[Schedule]:
    """The first command is held at each of its requests, while the second one runs from its start to its end."""
    switches = [Switch(0, n, 1, expires) for n in range(1, requests + 1)]
    switches += [Switch(0, n, 1, expires, scores=True) for n in range(1, scores + 1)]
    return [Schedule(commands, (each,), mode) for each in switches]


def spread(schedules: Sequence[Schedule], count: int) -> list[Schedule]:
    """So many of them, evenly spread, always the same."""
    count = min(count, len(schedules))
    return [schedules[i * len(schedules) // count] for i in range(count)]


def drawn(seed: int, modes: Iterable[str] = MODES, most_requests: int = 32) -> Schedule:
    """A random schedule: two to four runners of any commands, one to four switches, every fifth time a pause."""
    chance = random.Random(seed)
    runners = chance.choice((2, 2, 3, 4))
    commands = [chance.choice((*COMMANDS, *COMMANDS, *OTHERS)) for _ in range(runners)]
    if not set(commands) & {*COMMANDS}:
        commands[0] = chance.choice(COMMANDS)
    switches = set[Switch]()
    for number in range(1, chance.randint(max(1, runners - 1), 4) + 1):
        leaves = 0 if number == 1 else chance.randrange(runners)
        enters = chance.choice([each for each in range(runners) if each != leaves])
        scores = chance.random() < 0.1
        switches.add(Switch(leaves, chance.randint(1, 3 if scores else most_requests), enters, scores=scores))
    made = Schedule(
        tuple(commands), tuple(sorted(switches)), chance.choice(list(modes)), chance.choice((*STARTS, "two")), seed
    )
    if made.mode != "off" and chance.random() < 0.2:
        return replace(made, switches=tuple(replace(each, expires=not i) for i, each in enumerate(made.switches)))
    return made

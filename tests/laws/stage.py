"""A world under faults: one emulator in a separate process, one project, and the promises that hold in every case.

Operations take no time in the emulator, and the client's clock moves forward in each sleep, so hours of retries take no
time. Tests read the file of the world, so faults do not affect them.
"""

from __future__ import annotations

import collections
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy import commands, emulator
from deploy.cloud import lock_store
from deploy.emulator.control import clock_api
from deploy.emulator.faults import inject
from deploy.emulator.seed import default_world
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world.store import Resource, World
from deploy.errors import DeployError, Exit
from deploy.execution.progress import Event, EventKind

WORKSPACE = default_world.WORKSPACE_ID
MOST_SENDS = 4
"""How often one request of one step is sent at most."""
HELD = 30.0
"""Seconds for which the answer drips while the victim is killed; it never receives the whole answer."""
ENDS = {Exit.REFUSED, Exit.STEP_FAILED, Exit.RESCUE_FAILED, Exit.STALE, Exit.AUTH}


class Ahead:
    """A clock that moves forward by the time of each sleep."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds
        time.sleep(min(seconds, 0.002))


@dataclass(frozen=True)
class End:
    """The end of an apply: exit code, error codes, and what it sent."""

    exit: int
    codes: tuple[str, ...]
    sent: collections.Counter[tuple[str, str]]
    strikes: int
    rows: int


@dataclass(eq=False)
class Stage:
    """Runs a case. `broken` collects violations of the law of traffic."""

    world: Any
    broken: list[str] = field(default_factory=list)
    _deployed: dict[str, Path] = field(default_factory=dict)
    """The world with release 1, by the texts of its template."""

    @property
    def state(self) -> Path:
        return self.world.state

    def begin(self, release: str) -> None:
        """Start a new world with everything that comes before `release`, which is deployed once for the same files."""
        self.want("1")
        files = "".join(path.read_text() for path in sorted(self.world.project.root.rglob("plain/*.j2")))
        if release == "1" or files not in self._deployed:
            emulator.reset(self.state)
        if release != "1" and files not in self._deployed:
            assert self.apply().exit == 0
            self._deployed[files] = self.keep(f"deployed-{len(self._deployed)}.sqlite")
        elif release != "1":
            self.restore(self._deployed[files])
        self.broken.clear()
        self.want(release)

    def keep(self, name: str = "kept.sqlite") -> Path:
        """Copy the world, for `restore`."""
        return copy_world(self.state / "world.sqlite", self.state / name)

    def restore(self, kept: Path) -> None:
        """Put a copy in the world's place. The emulator continues with it, as after a reset."""
        copy_world(kept, self.state / "world.sqlite")

    def want(self, release: str) -> None:
        self.world.want(release=release)

    def order(self, *faults: Mapping[str, Any]) -> None:
        emulator.begin(self.state, faults=faults)

    def apply(self) -> End:
        """Apply; assert only that a failure is one of our errors."""
        after = self.last()
        codes: list[str] = []
        try:
            done = commands.apply(self.world.project, "law", approve=lambda *_: None, emit=self.watch)
            code = int(done.report.exit)
            codes = [str(o.error["code"]) for o in done.report.outcomes if o.error]
        except DeployError as error:
            code, codes = int(error.exit), [error.code]
        rows = emulator.requests(self.state, after=after)
        sent = collections.Counter((r["method"], r["path"].partition("?")[0]) for r in rows if r["mutating"])
        return End(code, tuple(codes), sent, sum("fault" in r["note"] for r in rows), len(rows))

    def watch(self, event: Event) -> None:
        """Check at every event that traffic sums to 100 or 0 and names only Succeeded deployments."""
        if event.kind in (EventKind.PLANNED, EventKind.WAITING):
            return
        self.broken += unlawful(self.state, event)

    def seen(self) -> dict[str, Any]:
        """Return endpoints with traffic and states of their deployments, releases with traffic, roles, cores."""
        held = open_world(self.state / "world.sqlite")
        try:
            with held.transaction():
                held.apply_due()
            endpoints, live = {}, []
            for name, (traffic, slots) in _endpoints(held).items():
                endpoints[name] = (traffic, {slot.name: slot.state for slot in slots})
                live += [s.body["properties"]["environmentVariables"]["RELEASE"] for s in slots if s.name in traffic]
            roles = held.db.execute("SELECT COUNT(*) FROM role_assignments").fetchone()[0]
            cores = held.db.execute("SELECT COALESCE(SUM(cores), 0) FROM allocations").fetchone()[0]
            return {"endpoints": endpoints, "live": live, "roles": roles, "cores": cores}
        finally:
            held.close()

    def counted(self) -> list[int]:
        """Return how many requests each standing fault matches, in the order of the faults."""
        held = open_world(self.state / "world.sqlite")
        try:
            return [fault.seen for fault in inject.registered(held)]
        finally:
            held.close()

    def last(self) -> int:
        """Return the number of the last request."""
        rows = emulator.requests(self.state)
        return int(rows[-1]["number"]) if rows else 0


@dataclass(frozen=True)
class Victims:
    """A process that starts a child for each task (`victim`)."""

    process: subprocess.Popen[str]

    def kill_one(
        self,
        stage: Stage,
        at: Mapping[str, Any],
        *,
        at_work: str = "apply",
        ends: Collection[int] = (0,),
        at_once: Callable[[], object] = lambda: None,
    ) -> bool:
        """Start a child and kill it while the answer to request `at` drips, so the request has taken effect. Return
        False when no request had this number; then the child has ended by itself, with one of the exit codes `ends`.
        A minute passes after a kill, so that the lock of the child ends; `at_once` is called before.
        """
        stage.order({"kind": "drip", "seconds": HELD, **at})
        child = int(self._ask(f"{at_work} {stage.world.project.root}\n"))
        killed = _kill_at_the_fault(stage, child)
        status = int(self._ask())
        stage.order()
        if killed:
            at_once()
            pass_minute(stage.state)
        fine = status == signal.SIGKILL if killed else os.waitstatus_to_exitcode(status) in ends
        assert fine, f"{at_work}, at {at}: {killed=}, {status=}"
        return killed

    def run_one(self, root: Path, at_work: str = "apply") -> int:
        """Let a child run to its end, in a project's folder; return its exit code."""
        self._ask(f"{at_work} {root}\n")
        return os.waitstatus_to_exitcode(int(self._ask()))

    def _ask(self, line: str = "") -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line)
        self.process.stdin.flush()
        return self.process.stdout.readline()


def pass_minute(state: Path) -> None:
    """Move the clock of the world forward until a lock that was held before has ended."""
    world = open_world(state / "world.sqlite")
    try:
        with world.transaction():
            clock_api.change(world, clock_api.ClockChange(advance=lock_store.SECONDS + 1))
    finally:
        world.close()


def copy_world(source: Path, target: Path) -> Path:
    """Copy the file of a world, also while an emulator holds it open; returns the target."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target, timeout=30)) as written:
        read.backup(written)
    return target


def unlawful(state: Path, event: Event) -> list[str]:
    """How the world breaks the law of traffic at an event: shares that sum to neither 100 nor 0, or a share for a
    deployment that is not Succeeded. Reads the file of the world: a request at each event would take much longer.
    """
    assert (state / "world.sqlite").exists(), "another emulator serves this project"
    held, found = open_world(state / "world.sqlite"), []
    try:
        with held.transaction():
            endpoints = _endpoints(held)
    finally:
        held.close()
    for name, (traffic, slots) in endpoints.items():
        states = {slot.name: slot.state for slot in slots}
        if sum(traffic.values()) not in (0, 100):
            found.append(f"{event.kind} {event.address}: {name} {traffic}")
        found += [
            f"{event.kind} {event.address}: {name}/{slot} is {states.get(slot)}"
            for slot in traffic
            if states.get(slot) not in ("Succeeded", "Updating")
        ]
    return found


def _endpoints(held: World) -> dict[str, tuple[dict[str, int], list[Resource]]]:
    """Return the shares of traffic that are not 0, and the deployments, of each endpoint."""
    return {
        endpoint.name: (
            {slot: share for slot, share in endpoint.properties["traffic"].items() if share},
            held.children(endpoint.id, "deployment"),
        )
        for endpoint in held.children(WORKSPACE, "endpoint")
    }


def _kill_at_the_fault(stage: Stage, child: int) -> bool:
    """Wait until a request has met the fault, then kill; return False when the child ended before."""
    deadline = time.monotonic() + HELD
    while time.monotonic() < deadline:
        if any("drip" in row["note"] for row in emulator.requests(stage.state)):
            os.kill(child, signal.SIGKILL)
            return True
        if _is_over(child):
            return False
        time.sleep(0.01)  # another process works meanwhile
    raise AssertionError(f"process {child} neither met the fault nor ended")


def _is_over(child: int) -> bool:
    try:
        os.kill(child, 0)
    except ProcessLookupError:
        return True
    return False


def spread(faults: Sequence[Mapping[str, Any]], numbers: Sequence[int], every: int = 1) -> list[dict[str, Any]]:
    """Each fault at every `every`-th request, each fault one request later than the one before it: so every request
    meets some of the faults.
    """
    return [{**fault, "number": n} for i, fault in enumerate(faults) for n in numbers if (n + i) % every == 0]


def end_state(stage: Stage) -> dict[str, Any]:
    """Return what two good ends have in common: one endpoint, one release with all traffic, no extra role or core."""
    seen = stage.seen()
    return {
        "traffic": [sorted(traffic.values()) for traffic, _ in seen["endpoints"].values()],
        "states": [sorted(states.values()) for _, states in seen["endpoints"].values()],
        "live": seen["live"], "roles": seen["roles"], "cores": seen["cores"],
    }  # fmt: skip


def too_often(end: End, undisturbed: End, *, lasting: bool = False) -> dict[tuple[str, str], int]:
    """Return the requests that were sent more often than allowed: one of them four times, or each of them when the
    fault is `lasting`.
    """
    found = {}
    for request, times in end.sent.items():
        steps = max(undisturbed.sent[request], 1)
        if times > (steps * MOST_SENDS if lasting else steps + MOST_SENDS - 1):
            found[request] = times
    return found

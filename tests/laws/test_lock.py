"""One run at a time changes an endpoint, from any machine: the others end with exit code 8 before they change anything,
and a run that loses its lock writes nothing more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.errors import LOCK_LOST, Exit, Locked, Refused, StalePlan
from deploy.execution.progress import Event, EventKind
from deploy.planning.reaping import Rules
from tests.laws.conftest import World
from tests.order import Order
from tests.outsider import Outsider

CHANGING: dict[str, Callable[[World], object]] = {
    "apply": World.apply,
    "teardown": World.teardown,
    "rollback": lambda w: commands.rollback(w.project, "law", every=True, approve=approve, emit=w.watch),
    "adopt": lambda w: commands.adopt(w.project, "other", owners=["law/mip"], approve=approve, emit=w.watch),
    "reap": lambda w: commands.reap(
        w.project, "law", Rules(older_than=0.0, force=True), yes=True, approve=approve, emit=w.watch, show=w.said.append
    ),
}
STORES = {"blob": {}, "container": {"network": "closed"}}
CASES = [*((verb, "blob") for verb in CHANGING), ("apply", "container")]


def approve(*_: object) -> None:
    """Approve every plan."""


@pytest.fixture
def order(world: World) -> Iterator[Order]:
    """The control of the world's emulator, which runs for the whole test."""
    with emulator.embed(world.state) as running:
        control = Order(running)
        yield control
        control.close()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, order: Order) -> str:
    """Where the locks are: in both kinds of leases."""
    order.ask("PUT", "settings", {"storage": STORES[request.param]})
    return str(request.param)


def at(kind: str, event: EventKind, do: Callable[[], None], world: World) -> Callable[[Event], None]:
    """A receiver of events that calls `do` at the first event of this kind of a step."""
    done: list[str] = []

    def look(seen: Event) -> None:
        world.watch(seen)
        if seen.kind is event and seen.address.startswith(kind) and not done:
            done.append(seen.address)
            do()

    return look


def lock_of(world: World) -> Any:
    (row,) = commands.status(world.project, "law")
    return row.lock


@pytest.mark.parametrize(("verb", "store"), CASES, indirect=["store"])
def test_a_second_run_is_refused_while_the_first_changes_the_endpoint(world: World, store: str, verb: str) -> None:
    """While the first run creates a deployment, every changing command ends with exit code 8; reading ones work."""
    (world.project.root / "environments" / "other.yml").write_text(
        (world.project.root / "environments" / "law.yml").read_text()
    )
    world.apply()
    world.want(release="2")
    world.apply()
    world.want(release="3")
    refused: list[Locked] = []

    def meanwhile() -> None:
        sent = world.mutating()
        with pytest.raises(Locked) as caught:
            CHANGING[verb](world)
        refused.append(caught.value)
        assert world.mutating() - sent <= (1 if store == "blob" else 3), "only the attempts to take the lock"
        assert commands.plan(world.project, "law").steps
        lock = lock_of(world)
        assert (lock.command, lock.epoch) == ("apply", 3)
        assert lock.lock_id in str(caught.value)

    done = commands.apply(
        world.project, "law", approve=approve, emit=at("deployment", EventKind.STARTED, meanwhile, world)
    )
    assert done.report.ok
    assert [(each.exit, each.code) for each in refused] == [(Exit.LOCKED, "AML670")]
    assert "apply by 00000000-0000-0000-0000-0000000000b1 on " in str(refused[0])
    assert lock_of(world) is None


def test_a_lock_is_released_when_a_run_ends(world: World, store: str) -> None:
    """Also when it fails or is interrupted; and a teardown leaves no lock."""
    assert store
    world.want(expect=418)
    assert not world.apply().report.ok

    def stop() -> None:
        raise KeyboardInterrupt

    world.want(release="2")
    look = at("deployment", EventKind.STARTED, stop, world)
    assert commands.apply(world.project, "law", approve=approve, emit=look).report.exit is Exit.INTERRUPTED
    assert lock_of(world) is None
    assert world.apply().report.ok
    assert world.teardown().report.ok
    assert locks_left(world) == []


def test_a_teardown_deletes_the_lock_of_an_endpoint_that_is_gone(world: World, store: str) -> None:
    """A killed teardown leaves the lock of an endpoint that it has deleted; the next one deletes it."""
    assert store
    assert world.apply().report.ok
    with world.project.connect(commands.validate(world.project, "law")[0]):
        (body,) = Outsider().send("GET", "/onlineEndpoints")["value"]
        Outsider().send("DELETE", f"/onlineEndpoints/{body['name']}")
        Outsider().gone(f"/onlineEndpoints/{body['name']}")
    assert len(locks_left(world)) == 1
    assert world.teardown().report.ok
    assert locks_left(world) == []


def locks_left(world: World) -> list[str]:
    """The paths of the blobs and containers of locks."""
    with closing(sqlite3.connect(world.state / "world.sqlite")) as file:
        found = [path for (path,) in file.execute("SELECT path FROM blobs UNION SELECT id FROM resources")]
    return [path for path in found if "amldeploy" in path]


def test_what_changed_between_the_plan_and_the_lock_ends_the_run(world: World, order: Order) -> None:
    """Another run changes the endpoint while the first asks: exit 7 with what changed, and nothing is written."""
    assert order
    world.apply()
    world.want(release="2")

    def meanwhile(*_: object) -> None:
        world.want(release="3")
        assert world.apply().report.ok
        sent.append(ml_writes(world))

    sent: list[int] = []
    with pytest.raises(StalePlan, match="deployment/mip/green has appeared"):
        commands.apply(world.project, "law", approve=meanwhile, emit=world.watch)
    assert sent == [ml_writes(world)]


def ml_writes(world: World) -> int:
    """The number of changes that were sent to Azure ML."""
    rows = emulator.requests(world.state)
    return sum(bool(row["mutating"]) and "/onlineEndpoints/" in row["path"] for row in rows)


@pytest.mark.parametrize(("how", "moment"), [("force-unlock", "probe"), ("rollback", "probe"), ("rollback", "traffic")])
def test_a_run_that_lost_its_lock_writes_nothing_more(world: World, store: str, how: str, moment: str) -> None:
    """The lock is ended, or taken over: the old run ends with exit code 8 at its next change, without a rescue."""
    assert store
    world.apply()
    world.want(release="2")
    world.apply()
    world.want(release="3")
    sent: list[int] = []

    def meanwhile() -> None:
        lock = lock_of(world)
        if how == "force-unlock":
            assert commands.force_unlock(world.project, "law", "mip", lock.lock_id) == lock.endpoint
        else:
            back = commands.rollback(
                world.project, "law", ["mip"], force_unlock=[lock.lock_id], approve=approve, emit=world.watch
            )
            assert back.report.ok
            assert bool(back.report.outcomes) == (moment == "traffic"), "nothing was moved before"
        sent.append(ml_writes(world))

    look = at(moment, EventKind.DONE, meanwhile, world)
    done = commands.apply(world.project, "law", approve=approve, emit=look)

    assert done.report.exit is Exit.LOCKED
    (error,) = [outcome.error for outcome in done.report.outcomes if outcome.error]
    assert error["code"] == LOCK_LOST
    assert sent == [ml_writes(world)]
    (row,) = commands.status(world.project, "law")
    assert row.lock is None
    assert {slot.name: slot.traffic for slot in row.slots} == {"blue": 0, "green": 100}


def test_a_lock_of_a_newer_run_is_not_ended(world: World, store: str) -> None:
    """force-unlock with the id of an earlier run: exit 8, and the run goes on. Without a lock it does nothing."""
    assert store
    earlier = "00000000-0000-0000-0000-000000000001"
    commands.force_unlock(world.project, "law", "mip", earlier)

    def meanwhile() -> None:
        with pytest.raises(Locked, match="not the run with lock id 0000") as caught:
            commands.force_unlock(world.project, "law", "mip", earlier)
        assert caught.value.code == "AML673"

    look = at("deployment", EventKind.STARTED, meanwhile, world)
    assert commands.apply(world.project, "law", approve=approve, emit=look).report.ok


def test_a_run_that_was_paused_until_its_lock_ended_goes_on_only_if_nobody_took_it(world: World, order: Order) -> None:
    """After 61 seconds the lock is free. A run that took it meanwhile stops the old one; otherwise that one goes on."""
    world.apply()

    def pause() -> None:
        order.ask("POST", "clock", {"advance": 61})

    def overtaken() -> None:
        pause()
        world.want(release="3")
        assert world.apply().report.ok
        sent.append(ml_writes(world))

    sent: list[int] = []
    world.want(release="2")
    look = at("deployment", EventKind.STARTED, pause, world)
    assert commands.apply(world.project, "law", approve=approve, emit=look).report.ok
    world.want(release="4")
    look = at("deployment", EventKind.STARTED, overtaken, world)
    done = commands.apply(world.project, "law", approve=approve, emit=look)
    assert done.report.exit in (Exit.LOCKED, Exit.STALE)
    assert sent == [ml_writes(world)]


def test_without_a_lock_the_environment_decides(world: World, order: Order) -> None:
    """Without rights: `required` refuses with the rights that are missing, `best_effort` goes on and says so."""
    order.ask("PUT", "settings", {"storage": {"network": "closed"}})
    order.ask("POST", "faults", {"kind": "refuse", "operation": "BlobContainers_*", "status": 403, "times": "always"})
    with pytest.raises(Refused, match="no lock is possible: a blob's lease, with your identity: ") as caught:
        world.apply()
    assert (caught.value.exit, caught.value.code) == (Exit.REFUSED, "AML672")
    assert ml_writes(world) == 0
    for mode, words in (("best_effort", "no lock could be taken (a blob's lease"), ("off", "has `lock: off`")):
        world.lock = mode
        world.want(release=mode)
        planned = commands.plan(world.project, "law")
        assert any(note.startswith("Not exclusive") for note in planned.notes)
        done = world.apply()
        assert done.report.ok
        assert [note for note in done.plan.notes if words in note]


@pytest.mark.parametrize(
    ("store", "operation"),
    [
        ("blob", "Blob_AcquireLease"),
        ("blob", "Blob_RenewLease"),
        ("blob", "Blob_ReleaseLease"),
        ("blob", "Blob_Put"),
        ("container", "BlobContainers_Lease"),
        ("container", "BlobContainers_Create"),
        ("container", "BlobContainers_Update"),
    ],
    indirect=["store"],
)
def test_a_lost_answer_of_a_lease_call_heals(world: World, order: Order, store: str, operation: str) -> None:
    """The request is handled, and its answer is lost: it is sent again with the same lease id."""
    assert store
    order.ask("POST", "faults", {"kind": "lose", "operation": operation, "number": 1, "times": 1})
    assert world.apply().report.ok
    assert lock_of(world) is None


def test_a_storage_that_stops_answering_ends_all_writing(world: World, order: Order) -> None:
    """Without a renewal a change is sent only while the lock lasts longer than the request may take; then exit 8."""
    world.apply()
    world.want(release="2")

    def stop() -> None:
        order.ask("POST", "faults", {"kind": "reset", "operation": "Blob_RenewLease", "times": "always"})
        world.project.clock.sleep(20)

    look = at("deployment", EventKind.STARTED, stop, world)
    done = commands.apply(world.project, "law", approve=approve, emit=look)
    assert done.report.exit is Exit.LOCKED
    (error,) = [outcome.error for outcome in done.report.outcomes if outcome.error]
    assert "it could not be renewed in time" in error["message"]

"""Shared reads: each resource is read once, and reads of different resources do not wait for each other."""

from __future__ import annotations

import threading

import pytest

from deploy.cloud.read_cache import ReadCache
from deploy.errors import CloudError, Transient, Unanswered
from deploy.parallel import run_parallel

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"


def test_concurrent_reads_share_one_request() -> None:
    """Eight ask for the same while it is being read: it is read once."""
    cache, reads, begun = ReadCache(), [], threading.Event()

    def read() -> str:
        reads.append(1)
        begun.wait(0.05)
        return "told"

    with cache.open():
        told = run_parallel({str(n): lambda: cache.get("/p", "key", read) for n in range(8)}, 8)

    assert set(told.values()) == {"told"}
    assert len(reads) == 1


def test_reads_of_different_resources_do_not_wait() -> None:
    """While one question hangs, another is answered."""
    cache, free = ReadCache(), threading.Event()
    with cache.open():
        works = {
            "slow": lambda: cache.get("/slow", "slow", lambda: free.wait(5)),
            "quick": lambda: cache.get("/quick", "quick", lambda: free.set() or "quick"),
        }
        assert run_parallel(works, 2) == {"slow": True, "quick": "quick"}


def test_a_read_that_fails_is_asked_again() -> None:
    """The failure is raised in all waiting threads, and not cached."""
    cache, answers = ReadCache(), iter([ValueError("no"), "yes"])

    def read() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    with cache.open():
        with pytest.raises(ValueError, match="no"):
            cache.get("/p", "key", read)
        assert cache.get("/p", "key", read) == "yes"


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        (WORKSPACE, 1),
        ("https://x/registrymanagement/v1.0/registries/azureml/discovery", 1),
        ("/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/eastus/vmSizes", 1),
        ("/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/eastus/usages", 2),
        (f"{WORKSPACE}/onlineEndpoints", 2),
        (f"{WORKSPACE}/onlineEndpoints/workspaces", 2),
    ],
)
def test_only_constant_resources_are_cached_longer(path: str, reads: int) -> None:
    """A workspace is read once in a command; other resources are read again in each `open`."""
    cache, seen = ReadCache(), []
    for _ in range(2):
        with cache.open():
            cache.get(path, path, lambda: seen.append(1))
            cache.get(path, path, lambda: seen.append(1))
    assert len(seen) == reads


def test_without_open_nothing_is_cached() -> None:
    """What changes is never answered from cache while a plan is carried out."""
    cache, seen = ReadCache(), []
    cache.get("/p", "key", lambda: seen.append(1))
    cache.get("/p", "key", lambda: seen.append(1))
    assert len(seen) == 2


class Hand:
    """Moments set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_check_uses_recent_reads() -> None:
    """`open(30)` uses reads of the last 30 seconds; `open()` reads again."""
    hand, seen = Hand(), []
    cache = ReadCache(hand)
    for moment, seconds, reads in ((0, 0, 1), (29, 30, 1), (31, 30, 2), (40, 30, 2), (41, 0, 3), (41, 0, 4)):
        hand.now = moment
        with cache.open(seconds):
            cache.get("/p", "key", lambda: seen.append(1))
        assert len(seen) == reads


def test_an_open_cache_applies_to_its_own_thread() -> None:
    """While one thread looks, another that changes things reads everything as it is; lanes of a look are part of it."""
    cache, seen = ReadCache(), []

    def ask() -> None:
        cache.get("/p", "key", lambda: seen.append(1))

    with cache.open():
        ask()
        stranger = threading.Thread(target=ask)
        stranger.start()
        stranger.join()
        assert len(seen) == 2
        run_parallel({"one": ask, "two": ask}, 2)
    assert len(seen) == 2


def failing(cache: ReadCache, error: Exception) -> list[int]:
    """Ask for what fails; the list counts how often it is read."""
    seen: list[int] = []

    def read() -> None:
        seen.append(1)
        raise error

    with pytest.raises(type(error)):
        cache.get("/p", "key", read)
    return seen


@pytest.mark.parametrize(
    ("error", "reads"),
    [
        (CloudError("read", "you may not", "", code="AML301", status=403), 0),
        (Unanswered("read", "503", "", code="AML351", status=503), 1),
        (Transient("read", "busy", "", code="AML352"), 1),
    ],
)
def test_a_check_repeats_an_unanswered_read(error: CloudError, reads: int) -> None:
    """A recent refusal is used by the next check; a missing response is not."""
    cache = ReadCache(Hand())
    with cache.open():
        failing(cache, error)
    with cache.open(30):
        assert len(failing(cache, error)) == reads


def test_an_unanswered_read_is_cached_inside_open() -> None:
    """HTTP was given its chances; the other endpoints of the look need not wait as long again."""
    cache = ReadCache(Hand())
    with cache.open():
        failing(cache, Unanswered("read", "503", "", code="AML351", status=503))
        assert failing(cache, Unanswered("read", "503", "", code="AML351", status=503)) == []


def test_a_transient_failure_is_not_cached_by_a_concurrent_open() -> None:
    """An `open` starts while a read of another one is pending and then fails: the next read is sent."""
    cache, asked, begun = ReadCache(Hand()), threading.Event(), threading.Event()

    def read() -> None:
        asked.set()
        begun.wait(5)
        raise Transient("read", "busy", "", code="AML352")

    def first() -> None:
        with cache.open(30), pytest.raises(Transient):
            cache.get("/p", "key", read)

    reader = threading.Thread(target=first)
    reader.start()
    asked.wait(5)
    with cache.open(30):
        begun.set()
        reader.join()
        assert cache.get("/p", "key", lambda: "told") == "told"

"""Concurrency: what the runner does with groups is what GitHub documents, and our workflows stand in the right ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT
from tests.workflows.github import GitHub, Queues
from tests.workflows.runs import Run

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
JOBS = [
    pytest.param(job, id=f"{file.name}/{name}")
    for file in WORKFLOWS
    for name, job in yaml.safe_load(file.read_text())["jobs"].items()
]


def line_of(queues: Queues, tmp_path: Path, number: int, **how: Any) -> list[str]:
    """What becomes of so many runs of one group that come while the first is at work, in the order of arrival."""
    github = GitHub(tmp_path, ROOT)
    runs = [github.start("push", ROOT) for _ in range(number)]
    goes, order = threading.Event(), []

    def work(run: Run) -> str:
        with queues.turn("g", run, **how):
            if not run.stopped.is_set():
                order.append(run.id)
                goes.wait(60)
        return "cancelled" if run.stopped.is_set() else "done"

    with ThreadPoolExecutor(number) as threads:
        ends: list[Future[str]] = []
        for run in runs:
            ends.append(threads.submit(work, run))
            queues.joined("g", run)
        goes.set()
        found = [end.result() for end in ends]
    assert order == sorted(order)
    return found


def test_by_default_one_waits_and_the_newest_takes_its_place(tmp_path: Path) -> None:
    """The first is never disturbed."""
    assert line_of(Queues(), tmp_path, 4) == ["done", "cancelled", "cancelled", "done"]


def test_with_queue_max_all_wait(tmp_path: Path) -> None:
    """And go in the order of arrival."""
    assert line_of(Queues(), tmp_path, 5, queue="max") == ["done"] * 5


def test_cancel_in_progress_ends_who_is_at_work(tmp_path: Path) -> None:
    """Only the newest is done."""
    assert line_of(Queues(), tmp_path, 3, cancel=True) == ["cancelled", "cancelled", "done"]


def test_both_at_once_are_refused(tmp_path: Path) -> None:
    """As GitHub refuses such a file."""
    run = GitHub(tmp_path, ROOT).start("push", ROOT)
    with pytest.raises(AssertionError, match="refuses"), Queues().turn("g", run, queue="max", cancel=True):
        pass


def test_nobody_goes_on_who_has_waited_in_vain(tmp_path: Path) -> None:
    """A turn that does not come is a failure, and leaves the line."""
    github, queues = GitHub(tmp_path, ROOT), Queues(patience=0.05)
    first, second = github.start("push", ROOT), github.start("push", ROOT)
    late = pytest.raises(AssertionError, match="in vain")
    with queues.turn("g", first, queue="max"), late, queues.turn("g", second, queue="max"):
        pass
    with queues.turn("g", second, queue="max"):
        pass


@pytest.mark.parametrize("job", JOBS)
def test_who_writes_to_an_environment_stands_in_its_line(job: Any) -> None:
    """One group for each environment, one for its leases; nobody is dropped, nobody is cut off. Readers are free."""
    place = str((job.get("environment") or {}).get("name", ""))
    if not place or place.endswith("-plan"):
        return
    name, reaps, _ = place.partition("-reap")
    assert job["concurrency"] == {
        "group": f"amldeploy-{name}{'-leases' if reaps else ''}", "cancel-in-progress": False, "queue": "max",
    }  # fmt: skip


@pytest.mark.parametrize("job", JOBS)
def test_who_calls_for_a_release_waits_before_planning(job: Any) -> None:
    """A plan made while another one is applied would be stale."""
    if str(job.get("uses")).endswith("/release.yml"):
        group = f"release-{job['with']['environment']}"
        assert job["concurrency"] == {"group": group, "cancel-in-progress": False, "queue": "max"}


def writers() -> Iterator[str]:
    for file in WORKFLOWS:
        if "AZURE_CLIENT_ID" in file.read_text():
            yield file.stem


def test_all_who_write_are_known() -> None:
    """A new workflow that signs in is seen here, and whoever writes it thinks of the line it stands in."""
    assert set(writers()) == {"apply", "drift", "plan", "reap", "rollback", "teardown"}

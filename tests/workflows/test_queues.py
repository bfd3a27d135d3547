"""Concurrency groups work as GitHub documents them, and each of our jobs is in the right group."""

from __future__ import annotations

import re
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
    """Return the result of this number of runs of one group that start while the first one runs, in order of
    arrival.
    """
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


def test_by_default_the_newest_run_replaces_the_waiting_one(tmp_path: Path) -> None:
    """The running one is not cancelled."""
    assert line_of(Queues(), tmp_path, 4) == ["done", "cancelled", "cancelled", "done"]


def test_with_queue_max_all_runs_wait(tmp_path: Path) -> None:
    """They run in order of arrival."""
    assert line_of(Queues(), tmp_path, 5, queue="max") == ["done"] * 5


def test_cancel_in_progress_cancels_the_running_one(tmp_path: Path) -> None:
    """Only the newest run finishes."""
    assert line_of(Queues(), tmp_path, 3, cancel=True) == ["cancelled", "cancelled", "done"]


def test_queue_max_with_cancel_in_progress_is_refused(tmp_path: Path) -> None:
    """GitHub refuses such a file."""
    run = GitHub(tmp_path, ROOT).start("push", ROOT)
    with pytest.raises(AssertionError, match="refuses"), Queues().turn("g", run, queue="max", cancel=True):
        pass


def test_a_run_that_waits_too_long_fails(tmp_path: Path) -> None:
    """It fails and leaves the queue."""
    github, queues = GitHub(tmp_path, ROOT), Queues(patience=0.05)
    first, second = github.start("push", ROOT), github.start("push", ROOT)
    late = pytest.raises(AssertionError, match="in vain")
    with queues.turn("g", first, queue="max"), late, queues.turn("g", second, queue="max"):
        pass
    with queues.turn("g", second, queue="max"):
        pass


@pytest.mark.parametrize("job", JOBS)
def test_writing_jobs_are_in_the_queue_of_their_environment(job: Any) -> None:
    """One group for each environment, one for its leases and one for its rollbacks, without skipping or cancelling.
    Reading jobs have no queue, and publish.yml changes nothing in Azure.
    """
    place = str((job.get("environment") or {}).get("name", ""))
    if not place or place.endswith("-plan") or place == "pypi":
        return
    expression, suffix = re.fullmatch(r"(\$\{\{.*\}\})(.*)", place).groups()  # type: ignore[union-attr]
    own = {"": "", "-reap": "-leases", "-rollback": "-rollback"}[suffix]
    assert job["concurrency"] == {
        "group": f"amldeploy-{expression}{own}", "cancel-in-progress": False, "queue": "max",
    }  # fmt: skip


def test_a_rollback_waits_neither_for_an_apply_nor_for_its_reviewers() -> None:
    """Its environment on GitHub and its queue are its own; no other job uses them."""
    used = [
        [job.values[0]["environment"]["name"], job.values[0]["concurrency"]["group"]]
        for job in JOBS
        if "-rollback" in str(job.values[0].get("environment"))
    ]
    expression = "${{ inputs.environment }}"
    assert used == [[f"{expression}-rollback", f"amldeploy-{expression}-rollback"]]


@pytest.mark.parametrize("job", JOBS)
def test_callers_of_release_wait_before_planning(job: Any) -> None:
    """A plan that is created during another apply would be stale."""
    if str(job.get("uses")).endswith("/release.yml"):
        group = f"release-{job['with']['environment']}"
        assert job["concurrency"] == {"group": group, "cancel-in-progress": False, "queue": "max"}


def writers() -> Iterator[str]:
    for file in WORKFLOWS:
        if "AZURE_CLIENT_ID" in file.read_text():
            yield file.stem


def test_all_writing_workflows_are_listed() -> None:
    """A new workflow that signs in fails here until its queue is decided."""
    assert set(writers()) == {"apply", "drift", "plan", "reap", "rollback", "teardown"}

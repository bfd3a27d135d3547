"""Workflows started by a schedule or by hand: renew, reap, drift, rollback, teardown."""

from __future__ import annotations

import re
import signal
from typing import Any

import yaml

from deploy.emulator.seed import default_world
from tests.workflows.runs import Run
from tests.workflows.stage import Stage


def start(stage: Stage, file: str, event: str = "schedule", **inputs: Any) -> tuple[str, Run]:
    run = stage.github.start(event, stage.head)
    return run.workflow(file, inputs)[0], run


def test_a_lease_that_ends_soon_is_renewed(stage: Stage) -> None:
    """A successor replaces the endpoint a day before Azure deletes it; before that, nothing happens."""
    stage.deployed(capacity="shared")
    before = stage.endpoints()[0]["name"]
    result, run = start(stage, "reap.yml")
    assert result == "success", "\n".join(run.log)
    assert [each["name"] for each in stage.endpoints()] == [before]
    stage.send("POST", "/emulator/clock", {"advance": 150 * 3600})
    result, run = start(stage, "reap.yml")
    assert result == "success", "\n".join(run.log)
    names = [each["name"] for each in stage.endpoints()]
    assert len(names) == 1
    assert names != [before]
    assert {place for place, _ in run.deployments} == {"dev-reap"}


def test_a_missed_lease_is_recreated_and_orphans_are_reaped(stage: Stage) -> None:
    """After 168 hours Azure deletes the endpoint: it is created again, and orphaned role assignments are removed."""
    stage.deployed(capacity="shared")
    everybody, (endpoint,) = stage.principals(), stage.endpoints()
    assert endpoint["identity"]["principalId"] in everybody
    stage.send("POST", "/emulator/clock", {"advance": 170 * 3600})
    result, run = start(stage, "reap.yml")
    assert result == "success", "\n".join(run.log)
    (again,) = stage.endpoints()
    assert again["name"] == endpoint["name"]
    new = again["identity"]["principalId"]
    assert stage.principals() == everybody - {endpoint["identity"]["principalId"]} | {new}
    assert "reports-dev-reap" in [name for _, name in stage.github.artifacts]


def test_renewal_does_not_wait_for_an_approval(stage: Stage) -> None:
    """Leases are renewed while a plan of the same environment waits for approval."""
    stage.deployed(capacity="shared")
    stage.commit(capacity="shared", release="2")
    stage.github.queues.patience = 60
    ends: list[str] = []

    def meanwhile(place: str) -> None:
        if place == "dev":
            stage.send("POST", "/emulator/clock", {"advance": 150 * 3600})
            ends.append(start(stage, "reap.yml")[0])

    before = stage.endpoints()[0]["name"]
    stage.github.approve = meanwhile
    run = stage.push()
    assert run.workflow("deploy.yml", {})[0] == "failure"
    assert ends == ["success"]
    assert [each["name"] for each in stage.endpoints()] != [before]
    assert 7 in run.codes, "the plan is older than the successor, and is refused"


def test_drift_fails_the_run(stage: Stage) -> None:
    """A change by hand in Azure fails the run with an annotation. Without drift the run succeeds."""
    stage.deployed()
    assert start(stage, "drift.yml")[0] == "success"
    name = stage.endpoints()[0]["name"]
    path = f"{default_world.WORKSPACE_ID}/onlineEndpoints/{name}/deployments/blue"
    stage.send("PATCH", path, {"sku": {"name": "Default", "capacity": 2}})
    result, run = start(stage, "drift.yml")
    assert result == "failure"
    assert run.codes.count(2) == 1
    assert [a["title"] for a in run.annotations if a["level"] == "error"] == ["Drift of dev"]
    assert "deployment/mip/blue" in "".join(run.summaries)


def test_an_entry_that_was_removed_is_drift(stage: Stage) -> None:
    """Its endpoint still runs: the summary has the steps that delete it."""
    stage.deployed()
    name = stage.endpoints()[0]["name"]
    path = stage.commit() / "environments" / "dev.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "endpoints": {}}))
    result, run = start(stage, "drift.yml")
    assert result == "failure"
    assert [a["title"] for a in run.annotations if a["level"] == "error"] == ["Drift of dev"]
    assert f"endpoint/{name}" in "".join(run.summaries)


def test_rollback_moves_traffic_to_the_previous_release(stage: Stage) -> None:
    """Two releases, one run by hand."""
    stage.deployed()
    stage.deployed(release="2")
    result, run = start(stage, "rollback.yml", "workflow_dispatch", environment="dev", endpoints="mip")
    assert result == "success", "\n".join(run.log)
    assert stage.release() == "1"
    assert {place for place, _ in run.deployments} == {"dev-rollback"}
    assert (run.id, "reports-dev-rollback") in stage.github.artifacts
    result, run = start(stage, "rollback.yml", "workflow_dispatch", environment="dev", all=True)
    assert (result, stage.release()) == ("success", "1"), "a second one changes nothing"
    result, run = start(stage, "drift.yml")
    assert result == "success"
    assert "Held back" in "".join(run.summaries)


def test_a_rollback_does_not_wait_for_an_apply(stage: Stage) -> None:
    """The queue of the environment is busy with a run that waits for approval. Traffic moves back at once, without the
    reviewers of apply, and the plan that waited is refused as stale.
    """
    stage.deployed()
    stage.deployed(release="2")
    stage.commit(release="3")
    stage.github.queues.patience = 60
    ends: list[tuple[str, str]] = []
    asked: list[str] = []

    def meanwhile(place: str) -> None:
        asked.append(place)
        if place == "dev":
            result, _ = start(stage, "rollback.yml", "workflow_dispatch", environment="dev", endpoints="mip")
            ends.append((result, stage.release()))

    stage.github.approve = meanwhile
    run = stage.push()
    assert run.workflow("deploy.yml", {})[0] == "failure"
    assert ends == [("success", "1")]
    assert asked == ["dev-plan", "dev", "dev-rollback"]
    assert 7 in run.codes
    assert stage.release() == "1"


def test_a_rollback_passes_the_lock_id(stage: Stage) -> None:
    """One word of the command, whatever it contains; without the input there is no option."""
    stage.commit()
    seen = stage.root / "seen"
    command = stage.root / "tool/.venv-locked/bin/amldeploy"
    command.write_text(f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" >>"{seen}"\n')
    said = {"environment": "dev", "endpoints": "mip"}
    for lock in ("", "6f1c", "$(id); x"):
        result, run = start(stage, "rollback.yml", "workflow_dispatch", **said, **{"force-unlock": lock})
        assert result == "success", "\n".join(run.log)
        more = ["--force-unlock", lock] if lock else []
        assert seen.read_text().splitlines() == ["rollback", "-e", "dev", "--yes", *more, "--", "mip"]
        seen.unlink()


def test_a_rollback_takes_the_lock_over_from_a_running_apply(stage: Stage) -> None:
    """The apply is paused when half of the traffic is on release 2. Without the lock id the rollback ends with exit
    code 8 and names the id; with it, traffic is back on release 1, and the apply ends with exit code 8.
    """
    stage.deployed()
    stage.start_interpreters()
    pipeline = stage.commit(release="2") / "templates/plain/pipeline.yml.j2"
    pipeline.write_text(pipeline.read_text().replace("[10, 100]", "[50, 100], bake: 5s"))
    said = {"environment": "dev", "endpoints": "mip"}
    ends: list[tuple[str, int, str]] = []

    def rollback(lock: str = "") -> str:
        result, run = start(stage, "rollback.yml", "workflow_dispatch", **said, **{"force-unlock": lock})
        ends.append((result, run.codes[-1], stage.release()))
        return "".join(each["text"] for each in run.annotations)

    def heard(run: Run, line: str) -> None:
        if not ends and run.process and re.search(r"shift  traffic/mip  done", line):
            run.process.send_signal(signal.SIGSTOP)
            try:
                lock = re.search(r"with --force-unlock ([0-9a-f-]+)", rollback())
                assert lock
                rollback(lock[1])
            finally:
                run.process.send_signal(signal.SIGCONT)

    run = stage.push(heard=heard)
    assert run.workflow("deploy.yml", {})[0] == "failure", "\n".join(run.log)
    assert [end[:2] for end in ends] == [("failure", 8), ("success", 0)], "\n".join(run.log)
    assert ends[1][2] == stage.release() == "1"
    assert 8 in run.codes


def test_rollback_reads_endpoints_from_all_lines(stage: Stage) -> None:
    """Endpoints can be on separate lines, with an empty first line; a field with only blanks does not mean all."""
    stage.commit()
    said = {"environment": "dev", "endpoints": " \n\n"}
    result, run = start(stage, "rollback.yml", "workflow_dispatch", **said)
    assert (result, run.codes[-1]) == ("failure", 64)
    assert [a["title"] for a in run.annotations] == ["Not rolled back"]
    result, run = start(stage, "rollback.yml", "workflow_dispatch", environment="dev", endpoints="")
    assert (result, run.codes[-1]) == ("failure", 64)
    result, run = start(stage, "rollback.yml", "workflow_dispatch", **{**said, "endpoints": "\nmip\nnobody\n"})
    assert result == "failure"
    assert "nobody" in "".join(a["text"] for a in run.annotations)


def test_teardown_needs_the_name_twice(stage: Stage) -> None:
    """With a different name nothing is deleted; with the same name the named endpoints are deleted, and blanks are
    refused.
    """
    stage.deployed()
    result, run = start(stage, "teardown.yml", "workflow_dispatch", environment="dev", again="prod")
    assert (result, run.codes[-1]) == ("failure", 64)
    assert len(stage.endpoints()) == 1
    said = {"environment": "dev", "again": "dev"}
    for endpoints, code in ((" \n ", 64), ("mip\nnobody", 64)):
        result, run = start(stage, "teardown.yml", "workflow_dispatch", **said, endpoints=endpoints)
        assert (result, run.codes[-1]) == ("failure", code)
    assert len(stage.endpoints()) == 1
    result, run = start(stage, "teardown.yml", "workflow_dispatch", **said, endpoints="\nmip\n")
    assert result == "success", "\n".join(run.log)
    assert stage.endpoints() == []
    assert (run.id, "reports-dev-teardown") in stage.github.artifacts


def test_a_repository_without_environments_does_nothing(stage: Stage) -> None:
    """A copy of this repository without Azure has no failing runs."""
    stage.commit()
    del stage.github.variables["AMLDEPLOY_ENVIRONMENTS"]
    for file, event in (("deploy.yml", "push"), ("reap.yml", "schedule"), ("drift.yml", "schedule")):
        result, run = start(stage, file, event)
        assert (result, run.codes) == ("skipped", [])

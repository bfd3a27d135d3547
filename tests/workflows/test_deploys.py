"""What is merged is planned, approved, and applied as it was planned; whatever comes between, nothing else is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from deploy.emulator import seed
from tests.workflows.runs import Run
from tests.workflows.stage import WRITER, Stage


def deploy(run: Run) -> str:
    return str(run.workflow("deploy.yml", {})[0])


def test_what_is_merged_waits_for_approval_and_is_applied(stage: Stage) -> None:
    """The plan is made before anybody is asked; after that the writer applies it, and the deployment has an address."""
    stage.commit(release="1")
    asked: list[tuple[str, bool, int]] = []
    run = stage.push()
    stage.github.approve = lambda place: asked.append(
        (place, (run.id, "plan-dev") in stage.github.artifacts, len(stage.endpoints()))
    )
    assert deploy(run) == "success", "\n".join(run.log)
    assert asked == [("dev-plan", False, 0), ("dev", True, 0)]
    assert stage.release() == "1"
    assert [url.startswith("https://") for place, url in run.deployments if place == "dev"] == [True]
    assert stage.senders() <= {WRITER}


def test_nothing_to_do_asks_nobody(stage: Stage) -> None:
    """Without changes there is no approval to wait for."""
    stage.commit(release="1")
    assert deploy(stage.push()) == "success"
    asked: list[str] = []
    stage.github.approve = asked.append
    assert deploy(stage.push()) == "success"
    assert asked == ["dev-plan"]


def test_a_plan_gone_stale_is_refused(stage: Stage) -> None:
    """The world moved while people read the plan: exit 7, nothing is changed, and the annotation says what moved."""
    stage.commit(release="1")
    assert deploy(stage.push()) == "success"
    stage.commit(release="2")

    def meanwhile(place: str) -> None:
        if place == "dev":
            name = stage.endpoints()[0]["name"]
            path = f"{seed.WORKSPACE_ID}/onlineEndpoints/{name}/deployments/blue"
            stage.send("PATCH", path, {"sku": {"name": "Default", "capacity": 2}})

    stage.github.approve = meanwhile
    run = stage.push()
    assert deploy(run) == "failure"
    assert 7 in run.codes
    assert stage.release() == "1"
    assert any("deployment/mip/blue" in a["text"] for a in run.annotations), run.annotations


def test_another_plan_than_the_one_approved_is_refused(stage: Stage) -> None:
    """Whoever exchanges the artifact after the approval meets the digest."""
    stage.commit(release="1")
    run = stage.push()

    def exchange(place: str) -> None:
        if place == "dev":
            files = stage.github.artifacts[(run.id, "plan-dev")]
            files["plan.json"] = files["plan.json"].replace(b'"1"', b'"9"')

    stage.github.approve = exchange
    assert deploy(run) == "failure"
    assert stage.endpoints() == []
    assert [a["title"] for a in run.annotations if a["level"] == "error"] == ["Another plan"]


def test_cancelled_in_the_middle_and_run_again(stage: Stage) -> None:
    """Ctrl-C reaches amldeploy, which ends by itself; the next run sees the rest through."""
    stage.commit(release="1")

    def impatient(run: Run, line: str) -> None:
        if not run.stopped.is_set() and "create deployment/mip/blue  started" in line:
            run.cancel()

    run = stage.push(heard=impatient)
    assert deploy(run) == "cancelled"
    assert run.codes[-1] == 130, "\n".join(run.log)
    again = stage.push()
    assert deploy(again) == "success", "\n".join(again.log)
    assert stage.release() == "1"


def test_two_pushes_are_applied_in_order(stage: Stage) -> None:
    """The second plans when the first is done: both are applied, none is dropped, none is stale."""
    with ThreadPoolExecutor(2) as threads:
        ends = []
        for number in ("1", "2"):
            stage.commit(release=number)
            ends.append(threads.submit(deploy, stage.push()))
            stage.github.queues.length("release-dev", 1 if number == "1" else 2)
        assert [end.result() for end in ends] == ["success"] * 2
    assert stage.release() == "2"
    assert {d["properties"]["environmentVariables"]["RELEASE"] for d in stage.deployments()} == {"1", "2"}

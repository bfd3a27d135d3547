"""Pushes to main are planned, approved and applied exactly as planned."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256

import yaml

from deploy.emulator.seed import default_world
from tests.workflows.runs import Run
from tests.workflows.stage import WRITER, Stage

RIGHTS = {"contents": "read", "id-token": "write"}


def deploy(run: Run) -> str:
    return str(run.workflow("deploy.yml", {})[0])


def test_a_push_waits_for_approval_and_is_applied(stage: Stage) -> None:
    """The plan exists before the approval is requested; then the writer applies it, and the deployment has a URL."""
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
    *_, link = run.summaries
    assert f"**Saved**: [reports-dev](https://github.com/octo-org/octo-repo/actions/runs/{run.id}/artifacts/2)" in link


def test_without_changes_no_approval_is_requested(stage: Stage) -> None:
    """Without changes there is no approval, and the output still contains the scoring URI."""
    stage.commit(release="1")
    first, again = (stage.push().workflow("release.yml", {"environment": "dev"}, RIGHTS) for _ in range(2))
    assert (first[0], again[0]) == ("success", "success")
    assert [said[1]["changes"] for said in (first, again)] == ["true", "false"]
    assert first[1]["scoring-uri"] == again[1]["scoring-uri"] != ""
    assert len(first[1]["fingerprint"]) == len(again[1]["fingerprint"]) > 0
    asked: list[str] = []
    stage.github.approve = asked.append
    assert deploy(stage.push()) == "success"
    assert asked == ["dev-plan"]


def test_exposing_a_protected_environment_needs_the_input(stage: Stage) -> None:
    """A push is refused; a run that is started by hand with the input is planned and applied."""
    cases = [("aad_token", {}, "success"), ("key", {}, "failure"), ("key", {"allow-exposure": True}, "success")]
    for mode, inputs, ends in cases:
        folder = stage.commit(release="1")
        endpoint, environment = folder / "templates/plain/endpoint.yml.j2", folder / "environments/dev.yml"
        endpoint.write_text(f"{endpoint.read_text().splitlines()[0]}\nauth_mode: {mode}\n")
        environment.write_text(
            yaml.safe_dump({**yaml.safe_load(environment.read_text()), "guards": {"protected": True}})
        )
        run = stage.github.start("workflow_dispatch" if inputs else "push", stage.head)
        assert run.workflow("deploy.yml", inputs)[0] == ends, "\n".join(run.log)


def test_a_stale_plan_is_refused(stage: Stage) -> None:
    """Azure changed before the approval: exit 7, nothing is changed, and the annotation names the change."""
    stage.deployed()
    stage.commit(release="2")

    def meanwhile(place: str) -> None:
        if place == "dev":
            name = stage.endpoints()[0]["name"]
            path = f"{default_world.WORKSPACE_ID}/onlineEndpoints/{name}/deployments/blue"
            stage.send("PATCH", path, {"sku": {"name": "Default", "capacity": 2}})

    stage.github.approve = meanwhile
    run = stage.push()
    assert deploy(run) == "failure"
    assert 7 in run.codes
    assert stage.release() == "1"
    assert any("deployment/mip/blue" in a["text"] for a in run.annotations), run.annotations


def test_another_plan_than_the_one_approved_is_refused(stage: Stage) -> None:
    """A plan artifact that was replaced after the approval fails the digest check."""
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


def test_a_cancelled_run_is_completed_by_a_rerun(stage: Stage) -> None:
    """Ctrl-C reaches amldeploy, which ends by itself, and its report is kept. The same run, run again with the same
    plan, sees the rest through without making anything twice.
    """
    stage.start_interpreters()
    stage.commit(release="1")

    def impatient(run: Run, line: str) -> None:
        if not run.stopped.is_set() and "create endpoint/mip  done" in line:
            run.cancel()

    run = stage.push(heard=impatient)
    assert deploy(run) == "cancelled"
    assert 130 in run.codes, "\n".join(run.log)
    reports = stage.github.artifacts[(run.id, "reports-dev")]
    assert [name.partition("/")[2] for name in reports] == ["plan.json", "report.html", "report.json"]
    assert "interrupted" in next(text for name, text in reports.items() if name.endswith("report.json")).decode()
    assert "/artifacts/2)" in run.summaries[-1]

    plan = stage.github.artifacts[(run.id, "plan-dev")]["plan.json"]
    again = replace(stage.push(), id=run.id)
    given = {"environment": "dev", "digest": sha256(plan).hexdigest()}
    assert again.workflow("apply.yml", given, RIGHTS)[0] == "success", "\n".join(again.log)
    assert "This plan was started before" in "\n".join(again.log)
    assert stage.release() == "1"
    assert len(stage.deployments()) == 1


def test_three_pushes_are_applied_in_order(stage: Stage) -> None:
    """Each push is planned after the apply of the one before: all are applied, none is skipped, cancelled or stale."""
    gate, order = threading.Event(), []
    stage.github.approve = lambda _: gate.wait(60)

    def heard(run: Run, line: str) -> None:
        if line == "##[step]Apply":
            order.append(run.id)

    with ThreadPoolExecutor(3) as threads:
        runs, ends = [], []
        for number in ("1", "2", "3"):
            stage.commit(release=number)
            runs.append(stage.push(heard=heard))
            ends.append(threads.submit(deploy, runs[-1]))
            stage.github.queues.joined("release-dev", runs[-1])
        gate.set()
        assert [end.result() for end in ends] == ["success"] * 3
    assert order == [run.id for run in runs]
    assert stage.release() == "3"
    assert sorted(d["properties"]["environmentVariables"]["RELEASE"] for d in stage.deployments()) == ["2", "3"]


def test_dev_comes_before_prod(stage: Stage) -> None:
    """Each environment is planned after the apply of the one before, and has its own approval."""
    stage.github.variables["AMLDEPLOY_ENVIRONMENTS"] = '["dev", "prod"]'
    stage.commit(release="1")
    stage.commit("prod", key="pmip", release="1")
    asked: list[tuple[str, int]] = []
    stage.github.approve = lambda place: asked.append((place, len(stage.endpoints())))
    run = stage.push()
    assert deploy(run) == "success", "\n".join(run.log)
    assert asked == [("dev-plan", 0), ("dev", 0), ("prod-plan", 1), ("prod", 1)]
    assert len(stage.endpoints()) == 2


def test_an_environment_without_a_job_is_named(stage: Stage) -> None:
    """The run fails and names it; nothing is applied."""
    stage.github.variables["AMLDEPLOY_ENVIRONMENTS"] = '["dev", "staging"]'
    stage.commit()
    run = stage.push()
    assert deploy(run) == "failure"
    assert [a["title"] for a in run.annotations] == ["staging has no job"]
    assert [result for _, result in run.jobs] == ["failure", "skipped", "skipped"]


def test_no_key_is_shown(stage: Stage) -> None:
    """The endpoint key and the secrets of the files are masked and are in no log, output or artifact."""
    file = stage.commit(release="1", token="hunter2-not-for-your-eyes") / "templates/plain/deployment.yml.j2"
    file.write_text(file.read_text().replace("{RELEASE:", '{HF_TOKEN: "{{ values.token }}", RELEASE:'))
    run = stage.push()
    assert deploy(run) == "success", "\n".join(run.log)
    name = stage.endpoints()[0]["name"]
    key = stage.send("POST", f"{default_world.WORKSPACE_ID}/onlineEndpoints/{name}/listKeys")["primaryKey"]
    assert {key, "hunter2-not-for-your-eyes"} <= stage.github.masks

"""Pull requests: the plan is in one comment, problems are on their lines, and Azure is only read."""

from __future__ import annotations

from typing import Any

from deploy import emulator
from tests.workflows.runs import Run
from tests.workflows.stage import Stage


def pull(stage: Stage, number: int = 7, repository: str = "octo-org/octo-repo") -> tuple[str, Run]:
    event: dict[str, Any] = {"pull_request": {"number": number, "head": {"repo": {"full_name": repository}}}}
    run = stage.github.start("pull_request", stage.head, more=event)
    return run.workflow("pull-request.yml", {})[0], run


def test_changes_are_posted_in_one_comment_and_not_applied(stage: Stage) -> None:
    """Two pushes leave one comment, with the second plan; Azure is unchanged, and only the reader signed in."""
    stage.commit(release="1")
    result, run = pull(stage)
    assert result == "success", "\n".join(run.log)
    first = [comment["body"] for comment in stage.github.comments]
    assert "The identity that applies this needs more permissions" in first[0]
    assert run.annotations == [], "what the reader may not do is a note, and no warning on every pull request"
    stage.commit(release="2")
    assert pull(stage)[0] == "success"
    second = [comment["body"] for comment in stage.github.comments]
    assert len(first) == len(second) == 1
    assert first[0].startswith("<!-- amldeploy:dev -->\n")
    assert "endpoint/mip" in second[0]
    assert stage.endpoints() == []
    assert ("dev-plan", "") in run.deployments


def test_no_changes_replaces_the_comment(stage: Stage) -> None:
    """Without changes the earlier comment is replaced by "No changes.", and the output `changes` is false."""
    stage.commit(release="1")
    assert pull(stage)[0] == "success"
    assert stage.push().workflow("deploy.yml", {})[0] == "success"
    result, _ = pull(stage)
    assert result == "success"
    assert ["No changes." in comment["body"] for comment in stage.github.comments] == [True]


def test_a_wrong_file_is_marked_on_its_line(stage: Stage) -> None:
    """The annotation has file and line, the comment contains the problem instead of the earlier plan, and no sign-in
    happens.
    """
    stage.commit(release="1")
    assert pull(stage)[0] == "success"
    seen = len(emulator.requests(stage.root / "azure"))
    folder = stage.commit(release="2")
    file = folder / "environments" / "dev.yml"
    file.write_text(file.read_text().replace("workspace:", "workspase:"))
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "workspase" in text)
    result, run = pull(stage)
    assert result == "failure"
    found = [a for a in run.annotations if a.get("file") == "environments/dev.yml"]
    assert ("error", str(line), True) in [(a["level"], a["line"], "workspace" in a["text"]) for a in found]
    (comment,) = stage.github.comments
    assert comment["body"].startswith("<!-- amldeploy:dev -->\n**dev** could not be planned. [The run](https://")
    assert f"environments/dev.yml:{line}" in comment["body"]
    assert "endpoint/mip" not in comment["body"]
    assert len(emulator.requests(stage.root / "azure")) == seen


def test_a_fork_is_validated_without_sign_in(stage: Stage) -> None:
    """GitHub issues no ID token to a fork."""
    stage.commit()
    result, run = pull(stage, repository="someone/octo-repo")
    assert result == "success"
    assert run.jobs == [("pull-request.yml/validate", "success"), ("pull-request.yml/review", "skipped")]


def test_a_failed_plan_replaces_the_comment(stage: Stage) -> None:
    """An old plan must not stay below a push that cannot be planned."""
    stage.commit()
    assert pull(stage)[0] == "success"
    stage.commit(release="2")
    stage.github.environments["dev-plan"]["AZURE_CLIENT_ID"] = "00000000-0000-0000-0000-00000000dead"
    result, _ = pull(stage)
    assert result == "failure"
    (comment,) = stage.github.comments
    assert "could not be planned" in comment["body"]
    assert "00000000-0000-0000-0000-00000000dead" in comment["body"]

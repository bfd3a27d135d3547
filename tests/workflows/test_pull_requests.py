"""Pull requests: what would change is in one comment, what is wrong is on its line, and Azure is only read."""

from __future__ import annotations

from typing import Any

from tests.workflows.runs import Run
from tests.workflows.stage import Stage


def pull(stage: Stage, number: int = 7, repository: str = "octo-org/octo-repo") -> tuple[str, Run]:
    event: dict[str, Any] = {"pull_request": {"number": number, "head": {"repo": {"full_name": repository}}}}
    run = stage.github.start("pull_request", stage.head, more=event)
    return run.workflow("pull-request.yml", {})[0], run


def test_changes_are_shown_in_one_comment_and_not_made(stage: Stage) -> None:
    """Two pushes leave one comment, of the second; nothing in Azure has changed, and nobody but the reader asked."""
    stage.commit(release="1")
    result, run = pull(stage)
    assert result == "success", run.log
    first = [comment["body"] for comment in stage.github.comments]
    stage.commit(release="2")
    assert pull(stage)[0] == "success"
    second = [comment["body"] for comment in stage.github.comments]
    assert len(first) == len(second) == 1
    assert first[0].startswith("<!-- amldeploy:dev -->\n")
    assert "endpoint/mip" in second[0]
    assert stage.endpoints() == []
    assert ("dev-plan", "") in run.deployments

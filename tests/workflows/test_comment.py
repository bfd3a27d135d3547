"""Tests scripts/comment against a simulated GitHub API: one comment for each environment in every case."""

from __future__ import annotations

import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.workflows.github import BOT, PATH, GitHub

STRANGER = {"login": "somebody", "type": "User"}


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with GitHub(tmp_path, ROOT).serving() as found:
        yield found


def variables(github: GitHub, right: str) -> dict[str, str]:
    return {
        "PATH": PATH, "GITHUB_API_URL": github.api, "GITHUB_REPOSITORY": github.repository,
        "GH_TOKEN": github.token({"pull-requests": right}), "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "5",
    }  # fmt: skip


def written(github: GitHub, text: str) -> str:
    file = github.root / "plan.md"
    file.write_text(text)
    return str(file)


def comment(github: GitHub, text: str, right: str = "write") -> subprocess.CompletedProcess[str]:
    words = [str(ROOT / "scripts" / "comment"), "7", "dev", written(github, text)]
    env = variables(github, right)
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)


def bodies(github: GitHub) -> list[str]:
    return [each["body"] for each in github.comments]


def test_many_pushes_leave_one_comment(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each environment has its own comment with the newest plan. One process sends them all, for speed."""
    for name, value in variables(github, "write").items():
        monkeypatch.setenv(name, value)
    script = runpy.run_path(str(ROOT / "scripts" / "comment"))
    for number in range(30):
        script["main"]("7", "dev" if number % 2 else "prod", written(github, f"plan {number}"))
    assert bodies(github) == ["<!-- amldeploy:prod -->\nplan 28\n", "<!-- amldeploy:dev -->\nplan 29\n"]


def test_own_comment_is_found_among_many(github: GitHub) -> None:
    """The comment is on the second page. Comments of other accounts with the marker are not taken for ours."""
    marked = "<!-- amldeploy:dev -->\nmine"
    github.comments += [{"id": n, "issue": 7, "user": STRANGER, "body": marked} for n in range(1, 121)]
    github.comments.append({"id": 500, "issue": 7, "user": BOT, "body": "<!-- amldeploy:dev -->\r\nold"})
    assert comment(github, "new").returncode == 0
    assert [each["body"] for each in github.comments if each["user"] is BOT] == ["<!-- amldeploy:dev -->\nnew\n"]
    assert bodies(github).count(marked) == 120


def test_a_duplicate_comment_is_deleted(github: GitHub) -> None:
    """When two runs posted at the same time, the next run deletes the newer comment."""
    github.comments += [{"id": n, "issue": 7, "user": BOT, "body": "<!-- amldeploy:dev -->\nold"} for n in (2, 3)]
    assert comment(github, "new").returncode == 0
    assert [each["id"] for each in github.comments] == [2]


def test_a_long_plan_is_cut_and_links_to_the_run(github: GitHub) -> None:
    """Code blocks are closed, and the last line links to the run."""
    assert comment(github, "<details>\n\n```diff\n" + "+ a line\n" * 20_000).returncode == 0
    body = bodies(github)[0]
    assert len(body) < 65_536
    assert body.count("```") % 2 == 0
    assert body.count("<details>") == body.count("</details>")
    assert body.endswith("[full plan](https://github.com/octo-org/octo-repo/actions/runs/5).\n")


def test_a_missing_permission_is_named(github: GitHub) -> None:
    """The error contains GitHub's message and the permission to add."""
    ran = comment(github, "plan", right="read")
    assert ran.returncode == 1
    assert "Resource not accessible by integration" in ran.stderr
    assert ran.stderr.endswith("Add the permission `pull-requests: write` to the job.\n")

"""Provenance: what git says of a project, and what the tags of a deployment keep of it."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.domain import provenance
from deploy.domain.provenance import Provenance, commit_of, of_project, recorded

SHA = "0123456789abcdef0123456789abcdef01234567"
ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": SHA,
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "contoso/imaging",
    "GITHUB_RUN_ID": "77",
}
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(lambda d: d.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001
KNOWN = st.builds(
    Provenance,
    commit=st.just(SHA),
    dirty=st.booleans(),
    run_url=st.sampled_from(["", "https://github.com/contoso/imaging/actions/runs/77/attempts/1"]),
    by=st.sampled_from(["", "jane@contoso.com", "5f0c3b6e-0d3a-4c8e-8a53-1f1a5d3d1c11"]),
    at=st.none() | MOMENTS,
)


def git(folder: Path, *words: str) -> str:
    identity = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    ran = subprocess.run(
        ["git", *words],  # noqa: S607
        cwd=folder,
        env={**os.environ, **identity},
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit, in which a project has a template."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "score.py").write_text("1\n")
    (tmp_path / "plan.json").write_text("{}")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "templates")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


@given(KNOWN)
def test_tags_say_what_was_known(known: Provenance) -> None:
    """What is written in tags is read from them, whatever the case of their names."""
    tags = known.tags()
    assert tags.keys() <= provenance.TAGS
    assert recorded({"tags": {name.upper(): value for name, value in tags.items()}}) == known
    assert commit_of({"tags": tags}) == SHA


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(provenance.TAGS)), st.text(max_size=300)))
def test_tags_of_anybody_are_read(tags: dict[str, str]) -> None:
    """A value of another form counts as absent: no commit, no link, no control character."""
    found = recorded({"tags": tags})
    assert found.commit == "" or len(found.commit) in (40, 64)
    assert found.run_url == "" or found.run_url.startswith("https://")
    assert not any(letter < " " or letter == "\x7f" for letter in found.by)
    assert all(len(value) <= 256 for value in found.tags().values())


def test_a_commit_is_clean_or_dirty(project: Path) -> None:
    """A changed file, or a new one that may be deployed, makes it dirty; a plan file that lies about does not."""
    commit = git(project, "rev-parse", "HEAD")
    assert of_project(project, {}) == Provenance(commit)
    (project / "templates" / "new.py").write_text("x")
    assert of_project(project, {}) == Provenance(commit, dirty=True)
    (project / "templates" / "new.py").unlink()
    (project / "templates" / "score.py").write_text("2\n")
    assert of_project(project, {}) == Provenance(commit, dirty=True)


def test_the_project_is_a_part_of_the_repository(project: Path) -> None:
    """What changed beside the project does not count."""
    git(project, "mv", "templates", "infra")
    git(project, "commit", "-qm", "moved")
    (project / "infra" / "deep").mkdir()
    (project / "infra" / "score.py").write_text("2\n")
    assert not of_project(project / "infra" / "deep", {}).dirty
    assert of_project(project / "infra", {}).dirty


def test_a_detached_head_and_a_shallow_clone_have_a_commit(project: Path, tmp_path: Path) -> None:
    """As a job of GitHub checks out."""
    clone = tmp_path / "clone"
    git(project, "clone", "-q", "--depth", "1", project.as_uri(), str(clone))
    git(clone, "checkout", "-q", "--detach")
    assert of_project(clone, {}) == Provenance(git(project, "rev-parse", "HEAD"))


@pytest.mark.parametrize("why", ["no git", "no repository", "another user's", "no commit", "broken"])
def test_without_git_the_run_contains_the_commit(
    why: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fails; outside of a run there is no commit then."""
    folder = project
    match why:
        case "no git":
            monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        case "no repository":
            folder = tmp_path / "elsewhere"
            folder.mkdir()
            monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
        case "another user's":
            monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        case "no commit":
            folder = tmp_path / "new"
            folder.mkdir()
            git(folder, "init", "-q")
        case _:
            (project / ".git" / "HEAD").write_text("ref: refs/heads/none\n")
    assert of_project(folder, {}) == Provenance()
    url = "https://github.com/contoso/imaging/actions/runs/77"
    assert of_project(folder, ACTIONS) == Provenance(SHA, run_url=url)


def test_the_run_is_named(project: Path) -> None:
    """git's commit comes first: a job may check out another one than its event's."""
    found = of_project(project, {**ACTIONS, "GITHUB_RUN_ATTEMPT": "2"})
    assert found.commit == git(project, "rev-parse", "HEAD")
    assert found.run_url == "https://github.com/contoso/imaging/actions/runs/77/attempts/2"
    assert of_project(project, {**ACTIONS, "GITHUB_SERVER_URL": "javascript:alert(1)//"}).run_url == ""


def test_a_repository_starts_no_program(project: Path) -> None:
    """Programs that a repository names in its own settings are not run."""
    marker, evil = project / "ran", project / "evil.sh"
    evil.write_text(f"#!/bin/sh\necho $0 >> '{marker}'\ncat\n")
    evil.chmod(0o755)
    git(project, "add", ".")
    git(project, "commit", "-qm", "second")
    (project / ".gitattributes").write_text("* filter=a=b\ntemplates/* filter=c\n")
    for key in ("core.fsmonitor", "filter.a=b.clean", "filter.c.clean", "filter.c.process", "diff.external"):
        section, _, name = key.rpartition(".")
        first, _, rest = section.partition(".")
        head = f'[{first} "{rest}"]' if rest else f"[{first}]"
        with (project / ".git" / "config").open("a") as stream:
            stream.write(f"{head}\n\t{name} = {evil}\n")
            stream.write("\trequired = true\n" if first == "filter" else "")
    hook = project / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(evil.read_text())
    hook.chmod(0o755)
    (project / "templates" / "score.py").write_text("2\n")
    os.utime(project / "plan.json", (1, 1))
    assert of_project(project, {}).dirty
    assert not marker.exists()
    subprocess.run(["git", "status"], cwd=project, check=False, capture_output=True)  # noqa: S607
    assert marker.exists(), "the repository of this test is not hostile"


def test_git_that_hangs_is_not_waited_for(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for git is bounded; nothing is known then."""
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(provenance, "_TIMEOUT", 0.2)
    found: Any = of_project(project, {})
    assert found == Provenance()

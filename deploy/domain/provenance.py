"""Which commit a deployment was made from, by whom, in which run and when: tags of the deployment, and git's answers.

The tags are written in the PUT of the deployment. They describe the run that sent the PUT, so they are no part of a
plan, of a release or of a comparison.

    amldeploy-commit  40 hex digits, then `-dirty` when the project had uncommitted changes; absent without git
    amldeploy-by      the caller's name or object id
    amldeploy-run     the URL of the run in GitHub Actions; absent elsewhere
    amldeploy-at      2026-11-29T13:27:00Z
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.domain import leases
from deploy.sanitize import sanitize

Json = Any
COMMIT_TAG, BY_TAG, RUN_TAG, AT_TAG = "amldeploy-commit", "amldeploy-by", "amldeploy-run", "amldeploy-at"
TAGS = frozenset({COMMIT_TAG, BY_TAG, RUN_TAG, AT_TAG})
"""Tags on a deployment that the run writes; the next PUT replaces them."""
_LONGEST = 256
"""Characters that Azure accepts in the value of a tag."""
_COMMIT = re.compile(r"(?P<commit>[0-9a-f]{40}(?:[0-9a-f]{24})?)(?P<dirty>-dirty)?")
_DIRTY = "-dirty"
_URL = re.compile(r"https://[^\s<>\"'`()\[\]\\|]+")
_TIMEOUT = 10.0
"""Seconds for one call of git."""
_SAFE = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.untrackedCache=false", "protocol.allow=never")
"""Settings under which git starts no program that a repository names, and reads no other repository."""
_ELSEWHERE = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
    }
)
"""Variables that send git to another repository, as in a hook."""
_SOURCES = ("environments", "templates")
"""Folders in which an untracked file counts as a change."""


@dataclass(frozen=True)
class Provenance:
    """What a run was made from. `commit`: hex digits, empty without git; `dirty`: whether there were uncommitted
    changes; `run_url`: empty outside GitHub Actions; `by`: the caller's name or object id; `at` carries its zone.
    """

    commit: str = ""
    dirty: bool = False
    run_url: str = ""
    by: str = ""
    at: datetime | None = None

    def tags(self) -> dict[str, str]:
        """The tags; a value that is not known has none."""
        values = {
            COMMIT_TAG: self.commit + _DIRTY if self.commit and self.dirty else self.commit,
            BY_TAG: self.by[:_LONGEST],
            RUN_TAG: self.run_url if len(self.run_url) <= _LONGEST else "",
            AT_TAG: leases.iso_time(self.at) if self.at else "",
        }
        return {name: value for name, value in values.items() if value}


def recorded(body: Mapping[str, Json]) -> Provenance:
    """The provenance in the tags of a deployment. A value that is not of the documented form counts as absent."""
    tags = {str(name).lower(): str(value) for name, value in (body.get("tags") or {}).items()}
    commit = _COMMIT.fullmatch(tags.get(COMMIT_TAG, ""))
    url = tags.get(RUN_TAG, "")
    return Provenance(
        commit["commit"] if commit else "",
        bool(commit and commit["dirty"]),
        url if _URL.fullmatch(url) else "",
        " ".join(sanitize(tags.get(BY_TAG, "")).split())[:_LONGEST],
        leases.parse_time(tags.get(AT_TAG, "")),
    )


def commit_of(body: Mapping[str, Json]) -> str:
    """The commit that a deployment (its ARM body) was made from, as hex digits; empty when none is recorded."""
    return recorded(body).commit


def of_project(root: Path, variables: Mapping[str, str]) -> Provenance:
    """The provenance of a project's folder, from git and the environment variables of GitHub Actions.

    Without an answer from git (not installed, no repository, a repository of another user) the commit is that of the
    GitHub run, if there is one. The project is dirty when a tracked file has changed, or when `environments/`
    or `templates/` contain an untracked file; also when git does not answer.
    """
    commit = _hex(_git(root, "rev-parse", "--verify", "HEAD^{commit}"))
    if commit:
        return Provenance(commit, _is_dirty(root), _run_url(variables))
    sha = variables.get("GITHUB_SHA", "") if variables.get("GITHUB_ACTIONS") == "true" else ""
    return Provenance(_hex(sha), False, _run_url(variables))


def _run_url(variables: Mapping[str, str]) -> str:
    """The page of the run. With the number of the attempt, as a re-run may do something else."""
    if variables.get("GITHUB_ACTIONS") != "true":
        return ""
    server, repository, run = (variables.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    url = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
    attempt = variables.get("GITHUB_RUN_ATTEMPT", "")
    url += f"/attempts/{attempt}" if url and attempt.isdecimal() else ""
    return url if _URL.fullmatch(url) and len(url) <= _LONGEST else ""


def _hex(text: str | None) -> str:
    found = _COMMIT.fullmatch((text or "").strip().lower())
    return found["commit"] if found and not found["dirty"] else ""


def _is_dirty(root: Path) -> bool:
    filters = _filters(root)
    known = _git(
        root, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty", "--", ".", off=filters
    )
    unknown = _git(root, "ls-files", "--others", "--exclude-standard", "--directory", "--", *_SOURCES, off=filters)
    return known is None or unknown is None or bool(known.strip() or unknown.strip())


def _filters(root: Path) -> list[str]:
    """Keys of the programs that the repository's own settings would run on the content of files (`filter.*`)."""
    listed = _git(root, "config", "--null", "--show-scope", "--name-only", "--get-regexp", r"^filter\.") or ""
    words = listed.split("\0")
    return [key for scope, key in zip(words[::2], words[1::2], strict=False) if scope in ("local", "worktree")]


def _git(root: Path, *words: str, off: list[str] | None = None) -> str | None:
    """The output of git; None if git is missing, fails, or exceeds the timeout. `off`: settings that count as empty."""
    program = shutil.which("git")
    if program is None:
        return None
    settings = [part for setting in _SAFE for part in ("-c", setting)]
    try:
        ran = subprocess.run(
            [program, *settings, *words],
            cwd=root,
            env=_variables(off or []),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return ran.stdout.decode("utf-8", "replace") if ran.returncode == 0 else None


def _variables(off: list[str]) -> dict[str, str]:
    """The process's variables without those that name another repository, and with those that stop prompts of git."""
    mine = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    mine |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    first = int(mine["GIT_CONFIG_COUNT"]) if mine.get("GIT_CONFIG_COUNT", "").isdecimal() else 0
    for number, key in enumerate(off, first):
        value = "false" if key.lower().endswith(".required") else ""
        mine |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**mine, "GIT_CONFIG_COUNT": str(first + len(off))} if off else mine

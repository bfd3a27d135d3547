"""Stories: what a person types, what is printed, what is sent. Each folder is one, told in its `story.txt`.

Lines that start with `## ` tell it. A line that starts with `$ ` is run by bash in a project of its own; what follows
is what it printed (stdout, then stderr behind `! `) and, when it is not 0, its exit code. A folder `files/` is laid
over the project first. Set STORIES=write to tell them anew (scripts/stories), then read the difference.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_server import ForkServer
from tests.project import CANARY, ROOT, canary_in, make_project

HERE = Path(__file__).parent
STORIES = sorted(path.parent.name for path in HERE.glob("*/story.txt"))
PASSING = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b(?<!00000001)", "GUID"),
    (r"\b\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "MOMENT"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC", "MOMENT"),
    (r"\d{8}T\d{6}\.\d{6}Z", "TIME"),
    (r"\b\d+(\.\d+)? ?(?:s|ms)\b", "SECONDS"),
    (r"^! +SECONDS  ", "!     SECONDS  "),
    (r"fingerprint [0-9a-f]{12}", "fingerprint F"),
    (r"pid \d+", "pid PID"),
    (r"\bon \S+ has held\b", "on HOST has held"),
    (r"\bidle for \d+ min\b", "idle for N min"),
    (r"\b\d+ requests\b", "N requests"),
    (r" +$", ""),
)
"""What is another each time it is told."""


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str, tmp_path: Path, amldeploy: ForkServer) -> None:
    """Told again, the story is the same."""
    story = HERE / name / "story.txt"
    written = story.read_text(encoding="utf-8")
    project = make_project(tmp_path)
    if (HERE / name / "files").is_dir():
        shutil.copytree(HERE / name / "files", project, dirs_exist_ok=True)
    told = "\n".join(_tell(line, project, amldeploy) for line in written.splitlines() if line.startswith(("$ ", "## ")))
    assert CANARY not in told
    assert canary_in(project) == []
    assert not re.search(r"\beyJ[\w-]{8,}\.", told), "a token was said"
    if os.environ.get("STORIES") == "write":
        story.write_text(told.rstrip("\n") + "\n", encoding="utf-8")

    assert told.rstrip("\n").splitlines() == story.read_text(encoding="utf-8").splitlines()


def test_every_refusal_of_the_preflight_has_a_story() -> None:
    """Whatever a check says no with is seen in a story, as a person sees it."""
    others = {"guards", "exposure", "refusals"}  # what the plan refuses, without asking Azure
    checks = [path for path in (ROOT / "deploy" / "preflight").glob("*.py") if path.stem not in others]
    preflight = "".join(path.read_text(encoding="utf-8") for path in checks)
    told = "".join((HERE / name / "story.txt").read_text(encoding="utf-8") for name in STORIES)
    codes = set(re.findall(r'"(AML\d{3})"', preflight))
    assert codes > {"AML200", "AML250"}
    assert {code for code in codes if code not in told} == set()


def _tell(line: str, project: Path, amldeploy: ForkServer) -> str:
    if line.startswith("## "):
        return line
    ran = subprocess.run(
        ["bash", "-c", line[2:]],  # noqa: S607
        cwd=project,
        env=_environment(project, amldeploy),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    parts = [line, ran.stdout.rstrip("\n")]
    parts += [f"! {text}".rstrip() for text in ran.stderr.splitlines()]
    parts += [f"[exit {ran.returncode}]"] if ran.returncode else []
    return _lasting("\n".join(part for part in parts if part), project) + "\n"


def _environment(project: Path, amldeploy: ForkServer) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "PATH": os.pathsep.join((str(amldeploy.commands), str(Path(sys.executable).parent), kept["PATH"])),
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "AMLDEPLOY_EMULATOR": "embedded",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PROJECT": str(project),
    }


def _lasting(text: str, project: Path) -> str:
    text = text.replace(str(project), "PROJECT")
    for pattern, word in PASSING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text

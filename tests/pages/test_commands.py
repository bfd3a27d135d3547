"""Each command on each page is run against the emulator, in the order of the page, or is an exception with a reason."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import own_code
from tests.fork_server import ForkServer
from tests.pages.commands import Part, check_options, is_name, parts
from tests.pages.exceptions import DEFAULT, EMPTY, EXEMPT, EXITS, GIVEN, SHAPES, WORDS
from tests.project import ROOT

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
GENERATED = frozenset({"docs/errors.md", "docs/conformance.md", "docs/environment-file.md", "docs/pipeline-file.md"})
"""Their commands are fixes of errors: they are not run, but must exist."""
ALL = [page for page in PAGES if page not in GENERATED and parts(ROOT / page)]
ENVIRONMENT = """cloud: {cloud}
project: imaging
subscription_id: 00000000-0000-0000-0000-000000000001
resource_group: rg-local
workspace: mlw-local
endpoints:
  mip:
    template: medimageparse
    values: {{name: live-{number}, instance_type: Standard_NC24ads_A100_v4}}
"""

SCORE = """import json

def init():
    pass

def run(data):
    rows = json.loads(data)["x"]
    return {"species": ["setosa" for _ in rows], "probability": [0.97 for _ in rows]}
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A page that starts with an endpoint takes seconds: with `--laws full`."""
    if "start" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("page", ALL if full else DEFAULT)


@pytest.fixture(scope="session")
def deployed(amldeploy: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the endpoint mip in local and prod, deployed; and the environment dev in Azure."""
    folder = tmp_path_factory.mktemp("deployed")
    shutil.copytree(ROOT / "templates/medimageparse", folder / "templates/medimageparse")
    (folder / "environments").mkdir()
    for number, name in enumerate(("local", "dev", "prod")):
        text = ENVIRONMENT.format(number=number, cloud="AzureCloud" if name == "dev" else "local")
        (folder / f"environments/{name}.yml").write_text(text, encoding="utf-8")
    for name in ("local", "prod"):
        ran = amldeploy.run(folder, "apply", "-e", name, AMLDEPLOY_EMULATOR="embedded")
        assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture
def start(page: str, amldeploy: ForkServer, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The folder in which a page begins."""
    folder = tmp_path / "project"
    if page in EMPTY:
        folder.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("deployed"), folder)
    if page == "docs/own-model.md":
        own_code.project(folder / "my-model", SCORE)
    if page in GIVEN:
        assert _bash(GIVEN[page], folder, amldeploy).returncode == 0
    return folder


def test_the_commands_of_a_page_run(page: str, start: Path, amldeploy: ForkServer) -> None:
    """A block ends with exit code 0; the lines of a console print what the page shows; files are written first."""
    if page == "docs/own-model.md" and not own_code.interpreter():
        pytest.skip("the extra local-scoring is not installed: run scripts/scoring and set AMLDEPLOY_SCORING_PYTHON")
    for part in parts(ROOT / page):
        if part.kind == "file":
            (start / part.name).parent.mkdir(parents=True, exist_ok=True)
            (start / part.name).write_text(part.text, encoding="utf-8")
        elif script := _script(page, part):
            ran = _bash(script, start, amldeploy)
            assert ran.returncode == EXITS.get((page, part.text), 0), f"{page}:{part.line}: {script}\n{ran.stderr}"
            _compare(part.output, ran.stdout)


@pytest.mark.parametrize("page", PAGES)
def test_each_command_has_valid_options(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are not run: the command exists, and so does each option of it."""
    monkeypatch.setenv("HOME", str(tmp_path))  # some options act while they are read
    for part in parts(ROOT / page):
        if part.kind != "file" and part.text not in SHAPES:
            for line in part.text.replace("\\\n", " ").splitlines():
                if line.startswith("amldeploy ") and not (part.kind == "inline" and is_name(line)):
                    check_options(line)


@pytest.mark.parametrize("exempt", EXEMPT, ids=lambda each: f"{each.page} {each.line}")
def test_each_exception_is_needed(exempt: object) -> None:
    """It matches a line of its page."""
    lines = [line for part in parts(ROOT / exempt.page) for line in part.text.splitlines()]  # type: ignore[attr-defined]
    assert any(re.search(exempt.line, line) for line in lines)  # type: ignore[attr-defined]


def test_every_command_is_shown() -> None:
    """docs/commands.md has a row for each command of `amldeploy --help`."""
    from deploy.cli import command

    shown = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert [name for name in command().commands if f"`amldeploy {name}" not in shown] == []


def _script(page: str, part: Part) -> str:
    """What is run of a part: nothing of a name, of a form and of an exception."""
    if part.text in SHAPES or (part.kind == "inline" and is_name(part.text)):
        return ""
    exempt = [each for each in EXEMPT if each.page == page]
    lines = part.text.splitlines()
    if any(each.block and re.search(each.line, line) for each in exempt for line in lines):
        return ""
    kept = [line for line in lines if not any(re.search(each.line, line) for each in exempt)]
    if not any(line and not line.startswith("#") for line in kept):
        return ""
    text = "\n".join(kept)
    for word, typed in WORDS.get(page, {}).items():
        text = re.sub(rf"\b{word}\b", typed, text)
    return text


def _bash(script: str, folder: Path, amldeploy: ForkServer) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(amldeploy.commands), str(Path(sys.executable).parent), os.environ["PATH"]))
    variables = {"PATH": path, "AMLDEPLOY_EMULATOR": "embedded", "NO_COLOR": "1", "COLUMNS": "100", "TZ": "UTC"}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],  # noqa: S607
        cwd=folder, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def _compare(shown: str, printed: str) -> None:
    """What a page shows is what is printed, except spaces, line breaks, ports and times; `...` is anything."""
    if shown:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        wanted, got = (" ".join(_lasting(text).split()) + "\n" for text in (shown, printed))
        assert doctest.OutputChecker().check_output(wanted, got, flags), f"{wanted}\n{got}"


def _lasting(text: str) -> str:
    return re.sub(r"\b\d+(\.\d+)? s\b", "N s", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text))

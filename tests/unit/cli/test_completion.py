"""Completion in the shell: names from the project's files, in real shells where they are installed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fork_server import ForkServer
from tests.project import make_project

LINES = [
    ("amldeploy plan -e ", {"dev", "local", "prod"}),
    ("amldeploy plan -e l", {"local"}),
    ("amldeploy -C templates plan -e d", {"dev"}),
    ("amldeploy status -e local ", {"mip"}),
    ("amldeploy status -e dev mip ", {"insight"}),
    ("amldeploy keys show -e dev i", {"insight"}),
    ("amldeploy import --adopt -e local ", {"mip"}),
    ("amldeploy invoke ", {"mip", "insight"}),
    ("amldeploy logs -e local mip --slot ", {"blue", "green", "canary-slot"}),
    ("amldeploy logs -e local mip --slot c", {"canary-slot"}),
    ("amldeploy init --template own", {"own-model"}),
    ("amldeploy explain AML69", {"AML690", "AML691", "AML692", "AML693"}),
    ("amldeploy schema pl", {"plan"}),
]
"""What is typed before TAB, and what completes it."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a slot of its own."""
    root = make_project(tmp_path_factory.mktemp("completion"))
    (root / "environments" / "prod.yml").write_text("endpoints: {mip: {template: medimageparse}}\n")
    (root / "templates" / "medimageparse" / "canary-deployment.yml").write_text("name: canary-slot\n")
    return root


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


def variables(amldeploy: ForkServer) -> dict[str, str]:
    return {**os.environ, "PATH": f"{amldeploy.commands}:{os.environ['PATH']}", "TERM": "xterm"}


def completed(amldeploy: ForkServer, root: Path, line: str, **more: str) -> set[str]:
    """What `amldeploy` offers for a line, in the form that it has in PowerShell."""
    word = "" if line.endswith(" ") else line.rsplit(maxsplit=1)[-1]
    ran = amldeploy.run(
        root,
        _AMLDEPLOY_COMPLETE="complete_powershell",
        _TYPER_COMPLETE_ARGS=line.rstrip(),
        _TYPER_COMPLETE_WORD_TO_COMPLETE=word,
        **more,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return {row.partition(":::")[0] for row in ran.stdout.splitlines() if row}


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_names_in_powershell(line: str, expected: set[str], amldeploy: ForkServer, project: Path) -> None:
    """What the script of PowerShell gets."""
    assert completed(amldeploy, project, line) == expected


def test_names_in_bash(amldeploy: ForkServer, project: Path) -> None:
    """The script of --show-completion, sourced by bash."""
    script = ['eval "$(_AMLDEPLOY_COMPLETE=source_bash amldeploy)"']
    for line, _ in LINES:
        words = line.split(" ")
        script.append(f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}")
        script.append("_amldeploy_completion amldeploy; echo ${COMPREPLY[*]}")
    ran = subprocess.run(
        [need("bash"), "--norc", "-c", "\n".join(script)],
        cwd=project, env=variables(amldeploy), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert [set(row.split()) for row in ran.stdout.splitlines()] == [expected for _, expected in LINES]
    assert ran.stderr == ""


def test_names_in_fish(amldeploy: ForkServer, project: Path) -> None:
    """`complete -C` prints what TAB offers, with descriptions; a word without completion is a file."""
    lines = [*LINES, ("amldeploy invoke -e local --image environments/loc", {"environments/local.yml"})]
    script = "env _AMLDEPLOY_COMPLETE=source_fish amldeploy | source\n"
    script += "\n".join(f"complete -C '{line}'; echo ==" for line, _ in lines)
    ran = subprocess.run(
        [need("fish"), "--no-config", "-c", script],
        cwd=project, env=variables(amldeploy), capture_output=True, text=True, check=True,
    )  # fmt: skip
    offered = [{row.partition("\t")[0] for row in part.splitlines() if row} for part in ran.stdout.split("==\n")]

    assert offered[:-1] == [expected for _, expected in lines]
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("amldeploy plan -e l", "plan -e local"),
        ("amldeploy status -e dev i", "-e dev insight"),
        ("amldeploy explain AML69", "Several environments for one command"),
        ("amldeploy logs -e local mip --slot ", "canary-slot"),
        ("amldeploy invoke -e local --image environments/loc", "environments/local.yml"),
    ],
)
def test_names_in_zsh(typed: str, shown: str, amldeploy: ForkServer, project: Path, tmp_path: Path) -> None:
    """A terminal in which TAB is pressed."""
    zsh = need("zsh")
    script = 'PS1="ready> "; autoload -Uz compinit; compinit -u -D\n'
    script += 'eval "$(_AMLDEPLOY_COMPLETE=source_zsh amldeploy)"\n'
    (tmp_path / ".zshrc").write_text(script)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.execve(zsh, [zsh, "-i"], {**variables(amldeploy), "ZDOTDIR": str(tmp_path)})  # noqa: S606
    try:
        assert "ready> " in read_until(terminal, "ready> ")
        os.write(terminal, typed.encode() + b"\t")
        assert shown in read_until(terminal, shown)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def read_until(terminal: int, text: str) -> str:
    """What the terminal shows until `text` is in it, or for at most 30 seconds."""
    found, end = "", time.monotonic() + 30
    while text not in found and (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            found += os.read(terminal, 4096).decode(errors="replace")
    return found


@pytest.mark.parametrize(
    "text",
    ["endpoints: [", "endpoints: 3", "- 1", "", "\x00", "[" * 50_000, "x: " + "y" * 2**17, "a: &a [*a]\nendpoints: *a"],
    ids=["broken", "number", "list", "empty", "binary", "deep", "large", "alias"],
)
def test_a_bad_file_completes_nothing(text: str, amldeploy: ForkServer, tmp_path: Path) -> None:
    """No traceback in the line that the user types; the other files are completed."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "bad.yml").write_text(text)
    (tmp_path / "environments" / "good.yml").write_text("endpoints: {mip: {}, 'a$(b)': {}, 'a b': {}, '7': {}}\n")

    assert completed(amldeploy, tmp_path, "amldeploy plan -e bad ") == set()
    assert completed(amldeploy, tmp_path, "amldeploy plan ") == {"mip", "7"}
    assert completed(amldeploy, tmp_path, "amldeploy plan -e ") == {"bad", "good"}
    assert completed(amldeploy, tmp_path, "amldeploy logs -e bad x --slot ") == {"blue", "green"}


def test_outside_of_a_project_names_of_the_package_remain(amldeploy: ForkServer, tmp_path: Path) -> None:
    """And nothing is created."""
    assert completed(amldeploy, tmp_path, "amldeploy plan -e ") == set()
    assert completed(amldeploy, tmp_path, "amldeploy -C nowhere plan -e ") == set()
    assert completed(amldeploy, tmp_path, "amldeploy explain AML000") == set()
    assert completed(amldeploy, tmp_path, "amldeploy explain AML001") == {"AML001"}
    assert list(tmp_path.iterdir()) == []


def test_the_variable_selects_the_keys(amldeploy: ForkServer, project: Path) -> None:
    """As it does for the command."""
    assert completed(amldeploy, project, "amldeploy plan ", AMLDEPLOY_ENVIRONMENT="local") == {"mip"}


def test_completion_imports_neither_azure_nor_the_commands(project: Path) -> None:
    """It runs at each TAB. Environments need no YAML parser either."""
    code = (
        "import atexit, sys; from deploy import cli;"
        "atexit.register(lambda: print(sorted({n for n in sys.modules if n in ('azure', 'yaml', 'deploy.commands')})));"
        "cli.main()"
    )
    for line, imported in (("amldeploy plan -e ", "[]"), ("amldeploy plan -e local ", "['yaml']")):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project, capture_output=True, text=True, check=True,
            env={**os.environ, "_AMLDEPLOY_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line},
        )  # fmt: skip
        assert ran.stdout.splitlines()[-1] == imported

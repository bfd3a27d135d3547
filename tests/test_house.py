"""The layout of the code: layers, sizes, locality of changes."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT

FILES = sorted([*(ROOT / "deploy").rglob("*.py"), *(ROOT / "scripts" / "acceptance_run").rglob("*.py")])
LONG_FILES: dict[str, int] = {}
"""Files that may have more than 400 lines, with their limits."""


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    """A file has at most 400 lines, or is listed as an exception."""
    assert _lines(path) <= LONG_FILES.get(str(path.relative_to(ROOT)), 400)


def test_functions_are_short() -> None:
    """No function has more than 40 lines without its docstring."""
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                if (node.end_lineno or 0) - first.lineno + 1 > 40:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert long == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_has_a_docstring(path: Path) -> None:
    """Its docstring explains the module."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_modules_are_named_after_their_subject() -> None:
    """No module is called utils, helpers, common, base, core or manager."""
    assert not {p.stem for p in FILES} & {"utils", "util", "helpers", "common", "base", "core", "manager", "misc"}


def test_help_and_validate_never_import_azure() -> None:
    """The CLI starts quickly, and files are checked offline."""
    code = (
        "import sys; from deploy import cli, commands; from pathlib import Path;"
        "commands.validate(commands.Project(Path('.')), 'local');"
        "print([name for name in sys.modules if name.split('.')[0] == 'azure'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_names_no_workplace() -> None:
    """No file names a path of a machine or the host of a package registry."""
    words = re.compile("|".join(("/wo" + "rk/", r"pypi\." + "org", "registry.npm" + "js", "deb" + r"ian\.org")))
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout  # noqa: S607
    named = [
        name
        for name in listed.splitlines()
        if (ROOT / name).suffix not in (".png", ".gz", ".joblib") and (ROOT / name).is_file()
        if words.search((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert named == []


CHANGES = {
    "a field of the deployment YAML": ("app_insights_enabled", "appInsightsEnabled"),
    "a check before apply": ("model_check", "model_support", "AML245"),
    "a probe type": ("gigapath",),
    "an alias kind": ("github_variable",),
    "a fault kind": ("drip",),
    "a step type": ("identity_record",),
    "an emulated ARM operation": ("name_checks",),
    "an error code": ("AML376",),
    "an output format": ("ics",),
}
"""A kind of change -> the names of an existing example, as CONTRIBUTING.md lists them."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_touches_at_most_three_files(change: str) -> None:
    """The example occurs as a whole word in one to three files of deploy/, besides the files named after it.

    Generated files (schemas) are not counted.
    """
    words = re.compile(rf"\b({'|'.join(CHANGES[change])})\b")
    touched = [
        str(path.relative_to(ROOT))
        for path in (*FILES, ROOT / "deploy" / "error_codes.yml")
        if path.stem not in CHANGES[change] and words.search(path.read_text(encoding="utf-8"))
    ]

    assert 1 <= len(touched) <= 3, touched


def test_contributing_lists_every_example() -> None:
    """The table of CONTRIBUTING.md and the examples above are the same."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for names in CHANGES.values() for name in names[:1] if f"`{name}`" not in text] == []


BREACHES = [
    ("Layers: a package imports only from those below it", "planning/planner.py", "import deploy.commands"),
    ("Layers: a package imports only from those below it", "emulator/wire/call.py", "import deploy.errors"),
    ("Layers of the emulator", "emulator/wire/call.py", "import deploy.emulator.rbac.rights"),
    ("No circles in the emulator", "emulator/wire/responses.py", "from deploy.emulator.wire.call import Call"),
    ("Step types are independent", "steps/traffic.py", "import deploy.steps.probe"),
    ("Only the cloud, the CLI and the pytest plugin start an emulator", "commands/status.py", "import deploy.emulator"),
    ("Only the cloud and the pytest plugin import azure", "steps/quota_check.py", "import azure.core"),
    ("Only the executor retries", "cloud/arm.py", "import tenacity"),
]


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES, ids=[f"{b[1]} {b[2]}" for b in BREACHES])
def test_a_forbidden_import_is_refused(contract: str, file: str, line: str, tmp_path: Path) -> None:
    """Each import contract fails for a copy of the code with one wrong import."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "deploy" / file).open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run(
        [lint, "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )

    assert ran.returncode != 0
    assert f"{contract} BROKEN" in ran.stdout

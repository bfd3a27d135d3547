"""The documentation is consistent: links resolve, named files and tests exist, and every dependency has its reason."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.project import ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:deploy|tests|scripts|docs|benchmarks|environments|templates)/[\w./-]*[\w-])(?:::(\w+))?`")
LAW = re.compile(r"\b[Ll]aws? (\d+)(?: and (\d+))?")


def _pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout  # noqa: S607
    return [ROOT / name for name in listed.split() if (ROOT / name).is_file()]


PAGES = _pages()


def _ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@cache
def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_ids(PAGES))
def test_links_resolve(page: Path) -> None:
    """Each relative link names a file of this repository, and its anchor a heading."""
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:", "$")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=_ids(PAGES))
def test_named_files_and_tests_exist(page: Path) -> None:
    """Each path in backticks exists, except a form with NAME, and so does each test function after `::`."""
    missing = []
    for path, function in NAMED.findall(page.read_text(encoding="utf-8")):
        if "NAME" in path:
            continue
        file = ROOT / path
        if not file.exists() or (function and f"\ndef {function}(" not in file.read_text(encoding="utf-8")):
            missing.append(f"{path}::{function}")
    assert missing == []


def test_laws_of_docstrings_are_listed() -> None:
    """A docstring of a test names a law that docs/laws.md lists."""
    listed = set(re.findall(r"^\| (\d+) \|", (ROOT / "docs/laws.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set()
    for file in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and (words := ast.get_docstring(node)):
                named |= {number for pair in LAW.findall(words) for number in pair if number}
    assert named
    assert named <= listed


def test_every_dependency_has_a_reason() -> None:
    """docs/decisions/0003-dependencies.md lists the packages of pyproject.toml, and no others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(p for group in project["optional-dependencies"].values() for p in group)]
    page = (ROOT / "docs/decisions/0003-dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w, -]+) \|", page, flags=re.MULTILINE)
    listed = {name for row in rows if row != "package" for name in row.split(", ")}
    assert listed == {re.split(r"[<>=!~\[ ]", each)[0] for each in wanted}

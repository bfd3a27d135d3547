"""The documentation site builds without a warning, and fetches nothing; generated pages are up to date."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT
from tests.workflows.expressions import FUNCTIONS, Scope

FETCHED = re.compile(r"""(?:src=|url\(|@import |<link[^>]*href=|fetch\()\s*["']?(?:https?:)?//[^"' )]+""")


@pytest.mark.skipif(
    not importlib.util.find_spec("sphinx") and not os.environ.get("CI"),
    reason="the extra docs is not installed: run scripts/install docs",
)
def test_the_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    """A broken link, a missing anchor and a page outside the navigation fail. Search works without a network."""
    script = (ROOT / "scripts/docs").read_text(encoding="utf-8")
    words = next(line for line in script.splitlines() if "-m sphinx" in line).split()[1:]
    site = tmp_path / "site"
    places = {"site": str(site), ".venv/docs-cache": str(tmp_path / "cache")}
    ran = subprocess.run(
        [sys.executable, *(places.get(word, word) for word in words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert {page for page in pages if not (site / f"{page}.html").is_file() or f'"{page}"' not in index} == set()
    texts = [path for path in site.rglob("*") if path.suffix in (".html", ".css", ".svg")]
    assert len(texts) > len(pages)
    assert [hit for path in texts for hit in FETCHED.findall(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", ["environment", "pipeline"])
def test_the_reference_is_up_to_date(name: str) -> None:
    """docs/environment-file.md and docs/pipeline-file.md equal the output of scripts/reference."""
    page = runpy.run_path(str(ROOT / "scripts/reference"))["page"](name)
    assert (ROOT / f"docs/{name}-file.md").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("name", ["environment", "pipeline"])
def test_the_reference_has_every_key(name: str) -> None:
    """Each key of each model has a line with a type, a description and, if it has one, an example."""
    from deploy.documents.json_schema import MODELS

    page = (ROOT / f"docs/{name}-file.md").read_text(encoding="utf-8")
    schema = MODELS[name].model_json_schema()
    keys = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}
    assert len(keys) > 10
    assert [
        key for key in keys if not re.search(rf"^- \*\*`{key}`\*\*: \S.*\. .*Example: `{key}:", page, re.MULTILINE)
    ] == []


def test_the_workflow_of_the_page_is_the_one_that_init_writes() -> None:
    """docs/github-actions.md contains deploy/starter/workflow.yml as it is."""
    page = (ROOT / "docs/github-actions.md").read_text(encoding="utf-8")
    assert f"```yaml\n{(ROOT / 'deploy/starter/workflow.yml').read_text(encoding='utf-8')}```\n" in page


def test_the_job_of_a_second_environment_passes_the_linter(tmp_path: Path) -> None:
    """The workflow with the other jobs of docs/github-actions.md is valid."""
    page = (ROOT / "docs/github-actions.md").read_text(encoding="utf-8")
    jobs = re.findall(r"^```yaml\n(  [\w-]+:\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(jobs) == 2
    workflow = (ROOT / "deploy/starter/workflow.yml").read_text(encoding="utf-8") + "".join(jobs)
    path = tmp_path / "amldeploy.yml"
    path.write_text(workflow.replace("OWNER/", "acme/").replace("@COMMIT", f"@{'0123456789' * 4}"), encoding="utf-8")
    for tool in (("jactionlint", "--shellcheck="), ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")):
        command = [Path(sys.executable).with_name(tool[0]), *tool[1:], path]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("results", "starts"),
    [
        (("success", "success"), True),
        (("skipped", "success"), True),
        (("failure", "skipped"), False),
        (("cancelled", "skipped"), False),
        (("success", "failure"), False),
    ],
)
def test_a_third_environment_waits_for_all_earlier_ones(results: tuple[str, str], starts: bool) -> None:
    """The condition of the job `prod` of the page, with `needs: [dev, staging]`: a failed dev skips staging."""
    page = (ROOT / "docs/github-actions.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(  review-prod:\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    needs = dict(zip(("dev", "staging"), ({"result": each} for each in results), strict=True))
    functions = {**FUNCTIONS, "cancelled": lambda: False}
    scope = Scope({"needs": needs, "github": {"event_name": "push"}, "inputs": {}}, functions)
    assert scope.holds(yaml.safe_load(block)["prod"]["if"]) is starts


def test_the_table_of_workflows_names_their_inputs() -> None:
    """docs/github-actions.md: each reusable workflow with its inputs, the required ones in bold."""
    page = (ROOT / "docs/github-actions.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z]+\.yml)` \| ([^|]*) \|", page, re.MULTILINE))
    called = {}
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        if call := yaml.safe_load(path.read_text(encoding="utf-8"))[True].get("workflow_call"):
            names = (f"**{name}**" if each.get("required") else name for name, each in call["inputs"].items())
            called[path.name] = ", ".join(names)
    assert listed == called

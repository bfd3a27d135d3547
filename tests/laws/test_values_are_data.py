"""Law 8, from an environment file to the CLI v2 files: no value changes the structure or a type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy import commands

ENDPOINT = (
    "name: fixed\nauth_mode: key\ndescription: {{ values.text }}\n"
    "tags:\n  before: stays\n  it: {{ values.text }}\n  after: stays\n"
)
DEPLOYMENT = (
    "name: blue\nendpoint_name: fixed\nmodel: azureml:m:1\ninstance_type: Standard_DS3_v2\n"
    "instance_count: {{ values.count }}\nenvironment_variables: {{ values.mapping }}\n"
    "description: a {{ values.text }} b\n"
)
NO_FILE_HOLDS = "\ufeff\u2028\u2029\ufffe\uffff"
"""Refused in every position; a file contains them as escapes."""
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=NO_FILE_HOLDS)
    | st.sampled_from("\n\t#:{}[]&*!|>'\"%@`,?-"),
    min_size=1,
)
HOSTILE = (
    "x\ny: 1 # {{ z }}",
    "no",
    "010",
    "null",
    "~",
    "{% raw %}",
    "${{ secrets.x }}",
    "- a\n- b",
    "&a *a",
    "!!python/x",
    "a: b",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "environments").mkdir()
    (folder / "templates" / "t").mkdir(parents=True)
    (folder / "templates" / "t" / "endpoint.yml.j2").write_text(ENDPOINT)
    (folder / "templates" / "t" / "deployment.yml.j2").write_text(DEPLOYMENT)
    return folder


def rendered(root: Path, values: dict) -> tuple[dict, dict]:
    body = {
        "cloud": "local",
        "subscription_id": "00000000-0000-0000-0000-000000000001",
        "resource_group": "rg",
        "workspace": "ws",
        "endpoints": {"one": {"template": "t", "values": values}},
    }
    (root / "environments" / "law.yml").write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    files = commands.render(commands.Project(root), "law")
    return yaml.safe_load(files["one/endpoint.yml"]), yaml.safe_load(files["one/deployment.yml"])


def check(root: Path, text: str, count: int, mapping: dict[str, str]) -> None:
    endpoint, deployment = rendered(root, {"text": text, "count": count, "mapping": mapping})

    assert endpoint == {
        "name": "fixed",
        "auth_mode": "key",
        "description": text,
        "tags": {"before": "stays", "it": text, "after": "stays"},
    }
    assert deployment["instance_count"] == count
    assert deployment["environment_variables"] == mapping
    assert deployment["description"] == f"a {text} b"
    assert set(deployment) == {
        "name",
        "endpoint_name",
        "model",
        "instance_type",
        "instance_count",
        "environment_variables",
        "description",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values(root: Path, text: str) -> None:
    """Text with a meaning in YAML, jinja or a shell stays text."""
    check(root, text, 1, {"KEY": text})


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text="x\ny: 1 # {{ z }}", count=1, mapping={})
@given(
    text=TEXT, count=st.integers(1, 50), mapping=st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), TEXT)
)
def test_no_value_changes_the_structure(root: Path, text: str, count: int, mapping: dict[str, str]) -> None:
    """Any text, number or mapping arrives unchanged in its position, and nothing else changes."""
    check(root, text, count, mapping)

"""Laws of the diff, on the emulator, with the real SDK: what an outsider changes is seen as it is, and healed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import diff, reader, validator, verbs
from deploy.diff.forms import short_reference
from deploy.errors import Refused
from tests.contract.own_code import needs_server
from tests.outsider import Outsider
from tests.project import make_project
from tests.table import SAMPLES, WORKSPACE

ENVIRONMENT = {
    "cloud": "local",
    "subscription_id": "00000000-0000-0000-0000-000000000001",
    "resource_group": "rg-local",
    "workspace": "mlw-local",
}
BY_FILE = {
    "scale_settings.type": "managed deployments have one",
    "code_configuration.code": "code is compared by the release: its files are what changes",
    "code_configuration.scoring_script": "goes with the code",
    "liveness_probe.success_threshold": "Azure takes 1 alone",
    "data_collector.collections.*.data": "the SDK registers the asset that the file names",
}
"""Rows that are not changed live, and why."""


class Ground:
    """One project on one open emulator, with one endpoint that says something for every row."""

    def __init__(self, root: Path) -> None:
        self.project, self.outsider = verbs.Project(make_project(root)), Outsider.__new__(Outsider)
        self.write("environments/law.yml", {**ENVIRONMENT, "endpoints": {"all": {"template": "all"}}})
        self.endpoint, self.deployment = _documents()
        self.files()

    def write(self, name: str, document: Any) -> None:
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def files(self, **changed: Any) -> None:
        """The template as it is, or with another endpoint or deployment."""
        self.write("templates/all/endpoint.yml", changed.get("endpoint", self.endpoint))
        self.write("templates/all/deployment.yml", changed.get("deployment", self.deployment))

    def plan(self) -> Any:
        return verbs.plan(self.project, "law")

    def apply(self) -> list[Any]:
        """Applies; what went wrong."""
        done = verbs.apply(self.project, "law", approve=lambda *_: None, tell=lambda _: None)
        return [outcome.error for outcome in done.report.outcomes if outcome.error]


def _documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """An endpoint and a deployment with the first sample of every row."""
    endpoint: dict[str, Any] = {"name": "all-here", "traffic": {"blue": 100}}
    deployment: dict[str, Any] = {"name": "blue", "endpoint_name": "all-here"}
    for document, table in ((endpoint, diff.ENDPOINT), (deployment, diff.DEPLOYMENT)):
        for row in table:
            if not row.yaml.startswith(("identity", "code_", "private_")):
                _set(document, row.yaml, SAMPLES[row.yaml][0].yaml)
    endpoint["identity"] = {"type": "system_assigned"}
    return endpoint, deployment


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    *around, last = path.replace("*", "k").split(".")
    for name in around:
        document = document.setdefault(name, {})
    document[last] = value


def _get(body: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        body = body[name]
    return body


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    found = Ground(tmp_path_factory.mktemp("ground"))
    file = validator.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        found.outsider = Outsider()
        for path in ("models/m/versions/3", "environments/e/versions/2", "codes/c/versions/1"):
            body = {"modelUri": "azureml://x", "image": "x", "codeUri": "https://x"}
            found.outsider.send("PUT", f"/{path}", {"properties": body})
        assert found.apply() == []
        yield found


def live_rows() -> list[Any]:
    """Every row that Azure can change on what is there."""
    rows = []
    for where, table in (("all-here", diff.ENDPOINT), ("all-here/deployments/blue", diff.DEPLOYMENT)):
        rows += [
            pytest.param(where, row, id=f"{where.rpartition('/')[2]} {row.yaml}")
            for row in table
            if row.mutability is diff.Mutability.UPDATE and row.yaml not in BY_FILE
        ]
    return rows


@pytest.mark.parametrize(("where", "row"), live_rows())
def test_what_an_outsider_changes_is_seen_and_healed(ground: Ground, where: str, row: diff.Field) -> None:
    """Whatever field is changed live: the plan shows that change and nothing else, apply heals it, then it is empty."""
    one, other = SAMPLES[row.yaml]
    body = ground.outsider.get(where)
    _set(body, row.arm, other.arm)
    ground.outsider.put(f"/onlineEndpoints/{where}", body)
    (step,) = [step for step in ground.plan().steps if step.changes]

    assert [(c["path"], c["before"], c["after"]) for c in step.body["changes"]] == [
        (row.yaml.replace("*", "k"), other.yaml, one.yaml)
    ]
    assert ground.apply() == []
    assert ground.plan().steps == ()


def test_the_file_changes_what_azure_cannot(ground: Ground) -> None:
    """Identity and properties of an endpoint are refused, each with its place; nothing is sent."""
    for change, code in (({"identity": {"type": "none"}}, "AML220"), ({"properties": {"k": "2"}}, "AML221")):
        ground.files(endpoint={**ground.endpoint, **change})
        with pytest.raises(Refused, match=code):
            ground.plan()
    for change in ({"instance_type": "Standard_F4s_v2"}, {"properties": {"k": "2"}}):
        ground.files(deployment={**ground.deployment, **change})
        with pytest.raises(Refused, match="AML222"):
            ground.plan()
    ground.files()
    assert ground.plan().steps == ()


def test_count_and_the_rest_at_once(ground: Ground) -> None:
    """Two changes in one apply are two steps: the count by a PATCH of its own, then the rest."""
    changed = copy.deepcopy(ground.deployment)
    changed |= {"instance_count": 3, "description": "two things at once"}
    ground.files(deployment=changed)
    whys = [step.why for step in ground.plan().steps if step.changes]

    assert whys[0] == "instance_count 1 -> 3"
    assert len(whys) == 2
    assert ground.apply() == []
    assert ground.plan().steps == ()
    ground.files()
    assert ground.apply() == []
    assert ground.plan().steps == ()


def test_files_are_compared_by_the_release(ground: Ground) -> None:
    """A model and an environment of one's own: plan after apply is empty, and another content is one change."""
    weights = ground.project.root / "templates/all/weights/w.bin"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    inline = {"image": "mcr.microsoft.com/mine:1", "conda_file": {"dependencies": ["python=3.11"]}}
    ground.files(deployment={**ground.deployment, "model": {"path": "weights"}, "environment": inline})
    assert ground.apply() == []
    assert ground.plan().steps == ()
    weights.write_bytes(b"two")
    (step,) = [step for step in ground.plan().steps if step.changes]

    assert [change["path"] for change in step.body["changes"]] == ["tags.amldeploy-release"]
    assert ground.apply() == []
    assert ground.plan().steps == ()
    ground.files()
    assert ground.apply() == []


CODE = {"code": "src", "scoring_script": "score.py"}
IMAGE = {"image": "mcr.microsoft.com/mine:1"}
FILES = {
    "model": ({"model": {"path": "weights"}}, "models/m/versions/3", "model"),
    "environment": ({"environment": IMAGE}, "environments/e/versions/2", "environmentId"),
    "code_configuration.code": ({"code_configuration": CODE}, "codes/c/versions/1", "codeConfiguration.codeId"),
}
"""Field -> what a file says, what an outsider puts in its place, and where."""


@pytest.mark.parametrize("field", ["model", "environment", pytest.param("code_configuration.code", marks=needs_server)])
def test_an_asset_made_of_files_is_told_apart(ground: Ground, field: str) -> None:
    """Files do not say what Azure calls what was made of them; another in its place is one change, and healed."""
    said, other, arm = FILES[field]
    for name in ("weights/w.bin", "src/score.py"):
        file = ground.project.root / "templates/all" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("def init(): pass\ndef run(data): return data\n")
    ground.files(deployment={**ground.deployment, **said})
    assert ground.apply() == []
    assert ground.plan().steps == ()
    where = "all-here/deployments/blue"
    body = ground.outsider.get(where)
    made = _get(body, f"properties.{arm}")
    _set(body, f"properties.{arm}", f"{WORKSPACE}/{other}")
    ground.outsider.put(f"/onlineEndpoints/{where}", body)
    (step,) = [step for step in ground.plan().steps if step.changes]

    before, after = short_reference(f"{WORKSPACE}/{other}"), short_reference(made)
    assert [(c["path"], c["before"], c["after"]) for c in step.body["changes"]] == [(field, before, after)]
    assert ground.apply() == []
    assert _get(ground.outsider.get(where), f"properties.{arm}") == made
    assert ground.plan().steps == ()
    ground.files()
    assert ground.apply() == []
    assert ground.plan().steps == ()

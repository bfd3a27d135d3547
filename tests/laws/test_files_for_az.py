"""Law: azure-ai-ml loads what `render` writes of all files that `validate` accepts, Azure accepts it, and a second plan
is empty.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.ai.ml import load_online_deployment, load_online_endpoint
from hypothesis import HealthCheck, given, seed, settings

from deploy import commands
from deploy.commands.project import load_spec
from deploy.config import reader, validation
from deploy.domain.spec import EndpointSpec
from deploy.errors import Problem, SpecError
from deploy.reporter import cli_files
from tests import generated
from tests.laws.ground import ENVIRONMENT
from tests.laws.made import text_of
from tests.outsider import Outsider
from tests.project import ROOT, make_project

PARTS = 4
AT_ONCE = 16
"""Specs that one emulator gets together."""
Record = Callable[[str, object], None]
ASSETS = {
    "/models/M/versions/3": {
        "modelUri": "azureml://datastores/workspaceblobstore/paths/m",
        "modelType": "mlflow_model",
    },
    "/environments/E/versions/2": {
        "image": "mcr.microsoft.com/e:2",
        "inferenceConfig": {f"{name}Route": {"port": 80, "path": "/"} for name in ("liveness", "readiness", "scoring")},
    },
}
"""Assets of the workspace that the documents name: each can start without code."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "part" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("part", range(1, 1 + PARTS) if full else [0])


def drawn(count: int, part: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The same documents of a part in each run."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []

    @seed(part)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(generated.ENDPOINTS, generated.DEPLOYMENTS)
    def collect(endpoint: dict[str, Any], deployment: dict[str, Any]) -> None:
        found.append((endpoint, deployment))

    collect()
    return found


def test_all_files(tmp_path: Path, record_property: Record) -> None:
    """The shipped templates and those of the stories."""
    count = 0
    for number, more in enumerate((None, *sorted((ROOT / "tests" / "stories").glob("*/files")))):
        folder = tmp_path / str(number)
        folder.mkdir()
        project = commands.Project(make_project(folder))
        if more:
            shutil.copytree(more, folder, dirs_exist_ok=True)
        names = {file.stem for file in ((more or folder) / "environments").glob("*.yml")}
        for name in sorted(names):
            for spec in accepted(project, name):
                files = cli_files(spec, folder)
                load(files, spec)
                count += len(files)
    record_property("rendered files", f"azure-ai-ml loads {count}")
    assert count >= 60


def test_generated_files(tmp_path: Path, record_property: Record, part: int) -> None:
    """Documents over all fields; those that need more than Azure are loaded and not deployed. With --laws full at least
    2,000 are loaded, in parts that run side by side.
    """
    documents = drawn(1000 if part else AT_ONCE, part)
    checked = deployed = 0
    for start in range(0, len(documents), AT_ONCE):
        able, loaded = deploy(tmp_path / str(start), documents[start : start + AT_ONCE], start)
        checked, deployed = checked + loaded, deployed + able
        shutil.rmtree(tmp_path / str(start))
    refused = len(documents) - checked
    record_property(
        "generated specs", f"azure-ai-ml loads {checked}, {deployed} are deployed, validate refuses {refused}"
    )
    assert checked >= (2000 / PARTS if part else 6)
    assert deployed >= (1500 / PARTS if part else 4)


def deploy(folder: Path, documents: list[tuple[dict[str, Any], dict[str, Any]]], start: int) -> tuple[int, int]:
    """Deploy what `validate` accepts to a new emulator; return how many are deployed, and how many are loaded."""
    folder.mkdir()
    project = commands.Project(make_project(folder))
    keys = [write(folder, start + number, *each) for number, each in enumerate(documents)]
    write_environment(folder, keys)
    specs = accepted(project, "law")
    for spec in specs:
        load(cli_files(spec, folder), spec)
    able = [spec.key for spec in specs if is_deployable(spec)]
    write_environment(folder, able)
    file = validation.validate_environment(reader.read_environment(folder, "law"))
    with project.connect(file.environment):
        outsider = Outsider()
        for path, content in ASSETS.items():
            outsider.send("PUT", path, {"properties": content})
        done = commands.apply(project, "law", approve=lambda *_: None, emit=lambda _: None)
        for outcome in done.report.outcomes:
            assert not outcome.error, (outcome.error, *(documents[keys.index(outcome.address.endpoint)]))
        for step in commands.plan(project, "law").steps:
            raise AssertionError((str(step.address), step.why, *documents[keys.index(step.address.endpoint)]))
    return len(able), len(specs)


def is_deployable(spec: EndpointSpec) -> bool:
    """Not with scoring code, which needs a second Python, and not with an identity to which no role is assigned."""
    identity = spec.endpoint.get("identity") or {"type": "system_assigned"}
    return identity["type"] == "system_assigned" and "code_configuration" not in spec.deployments[0]


def write(folder: Path, number: int, endpoint: dict[str, Any], deployment: dict[str, Any]) -> str:
    """Write a template with a name of its own for the endpoint and for the assets that it defines."""
    key = f"gen-{number}"
    named = {
        field: {**asset, "name": f"{asset['name']}-{key}"}
        for field in ("model", "environment")
        if isinstance(asset := deployment.get(field), dict) and asset.get("name")
    }
    files = {**generated.FOLDERS}
    files["pipeline.yml"] = text_of({"retry": {"attempts": 1}})
    files["endpoint.yml"] = text_of({**endpoint, "name": key})
    files["deployment.yml"] = text_of({**deployment, **named, "endpoint_name": key})
    for name, text in files.items():
        path = folder / "templates" / key / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return key


def write_environment(folder: Path, keys: list[str]) -> None:
    body = {**ENVIRONMENT, "endpoints": {key: {"template": key} for key in keys}}
    (folder / "environments" / "law.yml").write_text(yaml.safe_dump(body))


def accepted(project: commands.Project, name: str) -> list[EndpointSpec]:
    """The valid endpoints of an environment; each problem of another one has a place and a cure."""
    specs, problems = [], list[Problem]()
    file = validation.survey_environment(reader.read_environment(project.root, name))
    for key in file.entries if not file.problems else ():
        try:
            specs.append(load_spec(project, file, key))
        except SpecError as error:
            problems += error.problems
    assert [each for each in problems if not each.cure] == []
    return specs


def load(files: dict[str, str], spec: EndpointSpec) -> None:
    """Load the rendered files of an endpoint; each text is still the same."""
    traffic = {} if spec.traffic is None else {"traffic": dict(spec.traffic)}
    for name, text in files.items():
        if name.endswith("/endpoint.yml"):
            assert yaml.safe_load(text) == {**spec.endpoint, **traffic}
            load_online_endpoint(io.StringIO(text))
        else:
            load_online_deployment(io.StringIO(text))
    if len(spec.deployments) == 1:
        found = yaml.safe_load(files[f"{spec.key}/deployment.yml"])
        for field in ("description", "tags", "properties", "environment_variables", "model_mount_path"):
            assert found.get(field) == spec.deployments[0].get(field), field

"""Deployments that Azure cannot start are refused offline; those that it can start are valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.errors import SpecError
from tests.unit.config.test_validation import DEPLOYMENT, check

BASE: dict[str, Any] = {key: item for key, item in yaml.safe_load(DEPLOYMENT).items() if key != "model"}
ROUTE = {"port": 5001, "path": "/"}
ROUTES = {f"{name}_route": ROUTE for name in ("liveness", "readiness", "scoring")}
STORED = "azureml://datastores/d/paths/x"
MODELS: dict[str, Any] = {
    "none": None,
    "custom": {"name": "m", "path": STORED},
    "custom_model": {"name": "m", "path": STORED, "type": "custom_model"},
    "mlflow": {"name": "m", "path": STORED, "type": "mlflow_model"},
    "triton": {"name": "m", "path": STORED, "type": "triton_model"},
    "registered": "azureml:m:1",
    "registry": "azureml://registries/azureml/models/MedImageParse/versions/17",
}
ENVIRONMENTS: dict[str, Any] = {
    "none": None,
    "image": {"image": "r.io/x:1"},
    "conda": {"image": "r.io/x:1", "conda_file": {"name": "x"}},
    "routes": {"image": "r.io/x:1", "inference_config": ROUTES},
    "registered": "azureml:e:1",
}
CODE = {"code": "src", "scoring_script": "score.py"}
REFUSED = {
    *(
        (model, environment, False)
        for model in ("none", "custom", "custom_model")
        for environment in ("image", "conda")
    ),
    *((model, "none", False) for model in ("none", "custom", "custom_model")),
    *((model, "none", True) for model in MODELS),
}
"""Model, environment, and whether there is a scoring script."""


def verdict(root: Path, model: str, environment: str, code: bool) -> list[tuple[str, str]]:
    """(code, location) of each problem."""
    parts = {"model": MODELS[model], "environment": ENVIRONMENTS[environment], "code_configuration": code and CODE}
    written = {**BASE, **{key: item for key, item in parts.items() if item}}
    text = "".join(f"{key}: {json.dumps(item)}\n" for key, item in written.items())
    try:
        check(deployment=text, root=root)
    except SpecError as error:
        lines = text.splitlines()
        return [(p.code, lines[p.place.line - 1]) for p in error.problems]
    return []


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the folder of the code."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "templates" / "m" / "src").mkdir(parents=True)
    (folder / "templates" / "m" / "src" / "score.py").touch()
    return folder


@pytest.mark.parametrize("code", [False, True])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("model", MODELS)
def test_a_deployment_needs_a_scoring_server(model: str, environment: str, code: bool, root: Path) -> None:
    """Every combination of the three parts: one problem, or none."""
    found = [problem for problem, _ in verdict(root, model, environment, code)]
    assert found == (["AML146"] if (model, environment, code) in REFUSED else [])


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("none", "image", False), "environment:"),
        (("custom", "none", False), "model:"),
        (("registered", "none", True), "code_configuration:"),
        (("none", "none", False), 'name: "blue"'),
    ],
)
def test_the_problem_is_at_the_part_that_lacks_another(parts: tuple[str, str, bool], line: str, root: Path) -> None:
    """The deployment itself if it has no part at all."""
    ((_, where),) = verdict(root, *parts)
    assert where.startswith(line)


@pytest.mark.parametrize(
    "line",
    [
        "model: {}",
        "environment: {image: x, inference_confg: {}}",
        "code_configuration: x",
        "environment: {image: x}\ncode_config: {code: src}",
        "model: {path: azureml:x, tipe: mlflow_model}",
    ],
)
def test_a_part_with_a_problem_has_no_second_one(line: str) -> None:
    """A misspelt key may be what is missing."""
    with pytest.raises(SpecError) as caught:
        check(deployment=f"{yaml.safe_dump(BASE)}{line}\n")
    assert "AML146" not in {problem.code for problem in caught.value.problems}

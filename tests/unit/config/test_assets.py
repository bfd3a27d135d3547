"""Models, environments, code and data that azure-ai-ml cannot load or register are refused with a cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import SpecError
from tests.laws.made import spec_of, text_of

ARM = (
    "azureml:/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    "/{}/m/versions/1"
)
IMAGE = {"image": "i:1"}
COLLECTION = {"enabled": "True"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"m/a.txt": "", "conda.yml": "dependencies: [a]", "list.yml": "[a]", "code/score.py": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def document(folder: Path, **fields: Any) -> dict[str, Any]:
    """The valid document of a deployment with these fields, which can start. Raises SpecError."""
    fixed = {"name": "blue", "endpoint_name": "mip", "instance_type": "a", "instance_count": 1}
    fixed |= {"model": "azureml:m:1", "environment": "azureml:e:1"}
    texts = {"endpoint.yml": text_of({"name": "mip"}), "deployment.yml": text_of({**fixed, **fields})}
    (found,) = spec_of(folder, texts).deployments
    return dict(found)


def collector(**fields: Any) -> dict[str, Any]:
    return {"model": "azureml:m:1", "data_collector": {"collections": {"r": {**COLLECTION, **fields}}}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None, "environment": None}, "AML146 The deployment has no model, no scoring script and no environment."),
    ({"model": "azureml:M"}, "AML122 model is not a valid asset reference"),
    ({"model": "azureml:M:"}, "AML122 model is not a valid asset reference"),
    ({"model": "azureml:M:1:2"}, "AML122 model is not a valid asset reference"),
    ({"model": "azureml://registries/r/models/m"}, "AML122 model is not a valid asset reference"),
    ({"model": "azureml://registries/r/environments/m/versions/1"}, "AML122 model is not a valid asset reference"),
    ({"model": "azureml://jobs/j/outputs/o"}, "AML122 model is not a valid asset reference"),
    ({"model": ARM.format("environments")}, "AML122 model is not a valid asset reference"),
    ({"environment": "azureml:E"}, "AML122 environment is not a valid asset reference"),
    ({"environment": ARM.format("models")}, "AML122 environment is not a valid asset reference"),
    *(
        ({"model": {"path": path}}, "AML121 The model is registered from an address and has no name")
        for path in ("runs:/0/m", "azureml://jobs/j/o", "azureml://datastores/d/paths/p", "https://h/m")
    ),
    *(
        (
            {"model": {"name": "m", "path": path}},
            "AML122 model.path is an address that a model cannot be registered from",
        )
        for path in ("azureml:m:1", "azureml://registries/r/models/m/versions/1", "models:/m/1", "file:m", "runs:")
    ),
    *(
        ({"model": {"name": "m", "path": path, "type": "mlflow_model"}}, "AML122 model.path is not a folder, and")
        for path in ("m/a.txt", "azureml://datastores/d/paths/m.tar")
    ),
    ({"model": {"path": "m", "version": 1}}, "AML121 The model has a version and no name."),
    ({"model": {"path": "m", "name": "a b"}}, "AML123 model.name is not a valid name"),
    ({"model": {"path": "m", "name": "a", "version": "a b"}}, "AML123 model.version is not a valid version"),
    ({"model": {"path": "m", "flavors": {"a": 3}}}, "AML122 model.flavors.a must be a mapping"),
    ({"environment": {"name": "e", "version": 1}}, "AML121 The environment has neither an image nor a build context."),
    ({"environment": {"conda_file": "conda.yml"}}, "AML121 The environment has neither an image nor a build context."),
    ({"environment": {**IMAGE, "properties": {"a": "b"}}}, "AML120 'properties' is not a key here."),
    ({"environment": {**IMAGE, "conda_file": "list.yml"}}, "AML128 list.yml is not a conda specification"),
    ({"environment": {**IMAGE, "conda_file": "m"}}, "AML128 m is not a conda specification"),
    ({"environment": {**IMAGE, "conda_file": "https://h/c"}}, "AML128 environment.conda_file is not a file"),
    ({"environment": {"build": {"path": "git+ssh://h/r"}}}, "AML122 environment.build.path is neither a folder nor"),
    ({**collector(data="azureml:seen:1")}, "AML122 data_collector.collections.r.data must be a mapping"),
    ({**collector(data={"path": "./m"})}, "AML122 data_collector.collections.r.data.path is not a path in a datastore"),
    ({**collector(data={"version": "a b"})}, "AML123 data_collector.collections.r.data.version is not a valid version"),
    (
        {"model": "azureml:m:1", "data_collector": {"sampling_rate": 0.5}},
        "AML121 data_collector.collections is missing",
    ),
    ({"model": "azureml:m:1", "data_collector": {"collections": {}}}, "AML122 data_collector.collections is a mapping"),
    ({"model": "azureml:m:1", "code_configuration": {}}, "AML128 code_configuration needs both"),
    (
        {"model": "azureml:m:1", "code_configuration": {"code": "https://h/c", "scoring_script": "s.py"}},
        "AML128 The code is neither a folder nor a reference",
    ),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED)
def test_what_cannot_be_loaded_is_refused(folder: Path, fields: dict[str, Any], words: str) -> None:
    """With the place and a cure."""
    with pytest.raises(SpecError) as refused:
        document(folder, **fields)
    (found,) = refused.value.problems
    assert f"{found.code} {found.cause}".startswith(words)
    assert found.cure


@pytest.mark.parametrize(
    "fields",
    [
        *({"model": reference} for reference in ("azureml:m:1", "azureml:m@latest", ARM.format("models"))),
        {"model": "azureml://registries/r/models/m/labels/latest"},
        *({"environment": reference} for reference in ("azureml:AzureML-x", "azureml:e:1", ARM.format("environments"))),
        *(
            {"model": {"name": "m", "path": path}}
            for path in ("runs:/0/m", "azureml://jobs/j/o", "azureml://datastores/d/paths/p", "wasbs://c@h/m", "m")
        ),
        {"model": {"path": "m"}},
        {"environment": {"build": {"path": "https://user@github.com/o/r.git#main"}}},
        {"environment": {**IMAGE, "name": "e", "version": 1.0, "conda_file": "conda.yml"}},
        {"model": "azureml:m:1", "code_configuration": {"code": "azureml:c:1", "scoring_script": "s.py"}},
    ],
)
def test_what_can_be_loaded_is_accepted(folder: Path, fields: dict[str, Any]) -> None:
    """Each form that azure-ai-ml resolves."""
    assert document(folder, **fields)


def test_what_azure_ai_ml_reads_as_text_is_text(folder: Path) -> None:
    """The version of data, as it was written; a key without a value is absent, except in content."""
    found = document(folder, **collector(data={"name": "seen", "version": 1.0}, client_id=None))
    assert found["data_collector"]["collections"]["r"] == {
        "enabled": "True",
        "data": {"name": "seen", "version": "1.0"},
    }

    found = document(folder, environment={**IMAGE, "name": None, "conda_file": {"dependencies": None}})
    assert found["environment"] == {**IMAGE, "conda_file": {"dependencies": None}}

"""Law: a plan refuses other content for a version that a deployment file pins and that exists, and only then."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import yaml
from azure.ai.ml import load_environment, load_model

from deploy import emulator
from deploy.config import reader, validation
from deploy.errors import Refused
from tests.laws.ground import Ground
from tests.outsider import Outsider

NEEDED = ("name", "endpoint_name", "instance_type", "instance_count")
OWN = {"name": "own", "version": 1, "type": "mlflow_model"}
MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
FILES = {
    "model/weights.txt": "one",
    "context/Dockerfile": "FROM one",
    "conda.yml": "channels: [c]\ndependencies: [python=3.11]\n",
}
IMAGE = "mcr.microsoft.com/mine:1"
PINNED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "files": ({"model": {**OWN, "path": "./model"}}, {"model/weights.txt": "two"}, "other files"),
    "file": (
        {"model": {**OWN, "path": "model/weights.txt"}}, {"model/weights.txt": "two"},
        "other files",
    ),
    "image": (
        {"model": MODEL, "environment": {"name": "own", "version": 1, "image": IMAGE}},
        {"environment": {"name": "own", "version": 1, "image": "mcr.microsoft.com/mine:2"}}, "another image",
    ),
    "conda file": (
        {"model": MODEL, "environment": {"name": "own", "version": "1", "image": IMAGE, "conda_file": "conda.yml"}},
        {"conda.yml": "channels: [c]\ndependencies: [python=3.12]\n"}, "another conda file",
    ),
    "build context": (
        {"model": MODEL, "environment": {"name": "own", "version": "1", "build": {"path": "context"}}},
        {"context/Dockerfile": "FROM two"}, "another build context",
    ),
}  # fmt: skip
"""A deployment with a pinned asset, a change of its content, and how the refusal names it."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One emulator for all tests: each pins versions of an asset of its own."""
    found = Ground(tmp_path_factory.mktemp("pinned"), "blue_green")
    found.endpoint = {"name": "all-here"}
    found.deployment = {name: found.deployment[name] for name in NEEDED}
    found.files()
    file = validation.validate_environment(reader.read_environment(found.project.root, "law"))
    with found.project.connect(file.environment):
        found.outsider = Outsider()
        yield found


@pytest.fixture
def ground(shared: Ground) -> Ground:
    """The files without a pinned version, as before the first test."""
    shared.deployment = {name: shared.deployment[name] for name in NEEDED}
    change(shared, FILES)
    return shared


def pin(ground: Ground, kind: str) -> str:
    """Write the deployment that pins version 1 of a new asset; return its name."""
    name = f"own-{next(_NUMBERS)}"
    change(ground, named(PINNED[kind][0], name))
    return name


def edit(ground: Ground, kind: str, name: str) -> None:
    """Change the content of the pinned asset."""
    change(ground, named(PINNED[kind][1], name))


def named(changes: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: {**each, "name": name} if isinstance(each, dict) else each for key, each in changes.items()}


_NUMBERS = count(1)


def change(ground: Ground, changes: dict[str, Any]) -> None:
    """Write files of the template; a name that is a field of the deployment sets that field."""
    for name, value in changes.items():
        if "." in name or "/" in name:
            path = ground.project.root / "templates" / "all" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value)
        else:
            ground.deployment[name] = value
    ground.files()


def refusals(ground: Ground) -> list[tuple[str, str, str, str]]:
    """(address, code, cause, cure) of each reason why there is no plan."""
    try:
        ground.plan()
    except Refused as refused:
        return [(str(each.address), each.code, each.cause, each.cure) for each in refused.findings]
    return []


def reads(ground: Ground) -> int:
    """Requests for versions of models and environments of the workspace."""
    rows = emulator.requests(ground.project.state)
    return sum("/workspaces/" in row["path"] and row["operation"].startswith("AssetVersions_") for row in rows)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All kinds with `--laws full`."""
    if "kind" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("kind", PINNED if full else ("files", "conda file"))


def test_other_content_is_refused(ground: Ground, kind: str, request: pytest.FixtureRequest) -> None:
    """With the next free version as the cure; the same content under a new release is no problem."""
    words = PINNED[kind][2]
    name, field = pin(ground, kind), "model" if kind.startswith("file") else "environment"
    full = request.config.getoption("--laws", default="some") == "full"
    if full or kind == "conda file":
        assert ground.apply() == []
        before = reads(ground)
        assert ground.plan().steps == ()
        assert reads(ground) == before
    else:
        register(ground, field)
    before = reads(ground)
    change(ground, {"environment_variables": {"RELEASE": kind}})
    assert refusals(ground) == []
    assert reads(ground) == before + 1

    edit(ground, kind, name)
    before = reads(ground)
    ((address, code, cause, cure),) = refusals(ground)
    assert reads(ground) == before + 1
    assert (address.rpartition("/")[0], code) == ("version/all", "AML334")
    assert cause.startswith(f"{field} {name}:1 exists with {words}, and")
    assert cure.startswith(f"Write `version: 2` for this {field}, or")

    change(ground, {field: {**ground.deployment[field], "version": 2}})
    assert refusals(ground) == []
    if full:
        assert ground.apply() == []
        assert ground.plan().steps == ()


def test_without_a_version_each_release_gets_the_next_one(ground: Ground, kind: str) -> None:
    """The other half of the cure."""
    name, field = pin(ground, kind), "model" if kind.startswith("file") else "environment"
    register(ground, field)
    edit(ground, kind, name)
    change(ground, {field: {key: value for key, value in ground.deployment[field].items() if key != "version"}})

    assert ground.apply() == []
    before = reads(ground)
    assert ground.plan().steps == ()
    assert reads(ground) == before
    versions = ground.outsider.send("GET", f"/{field}s/{name}/versions")["value"]
    assert sorted(each["name"] for each in versions) == ["1", "2"]


def register(ground: Ground, field: str) -> None:
    """Create the version that the deployment pins, as azure-ai-ml does for another deployment."""
    file = validation.validate_environment(reader.read_environment(ground.project.root, "law"))
    origin = str(ground.project.root / "templates" / "all" / "x.yml")
    with ground.project.connect(file.environment) as cloud:
        models, environments = (load_model, cloud.ml.models), (load_environment, cloud.ml.environments)
        load, operations = {"model": models, "environment": environments}[field]
        operations.create_or_update(load(io.StringIO(yaml.safe_dump(ground.deployment[field])), relative_origin=origin))


def test_a_version_of_others(ground: Ground) -> None:
    """Compared by the path of its upload; the cure names a free version."""
    name = pin(ground, "files")
    for version, uri in (("1", "azureml://datastores/workspaceblobstore/paths/LocalUpload/0ff/model"), ("7", "x")):
        ground.outsider.send("PUT", f"/models/{name}/versions/{version}", {"properties": {"modelUri": uri}})
    ((_, code, cause, cure),) = refusals(ground)
    assert (code, cause.partition(",")[0]) == ("AML334", f"model {name}:1 exists with other files")
    assert cure.startswith("Write `version: 8`")


def test_what_cannot_be_compared_is_left_to_azure(ground: Ground) -> None:
    """The step then fails with the same error and a cure."""
    name = pin(ground, "files")
    uri = "azureml://jobs/a/outputs/artifacts/paths/model"
    ground.outsider.send("PUT", f"/models/{name}/versions/1", {"properties": {"modelUri": uri}})
    assert refusals(ground) == []

    (problem,) = ground.apply()
    assert problem["code"] == "AML334"
    assert problem["cure"].startswith("Write a new version of this model or environment, or leave the version out")


def test_two_deployments_of_one_plan(ground: Ground) -> None:
    """The same version with other content in another deployment, of the same endpoint or of another one, is refused."""
    name, root = pin(ground, "files"), ground.project.root
    for key, content in (("one", "same"), ("two", "same")):
        template = {
            "endpoint": {"name": f"{key}-here"},
            "deployment": {**ground.deployment, "endpoint_name": f"{key}-here"},
        }
        for stem, document in template.items():
            ground.write(f"templates/{key}/{stem}.yml", document)
        (root / "templates" / key / "model").mkdir()
        (root / "templates" / key / "model" / "weights.txt").write_text(content)
    file = root / "environments" / "law.yml"
    before = file.read_text()
    two = {"one": {"template": "one"}, "two": {"template": "two"}}
    file.write_text(yaml.safe_dump({**yaml.safe_load(before), "endpoints": two}))
    assert refusals(ground) == []

    (root / "templates" / "two" / "model" / "weights.txt").write_text("other")
    ((address, code, cause, cure),) = refusals(ground)
    file.write_text(before)
    assert (address, code) == ("version/two/blue", "AML334")
    assert cause == f"model {name}:1 has other files than in one/blue, and a version has one content"
    assert cure.startswith("Write `version: 2`")


@pytest.mark.parametrize("status", [404, 403])
def test_a_version_that_cannot_be_read_refuses_nothing(ground: Ground, status: int) -> None:
    """A missing permission, or a missing version."""
    name = pin(ground, "image")
    fault = {
        "kind": "refuse",
        "status": status,
        "operation": "AssetVersions_List",
        "path": f"*/{name}/*",
        "times": "always",
    }
    emulator.begin(ground.project.state, faults=[fault])
    (step,) = [step for step in ground.plan().steps if step.address.kind == "version"]
    unknown = f"; unknown: whether environment {name}:1 exists: could not be read: permission denied"
    words = f"environment {name}:1{unknown if status == 403 else ' is new'}"
    assert step.why == f"{words} (versions of the workspace)"

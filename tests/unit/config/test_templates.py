"""The shipped templates and environments are valid and meet the needs of the models."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from deploy.config import reader, rendering, validation
from deploy.documents.json_schema import schema
from deploy.domain.spec import EndpointSpec
from tests.project import ROOT, make_project

NAMES = ("cxrreportgen", "gigapath", "medimageinsight", "medimageparse", "medimageparse3d")
FILES = sorted([*(ROOT / "environments").glob("*.yml"), *(ROOT / "templates").glob("*/*.j2")])
HEADER = """\
cloud: local
subscription_id: 00000000-0000-0000-0000-000000000001
resource_group: rg-local
workspace: mlw-local
endpoints:
"""


def specs(root: Path, name: str) -> dict[str, EndpointSpec]:
    file = validation.validate_environment(reader.read_environment(root, name))
    found = {}
    for key, entry in file.entries.items():
        files = reader.read_template(root, entry.template, entry.place)
        rendered = rendering.render_endpoint(files, file.environment, key, entry.values)
        found[key] = validation.validate_endpoint(rendered, file.environment, key, root)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Each template once, with no value set."""
    root = make_project(tmp_path)
    entries = "".join(f"  {name}: {{template: {name}}}\n" for name in NAMES)
    (root / "environments" / "all.yml").write_text(HEADER + entries)
    return root


@pytest.mark.parametrize("name", ["local", "dev", "prod"])
def test_the_environments_are_right(name: str) -> None:
    """What is shipped is valid as it is."""
    assert specs(ROOT, name)


def test_the_shipped_guards_are_strict_in_production_alone() -> None:
    """Production is protected, needs a probe, and has a limit of instances."""
    files = {name: validation.validate_environment(reader.read_environment(ROOT, name)) for name in ("local", "prod")}
    guards = {name: file.environment.guards for name, file in files.items()}

    assert (guards["prod"].protected, guards["prod"].require_probe) == (True, True)
    assert guards["prod"].max_instances == 18
    assert (guards["local"].protected, guards["local"].require_probe) == (False, False)


def test_local_is_one_endpoint_of_the_emulator() -> None:
    """The newcomer's environment needs no account."""
    found = validation.validate_environment(reader.read_environment(ROOT, "local")).environment
    assert (found.cloud, found.resource_group, found.workspace, found.endpoints) == (
        "local",
        "rg-local",
        "mlw-local",
        ("mip",),
    )
    assert found.subscription_id == "00000000-0000-0000-0000-000000000001"


def test_prod_is_protected() -> None:
    """The environment for production refuses deletions."""
    assert validation.validate_environment(reader.read_environment(ROOT, "prod")).environment.guards.protected


@pytest.mark.parametrize("name", NAMES)
def test_every_template_works_without_values(project: Path, name: str) -> None:
    """Every value has a default, and the settings are those of the published references."""
    found = specs(project, "all")[name]
    (deployment,) = found.deployments
    concurrent = deployment["request_settings"]["max_concurrent_requests_per_instance"]
    assert found.endpoint["auth_mode"] == "key"
    assert found.endpoint["identity"] == {"type": "system_assigned"}
    assert deployment["name"] == "blue"
    assert deployment["model"].startswith("azureml://registries/azureml/models/")
    assert deployment["environment_variables"] == {"WORKER_COUNT": str(concurrent)}
    assert deployment["request_settings"]["request_timeout_ms"] == 90000
    assert deployment["liveness_probe"]["initial_delay"] == (1200 if name == "cxrreportgen" else 600)
    assert deployment["app_insights_enabled"] is True
    assert found.traffic is None


@pytest.mark.parametrize("name", NAMES)
def test_rendered_files_fit_the_schemas(project: Path, name: str) -> None:
    """What goes to Azure fits the schema that editors get, with no expression left in it."""
    found = specs(project, "all")[name]
    for kind, document in (("endpoint", found.endpoint), ("deployment", found.deployments[0])):
        jsonschema.validate(json.loads(json.dumps(document)), schema(kind))
        assert "{{" not in json.dumps(document)


def test_values_reach_every_place(project: Path) -> None:
    """The values of the templates have their effect."""
    values = {
        "name": "my-endpoint",
        "instance_type": "Standard_X",
        "instance_count": 3,
        "max_concurrent": 5,
        "capacity": "shared",
        "caller_group": "33333333-3333-3333-3333-333333333333",
        "auth_mode": "aad_token",
        "public_network_access": "disabled",
        "strategy": "in_place",
        "stages": [100],
        "bake": "1m",
        "model_version": 99,
    }
    entries = {name: {"template": name, "values": values} for name in NAMES}
    (project / "environments" / "set.yml").write_text(HEADER + yaml.safe_dump({"endpoints": entries}).split("\n", 1)[1])
    for found in specs(project, "set").values():
        (deployment,) = found.deployments
        assert (found.name, deployment["endpoint_name"]) == ("my-endpoint", "my-endpoint")
        assert (deployment["instance_type"], deployment["instance_count"]) == ("Standard_X", 3)
        assert deployment["environment_variables"]["WORKER_COUNT"] == "5"
        assert deployment["model"].endswith("/versions/99")
        assert (found.endpoint["auth_mode"], found.endpoint["public_network_access"]) == ("aad_token", "disabled")
        assert (found.pipeline.quota.capacity, found.pipeline.rollout.strategy, found.pipeline.rollout.bake) == (
            "shared",
            "in_place",
            60,
        )
        assert [role.scope for role in found.pipeline.roles] == ["workspace_keyvault", "endpoint"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_names_its_schema(path: Path) -> None:
    """The first line refers to an existing schema."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    target = (path.parent / first.removeprefix(prefix)).resolve()
    kind = "environment" if path.parent.name == "environments" else path.name.split(".", maxsplit=1)[0]
    assert target == ROOT / "deploy" / "schemas" / f"{kind}.json"
    assert target.is_file()


def test_the_probe_of_medimageparse_has_its_picture(project: Path) -> None:
    """The sample image is in the template folder, and both prompts name something in it."""
    probe = specs(project, "all")["medimageparse"].pipeline.probe
    assert probe is not None
    assert (probe.type, probe.image, probe.text) == ("medimageparse", "probe/phantom.png", "left lung & right lung")


def test_fifty_endpoints_are_quick(project: Path) -> None:
    """A large environment is checked while one waits for nothing (generous here: the machine may be busy)."""
    entries = "".join(
        f"  e{n}: {{template: {NAMES[n % 5]}, values: {{instance_count: {n % 5 + 1}}}}}\n" for n in range(50)
    )
    (project / "environments" / "fifty.yml").write_text(HEADER + entries)
    specs(project, "all")
    start = time.process_time()
    assert len(specs(project, "fifty")) == 50
    assert time.process_time() - start < 1.5

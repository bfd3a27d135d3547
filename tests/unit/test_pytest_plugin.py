"""The fixture `azureml_emulator` in the tests of another project, run by another pytest, in two workers."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.project import ROOT

CONFTEST = 'pytest_plugins = ["deploy.pytest_plugin"]\n'
TESTS = '''
import os

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.identity import DefaultAzureCredential


@pytest.mark.parametrize("number", range(4))
def test_each_world_is_new(azureml_emulator, number):
    """A client that the program makes itself finds no endpoint of another test, creates its own, and deploys."""
    at = azureml_emulator
    client = MLClient(DefaultAzureCredential(), at.subscription_id, at.resource_group, at.workspace)
    assert list(client.online_endpoints.list()) == []
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="mine", auth_mode="key")).result()
    client.online_deployments.begin_create_or_update(ManagedOnlineDeployment(
        name="blue", endpoint_name="mine", model="azureml://registries/azureml/models/MedImageParse/versions/17",
        instance_type="Standard_NC24ads_A100_v4", instance_count=1)).result()
    assert [each.name for each in at.client().online_deployments.list("mine")] == ["blue"]
    assert [row["operation"] for row in at.requests() if row["mutating"]] == [
        "OnlineEndpoints_CreateOrUpdate", "OnlineDeployments_CreateOrUpdate"]


@pytest.mark.parametrize("number", range(2))
def test_variables_end_with_the_test(number):
    assert "ARM_CLOUD_METADATA_URL" not in os.environ
    assert os.environ["IDENTITY_ENDPOINT"] == "of the user"
'''


def test_a_project_with_the_fixture(tmp_path: Path) -> None:
    """An unmodified MLClient, a new world for each test, side by side; the user's variables are restored."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = ignore\n")
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    variables = {**known, "PYTHONPATH": str(ROOT), "IDENTITY_ENDPOINT": "of the user"}
    words = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--basetemp", str(tmp_path / "temporary")]
    ran = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "6 passed" in ran.stdout


def test_the_plugin_is_activated_by_name_only() -> None:
    """Installing amldeploy changes no test run and installs no pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "pytest11" not in project.get("entry-points", {})
    assert not [each for each in project["dependencies"] if each.startswith("pytest")]

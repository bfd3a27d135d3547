"""A simulated repository on GitHub and subscription in Azure for the scenarios.

The workflows, the composite actions, the scripts and amldeploy are real. Azure is the emulator in a separate process,
with one application that can read, one that can write and one that can roll back; they have only federated credentials.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.entra import access_tokens
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.world.settings import GITHUB
from tests.fork_server import ForkServer
from tests.laws.conftest import PLAIN, write_project
from tests.project import ROOT
from tests.workflows.github import GitHub

READER, WRITER, ROLLER = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
"""Each id is used for the application and for its principal."""
PLACES = {READER: ("dev-plan", "prod-plan"), WRITER: ("dev", "dev-reap", "prod"), ROLLER: ("dev-rollback",)}
"""Application -> the GitHub environments in which jobs sign in as it."""
GROUP_ID = default_world.WORKSPACE_ID.partition("/providers/")[0]
SUBSCRIPTION_ID = GROUP_ID.partition("/resourceGroups/")[0]
ROLES = {
    READER: (("Reader", SUBSCRIPTION_ID),),
    WRITER: (
        ("Reader", SUBSCRIPTION_ID),
        ("AzureML Data Scientist", default_world.WORKSPACE_ID),
        ("Role Based Access Control Administrator", GROUP_ID),
    ),
    ROLLER: (("Reader", SUBSCRIPTION_ID), ("AzureML Data Scientist", default_world.WORKSPACE_ID)),
}
"""The roles in docs/github-actions.md."""
LAUNCHER = """#!{python}
# The real amldeploy, with the hosts of Azure replaced by those of the emulator, also for azure-ai-ml at its first use.
import os
from functools import cached_property
from deploy.cloud import connect

class Cloud(connect.Cloud):
    @cached_property
    def ml(self):
        from azure.ai.ml import _azure_environments as known
        known._environments["AzureCloud"] = known._get_cloud("AmlEmulator")
        return super().ml

url = os.environ["EMULATOR"]
connect.Cloud = Cloud
connect.CLOUDS["AzureCloud"] = connect.Hosts(url, "https://ml.azure.com/.default", url, url)
from deploy.cli import main
main()
"""


@dataclass
class Stage:
    """The repository and the subscription of a scenario."""

    root: Path
    worlds: Path
    """Worlds that were left by an apply, for scenarios that begin with one."""
    github: GitHub
    azure: Running
    write_projected: int = 0

    @property
    def head(self) -> Path:
        """The newest commit, which a run checks out, as a folder."""
        return max((self.root / "commits").iterdir())

    def commit(self, name: str = "dev", capacity: str = "dedicated", key: str = "mip", **values: Any) -> Path:
        """Create a commit with these values in one environment."""
        commits = self.root / "commits"
        number = len(list(commits.iterdir()))
        folder = commits / f"{number:03}"
        shutil.copytree(self.head if number else self.root / "project", folder)
        body = {
            "cloud": "AzureCloud", "subscription_id": default_world.SUBSCRIPTION, "resource_group": default_world.GROUP,
            "workspace": default_world.WORKSPACE, "project": "imaging",
            "endpoints": {key: {"template": "plain", "values": {"release": "1", **values}}},
        }  # fmt: skip
        (folder / "environments" / f"{name}.yml").write_text(yaml.safe_dump(body))
        (folder / "templates/plain/pipeline.yml.j2").write_text(
            f"{PLAIN['pipeline.yml.j2']}quota: {{capacity: {capacity}}}\nlease: {{drain: 0s}}\n"
        )
        return folder

    def start_interpreters(self) -> None:
        """From now on each command starts an interpreter of its own, as signals find it on a runner."""
        commands = self.root / "tool" / ".venv-locked" / "bin"
        (commands / "launcher").replace(commands / "amldeploy")

    def push(self, **how: Any) -> Any:
        """Create the run of a push to main, not started yet."""
        return self.github.start("push", self.head, **how)

    def deployed(self, capacity: str = "dedicated", **values: Any) -> None:
        """A new commit, applied by deploy.yml. Only the first call in a new world applies it; later calls reuse the
        result.
        """
        fresh = not self.endpoints()
        self.commit(capacity=capacity, **values)
        kept = self.worlds / "-".join((capacity, *map(str, values.values())))
        if not (fresh and kept.exists()):
            run = self.push()
            assert run.workflow("deploy.yml", {})[0] == "success", "\n".join(run.log)
        if fresh:
            state = self.root / "azure"
            emulator.stop(state)
            there, here = (kept, state) if kept.exists() else (state, kept)
            here.mkdir(exist_ok=True)
            for file in there.glob("world.sqlite*"):
                shutil.copy(file, here)
            self.open()

    def open(self) -> None:
        """Start the emulator, and configure the jobs for it."""
        self.azure = azure = emulator.launch(self.root / "azure", profile="instant")
        told = {name: t for name, t in azure.variables().items() if not name.startswith(("IDENTITY_", "AZURE_"))}
        self.github.issuer = azure.url
        self.github.machine = {**told, "EMULATOR": azure.url, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}

    def send(self, method: str, path: str, body: object = None, version: str = "2024-10-01") -> Any:
        """Send a request as the owner of the subscription, as a person in the portal does."""
        token = requests.get(
            self.azure.identity_url,
            params={"resource": "https://management.azure.com", "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": "amldeploy-emulator"},
            timeout=20,
        ).json()["access_token"]
        mark, headers = f"?api-version={version}", {"Authorization": f"Bearer {token}"}
        if path.startswith("/emulator/"):
            mark, headers = "", self.azure.control_headers
        answer = requests.request(
            method, f"{self.azure.url}{path}{mark}", json=body, headers=headers, verify=self.azure.ca, timeout=20
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def endpoints(self) -> list[dict[str, Any]]:
        return list(self.send("GET", f"{default_world.WORKSPACE_ID}/onlineEndpoints")["value"])

    def deployments(self) -> list[dict[str, Any]]:
        name = self.endpoints()[0]["name"]
        return list(self.send("GET", f"{default_world.WORKSPACE_ID}/onlineEndpoints/{name}/deployments")["value"])

    def principals(self) -> set[str]:
        """The principals with a role in the subscription."""
        path = f"{_given(SUBSCRIPTION_ID)}/roleAssignments"
        found = self.send("GET", path, version="2022-04-01")["value"]
        return {each["properties"]["principalId"] for each in found}

    def release(self) -> str:
        """The value `release` of the deployment that receives traffic."""
        traffic = self.endpoints()[0]["properties"]["traffic"]
        live = max(traffic, key=lambda name: traffic[name])
        found = next(each for each in self.deployments() if each["name"] == live)
        return str(found["properties"]["environmentVariables"]["RELEASE"])

    def senders(self) -> set[str]:
        """The principals that sent mutating requests."""
        rows = emulator.requests(self.root / "azure", after=self.write_projected, mutating=True)
        return {str(row["caller"]) for row in rows if row["plane"] == "control"}


def open_stage(root: Path, worlds: Path, amldeploy: ForkServer) -> Stage:
    """A stage with an empty subscription and a repository without environments."""
    azure = emulator.launch(root / "azure", profile="instant")
    stage = Stage(root, worlds, GitHub(root, _tool(root / "tool", amldeploy)), azure)
    stage.open()
    stage.github.variables.update(AZURE_TENANT_ID=access_tokens.TENANT, AMLDEPLOY_ENVIRONMENTS='["dev"]')
    for app, places in PLACES.items():
        stage.github.environments.update({name: {"AZURE_CLIENT_ID": app} for name in places})
    _write_project(stage)
    stage.write_projected = emulator.requests(root / "azure")[-1]["number"]
    (root / "project").mkdir()
    write_project(root / "project")
    (root / "commits").mkdir()
    return stage


def _tool(folder: Path, amldeploy: ForkServer) -> Path:
    """This repository as GitHub fetches it for `$/`, with the completed result of scripts/install-locked."""
    for name in (".github", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    place = folder / ".venv-locked"
    (place / "bin").mkdir(parents=True)
    launcher = place / "bin" / "launcher"
    launcher.write_text(LAUNCHER.format(python=sys.executable))
    launcher.chmod(0o755)
    amldeploy.write_command(place / "bin" / "amldeploy", str(launcher))
    mark = "cat .github/actions/setup/requirements.lock pyproject.toml | cksum"
    made = subprocess.run(["bash", "-c", mark], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S607
    (place / "installed").write_text(made.stdout)
    return folder


def _write_project(stage: Stage) -> None:
    definitions = {name: guid for guid, name, *_ in builtin_roles.ROLES}
    for app, places in PLACES.items():
        federated = [
            {"name": place, "issuer": GITHUB, "subject": f"repo:{stage.github.repository}:environment:{place}"}
            for place in places
        ]
        body = {"kind": "ServicePrincipal", "name": places[0], "appId": app, "federatedCredentials": federated}
        stage.send("PUT", f"/emulator/principals/{app}", body)
        for role, scope in ROLES[app]:
            properties = {
                "roleDefinitionId": f"{_given(SUBSCRIPTION_ID)}/roleDefinitions/{definitions[role]}",
                "principalId": app, "principalType": "ServicePrincipal",
            }  # fmt: skip
            where = f"{_given(scope)}/roleAssignments/{uuid.uuid4()}"
            stage.send("PUT", where, {"properties": properties}, "2022-04-01")


def _given(scope: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization"

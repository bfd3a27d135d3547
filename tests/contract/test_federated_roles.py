"""The roles that `github federate` names are enough, and those of the plan's identity are not too many."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.identity import DefaultAzureCredential

from deploy import commands
from deploy.cloud.connect import Cloud, Hosts
from deploy.cloud.role_assignments import BUILT_IN
from deploy.domain.spec import Environment
from deploy.emulator import Running
from deploy.emulator.rbac import builtin_roles
from deploy.errors import Refused
from deploy.github import federation
from tests.project import make_project

GUIDS = {name: guid for guid, name, *_ in builtin_roles.ROLES}


class As(commands.Project):
    """A project whose door is opened by somebody else."""

    url, ca, app = "", "", ""

    @contextmanager
    def connect(self, environment: Environment) -> Iterator[Cloud]:
        before = os.environ.get("AZURE_CLIENT_ID", "")
        os.environ["AZURE_CLIENT_ID"] = self.app
        hosts = Hosts(self.url, "https://ml.azure.com/.default", self.url, storage="core.windows.net")
        cloud = Cloud(environment, hosts, self.root, self.clock, ca=self.ca)
        try:
            yield cloud
        finally:
            cloud.close()
            os.environ["AZURE_CLIENT_ID"] = before


@pytest.fixture
def somebody(running: Running, tmp_path: Path):
    """Job -> a project opened by a principal with exactly the roles of that job, and the plan's."""
    root = make_project(tmp_path)
    for pipeline in root.glob("templates/*/pipeline.yml*"):
        pipeline.write_text(pipeline.read_text() + "\nscale: {min: 1, max: 2}\n")
    environment, specs = commands.validate(commands.Project(root), "local")
    trusts = federation.trusts(environment, specs, federation.Repository("o/r"), "api://a", BUILT_IN)
    found = {}
    for trust in trusts:
        who, app = str(uuid.uuid4()), str(uuid.uuid4())
        url = f"{running.url}/emulator/principals/{who}"
        body = {"kind": "ServicePrincipal", "name": trust.job, "appId": app}
        requests.put(url, json=body, headers=running.control_headers, timeout=20).raise_for_status()
        for grant in trust.grants:
            role = _custom(running, grant) if grant.actions else GUIDS[grant.role]
            _give(running, who, role, grant.scope)
        project = As(root)
        object.__setattr__(project, "url", running.url)
        object.__setattr__(project, "ca", str(running.ca))
        object.__setattr__(project, "app", app)
        found[trust.job] = project
    return found


def _custom(running: Running, grant: federation.Grant) -> str:
    """The GUID of a custom role with the actions of a grant; made once for all jobs."""
    guid = str(uuid.uuid5(uuid.NAMESPACE_DNS, grant.role))
    permissions = [{"actions": list(grant.actions), "notActions": []}]
    body = {"roleName": grant.role, "type": "CustomRole", "permissions": permissions, "assignableScopes": [grant.scope]}
    _put(running, f"{grant.scope}/providers/Microsoft.Authorization/roleDefinitions/{guid}", body)
    return guid


def _give(running: Running, who: str, role: str, scope: str) -> None:
    definition = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    assignment = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    _put(running, assignment, {"roleDefinitionId": definition, "principalId": who})


def _put(running: Running, path: str, properties: dict[str, Any]) -> None:
    token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token
    reply = requests.put(
        f"{running.url}{path}?api-version=2022-04-01",
        json={"properties": properties},
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
    )
    reply.raise_for_status()


def test_who_reads_plans_and_who_writes_applies_the_same_plan(somebody) -> None:
    """The plan's identity is refused its own apply, and plans for the other, whose plan has the same fingerprint."""
    with pytest.raises(Refused, match="AML250"):
        commands.plan(somebody["plan"], "local")
    agreed = commands.plan(somebody["plan"], "local", for_another=True)
    assert agreed.steps
    assert any("needs more permissions" in note for note in agreed.notes)

    own = commands.plan(somebody["apply"], "local")
    assert own.fingerprint == agreed.fingerprint
    assert replace(own, notes=()).steps[-1] == agreed.steps[-1]

    ways = {"approve": lambda *_: None, "emit": lambda _: None}
    assert commands.apply(somebody["apply"], "local", **ways).report.ok
    assert commands.plan(somebody["plan"], "local", for_another=True).steps == ()
    assert commands.teardown(somebody["apply"], "local", **ways).report.ok

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
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient, BlobServiceClient

from deploy import commands
from deploy.cloud.connect import Cloud, Hosts
from deploy.cloud.role_assignments import BUILT_IN
from deploy.domain.spec import Environment
from deploy.emulator import Running
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.errors import Refused
from deploy.github import federation
from tests.project import make_project

GUIDS = {name: guid for guid, name, *_ in builtin_roles.ROLES}


class As(commands.Project):
    """A project whose door is opened by somebody else."""

    url, ca, app, principal = "", "", "", ""

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
        object.__setattr__(project, "principal", who)
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


def test_who_rolls_back_cannot_assign_roles(somebody) -> None:
    """A first apply, which assigns roles, is refused to it; after two releases it moves traffic and autoscale back."""
    ways = {"approve": lambda *_: None, "emit": lambda _: None}
    with pytest.raises(Refused, match="AML251") as refused:
        commands.plan(somebody["rollback"], "local")
    assert [finding.code for finding in refused.value.findings] == ["AML251"]
    assert commands.apply(somebody["apply"], "local", **ways).report.ok
    template = somebody["apply"].root / "templates/medimageparse/deployment.yml.j2"
    template.write_text(template.read_text().replace("WORKER_COUNT:", "ANOTHER: release\n  WORKER_COUNT:"))
    assert commands.apply(somebody["apply"], "local", **ways).report.ok
    done = commands.rollback(somebody["rollback"], "local", ["mip"], **ways).report
    assert done.ok
    assert {outcome.address.kind for outcome in done.outcomes} >= {"probe", "traffic", "autoscale"}
    assert commands.teardown(somebody["apply"], "local", **ways).report.ok


DATASTORE = f"{default_world.WORKSPACE_ID}/datastores/workspaceblobstore"
LOCK = f"{default_world.STORAGE_ID}/blobServices/default/containers/amldeploy-lock"


def _credential(who: As) -> DefaultAzureCredential:
    return DefaultAzureCredential(managed_identity_client_id=who.app)


def _send(who: As, method: str, path: str, body: object = None) -> requests.Response:
    """Send a request to the Resource Manager as this principal."""
    token = _credential(who).get_token("https://management.azure.com/.default").token
    version = "2023-05-01" if "Microsoft.Storage" in path else "2024-10-01"
    url, headers = f"{who.url}{path}?api-version={version}", {"Authorization": f"Bearer {token}"}
    return requests.request(method, url, json=body, headers=headers, timeout=20)


def _lock_blob(who: As, credential: Any, container: str = "") -> BlobClient:
    """A blob in the container of the datastore, or in another one."""
    found = _send(who, "GET", DATASTORE).json()["properties"]
    url = f"https://{found['accountName']}.blob.core.windows.net"  # the name begins with the emulator's address
    return BlobServiceClient(url, credential=credential).get_blob_client(
        container or found["containerName"], "lock.json"
    )


def _set_storage(running: Running, value: dict[str, str] | None) -> None:
    url = f"{running.url}/emulator/settings"
    answer = requests.put(url, json={"storage": value}, headers=running.control_headers, timeout=20)
    answer.raise_for_status()


def test_the_lock_needs_no_role_of_its_own(somebody) -> None:
    """Data Scientist reads the credential of the datastore, which holds a lease on a blob. A token does not."""
    who = somebody["rollback"]
    secrets = _send(who, "POST", f"{DATASTORE}/listSecrets", {"expirableSecret": True})
    with _lock_blob(who, secrets.json()["sasToken"]) as blob:
        blob.upload_blob(b"{}", overwrite=True)
        blob.acquire_lease(60).release()
    with _lock_blob(who, _credential(who)) as blob, pytest.raises(HttpResponseError) as refused:
        blob.acquire_lease(60)
    assert refused.value.error_code == "AuthorizationPermissionMismatch"
    assert _send(who, "PUT", LOCK, {}).status_code == 403


def test_the_roles_for_the_lock_are_enough(somebody, running: Running) -> None:
    """One for the blob with a token, at its container only; one for the container, while the network is closed."""
    environment, specs = commands.validate(somebody["rollback"], "local")
    *_, trust = federation.trusts(environment, specs, federation.Repository("o/r"), "api://a", BUILT_IN)
    blobs, containers = (role.grant for role in trust.lock_roles)
    who = somebody["rollback"]
    container = _send(who, "GET", DATASTORE).json()["properties"]["containerName"]
    scope = blobs.scope.replace("$storage", default_world.STORAGE_ID).replace("$container", container)
    _give(running, who.principal, GUIDS[blobs.role], scope)
    with _lock_blob(who, _credential(who)) as blob:
        blob.upload_blob(b"{}", overwrite=True)
        blob.acquire_lease(60).release()
    with _lock_blob(who, _credential(who), "azureml") as blob, pytest.raises(HttpResponseError) as refused:
        blob.upload_blob(b"{}")
    assert refused.value.error_code == "AuthorizationPermissionMismatch"

    at_account = replace(containers, scope=default_world.STORAGE_ID)
    _give(running, who.principal, _custom(running, at_account), at_account.scope)
    _set_storage(running, {"network": "closed"})
    assert _send(who, "PUT", LOCK, {}).status_code == 201
    assert _send(who, "GET", LOCK).status_code == 200
    lease = _send(who, "POST", f"{LOCK}/lease", {"action": "Acquire", "leaseDuration": 60})
    assert (lease.status_code, len(lease.json()["leaseId"])) == (200, 36)
    assert _send(who, "DELETE", LOCK).status_code == 403
    _set_storage(running, None)

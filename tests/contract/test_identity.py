"""The real azure-identity and azure-ai-ml against the emulator's directory and roles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from deploy.emulator import Running
from deploy.emulator.entra import access_tokens
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.seed.open_world import open_world
from deploy.emulator.world.settings import GITHUB

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
MANAGEMENT = "https://management.azure.com/.default"
SUBJECT = "repo:octo-org/octo-repo:environment:production"
APP, PRINCIPAL, SECRET = str(uuid.uuid4()), str(uuid.uuid4()), "kept in a vault"


@pytest.fixture(scope="module")
def application(running: Running) -> str:
    """A service principal with a secret and a federated credential, a Reader of the workspace."""
    body = {
        "kind": "ServicePrincipal", "name": "pipeline", "appId": APP, "secrets": [{"secretText": SECRET}],
        "federatedCredentials": [{"name": "production", "issuer": GITHUB, "subject": SUBJECT}],
    }  # fmt: skip
    _control(running, f"principals/{PRINCIPAL}", body)
    _assign(running, PRINCIPAL, builtin_roles.READER, default_world.WORKSPACE_ID)
    return APP


def _control(running: Running, what: str, body: Any) -> None:
    _send("PUT", f"{running.url}/emulator/{what}", body, **running.control_headers)


def _send(method: str, url: str, body: Any, **headers: str) -> Any:
    reply = requests.request(method, url, json=body, headers=headers, timeout=20)
    reply.raise_for_status()
    return reply.json() if reply.content else None


def _assign(running: Running, principal: str, role: str, scope: str) -> None:
    url = f"{running.url}{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    definition = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    owner = DefaultAzureCredential().get_token(MANAGEMENT).token
    body = {"properties": {"roleDefinitionId": definition, "principalId": principal}}
    _send("PUT", f"{url}?api-version=2022-04-01", body, Authorization=f"Bearer {owner}")


def _secret(running: Running, tenant: str = access_tokens.TENANT, secret: str = SECRET) -> ClientSecretCredential:
    return ClientSecretCredential(tenant, APP, secret, authority=running.url, disable_instance_discovery=True)


def _client(credential: Any) -> MLClient:
    return MLClient(credential, default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE)


@pytest.mark.usefixtures("application")
def test_a_secret_signs_in(running: Running) -> None:
    """ClientSecretCredential, unmodified; a wrong secret is refused in Entra's words."""
    assert [each.name for each in _client(_secret(running)).online_endpoints.list()] == []
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        _secret(running, secret="guess").get_token(MANAGEMENT)


def test_an_assertion_signs_in(running: Running, application: str) -> None:
    """ClientAssertionCredential with a token as GitHub Actions would give it; another subject is refused."""

    def github(subject: str) -> str:
        url = f"{running.url}/github/token?api-version=2.0&subject={subject}&audience=api://AzureADTokenExchange"
        return str(_send("GET", url, None, Authorization="bearer amldeploy-emulator")["value"])

    def credential(subject: str) -> ClientAssertionCredential:
        return ClientAssertionCredential(
            access_tokens.TENANT, application, lambda: github(subject), authority=running.url,
            disable_instance_discovery=True,
        )  # fmt: skip

    assert _client(credential(SUBJECT)).workspaces.get(default_world.WORKSPACE).location == "eastus"
    with pytest.raises(ClientAuthenticationError, match="AADSTS70021"):
        credential("repo:a/fork:pull_request").get_token(MANAGEMENT)


def test_the_environment_alone_signs_in(running: Running, application: str) -> None:
    """A script of its own process, no code changed: tenant `adfs` needs no discovery at the real Entra ID."""
    script = (
        "from azure.identity import DefaultAzureCredential as D;"
        f"from azure.ai.ml import MLClient as M; c = M(D(), '{default_world.SUBSCRIPTION}', 'rg-local', 'mlw-local');"
        "print(c.workspaces.get('mlw-local').name)"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE_", "IDENTITY_"))}
    signed = {
        "AZURE_AUTHORITY_HOST": running.url, "AZURE_TENANT_ID": "adfs", "AZURE_CLIENT_ID": application,
        "AZURE_CLIENT_SECRET": SECRET,
    }  # fmt: skip
    variables = {k: v for k, v in running.variables().items() if not k.startswith(("AZURE_", "IDENTITY_"))}
    command, environment = [sys.executable, "-c", script], {**clean, **variables, **signed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "mlw-local", done.stderr


def test_a_managed_identity_is_chosen_by_its_client_id(application: str) -> None:
    """ManagedIdentityCredential, with and without."""
    owner, chosen = ManagedIdentityCredential(), ManagedIdentityCredential(client_id=application)
    token = chosen.get_token(MANAGEMENT).token
    assert token != owner.get_token(MANAGEMENT).token
    with pytest.raises(HttpResponseError) as caught:
        _client(chosen).online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="mine")).result()
    assert caught.value.status_code == 403


def test_a_reader_lists_and_does_not_write(running: Running, application: str) -> None:
    """Through the SDK, with Azure's words."""
    client = _client(_secret(running))
    assert list(client.online_endpoints.list()) == []
    with pytest.raises(HttpResponseError) as caught:
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="refused")).result()
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")
    assert f"The client '{application}' with object id '{PRINCIPAL}' does not have authorization" in str(caught.value)
    assert f"over scope '{default_world.WORKSPACE_ID}/onlineEndpoints/refused'" in str(caught.value)


def test_scoring_with_a_token_of_the_directory(running: Running, tmp_path: Path) -> None:
    """Refused with 401 until the caller holds the score action."""
    owner, who, app = _client(DefaultAzureCredential()), str(uuid.uuid4()), str(uuid.uuid4())
    owner.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="aad", auth_mode="aad_token")).result()
    owner.online_deployments.begin_create_or_update(_deployment("aad")).result()
    _control(running, f"principals/{who}", {"kind": "ServicePrincipal", "name": "app", "appId": app})
    _assign(running, who, builtin_roles.READER, default_world.WORKSPACE_ID)
    caller = _client(ManagedIdentityCredential(client_id=app))
    file = tmp_path / "request.json"
    file.write_text(json.dumps({}))
    told = []
    for role in ("", builtin_roles.DATA_SCIENTIST):
        if role:
            _assign(running, who, role, f"{default_world.WORKSPACE_ID}/onlineEndpoints/aad")
        with pytest.raises((HttpResponseError, MlException)) as caught:
            caller.online_endpoints.invoke("aad", request_file=str(file), deployment_name="blue")
        told.append(str(caught.value))
    assert told[0] == "aad_auth_access_denied"
    assert "ModelError" in told[1] or "424" in told[1]  # let in, and refused by the model
    owner.online_endpoints.begin_delete("aad").result()


def _deployment(endpoint: str, size: str = "Standard_DS3_v2") -> ManagedOnlineDeployment:
    return ManagedOnlineDeployment(
        name="blue", endpoint_name=endpoint, model=MODEL, instance_type=size, instance_count=1
    )


def _watch(client: MLClient, endpoint: str, until: datetime) -> None:
    while datetime.now(UTC) < until:
        client.online_endpoints.get(endpoint)


@pytest.mark.usefixtures("running")
def test_shared_quota_through_the_sdk() -> None:
    """A size without quota of its own is deployed; the endpoint is gone at the time that it asked for."""
    client = _client(DefaultAzureCredential())
    when = datetime.now(UTC) + timedelta(seconds=4)
    properties = {
        "SharedComputeCapacityEnabled": "true", "TargetAutoDeletionTime": format_datetime(when, usegmt=True),
    }  # fmt: skip
    made = client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="shared", properties=properties))
    assert made.result().properties["SharedComputeCapacityEnabled"] == "true"
    client.online_deployments.begin_create_or_update(_deployment("shared", "Standard_ND40rs_v2")).result()
    assert client.online_endpoints.get("shared").provisioning_state == "Succeeded"
    with pytest.raises(ResourceNotFoundError):
        _watch(client, "shared", when + timedelta(seconds=10))
    assert datetime.now(UTC) >= when.replace(microsecond=0)


def test_a_role_counts_only_after_its_delay(running: Running, state: Path) -> None:
    """The same principal, the same token: refused, and let in once the world's clock has moved on."""
    who = str(uuid.uuid4())
    _control(running, "settings", {"role_assignment_delay_seconds": 600})
    _control(running, f"principals/{who}", {"kind": "User", "name": "ada@example.com"})
    _assign(running, who, builtin_roles.READER, default_world.WORKSPACE_ID)
    credential = ManagedIdentityCredential(identity_config={"object_id": who})
    with pytest.raises(HttpResponseError, match=r"The client 'ada@example\.com'"):
        _client(credential).workspaces.get(default_world.WORKSPACE)
    world = open_world(state / "world.sqlite")  # another connection: the server notices what others write
    with world.transaction():
        world.db.execute(
            "UPDATE role_assignments SET body = replace(body, ?, ?) WHERE principal = ?",
            (f'"createdOn":"{datetime.now(UTC):%Y-%m-%d}', '"createdOn":"2026-01-01', who),
        )
    world.close()
    assert _client(credential).workspaces.get(default_world.WORKSPACE).name == default_world.WORKSPACE
    _control(running, "settings", {"role_assignment_delay_seconds": None})

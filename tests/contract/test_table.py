"""Every call of the SDK that concerns endpoints is answered: one row a call, and none falls off the emulator's map."""

from __future__ import annotations

import itertools
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    BatchEndpoint,
    BatchRetrySettings,
    Environment,
    KubernetesOnlineEndpoint,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
    ServerlessEndpoint,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import RoleAssignmentCreateParameters

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.runtime import standins
from deploy.emulator.seed import default_world

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
FILES = Path(__file__).parent
_new = itertools.count()


class Client:
    """An MLClient, and things of each kind that stand already."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.ml = MLClient(
            DefaultAzureCredential(), default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE
        )
        self.registry = MLClient(DefaultAzureCredential(), registry_name="azureml")
        self.request = FILES / "request.json"

    def endpoint(self, name: str, auth_mode: str = "key") -> Any:
        wanted = ManagedOnlineEndpoint(name=name, auth_mode=auth_mode)
        return self.ml.online_endpoints.begin_create_or_update(wanted).result()

    def deployment(self, endpoint: str, name: str = "blue", **more: Any) -> Any:
        wanted = {"model": MODEL, "instance_type": "Standard_DS2_v2", "instance_count": 1, **more}
        made = ManagedOnlineDeployment(name=name, endpoint_name=endpoint, **wanted)
        return self.ml.online_deployments.begin_create_or_update(made).result()

    def model(self, version: str | None = "1") -> Any:
        return self.ml.models.create_or_update(Model(name="table", version=version, path=__file__))

    def batch(self) -> Any:
        return self.ml.batch_endpoints.begin_create_or_update(BatchEndpoint(name="table-batch")).result()

    def batch_deployment(self) -> Any:
        settings = ModelBatchDeploymentSettings(
            mini_batch_size=1, retry_settings=BatchRetrySettings(max_retries=1, timeout=30)
        )
        wanted = ModelBatchDeployment(
            name="one", endpoint_name="table-batch", model=self.model().id, compute="cpu", settings=settings,
        )  # fmt: skip
        return self.ml.batch_deployments.begin_create_or_update(wanted).result()

    def serverless(self) -> Any:
        wanted = ServerlessEndpoint(name="table-serverless", model_id="azureml://registries/azureml/models/m")
        return self.ml.serverless_endpoints.begin_create_or_update(wanted).result()

    def score(self, endpoint: str, **more: Any) -> Any:
        """A model refuses the empty request: it was reached."""
        with pytest.raises(HttpResponseError) as caught:
            self.ml.online_endpoints.invoke(endpoint, request_file=str(self.request), **more)
        return caught.value.status_code

    def roles(self) -> Any:
        url = self.running.url
        options = {"base_url": url, "credential_scopes": [f"{url}/.default"]}
        return AuthorizationManagementClient(
            DefaultAzureCredential(), default_world.SUBSCRIPTION, **options
        ).role_assignments

    def give(self) -> Any:
        definition = f"/subscriptions/{default_world.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
        wanted = RoleAssignmentCreateParameters(
            role_definition_id=f"{definition}/{builtin_roles.READER}", principal_id=str(uuid.uuid4()),
            principal_type="ServicePrincipal",
        )  # fmt: skip
        return self.roles().create(default_world.WORKSPACE_ID, str(uuid.uuid4()), wanted)


def _deleted(client: Client) -> Any:
    client.endpoint("gone")
    client.deployment("gone")
    client.ml.online_deployments.begin_delete("blue", "gone").result()
    return client.ml.online_endpoints.begin_delete("gone").result() is None


def _missing(ask: Callable[[], Any]) -> Any:
    with pytest.raises(ResourceNotFoundError):
        ask()
    return True


ROWS: dict[str, Callable[[Client], Any]] = {
    "workspaces.get": lambda c: c.ml.workspaces.get(default_world.WORKSPACE).location == "eastus",
    "workspaces.list": lambda c: [w.name for w in c.ml.workspaces.list()] == [default_world.WORKSPACE],
    "online_endpoints.begin_create_or_update": lambda c: c.endpoint("made").provisioning_state == "Succeeded",
    "online_endpoints.get": lambda c: c.ml.online_endpoints.get("keyed").name == "keyed",
    "online_endpoints.list": lambda c: "keyed" in [found.name for found in c.ml.online_endpoints.list()],
    "get_keys, key": lambda c: c.ml.online_endpoints.get_keys("keyed").primary_key,
    "get_keys, aml_token": lambda c: c.ml.online_endpoints.get_keys("tokened").access_token,
    "get_keys, aad_token": lambda c: c.ml.online_endpoints.get_keys("entra").access_token,
    "begin_regenerate_keys": lambda c: (
        c.ml.online_endpoints.begin_regenerate_keys("keyed", key_type="secondary").result() is None
    ),
    "invoke, key": lambda c: c.score("keyed", deployment_name="blue") == 424,
    "invoke, aml_token": lambda c: c.score("tokened", deployment_name="blue") == 424,
    "invoke, aad_token": lambda c: c.score("entra", deployment_name="blue") == 424,
    "online_deployments.begin_create_or_update": lambda c: (
        c.deployment("keyed", "green").provisioning_state == "Succeeded"
    ),
    "online_deployments.get": lambda c: c.ml.online_deployments.get("blue", "keyed").name == "blue",
    "online_deployments.list": lambda c: "blue" in [d.name for d in c.ml.online_deployments.list("keyed")],
    "online_deployments.get_logs": lambda c: c.ml.online_deployments.get_logs("blue", "keyed", 9),
    "begin_delete": _deleted,
    "a Kubernetes endpoint is refused": lambda c: _refused(c, KubernetesOnlineEndpoint(name="kube", compute="aks")),
    "compute.list_usage": lambda c: list(c.ml.compute.list_usage()),
    "compute.list_usage(location)": lambda c: list(c.ml.compute.list_usage(location="eastus")),
    "compute.list_sizes": lambda c: list(c.ml.compute.list_sizes()),
    "compute.list": lambda c: list(c.ml.compute.list()) == [],
    "compute.get": lambda c: _missing(lambda: c.ml.compute.get("cpu")),
    "models.create_or_update": lambda c: c.model("7").version == "7",
    "models.create_or_update, no version": lambda c: int(c.model(None).version) >= 1,
    "models.get": lambda c: c.model() and c.ml.models.get("table", "1").version == "1",
    "models.get, label": lambda c: c.model() and c.ml.models.get("table", label="latest").version,
    "models.list": lambda c: c.model() and "table" in [m.name for m in c.ml.models.list()],
    "models.list(name)": lambda c: c.model() and "1" in [m.version for m in c.ml.models.list(name="table")],
    "environments.create_or_update": lambda c: (
        c.ml.environments.create_or_update(Environment(name="table", version="3", image="mcr.example/x:1")).version
    ),
    "environments.create_or_update, no version": lambda c: (
        c.ml.environments.create_or_update(Environment(name=f"t{next(_new)}", image="mcr.example/x:1")).version == "1"
    ),
    "registry models.get": lambda c: c.registry.models.get("MedImageParse", "17").version == "17",
    "registry models.get, label": lambda c: c.registry.models.get("MedImageParse", label="latest").version == "17",
    "registry models.list": lambda c: len(list(c.registry.models.list())) == len(standins.MODELS),
    "datastores.get_default": lambda c: c.ml.datastores.get_default().name == "workspaceblobstore",
    "batch_endpoints": lambda c: c.batch() and c.ml.batch_endpoints.get("table-batch").auth_mode == "aad_token",
    "batch_endpoints.list": lambda c: c.batch() and [e.name for e in c.ml.batch_endpoints.list()] == ["table-batch"],
    "batch_endpoints.get, none": lambda c: _missing(lambda: c.ml.batch_endpoints.get("nobody")),
    "batch_deployments": lambda c: c.batch() and c.batch_deployment().name == "one",
    "batch_deployments.list": lambda c: (
        c.batch() and c.batch_deployment() and len(list(c.ml.batch_deployments.list("table-batch"))) == 1
    ),
    "serverless_endpoints": lambda c: c.serverless().provisioning_state == "succeeded",
    "serverless_endpoints.get_keys": lambda c: (
        c.serverless() and c.ml.serverless_endpoints.get_keys("table-serverless").primary_key
    ),
    "registries.get": lambda c: c.ml.registries.get("azureml").name == "azureml",
    "connections.list": lambda c: list(c.ml.connections.list()) == [],
    "connections.get": lambda c: _missing(lambda: c.ml.connections.get("none")),
    "role_assignments.list_for_scope": lambda c: list(c.roles().list_for_scope(default_world.WORKSPACE_ID)),
    "role_assignments.create": lambda c: c.give().id,
    "role_assignments.delete": lambda c: c.roles().delete(default_world.WORKSPACE_ID, c.give().name).name,
}


def _refused(client: Client, endpoint: Any) -> bool:
    with pytest.raises(HttpResponseError, match=r"\(UserError\) The Kubernetes compute 'aks' was not found"):
        client.ml.online_endpoints.begin_create_or_update(endpoint).result()
    return True


@pytest.fixture(scope="module")
def client(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the SDK says of its own experiments
        made = Client(running)
        made.request = tmp_path_factory.mktemp("request") / "request.json"
        made.request.write_text("{}")
        for name, mode in (("keyed", "key"), ("tokened", "aml_token"), ("entra", "aad_token")):
            made.endpoint(name, mode)
            made.deployment(name)
        yield made


@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_answered(row: str, client: Client, state: Path) -> None:
    """The SDK gets what it asks for, and no request on the way falls off the map."""
    before = len(emulator.requests(state))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ROWS[row](client)
    asked = emulator.requests(state, after=before)
    assert [r for r in asked if "not emulated" in r["note"] or "bug" in r["note"] or r["status"] >= 500] == []


def test_what_is_not_emulated_says_so(client: Client, state: Path) -> None:
    """404 in Azure's envelope, and a word in the log."""
    before = len(emulator.requests(state))
    with pytest.raises(ResourceNotFoundError):
        list(client.ml.jobs.list())
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        list(client.ml.registries.list())
    assert {row["note"] for row in emulator.requests(state, after=before)} == {"not emulated"}

"""azure-ai-ml makes, changes, archives, lists and deletes assets, datastores and connections."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import (
    AccountKeyConfiguration,
    AzureBlobDatastore,
    BuildContext,
    Data,
    Environment,
    Model,
    NoneCredentialConfiguration,
    WorkspaceConnection,
)  # fmt: skip
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

from deploy.emulator import Running
from deploy.emulator.seed import default_world

PYTHON = {"channels": ["conda-forge"], "dependencies": ["python=3.8", {"pip": ["numpy"]}]}


@pytest.fixture(scope="module")
def client(running: Running) -> MLClient:  # noqa: ARG001 - asked for so that the variables are set
    return MLClient(DefaultAzureCredential(), default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "model.pkl"
    made.write_text("hello world")
    return made


def _versions(found: Iterable[Any]) -> list[str]:
    return [each.version for each in found]


def _names(found: Iterable[Any]) -> list[str]:
    return [each.name for each in found]


def test_a_version_of_a_model_is_archived_and_restored(client: MLClient, file: Path) -> None:
    """It leaves the list of active versions, and comes back; the label is that of the newest active version."""
    for version in ("1", "2"):
        client.models.create_or_update(Model(name="archived", version=version, path=str(file)))
        assert client.models.get("archived", label="latest").version == version
    client.models.archive("archived", "2")
    assert _versions(client.models.list("archived")) == ["1"]
    assert _versions(client.models.list("archived", list_view_type=ListViewType.ARCHIVED_ONLY)) == ["2"]
    assert client.models.get("archived", label="latest").version == "1"
    client.models.restore("archived", "2")
    assert _versions(client.models.list("archived", list_view_type=ListViewType.ALL)) == ["2", "1"]
    assert client.models.get("archived", label="latest").version == "2"


def test_a_model_without_a_version_gets_the_next_one(client: MLClient, file: Path) -> None:
    """Also with the same content; an archived version keeps its number."""
    for version in ("1", "2"):
        assert client.models.create_or_update(Model(name="next", path=str(file))).version == version
    client.models.archive("next", "2")
    assert client.models.create_or_update(Model(name="next", path=str(file))).version == "3"


def test_a_whole_model_is_archived_and_restored(client: MLClient, file: Path) -> None:
    """Its name leaves the list of names."""
    client.models.create_or_update(Model(name="whole", version="1", path=str(file)))
    client.models.archive("whole")
    assert "whole" not in _names(client.models.list())
    assert "whole" in _names(client.models.list(list_view_type=ListViewType.ARCHIVED_ONLY))
    client.models.restore("whole")
    assert "whole" in _names(client.models.list())


def test_models_are_listed_by_stage(client: MLClient, file: Path) -> None:
    """A stage is kept with the version."""
    client.models.create_or_update(Model(name="staged", version="1", path=str(file), stage="Production"))
    client.models.create_or_update(Model(name="staged", version="2", path=str(file)))
    assert client.models.get("staged", "2").stage == "Development"
    assert _versions(client.models.list("staged", stage="Production")) == ["1"]


def test_the_files_of_a_version_are_fixed(client: MLClient, file: Path) -> None:
    """Its tags and description are not. azure-ai-ml has this message in its constants."""
    client.models.create_or_update(Model(name="fixed", version="1", path=str(file)))
    tagged = Model(name="fixed", version="1", path=str(file), tags={"a": "b"}, description="new")
    changed = client.models.create_or_update(tagged)
    assert (changed.tags, changed.description) == ({"a": "b"}, "new")
    file.write_text("other")
    with pytest.raises(HttpResponseError, match=r"^\(UserError\) Asset paths cannot be updated\."):
        client.models.create_or_update(Model(name="fixed", version="1", path=str(file)))
    assert client.models.get("fixed", "1").path == changed.path


def test_an_environment_without_a_version_is_not_repeated(client: MLClient, tmp_path: Path) -> None:
    """azure-ai-ml writes the latest version, and takes the next one only if that is refused as existing."""

    def version(**changes: Any) -> str:
        made = Environment(**{"name": "repeated", "image": "mcr.microsoft.com/a:1", **changes})
        return str(client.environments.create_or_update(made).version)

    assert [version(), version(), version(description="new", tags={"a": "b"})] == ["1", "1", "1"]
    assert client.environments.get("repeated", "1").description == "new"
    assert [version(image="mcr.microsoft.com/a:2"), version(image="mcr.microsoft.com/a:2")] == ["2", "2"]
    assert [version(conda_file=PYTHON), version(conda_file=PYTHON)] == ["3", "3"]
    assert client.environments.get("repeated", label="latest").conda_file == PYTHON
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    builds = [version(name="built", image=None, build=BuildContext(path=str(tmp_path))) for _ in range(2)]
    (tmp_path / "Dockerfile").write_text("FROM other")
    builds.append(version(name="built", image=None, build=BuildContext(path=str(tmp_path))))
    assert builds == ["1", "1", "2"]


def test_a_version_of_an_environment_is_fixed(client: MLClient) -> None:
    """The refusal is the 409 that azure-ai-ml waits for."""
    client.environments.create_or_update(Environment(name="fixed", version="1", image="mcr.microsoft.com/a:1"))
    with pytest.raises(ResourceExistsError, match="Environment fixed with version 1 is already registered and cannot"):
        client.environments.create_or_update(Environment(name="fixed", version="1", image="mcr.microsoft.com/a:2"))


def test_an_environment_is_archived_and_restored(client: MLClient) -> None:
    """A version, with the conda file that the client has read as JSON; and the whole environment."""
    for version in ("1", "2"):
        client.environments.create_or_update(
            Environment(name="archived", version=version, image="mcr.microsoft.com/a:1", conda_file=PYTHON)
        )
    client.environments.archive("archived", "1")
    assert _versions(client.environments.list("archived")) == ["2"]
    client.environments.restore("archived", "1")
    assert _versions(client.environments.list("archived")) == ["2", "1"]
    client.environments.archive("archived")
    assert "archived" not in _names(client.environments.list())
    client.environments.restore("archived")
    assert "archived" in _names(client.environments.list())
    with pytest.raises(ResourceNotFoundError, match="No environment exists for name: none, version: 1, label: "):
        client.environments.get("none", "1")


def test_data_is_archived_and_fixed(client: MLClient, file: Path) -> None:
    """As models are."""
    for version in ("1", "2"):
        assert client.data.create_or_update(Data(name="rows", path=str(file), type="uri_file")).version == version
    client.data.archive("rows", "1")
    assert _versions(client.data.list("rows")) == ["2"]
    client.data.restore("rows", "1")
    file.write_text("other")
    with pytest.raises(HttpResponseError, match="A data version with this name and version already exists"):
        client.data.create_or_update(Data(name="rows", version="1", path=str(file), type="uri_file"))


def test_a_datastore_is_added_listed_and_deleted(client: MLClient) -> None:
    """With and without credentials; the default one does not change."""
    key = AccountKeyConfiguration(account_key="bm90IGEga2V5")
    added = AzureBlobDatastore(name="added", account_name="acc", container_name="box", credentials=key)
    assert client.datastores.create_or_update(added).account_name == "acc"
    bare = AzureBlobDatastore(
        name="bare", account_name="acc", container_name="box", credentials=NoneCredentialConfiguration()
    )
    client.datastores.create_or_update(bare)
    assert _names(client.datastores.list())[:2] == ["bare", "added"]
    assert client.datastores.get("added", include_secrets=True).credentials.account_key == "bm90IGEga2V5"
    assert client.datastores.get_default().name == "workspaceblobstore"
    for name in ("added", "bare"):
        client.datastores.delete(name)
    with pytest.raises(ResourceNotFoundError, match="Could not find datastore: added"):
        client.datastores.get("added")


def test_a_connection_is_added_and_deleted(client: MLClient) -> None:
    """Its absence has the message that the SDK's own tests expect."""
    made = WorkspaceConnection(name="git", type="git", target="https://example.com", credentials=None)
    assert client.connections.create_or_update(made).name == "git"
    assert "git" in _names(client.connections.list())
    client.connections.delete("git")
    with pytest.raises(ResourceNotFoundError, match="Connection git can't be found in this workspace"):
        client.connections.get("git")


def test_a_workspace_has_what_azureml_mlflow_needs(client: MLClient) -> None:
    """azureml-mlflow, installed beside the SDK, replaces a part of this text and takes its host in every
    `workspaces.get`, and so in every creation of an endpoint. It fails when the text is missing.
    """
    found = client.workspaces.get(default_world.WORKSPACE)
    uri = urlsplit(found.mlflow_tracking_uri)
    assert (uri.scheme, uri.netloc) == ("azureml", "eastus.api.azureml.ms")
    assert uri.path == f"/mlflow/v1.0{default_world.WORKSPACE_ID}"
    assert client.workspaces.get_keys().notebook_access_keys.primary_access_key

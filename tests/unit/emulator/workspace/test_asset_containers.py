"""Asset containers: created by their first version, archived and deleted as a whole."""

from __future__ import annotations

import pytest

from tests.unit.emulator.azure import WORKSPACE, Azure
from tests.unit.emulator.workspace.test_asset_versions import names, put


@pytest.mark.parametrize(("kind", "description", "latest"), [("models", None, None), ("environments", "", "0")])
def test_a_container_has_what_azure_writes(
    azure: Azure, kind: str, description: str | None, latest: str | None
) -> None:
    """Without a version it has none that is the latest, and 1 is next."""
    path = f"{WORKSPACE}/{kind}/mine"
    made = azure.send("PUT", path, {"properties": {"tags": {"a": "b"}}})
    assert (made.status, made.headers["location"].startswith(f"https://127.0.0.1:1234{path}?")) == (201, True)
    assert made.json["properties"] == {
        "description": description, "tags": {"a": "b"}, "properties": {}, "isArchived": False,
        "latestVersion": latest, "nextVersion": "1", "provisioningState": "Succeeded",
    }  # fmt: skip
    assert azure.send("GET", path).json == made.json
    assert azure.send("PUT", path, {"properties": {}}).status == (201 if kind == "environments" else 200)


def test_the_latest_version_is_the_newest_one_with_a_name(azure: Azure) -> None:
    """Anonymous versions do not count, archived ones do; the next number follows the largest one."""
    for version in ("7", "foo"):
        put(azure, "environments", version)
    put(azure, "environments", "9f8e", isAnonymous=True)
    put(azure, "environments", "foo", isArchived=True)
    container = azure.send("GET", f"{WORKSPACE}/environments/mine").json["properties"]
    assert (container["latestVersion"], container["nextVersion"]) == ("foo", "8")
    labels = {
        item["name"]: item["properties"]["properties"]["azureml.labels"]
        for item in azure.send("GET", f"{WORKSPACE}/environments/mine/versions?listViewType=All").json["value"]
    }
    assert labels == {"7": "", "foo": "latest", "9f8e": ""}


def test_an_archived_container_is_listed_on_request(azure: Azure) -> None:
    """Its versions do not change."""
    for name in ("one", "two"):
        put(azure, "models", name=name)
    assert names(azure, "models") == ["two", "one"]
    azure.send("PUT", f"{WORKSPACE}/models/one", {"properties": {"isArchived": True}})
    assert (names(azure, "models"), names(azure, "models?listViewType=ArchivedOnly")) == (["two"], ["one"])
    assert names(azure, "models/one/versions") == ["1"]
    azure.send("PUT", f"{WORKSPACE}/models/one", {"properties": {"isArchived": False}})
    assert names(azure, "models?count=1") == ["two"]
    assert names(azure, "models?count=1&$skip=1") == ["one"]


def test_a_container_is_deleted_with_its_versions(azure: Azure) -> None:
    """But not without them: a name stays after its last version."""
    put(azure, "models", name="one")
    put(azure, "models", name="one-more")
    azure.send("DELETE", f"{WORKSPACE}/models/one/versions/1")
    assert azure.send("GET", f"{WORKSPACE}/models/one").json["properties"]["latestVersion"] is None
    assert azure.send("GET", f"{WORKSPACE}/models/one/versions").json == {"value": []}
    put(azure, "models", name="one")
    assert [azure.send("DELETE", f"{WORKSPACE}/models/one").status for _ in range(2)] == [200, 204]
    assert azure.send("GET", f"{WORKSPACE}/models/one/versions/1").status == 404
    assert names(azure, "models") == ["one-more"]


def test_a_deployment_needs_a_version(azure: Azure) -> None:
    """A container is not a model that can be deployed."""
    put(azure, "models")
    azure.endpoint()
    azure.finish_operations()
    azure.deployment(model=f"{WORKSPACE}/models/mine")
    azure.finish_operations()
    assert azure.get("mip/deployments/blue")["properties"]["provisioningState"] == "Failed"
    azure.deployment(model=f"{WORKSPACE}/models/mine/versions/1")
    azure.finish_operations()
    assert azure.get("mip/deployments/blue")["properties"]["provisioningState"] == "Succeeded"


def test_a_stale_read_of_a_new_name_finds_nothing(azure: Azure) -> None:
    """The container that a version created is part of that write."""
    put(azure, "models")
    azure.send("POST", "/emulator/faults", {"kind": "stale", "path": "*/models/mine", "method": "GET"})
    found = [azure.send("GET", f"{WORKSPACE}/models/mine").status for _ in range(2)]
    assert found == [404, 200]

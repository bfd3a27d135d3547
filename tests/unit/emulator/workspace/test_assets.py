"""Workspace assets."""

from __future__ import annotations

from tests.unit.emulator.azure import WORKSPACE, Azure


def test_a_version_is_created_read_listed_and_deleted(azure: Azure) -> None:
    """201, then 200; the container has the latest and the next version."""
    root = f"{WORKSPACE}/models/mine"
    assert azure.send("GET", root).status == 404
    body = {"properties": {"modelUri": "azureml://x", "tags": {"a": "b"}, "properties": {"n": 1}}}
    assert azure.send("PUT", f"{root}/versions/1", body).status == 201
    again = azure.send("PUT", f"{root}/versions/1", body)
    assert (again.status, again.json["properties"]["flavors"], again.json["properties"]["properties"]) == (
        200,
        {},
        {"n": "1"},
    )
    azure.send("PUT", f"{root}/versions/2", body)
    container = azure.send("GET", root).json["properties"]
    assert (container["latestVersion"], container["nextVersion"]) == ("2", "3")
    assert [item["name"] for item in azure.send("GET", f"{root}/versions?$top=1").json["value"]] == ["2"]
    assert [item["name"] for item in azure.send("GET", f"{WORKSPACE}/models").json["value"]] == ["mine"]
    assert azure.send("DELETE", f"{root}/versions/2").status == 200
    assert azure.send("DELETE", f"{root}/versions/2").status == 204
    assert azure.send("GET", f"{root}/versions/2").status == 404


def test_uploaded_code_is_found_by_its_hash(azure: Azure) -> None:
    """Under any name, so that a client need not upload it again."""
    root = f"{WORKSPACE}/codes/c2/versions"
    azure.send(
        "PUT",
        f"{WORKSPACE}/codes/c1/versions/1",
        {"properties": {"codeUri": "x", "properties": {"hash_sha256": "abc"}}},
    )
    assert len(azure.send("GET", f"{root}?hash=abc").json["value"]) == 1
    assert azure.send("GET", f"{root}?hash=xyz").json["value"] == []


def test_the_default_datastore_has_the_emulators_address(azure: Azure) -> None:
    """In its account name; secrets are a SAS, or a key for older clients."""
    found = azure.send("GET", f"{WORKSPACE}/datastores?isDefault=true").json["value"]
    assert [item["name"] for item in found] == ["workspaceblobstore"]
    assert found[0]["properties"]["accountName"] == "127.0.0.1:1234/stmlwlocal"
    path = f"{WORKSPACE}/datastores/workspaceblobstore/listSecrets"
    assert azure.send("POST", path, {"expirableSecret": True}).json["secretsType"] == "Sas"
    assert azure.send("POST", path, {"expirableSecret": False}).json["secretsType"] == "AccountKey"
    assert azure.send("GET", f"{WORKSPACE}/datastores/none").status == 404
    assert azure.send("GET", f"{WORKSPACE}/jobs").status == 404

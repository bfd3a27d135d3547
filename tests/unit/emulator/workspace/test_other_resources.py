"""Connections, identities, batch and serverless endpoints, name checks."""

from __future__ import annotations

from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import WORKSPACE, Azure

CONNECTION = f"{WORKSPACE}/connections/llm"
SAID = {"authType": "ApiKey", "category": "CustomKeys", "target": "https://x", "credentials": {"key": "hush"}}


def test_only_listsecrets_returns_the_secret(azure: Azure) -> None:
    """Not GET, not lists, not for a reader."""
    assert azure.send("PUT", CONNECTION, {"properties": SAID}).status == 200
    for path in (CONNECTION, f"{WORKSPACE}/connections"):
        reply = azure.send("GET", path)
        assert reply.status == 200
        assert b"hush" not in reply.content
    assert azure.send("POST", f"{CONNECTION}/listsecrets").json["properties"]["credentials"] == {"key": "hush"}
    me = azure.sign_in("reads")
    azure.assign_role(me, builtin_roles.READER, WORKSPACE)
    assert azure.send("GET", CONNECTION).status == 200
    assert azure.send("POST", f"{CONNECTION}/listsecrets").code == "AuthorizationFailed"


def test_a_connection_has_what_azure_writes(azure: Azure) -> None:
    """The recorded keys. Without credentials there is no such key; a second PUT is a new connection."""
    plain = {"authType": "None", "category": "ContainerRegistry", "target": "www.example.com"}
    made = azure.send("PUT", CONNECTION, {"properties": plain}).json
    assert made["properties"] == {
        "authType": "None", "group": "Azure", "category": "ContainerRegistry", "expiryTime": None,
        "target": "www.example.com", "createdByWorkspaceArmId": WORKSPACE, "useWorkspaceManagedIdentity": False,
        "isSharedToAll": False, "sharedUserList": [], "peRequirement": "NotRequired", "peStatus": "NotApplicable",
        "error": None, "isDefault": True, "metadata": {},
    }  # fmt: skip
    assert list(made) == ["tags", "location", "id", "name", "type", "properties", "systemData"]
    azure.clock.advance(60)
    again = azure.send("PUT", CONNECTION, {"properties": {**SAID, "isSharedToAll": True}}).json
    assert (again["properties"]["credentials"], again["properties"]["isSharedToAll"]) == (None, True)
    assert again["systemData"]["createdAt"] > made["systemData"]["createdAt"]


def test_a_missing_connection_has_another_form_of_error(azure: Azure) -> None:
    """It is the answer of another service."""
    missing = azure.send("GET", CONNECTION)
    assert (missing.status, missing.code) == (404, "UserError")
    assert missing.json["error"]["message"] == "Connection llm can't be found in this workspace"
    assert missing.json["error"]["innerError"] == {"code": "NotFoundError", "innerError": None}
    assert (missing.json["componentName"], missing.json["statusCode"]) == ("account-rp", 404)


def test_connections_are_filtered_and_deleted(azure: Azure) -> None:
    """By category; 204 for a missing one; a connection without category is refused."""
    azure.send("PUT", CONNECTION, {"properties": SAID})
    assert azure.send("GET", f"{WORKSPACE}/connections?category=git").json["value"] == []
    assert len(azure.send("GET", f"{WORKSPACE}/connections?category=customkeys").json["value"]) == 1
    assert azure.send("PUT", CONNECTION, {"properties": {"authType": "None"}}).status == 400
    assert [azure.send("DELETE", CONNECTION).status for _ in range(2)] == [200, 204]
    assert azure.send("GET", CONNECTION).status == 404


def test_a_user_assigned_identity_is_created_and_deleted(azure: Azure) -> None:
    """The same name has the same principal; deletion removes it from the directory."""
    path = default_world.IDENTITY_ID.replace("id-local", "mine")
    assert azure.send("PUT", path, {}).code == "LocationRequired"
    made = azure.send("PUT", path, {"location": "eastus", "tags": {"a": "b"}})
    assert made.status == 201
    assert azure.send("PUT", path, {"location": "eastus"}).status == 200
    principal = made.json["properties"]["principalId"]
    assert azure.send("GET", path).json["properties"]["principalId"] == principal
    for where in (
        path.rpartition("/")[0],
        f"/subscriptions/{default_world.SUBSCRIPTION}/{'/'.join(path.split('/')[5:8])}",
    ):
        assert {item["name"] for item in azure.send("GET", where).json["value"]} == {"id-local", "mine"}
    assert principal in azure.send("GET", "/emulator/principals").content.decode()
    assert [azure.send("DELETE", path).status for _ in range(2)] == [200, 204]
    assert azure.send("GET", path).status == 404
    assert principal not in azure.send("GET", "/emulator/principals").content.decode()


def test_batch_endpoints_count_as_endpoints(azure: Azure) -> None:
    """For the same limit of their region."""
    azure.world.db.execute("INSERT INTO quotas VALUES (?, 'eastus', 'Endpoints', 2)", (default_world.SUBSCRIPTION,))
    path = f"{WORKSPACE}/batchEndpoints"
    assert azure.send("PUT", f"{path}/one", {"location": "eastus", "properties": {}}).status == 201
    assert azure.endpoint("two").status == 201
    assert azure.endpoint("three").status == 400
    assert azure.send("PUT", f"{path}/four", {"location": "eastus", "properties": {}}).status == 400
    assert azure.send("PUT", f"{path}/one", {"location": "eastus", "properties": {}}).status == 409
    azure.finish_operations()
    assert azure.send("PUT", f"{path}/one", {"location": "eastus", "properties": {}}).status == 200


def test_batch_deployments_count_as_deployments(azure: Azure) -> None:
    """For the limits of their region and of their endpoint."""
    azure.world.db.execute("INSERT INTO quotas VALUES (?, 'eastus', 'Deployments', 2)", (default_world.SUBSCRIPTION,))
    path, body = f"{WORKSPACE}/batchEndpoints/one", {"location": "eastus", "properties": {}}
    azure.send("PUT", path, body)
    azure.endpoint()
    azure.finish_operations()
    assert azure.deployment("blue").status == 201
    assert azure.send("PUT", f"{path}/deployments/one", body).status == 201
    assert "DeploymentsLimitReached" in azure.send("PUT", f"{path}/deployments/two", body).content.decode()
    assert "DeploymentsLimitReached" in azure.deployment("green").content.decode()
    azure.finish_operations()
    assert azure.send("PUT", f"{path}/deployments/one", body).status == 200
    for limit, most in (("Deployments", 500), ("DeploymentsPerEndpoint", 1)):
        azure.world.db.execute(
            "INSERT OR REPLACE INTO quotas VALUES (?, 'eastus', ?, ?)", (default_world.SUBSCRIPTION, limit, most)
        )
    refused = azure.send("PUT", f"{path}/deployments/two", body)
    assert "DeploymentsPerEndpointLimitReached" in refused.content.decode()


def test_batch_deployments_are_deleted_with_their_endpoint(azure: Azure) -> None:
    """They need an endpoint."""
    path = f"{WORKSPACE}/batchEndpoints/one"
    body = {"location": "eastus", "properties": {"compute": "cpu"}}
    assert azure.send("PUT", f"{path}/deployments/blue", body).status == 404
    azure.send("PUT", path, body)
    made = azure.send("PUT", f"{path}/deployments/blue", body)
    assert (made.status, made.json["id"]) == (201, f"{path}/deployments/blue")
    assert [item["name"] for item in azure.send("GET", f"{path}/deployments").json["value"]] == ["blue"]
    assert set(azure.send("POST", f"{path}/listkeys").json) == {"primaryKey", "secondaryKey"}
    assert [azure.send("DELETE", path).status for _ in range(2)] == [202, 202]
    assert azure.send("GET", path).json["properties"]["provisioningState"] == "Deleting"
    azure.finish_operations()
    assert azure.send("DELETE", path).status == 204
    assert azure.send("GET", f"{path}/deployments/blue").status == 404


def test_serverless_keys_are_regenerated_one_at_a_time(azure: Azure) -> None:
    """The other key stays."""
    path = f"{WORKSPACE}/serverlessEndpoints/one"
    azure.send("PUT", path, {"location": "eastus", "properties": {"authMode": "Key"}})
    before = azure.send("POST", f"{path}/listKeys").json
    after = azure.send("POST", f"{path}/regenerateKeys", {"keyType": "Secondary"}).json
    assert after["primaryKey"] == before["primaryKey"]
    assert after["secondaryKey"] != before["secondaryKey"]


def test_deployment_name_availability(azure: Azure) -> None:
    """Invalid, free, used."""
    azure.endpoint()
    azure.finish_operations()
    path = f"{WORKSPACE}/onlineEndpoints/mip/deployments"
    ask = [azure.send("GET", f"{path}/{name}/checkNameAvailability").json for name in ("b_", "blue")]
    azure.deployment()
    ask.append(azure.send("GET", f"{path}/blue/checkNameAvailability").json)
    assert [(told["nameAvailable"], told["reason"]) for told in ask] == [
        (False, "Invalid"), (True, None), (False, "AlreadyExists"),
    ]  # fmt: skip

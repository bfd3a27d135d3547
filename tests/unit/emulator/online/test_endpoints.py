"""Azure's rules for endpoints."""

from __future__ import annotations

import pytest

from deploy.emulator.world.timing import PROFILES
from tests.unit.emulator.azure import WORKSPACE, Azure, endpoint_body

EP = f"{WORKSPACE}/onlineEndpoints"


def test_a_new_endpoint_is_creating_until_its_operation_ends(azure: Azure) -> None:
    """The state follows the clock; URLs appear only at the end."""
    reply = azure.endpoint()
    assert (reply.status, reply.json["properties"]["provisioningState"]) == (201, "Creating")
    assert reply.json["properties"]["scoringUri"] is None
    azure.clock.advance(0.05)
    assert azure.get("mip")["properties"]["provisioningState"] == "Creating"
    azure.clock.advance(0.06)
    found = azure.get("mip")["properties"]
    assert found["provisioningState"] == "Succeeded"
    assert found["scoringUri"] == "https://127.0.0.1:1234/inference/eastus/mip/score"


def test_the_operation_is_updating_and_then_succeeded(azure: Azure) -> None:
    """The Azure-AsyncOperation URL returns the status, with a polling hint."""
    url = azure.endpoint().headers["azure-asyncoperation"].removeprefix("https://127.0.0.1:1234")
    first = azure.send("GET", url)
    assert (first.json["status"], first.json["percentComplete"]) == ("Updating", 0.0)
    assert first.json["endTime"] == "0001-01-01T00:00:00+00:00"
    assert first.headers["retry-after-ms"] == "50"
    azure.finish_operations()
    last = azure.send("GET", url)
    assert last.json["status"] == "Succeeded"
    assert "retry-after-ms" not in last.headers


@pytest.mark.parametrize("name", ["ab", "1abc", "has_underscore", "a" * 33, "ends-", "dött"])
def test_an_invalid_endpoint_name_is_refused(azure: Azure, name: str) -> None:
    """3 to 32 letters, digits and dashes, beginning with a letter."""
    from urllib.parse import quote

    assert azure.endpoint(quote(name)).status == 400


def test_an_endpoint_name_is_unique_in_its_region(azure: Azure) -> None:
    """Another workspace cannot use the same name."""
    azure.endpoint()
    other = azure.world.get(WORKSPACE)
    assert other is not None
    with azure.world.transaction():
        other.id = other.id.replace("mlw-local", "mlw-other")
        other.body["id"] = WORKSPACE.replace("mlw-local", "mlw-other")
        azure.world.save(other)
    reply = azure.send("PUT", f"{WORKSPACE.replace('mlw-local', 'mlw-other')}/onlineEndpoints/MIP", endpoint_body())
    assert (reply.status, reply.code) == (400, "UserError")
    assert "already exists" in reply.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"traffic": {"blue": 100}}, "does not exist"),
        ({"authMode": "Password"}, "authMode"),
        ({"authMode": None}, "authMode"),
        ({"traffic": {"blue": "100"}}, "integer"),
        ({"traffic": [1]}, "object"),
    ],
)
def test_an_invalid_endpoint_body_is_refused_with_the_field_named(
    azure: Azure, change: dict[str, object], words: str
) -> None:
    """Nothing is created."""
    reply = azure.endpoint(**change)
    assert reply.status == 400
    assert words in reply.message
    assert azure.send("GET", f"{EP}/mip").status == 404


def test_another_location_is_refused(azure: Azure) -> None:
    """An endpoint is in the region of its workspace."""
    body = endpoint_body()
    assert azure.send("PUT", f"{EP}/mip", {**body, "location": "westus"}).status == 400
    azure.endpoint()
    azure.finish_operations()
    reply = azure.send("PUT", f"{EP}/mip", {**body, "location": "westus"})
    assert (reply.status, reply.code) == (409, "InvalidResourceLocation")
    assert azure.send("PUT", f"{EP}/mip", {"properties": body["properties"]}).code == "LocationRequired"


def test_a_busy_endpoint_refuses_changes(azure: Azure) -> None:
    """During an operation: no update, no deletion, no deployment, no new keys."""
    azure.endpoint()
    replies = (
        azure.endpoint(), azure.send("DELETE", f"{EP}/mip"), azure.deployment(),
        azure.send("POST", f"{EP}/mip/regenerateKeys", {"keyType": "Primary"}),
    )  # fmt: skip
    assert [reply.status for reply in replies] == [409] * 4
    assert "Cannot create a deployment in endpoint mip because it is in Creating" in replies[2].message


def test_traffic_takes_effect_when_the_operation_ends(azure: Azure) -> None:
    """The answer to the PUT has the old traffic."""
    azure.serving_endpoint(blue=100)
    azure.deployment("green")
    azure.finish_operations()
    reply = azure.endpoint(traffic={"blue": 0, "GREEN": 100})
    assert reply.json["properties"]["traffic"] == {"blue": 100}
    assert azure.get("mip")["properties"]["traffic"] == {"blue": 100}
    azure.finish_operations()
    assert azure.get("mip")["properties"]["traffic"] == {"green": 100}


def test_traffic_needs_succeeded_deployments(azure: Azure) -> None:
    """A deployment in creation gets none; one in update keeps its traffic."""
    azure.serving_endpoint(blue=100)
    azure.deployment("green")
    assert "not in provisioning state Succeeded" in azure.endpoint(traffic={"green": 100}).message
    azure.finish_operations()
    azure.deployment("blue", instances=2)
    assert azure.get("mip/deployments/blue")["properties"]["provisioningState"] == "Updating"
    assert azure.endpoint(traffic={"blue": 100}).status == 201


def test_properties_are_added_and_never_changed(azure: Azure) -> None:
    """An existing value wins, and omitting it does not remove it."""
    azure.endpoint(properties={"a": "1", "n": 5})
    azure.finish_operations()
    azure.endpoint(properties={"a": "2", "b": "3"})
    found = azure.get("mip")["properties"]["properties"]
    assert (found["a"], found["b"], found["n"]) == ("1", "3", "5")
    assert found["azureml.onlineendpointid"] == f"{EP}/mip".lower()
    assert found["AzureAsyncOperationUri"].startswith("https://127.0.0.1:1234/subscriptions/")


def test_the_identity_cannot_change(azure: Azure) -> None:
    """It exists at once and survives updates."""
    born = azure.created_endpoint()["identity"]
    azure.finish_operations()
    body = {**endpoint_body(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/x/y": {}}}}
    assert azure.send("PUT", f"{EP}/mip", body).status == 400
    assert azure.endpoint().json["identity"] == born


def test_deletion_removes_endpoint_and_deployments_at_its_end(azure: Azure) -> None:
    """Before that the state is Deleting; a second DELETE answers 204."""
    azure.serving_endpoint(blue=100)
    azure.deployment("green")
    reply = azure.send("DELETE", f"{EP}/mip")
    assert (reply.status, reply.content) == (202, b"null")
    assert "mfeOperationResults" in reply.headers["location"]
    assert azure.get("mip")["properties"]["provisioningState"] == "Deleting"
    azure.clock.advance(0.05)
    assert azure.get("mip/deployments/green")["properties"]["provisioningState"] == "Deleting"
    again = azure.send("DELETE", f"{EP}/mip").headers["azure-asyncoperation"]
    assert again.partition("&t=")[0] == reply.headers["azure-asyncoperation"].partition("&t=")[0]
    azure.finish_operations()
    assert azure.send("GET", f"{EP}/mip").code == "ResourceNotFound"
    assert azure.send("DELETE", f"{EP}/mip").status == 204
    assert azure.world.db.execute("SELECT COUNT(*) FROM allocations").fetchone() == (0,)


def test_deletion_cancels_operations_of_deployments(azure: Azure) -> None:
    """A deployment in creation is deleted with its endpoint."""
    azure.serving_endpoint(blue=100)
    azure.deployment("green")
    azure.clock.advance(0.15)
    azure.send("DELETE", f"{EP}/mip")
    azure.clock.advance(0.06)
    assert azure.get("mip/deployments/green")["properties"]["provisioningState"] == "Deleting"


def test_the_list_is_newest_first_and_pages(azure: Azure) -> None:
    """`count` limits a page, `nextLink` is the next one, `name` and `tags` filter."""
    for number in range(5):
        azure.send("PUT", f"{EP}/ep-{number}", {**endpoint_body(), "tags": {"n": str(number)}})
    seen, path = [], f"{EP}?count=2"
    while path:
        page = azure.send("GET", path).json
        seen.append([item["name"] for item in page["value"]])
        path = page.get("nextLink", "").removeprefix("https://127.0.0.1:1234")
    assert seen == [["ep-4", "ep-3"], ["ep-2", "ep-1"], ["ep-0"]]
    assert [i["name"] for i in azure.send("GET", f"{EP}?name=EP-3").json["value"]] == ["ep-3"]
    assert [i["name"] for i in azure.send("GET", f"{EP}?tags=n=1").json["value"]] == ["ep-1"]
    assert len(azure.send("GET", f"{EP}?tags=n").json["value"]) == 5
    assert azure.send("GET", f"{EP}?count=²").status == 400


def test_keys_are_null_until_succeeded_and_can_be_regenerated(azure: Azure) -> None:
    """Regeneration is an operation; the current key as value requests a new one, another value is used as sent."""
    azure.endpoint()
    assert azure.send("POST", f"{EP}/mip/listKeys").json == {"primaryKey": None, "secondaryKey": None}
    azure.finish_operations()
    old = azure.send("POST", f"{EP}/mip/listKeys").json
    reply = azure.send("POST", f"{EP}/mip/regenerateKeys", {"keyType": "Secondary", "keyValue": old["secondaryKey"]})
    assert reply.status == 202
    assert "azure-asyncoperation" not in reply.headers
    where = reply.headers["location"].removeprefix("https://127.0.0.1:1234")
    assert azure.send("GET", where).status == 202
    azure.send("POST", f"{EP}/mip/regenerateKeys", {"keyType": "Primary", "keyValue": "chosen"})
    azure.finish_operations()
    assert azure.send("GET", where).status == 200
    new = azure.send("POST", f"{EP}/mip/listKeys").json
    assert new["primaryKey"] == "chosen"
    assert new["secondaryKey"] not in (old["secondaryKey"], None)


def test_each_auth_mode_has_its_own_credential(azure: Azure) -> None:
    """Keys for Key, a token for AMLToken."""
    azure.endpoint("keyed")
    azure.endpoint("tokened", authMode="amltoken")
    azure.finish_operations()
    assert azure.send("POST", f"{EP}/keyed/token").status == 400
    assert azure.send("POST", f"{EP}/tokened/listKeys").status == 400
    token = azure.send("POST", f"{EP}/tokened/token").json
    assert token["expiryTimeUtc"] - token["refreshAfterTimeUtc"] == 43_200
    claims = azure.tokens.claims(token["accessToken"])
    assert claims is not None
    assert (claims["iss"], claims["endpointName"]) == ("azureml", "tokened")


def test_patch_replaces_all_tags_in_15_seconds(azure: Azure) -> None:
    """202 with Location only; `Updating` meanwhile, which refuses other changes; the result has the recorded form."""
    azure.world.timing = PROFILES["realistic"]
    azure.send("PUT", f"{EP}/mip", {**endpoint_body(), "tags": {"old": "1", "kept": "2"}})
    azure.finish_operations()
    before = azure.get("mip")["systemData"]
    reply = azure.send("PATCH", f"{EP}/mip", {"tags": {"a": "b"}})
    assert (reply.status, reply.content) == (202, b"")
    assert {"location", "azure-asyncoperation"} & reply.headers.keys() == {"location"}
    azure.clock.advance(14)
    assert azure.get("mip")["properties"]["provisioningState"] == "Updating"
    assert azure.deployment().code == "Conflict"
    azure.clock.advance(1.1)
    found = azure.get("mip")
    assert (found["properties"]["provisioningState"], found["tags"]) == ("Succeeded", {"a": "b"})
    assert found["systemData"] == before
    result = azure.send("GET", reply.headers["location"].removeprefix("https://127.0.0.1:1234"))
    assert result.json["id"].startswith("/subscriptions/")
    assert (result.status, result.json["status"], result.json["percentComplete"]) == (200, "Succeeded", 0.0)
    azure.send("PATCH", f"{EP}/mip", {})
    assert azure.get("mip")["tags"] == {"a": "b"}


def test_the_answer_to_a_creation_has_no_identity(azure: Azure) -> None:
    """A GET has it; the answer to an update does."""
    first = azure.endpoint().json
    assert (first["systemData"], {"identity", "location"} & first.keys()) == ({}, set())
    assert azure.get("mip")["identity"]["principalId"]
    azure.finish_operations()
    assert azure.endpoint().json["identity"]["principalId"]


def test_names_in_a_path_are_case_insensitive(azure: Azure) -> None:
    """Like ARM ids."""
    azure.endpoint("Mip")
    assert azure.send("GET", f"{EP}/mIP".upper()).json["name"] == "Mip"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (WORKSPACE.replace("/subscriptions/0", "/subscriptions/1"), "SubscriptionNotFound"),
        (WORKSPACE.replace("rg-local", "rg-none"), "ResourceGroupNotFound"),
        (WORKSPACE.replace("mlw-local", "mlw-none"), "ResourceNotFound"),
        (f"{EP}/none", "ResourceNotFound"),
        (f"{EP}/none/deployments/blue", "ResourceNotFound"),
    ],
)
def test_a_missing_parent_is_404_with_its_code(azure: Azure, path: str, code: str) -> None:
    """The code of the first missing resource."""
    reply = azure.send("GET", path)
    assert (reply.status, reply.code, reply.headers["x-ms-failure-cause"]) == (404, code, "gateway")


def test_the_realistic_profile_takes_90_seconds_without_polling_hint(azure: Azure) -> None:
    """As measured on Azure."""
    azure.world.timing = PROFILES["realistic"]
    reply = azure.endpoint()
    assert "retry-after-ms" not in reply.headers
    azure.clock.advance(89)
    assert azure.get("mip")["properties"]["provisioningState"] == "Creating"
    azure.clock.advance(2)
    assert azure.get("mip")["properties"]["provisioningState"] == "Succeeded"

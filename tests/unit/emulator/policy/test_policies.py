"""Azure Policy: what assigned policies refuse, and the check that shows it before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy import emulator
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.policy.definitions import DATA_MODE, ENDPOINTS, Policy
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from deploy.emulator.world import parse
from tests.unit.emulator.azure import MODEL, WORKSPACE, Azure, deployment_body, endpoint_body

SUBSCRIPTION = f"/subscriptions/{default_world.SUBSCRIPTION}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{default_world.GROUP}"
CHECK = "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2023-03-01"
ASSIGNMENTS = "/providers/Microsoft.Authorization/policyAssignments"
ENDPOINT, DEPLOYMENT = f"{WORKSPACE}/onlineEndpoints/mip", f"{WORKSPACE}/onlineEndpoints/mip/deployments/blue"
PRIVATE = {
    "name": "private-endpoints", "display_name": "Endpoints must be private",
    "field": f"{ENDPOINTS}/publicNetworkAccess", "not_in": ["Disabled"],
}  # fmt: skip
Assign = Callable[..., Azure]


@pytest.fixture
def assign(tmp_path: Path, tokens: Tokens) -> Iterator[Assign]:
    """Creates a world with policies."""
    opened: list[Azure] = []

    def begin(*policies: dict[str, Any], **world: Any) -> Azure:
        path = tmp_path / "world.yml"
        path.write_text(yaml.safe_dump({"policies": list(policies), **world}))
        emulator.begin(tmp_path, world=path)
        opened.append(Azure(tmp_path, tokens))
        return opened[-1]

    yield begin
    for each in opened:
        each.world.close()


def test_a_denied_request_has_the_documented_answer(assign: Assign) -> None:
    """403 with policy, assignment, and the expressions that are true; nothing is created."""
    azure = assign(PRIVATE)
    refused = azure.endpoint(publicNetworkAccess="Enabled")
    assignment = f"{SUBSCRIPTION}{ASSIGNMENTS}/private-endpoints"
    definition = assignment.replace("Assignments", "Definitions")
    error = refused.json["error"]
    assert (refused.status, refused.code, error["target"]) == (403, "RequestDisallowedByPolicy", "mip")
    assert error["message"] == (
        "Resource 'mip' was disallowed by policy. Policy identifiers: '[{\"policyAssignment\":"
        f'{{"name":"Endpoints must be private","id":"{assignment}"}},"policyDefinition":'
        f'{{"name":"Endpoints must be private","id":"{definition}"}}}}]\'.'
    )
    (extra,) = error["additionalInfo"]
    assert extra["type"] == "PolicyViolation"
    assert extra["info"]["evaluationDetails"]["evaluatedExpressions"] == [
        {
            "result": "True", "expressionKind": "Field", "expression": "type", "path": "type",
            "expressionValue": ENDPOINTS, "targetValue": ENDPOINTS, "operator": "Equals",
        },
        {
            "result": "True", "expressionKind": "Field", "expression": PRIVATE["field"],
            "path": "properties.publicNetworkAccess", "expressionValue": "Enabled", "targetValue": ["Disabled"],
            "operator": "NotIn",
        },
    ]  # fmt: skip
    assert extra["info"]["policyAssignmentScope"] == SUBSCRIPTION
    assert azure.send("GET", ENDPOINT).status == 404
    assert azure.endpoint(publicNetworkAccess="disabled").status == 201
    azure.finish_operations()
    assert azure.deployment().status == 201  # the alias is of endpoints


def test_a_patch_is_evaluated_with_the_resource_as_it_would_be(assign: Assign) -> None:
    """A tag that stays is there; one that is removed or never was set is missing."""
    azure = assign({"name": "tagged", "field": "tags['costCenter']", "exists": False, "type": ENDPOINTS})
    body = endpoint_body()
    assert azure.send("PUT", ENDPOINT, body).code == "RequestDisallowedByPolicy"
    assert azure.send("PUT", ENDPOINT, {**body, "tags": {"COSTCENTER": "7"}}).status == 201
    azure.finish_operations()
    assert azure.send("PATCH", ENDPOINT, {"tags": {"other": "x"}}).status == 202
    azure.finish_operations()
    assert azure.send("PUT", ENDPOINT, body).code == "RequestDisallowedByPolicy"
    azure.deployment()
    azure.finish_operations()
    assert azure.send("PATCH", DEPLOYMENT, {"sku": {"capacity": 2}}).status == 202


def test_deployments_are_refused_too(assign: Assign) -> None:
    """By an alias of deployments, at PUT and PATCH; all denying policies are in the answer."""
    alias = f"{ENDPOINTS}/deployments"
    azure = assign(
        {"name": "small", "field": f"{alias}/sku.capacity", "in": ["3", "4"]},
        {"name": "sizes", "field": f"{alias}/instanceType", "not_in": ["Standard_DS2_v2", "STANDARD_ds3_v2"]},
        {"name": "seen", "field": f"{alias}/sku.capacity", "in": ["2"], "effect": "audit"},
    )
    azure.endpoint()
    azure.finish_operations()
    refused = azure.deployment(instances=3, instanceType="Standard_NC24ads_A100_v4").json["error"]
    assert [each["info"]["policyAssignmentName"] for each in refused["additionalInfo"]] == ["small", "sizes"]
    assert azure.deployment(instances=2).status == 201
    azure.finish_operations()
    assert azure.send("PATCH", DEPLOYMENT, {"sku": {"capacity": 4}}).code == "RequestDisallowedByPolicy"
    assert azure.send("PATCH", DEPLOYMENT, {"sku": {"capacity": 5}}).status == 202


def test_a_policy_applies_in_its_scope(assign: Assign) -> None:
    """A workspace by name, here the second one; permissions are checked first."""
    azure = assign(
        {**PRIVATE, "scope": "mlw-b"}, workspaces=[{"name": "mlw-local"}, {"name": "mlw-b", "resource_group": "rg-b"}]
    )
    other = ENDPOINT.replace("mlw-local", "mlw-b").replace("rg-local", "rg-b")
    assert azure.send("PUT", ENDPOINT, endpoint_body()).status == 201
    assert azure.send("PUT", other, endpoint_body()).code == "RequestDisallowedByPolicy"
    assert azure.send("PUT", other.replace("onlineEndpoints/mip", "none/x"), {}).status == 404
    azure.sign_in("x")
    assert azure.send("PUT", other, endpoint_body()).code == "AuthorizationFailed"


def test_a_policy_in_data_plane_mode_is_not_seen_by_the_check(assign: Assign) -> None:
    """But it denies; its mode is in its definition."""
    alias = f"{ENDPOINTS}/deployments/model"
    azure = assign({"name": "approved", "field": alias, "not_in": [MODEL.replace("17", "18")], "mode": DATA_MODE})
    content = {"type": f"{ENDPOINTS}/deployments", **deployment_body()}
    found = azure.send("POST", f"{GROUP}{CHECK}", {"resourceDetails": {"resourceContent": content}}).json
    assert found == {"fieldRestrictions": [], "contentEvaluationResult": {"policyEvaluations": []}}
    azure.endpoint()
    azure.finish_operations()
    assert azure.deployment().code == "RequestDisallowedByPolicy"
    (assignment,) = azure.send("GET", f"{GROUP}{ASSIGNMENTS}?$filter=atScope()").json["value"]
    definition = azure.send("GET", assignment["properties"]["policyDefinitionId"]).json["properties"]
    assert (definition["mode"], definition["policyRule"]["then"]) == (DATA_MODE, {"effect": "deny"})
    assert definition["policyRule"]["if"]["allOf"][1] == {"field": alias, "notIn": [MODEL.replace("17", "18")]}
    missing = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyDefinitions/none"
    assert azure.send("GET", missing).code == "PolicyDefinitionNotFound"


def test_assignments_at_a_scope(assign: Assign) -> None:
    """Those of the scopes above, and, without the filter, those below."""
    azure = assign(PRIVATE, {**PRIVATE, "name": "here", "scope": "mlw-local"})

    def names(scope: str, query: str = "") -> list[str]:
        return [each["name"] for each in azure.send("GET", f"{scope}{ASSIGNMENTS}{query}").json["value"]]

    assert names(GROUP, "?$filter=atScope()") == ["private-endpoints"]
    assert names(GROUP) == names(WORKSPACE, "?$filter=atScope()") == ["private-endpoints", "here"]


REGIONS = {"name": "regions", "field": "location", "not_in": ["eastus", "West Europe"]}
TAGS = [
    {"name": "cost", "field": "tags['costCenter']", "exists": False},
    {"name": "stage", "field": "tags.stage", "not_in": ["prod", "test"]},
    {"name": "no-secret", "field": "tags['secret']", "exists": True, "effect": "audit"},
]


def check(azure: Azure, content: Any, *pending: Any, path: str = GROUP, **more: Any) -> Any:
    details = {"resourceContent": {"type": ENDPOINTS, **content}, **more.pop("details", {})}
    reply = azure.send("POST", f"{path}{CHECK}", {"resourceDetails": details, "pendingFields": list(pending), **more})
    assert reply.status == 200, reply.content
    return reply.json


def rows(found: Any) -> dict[str, list[Any]]:
    """Field -> result, values, reason of its restrictions."""
    return {
        each["field"]: [(row["result"], row.get("values"), row["reason"]) for row in each["restrictions"]]
        for each in found["fieldRestrictions"]
    }


def test_the_check_restricts_pending_fields(assign: Assign) -> None:
    """Denied values of those that are asked about; without values what is required; audits only on request."""
    azure = assign(REGIONS, *TAGS, {"name": "auth", "field": f"{ENDPOINTS}/authMode", "equals": "Key"})
    found = check(azure, {}, {"field": "location", "values": ["eastus", "westeurope", "uksouth"]})
    assert rows(found) == {
        "location": [("Deny", ["uksouth"], "location must be one of the following: eastus, West Europe")]
    }
    (row,) = found["fieldRestrictions"][0]["restrictions"]
    assert row["policyEffect"] == "Deny"
    assert row["policy"]["policyAssignmentId"] == f"{SUBSCRIPTION}{ASSIGNMENTS}/regions"
    assert rows(check(azure, {}, {"field": "location", "values": ["eastus"]})) == {}
    assert rows(check(azure, {}, {"field": "tags"}, {"field": f"{ENDPOINTS}/authMode"}, includeAuditEffect=True)) == {
        "tags.costCenter": [("Required", None, "tags.costCenter is required")],
        "tags.stage": [("Required", ["prod", "test"], "tags.stage must be one of the following: prod, test")],
        "tags.secret": [("Audit", None, "tags.secret is not allowed")],
        f"{ENDPOINTS}/authMode": [("Deny", ["Key"], f"{ENDPOINTS}/authMode must not be one of the following: Key")],
    }
    assert "tags.secret" not in rows(check(azure, {}, {"field": "tags"}))


def test_the_check_evaluates_the_content(assign: Assign) -> None:
    """Policies on pending fields are not counted; the oldest api-version has no effects."""
    azure = assign(REGIONS, PRIVATE)
    content = {"location": "uksouth", "properties": {"publicNetworkAccess": "Enabled"}}

    def names(found: Any) -> list[str]:
        rows = found["contentEvaluationResult"]["policyEvaluations"]
        return [row["policyInfo"]["policyAssignmentId"].rpartition("/")[2] for row in rows]

    found = check(azure, content)
    assert names(found) == ["regions", "private-endpoints"]
    first = found["contentEvaluationResult"]["policyEvaluations"][0]
    assert (first["evaluationResult"], first["effectDetails"]) == ("NonCompliant", {"policyEffect": "Deny"})
    assert first["evaluationDetails"]["evaluatedExpressions"][0]["expressionValue"] == "uksouth"
    assert names(check(azure, content, {"field": "LOCATION"})) == ["private-endpoints"]
    assert names(check(azure, {**content, "type": "Microsoft.Storage/storageAccounts"})) == ["regions"]
    old = f"{GROUP}{CHECK}".replace("2023-03-01", "2020-07-01")
    typed = {"resourceContent": {**content, "type": ENDPOINTS}}
    body = {"resourceDetails": typed, "pendingFields": [{"field": "location"}]}
    found = azure.send("POST", old, body).json
    assert list(found["fieldRestrictions"][0]["restrictions"][0]) == ["result", "values", "policy"]
    assert "effectDetails" not in found["contentEvaluationResult"]["policyEvaluations"][0]


def test_the_check_needs_its_permission_and_a_scope(assign: Assign) -> None:
    """A POST for which `read` is enough. Policies of a workspace count when it is the scope of the resource."""
    azure = assign({**PRIVATE, "scope": "mlw-local"})
    content = {"properties": {"publicNetworkAccess": "Enabled"}}
    inside = {"scope": WORKSPACE}
    for path, details, count in ((GROUP, {}, 0), (GROUP, inside, 1), (SUBSCRIPTION, inside, 1), (SUBSCRIPTION, {}, 0)):
        found = check(azure, content, path=path, details=details)
        assert len(found["contentEvaluationResult"]["policyEvaluations"]) == count
    assert azure.send("POST", f"{GROUP}x{CHECK}", {}).code == "ResourceGroupNotFound"
    for body in ({}, {"resourceDetails": {"resourceContent": {}}, "pendingFields": [{}]}):
        assert azure.send("POST", f"{GROUP}{CHECK}", body).code == "InvalidRequestContent"
    who = azure.sign_in("x")
    azure.assign_role(who, builtin_roles.DATA_SCIENTIST, WORKSPACE)
    refused = azure.send("POST", f"{GROUP}{CHECK}", {})
    assert "'Microsoft.PolicyInsights/checkPolicyRestrictions/read' over scope" in refused.message
    azure.assign_role(who, builtin_roles.READER, GROUP)
    assert check(azure, content)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"field": "location"}, "policies[0]: expected one of equals, in, not_in and exists"),
        ({"field": "location", "equals": "x", "exists": True}, "expected one of equals, in, not_in and exists"),
        ({"field": "Microsoft.Storage/x", "equals": "x"}, "policies[0].field: expected type, name"),
        ({"field": "location", "equals": "x", "effect": "modify"}, "policies[0].effect: expected 'deny' or 'audit'"),
        ({"field": "location", "equals": "x", "scope": "none"}, "policies[0].scope: there is no 'none'"),
    ],
)
def test_an_invalid_policy_of_a_world_file_is_refused(tmp_path: Path, policy: dict[str, Any], words: str) -> None:
    """With its line."""
    (tmp_path / "world.yml").write_text(yaml.safe_dump({"policies": [{"name": "p", **policy}]}))
    with pytest.raises(emulator.InvalidFile) as caught:
        emulator.begin(tmp_path, world=tmp_path / "world.yml")
    assert words in str(caught.value)


WORDS = st.sampled_from(["eastus", "East US", "westus", ""])


@given(st.lists(WORDS, max_size=3), st.none() | WORDS)
def test_conditions_are_opposites(values: list[str], value: str | None) -> None:
    """`not_in` is true where `in` is not; one of the two values of `exists` is true; `equals` is `in` with one."""

    def true(**condition: Any) -> bool:
        found = parse.validate({"name": "p", "field": "location", **condition}, Policy)
        content = {} if value is None else {"location": value}
        assert bool(found.violations(content)) == found.is_true_of(value)
        return found.is_true_of(value)

    assert true(**{"in": values}) != true(not_in=values)
    assert true(exists=True) != true(exists=False)
    for each in values:
        assert true(equals=each) == true(**{"in": [each]})

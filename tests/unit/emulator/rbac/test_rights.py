"""Permission checks."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.http import routes
from deploy.emulator.rbac import builtin_roles, rights
from deploy.emulator.seed import default_world
from deploy.emulator.wire import rbac_actions
from tests.unit.emulator.azure import LOCATION, WORKSPACE, Azure, endpoint_body

SUBSCRIPTION = f"/subscriptions/{default_world.SUBSCRIPTION}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{default_world.GROUP}"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/mip"
PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
_word = st.text("abAB./", min_size=0, max_size=6)


@given(st.lists(_word, min_size=1, max_size=4), st.lists(_word, min_size=3, max_size=3))
def test_a_star_matches_any_text(parts: list[str], filling: list[str]) -> None:
    """Also none, and slashes; everything else is literal, in any case."""
    found = rights.pattern(["*".join(parts)])
    assert found is not None
    text = parts[0] + "".join(fill + part for fill, part in zip(filling, parts[1:], strict=False))
    assert found.fullmatch(text.swapcase())
    if len(parts) == 1:
        assert not found.fullmatch(text + "x")


@given(st.text("a.+(*/", max_size=6), st.text("a.+(/", max_size=5))
def test_patterns_agree_with_a_plain_matcher(wild: str, text: str) -> None:
    """A slow matcher gives the same result; `/*/` also matches one slash."""

    def matches(pattern: str, rest: str) -> bool:
        if not pattern:
            return not rest
        if pattern.startswith("/*/") and matches(pattern[2:], rest):
            return True
        if pattern[0] == "*":
            return any(matches(pattern[1:], rest[at:]) for at in range(len(rest) + 1))
        return bool(rest) and rest[0] == pattern[0] and matches(pattern[1:], rest[1:])

    found = rights.pattern([wild])
    assert found is not None
    assert bool(found.fullmatch(text)) == matches(wild, text)


_scope = st.lists(st.sampled_from(["a", "ab", "b"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(_scope, _scope)
def test_a_scope_includes_whole_segments_below_it(inner: str, outer: str) -> None:
    """`/a` includes `/a/b`, not `/ab`; the root includes everything."""
    held, wanted = ([part for part in scope.split("/") if part] for scope in (outer, inner))
    assert rights.within(inner, outer) == (wanted[: len(held)] == held)


@given(st.sampled_from(["x/read", "x/write", "y/read"]), st.booleans())
def test_not_actions_are_not_allowed(action: str, data: bool) -> None:
    """Within one role; data actions are separate from actions."""
    block = rights.permission({"actions": ["*"], "notActions": ["x/write"], "dataActions": ["y/*"]})
    assert block.allows(action, data) == (action == "y/read" if data else action != "x/write")


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("OnlineEndpoints_CreateOrUpdate", "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"),
        ("OnlineEndpoints_ListKeys", "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action"),
        ("OnlineDeployments_ListSkus",
         "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/skus/read"),
        ("Usages_List", "Microsoft.MachineLearningServices/locations/usages/read"),
        ("RoleAssignments_Create", "Microsoft.Authorization/roleAssignments/write"),
        ("ResourceGroups_Get", "Microsoft.Resources/subscriptions/resourceGroups/read"),
        ("Subscriptions_Get", "Microsoft.Resources/subscriptions/read"),
        ("AssetContainers_List", "Microsoft.MachineLearningServices/workspaces/{kind}/read"),
    ],
)  # fmt: skip
def test_actions_follow_from_the_route(name: str, action: str) -> None:
    """The types of the path, and the method."""
    assert next(route for route in routes.ROUTES if route.name == name).action == action


def test_the_scope_of_lists_and_posts_is_their_parent() -> None:
    """A named resource is its own scope."""
    by_name = {route.name: route.path for route in routes.ROUTES}
    for name, address, scope in (
        ("OnlineEndpoints_List", f"{WORKSPACE}/onlineEndpoints", WORKSPACE),
        ("OnlineEndpoints_ListKeys", f"{ENDPOINT}/listKeys", ENDPOINT),
        ("OnlineEndpoints_Get", ENDPOINT, ENDPOINT),
        ("Workspaces_ListByResourceGroup", WORKSPACE.rpartition("/")[0], GROUP),
        ("RoleAssignments_ListForScope", f"{GROUP}/providers/Microsoft.Authorization/roleAssignments", GROUP),
    ):
        assert rbac_actions.scope_of(by_name[name], address) == scope


def test_a_reader_can_list_but_not_write(azure: Azure) -> None:
    """403 AuthorizationFailed; keys need more than read."""
    azure.endpoint()
    azure.finish_operations()
    reader = azure.sign_in("reader")
    refused = azure.send("GET", ENDPOINT)
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    azure.assign_role(reader, builtin_roles.READER, GROUP)
    assert azure.send("GET", ENDPOINT).status == 200
    assert azure.send("GET", f"{WORKSPACE}/onlineEndpoints").status == 200
    refused = azure.send("PUT", ENDPOINT, endpoint_body())
    assert re.fullmatch(
        rf"The client '[0-9a-f-]{{36}}' with object id '{reader}' does not have authorization to perform action "
        rf"'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write' over scope '{ENDPOINT}' or the scope "
        "is invalid. If access was recently granted, please refresh your credentials. ?",
        refused.message,
    )
    assert azure.send("POST", f"{ENDPOINT}/listKeys").status == 403
    assert azure.send("DELETE", f"{WORKSPACE}/onlineEndpoints/none").status == 403
    assert azure.send("GET", f"{SUBSCRIPTION[:-1]}9/resourceGroups/x").code == "SubscriptionNotFound"


def test_a_contributor_can_deploy_but_not_assign_roles(azure: Azure) -> None:
    """roleAssignments/write is missing, as on Azure."""
    who = azure.sign_in("pipeline")
    azure.assign_role(who, builtin_roles.CONTRIBUTOR, GROUP)
    assert azure.endpoint().status == 201
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    refused = azure.send("PUT", path, {})
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    assert f"'Microsoft.Authorization/roleAssignments/write' over scope '{path}'" in refused.message


def test_a_role_on_a_workspace_does_not_reach_the_subscription(azure: Azure) -> None:
    """A Data Scientist can deploy and poll, and cannot read usages."""
    who = azure.sign_in("scientist")
    azure.assign_role(who, builtin_roles.DATA_SCIENTIST, WORKSPACE)
    begun = azure.endpoint()
    assert begun.status == 201
    assert azure.send("GET", begun.headers["azure-asyncoperation"].partition(":1234")[2]).status == 200
    assert azure.send("GET", f"{LOCATION}/usages").status == 403
    assert azure.send("GET", SUBSCRIPTION).status == 200
    assert azure.send("GET", WORKSPACE).status == 200


def test_a_role_takes_effect_after_its_delay(azure: Azure) -> None:
    """By the world's clock; a removal takes effect at once."""
    assert azure.send("PUT", "/emulator/settings", {"role_assignment_delay_seconds": 300}).status == 200
    azure.endpoint()
    azure.clock.advance(1)
    who = azure.sign_in("late")
    given = azure.assign_role(who, builtin_roles.READER, WORKSPACE).json
    assert azure.send("GET", ENDPOINT).status == 403
    azure.clock.advance(299)
    assert azure.send("GET", ENDPOINT).status == 403
    azure.clock.advance(1)
    assert azure.send("GET", ENDPOINT).status == 200
    azure.world.db.execute("DELETE FROM role_assignments WHERE id = ?", (given["id"].lower(),))
    assert azure.send("GET", ENDPOINT).status == 403


def test_members_have_the_roles_of_their_groups(azure: Azure) -> None:
    """Also of nested groups, and with a cycle of groups."""
    who = azure.sign_in("member")
    inner, outer = str(uuid.uuid4()), str(uuid.uuid4())
    for group, members in ((inner, [who, outer]), (outer, [inner])):
        azure.send("PUT", f"/emulator/principals/{group}", {"kind": "Group", "name": "g", "members": members})
    assert azure.send("GET", WORKSPACE).status == 403
    azure.assign_role(outer, builtin_roles.READER, SUBSCRIPTION)
    assert azure.send("GET", WORKSPACE).status == 200


def test_every_caller_can_list_its_permissions(azure: Azure) -> None:
    """One block for each role in effect at the scope."""
    who = azure.sign_in("curious")
    assert azure.send("GET", f"{WORKSPACE}{PERMISSIONS}").json == {"value": []}
    azure.assign_role(who, builtin_roles.READER, GROUP)
    azure.assign_role(who, builtin_roles.DATA_SCIENTIST, WORKSPACE)
    azure.assign_role(who, builtin_roles.OWNER, default_world.STORAGE_ID)
    blocks = azure.send("GET", f"{WORKSPACE}{PERMISSIONS}").json["value"]
    assert [block["actions"][0] for block in blocks] == [
        "*/read", "Microsoft.MachineLearningServices/workspaces/*/read",
    ]  # fmt: skip


def test_custom_roles_are_created_replaced_and_deleted(azure: Azure) -> None:
    """Deletion is refused while assigned; built-in roles cannot be changed."""
    role = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{uuid.uuid4()}"
    block = {"actions": ["Microsoft.MachineLearningServices/*"], "notActions": ["*/listKeys/action"]}
    body = {"properties": {"roleName": "no keys", "permissions": [block]}}
    assert azure.send("PUT", role, body).json["properties"]["type"] == "CustomRole"
    azure.endpoint()
    azure.finish_operations()
    owner = azure.token
    who = azure.sign_in("custom")
    azure.assign_role(who, role.rpartition("/")[2], WORKSPACE)
    assert azure.send("GET", ENDPOINT).status == 200
    assert azure.send("POST", f"{ENDPOINT}/listKeys").status == 403
    azure.token = owner
    assert azure.send("DELETE", role).code == "RoleDefinitionHasAssignments"
    body["properties"]["permissions"] = []
    azure.send("PUT", role, body)
    azure.sign_in("other")
    assert azure.send("DELETE", role).status == 403
    azure.token = owner
    fixed = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{builtin_roles.OWNER}"
    assert azure.send("PUT", fixed, body).status == 400
    twin = role.replace(role.rpartition("/")[2], str(uuid.uuid4()))
    assert azure.send("PUT", twin, body).code == "RoleDefinitionWithSameNameExists"


def test_lists_contain_what_the_caller_can_read(azure: Azure) -> None:
    """Workspaces and subscriptions. A caller without any role sees no subscription, and is refused inside of one."""
    every = f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/workspaces"
    assert [item["name"] for item in azure.send("GET", every).json["value"]] == [default_world.WORKSPACE]
    who = azure.sign_in("nobody")
    assert azure.send("GET", every).status == 403
    assert azure.send("GET", SUBSCRIPTION).status == 403
    none = azure.send("GET", "/subscriptions")
    assert (none.status, none.json) == (200, {"value": []})
    azure.assign_role(who, builtin_roles.READER, WORKSPACE)
    for address in (every, WORKSPACE.rpartition("/")[0], "/subscriptions"):
        assert len(azure.send("GET", address).json["value"]) == 1


def test_deleted_principals_leave_orphan_assignments(azure: Azure) -> None:
    """They are listed unchanged; the directory has no such principal."""
    who = azure.sign_in("gone")
    azure.assign_role(who, builtin_roles.READER, WORKSPACE)
    assert azure.send("DELETE", f"/emulator/principals/{who}").status == 200
    assert azure.send("DELETE", f"/emulator/principals/{who}").status == 204
    assert azure.send("GET", WORKSPACE).status == 200  # a token that was issued stays good until it expires
    listed = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{who}'"
    assert [item["properties"]["principalType"] for item in azure.send("GET", listed).json["value"]] == [
        "ServicePrincipal"
    ]
    assert azure.assign_role(who, builtin_roles.OWNER, WORKSPACE).code == "PrincipalNotFound"


def test_scoring_with_a_directory_token_needs_the_score_action(azure: Azure) -> None:
    """On the endpoint or above; read permission is not enough."""
    azure.endpoint(authMode="AADToken")
    azure.finish_operations()
    azure.deployment()
    azure.finish_operations()
    azure.endpoint(authMode="AADToken", traffic={"blue": 100})
    azure.finish_operations()
    who = azure.sign_in("caller")

    def score() -> int:
        query = f"?resource=https://ml.azure.com&object_id={who}"
        token = azure.send("GET", f"/msi/token{query}", headers={"x-identity-header": "x"}).json["access_token"]
        shown = {"authorization": f"Bearer {token}"}
        return azure.send("POST", "/inference/eastus/mip/score", {}, shown).status

    assert score() == 401
    azure.assign_role(who, builtin_roles.READER, ENDPOINT)
    assert score() == 401
    azure.assign_role(who, builtin_roles.DATA_SCIENTIST, ENDPOINT)
    assert score() not in (401, 403)


@pytest.mark.parametrize(
    "scope", [WORKSPACE, GROUP, SUBSCRIPTION, default_world.STORAGE_ID, default_world.CONTAINER_REGISTRY_ID, ENDPOINT]
)
def test_permissions_include_inherited_roles(scope: str, azure: Azure) -> None:
    """With data actions, without assignments that are not in effect yet."""
    azure.endpoint()
    azure.send("PUT", "/emulator/settings", {"role_assignment_delay_seconds": 600})
    me = azure.sign_in("asks")
    assert azure.send("GET", scope + PERMISSIONS).json["value"] == []
    azure.assign_role(me, builtin_roles.BLOB_READER, scope)
    azure.assign_role(me, builtin_roles.CONTRIBUTOR, SUBSCRIPTION)
    assert azure.send("GET", scope + PERMISSIONS).json["value"] == []
    azure.clock.advance(601)
    found = azure.send("GET", scope + PERMISSIONS).json["value"]
    assert ["*"] in [block["actions"] for block in found]
    assert any("Microsoft.Authorization/*/Write" in block["notActions"] for block in found)
    assert any(action.endswith("blobs/read") for block in found for action in block["dataActions"])

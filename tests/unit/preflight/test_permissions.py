"""Rights: which actions steps need, whether blocks allow them, and which role would help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Step, Verb
from deploy.preflight import permissions
from deploy.preflight.check_result import Verdict
from deploy.preflight.permissions import Need
from deploy.steps import STEP_TYPES, permissions_needed
from tests.addresses import addr
from tests.project import ROOT
from tests.unit.specs import spec

WS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
WRITE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
GIVE = "Microsoft.Authorization/roleAssignments/write"
ROLES = dict(permissions.ROLES)
OWNER, CONTRIBUTOR, SCIENTIST = (ROLES[name] for name in ("Owner", "Contributor", "AzureML Data Scientist"))


@pytest.mark.parametrize(
    ("block", "action", "allowed"),
    [
        (OWNER, GIVE, True),
        (CONTRIBUTOR, GIVE, False),
        (CONTRIBUTOR, WRITE, True),
        (SCIENTIST, WRITE.upper(), True),
        (SCIENTIST, "Microsoft.MachineLearningServices/workspaces/write", False),
        (SCIENTIST, "Microsoft.MachineLearningServices/workspaces/read", True),
        ({"actions": ["*/read"]}, WRITE, False),
        ({"actions": [WRITE], "notActions": ["*"]}, WRITE, False),
        ({}, WRITE, False),
    ],
)
def test_allows(block: dict, action: str, allowed: bool) -> None:
    """`*` stands for anything, case does not count, and what is taken back is not given."""
    assert permissions.allows([block], action) is allowed


@given(
    st.lists(st.sampled_from([OWNER, CONTRIBUTOR, SCIENTIST, {"actions": ["*/read"]}])), st.sampled_from([WRITE, GIVE])
)
def test_blocks_add_up(blocks: list, action: str) -> None:
    """Several roles allow what any of them allows."""
    assert permissions.allows(blocks, action) is any(permissions.allows([block], action) for block in blocks)


def test_needs() -> None:
    """Each step's action at its scope; a probe's depends on how callers sign in."""
    steps = [
        Step(Verb.CHECK, addr("quota/mip/x"), {}, ""),
        Step(Verb.CREATE, addr("role/mip/r/workspace_keyvault"), {"scope": "workspace_keyvault"}, ""),
        Step(
            Verb.DELETE,
            addr("role/mip/r/x"),
            {"id": f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/1"},
            "",
        ),
        Step(Verb.PROBE, addr("probe/mip/blue"), {}, ""),
        Step(Verb.CREATE, addr("deployment/mip/blue"), {"document": {"code_configuration": {"code": "src"}}}, ""),
        Step(Verb.DELETE, addr("deployment/mip/green"), {}, ""),
    ]
    found: dict[str, set[str]] = {}
    for need in permissions_needed(spec(), steps):
        assert need.is_required
        found.setdefault(need.scope, set()).update(action.rsplit("workspaces/", 1)[-1] for action in need.actions)

    assert found["workspace_keyvault"] == {GIVE}
    assert found[VAULT] == {"Microsoft.Authorization/roleAssignments/delete"}
    assert {"onlineEndpoints/listkeys/action", "codes/versions/write", "datastores/listsecrets/action"} <= found[
        "workspace"
    ]
    assert {"onlineEndpoints/deployments/write", "onlineEndpoints/deployments/delete"} <= found["workspace"]


def answers(workspace: list | None, vault: list | None) -> dict:
    both = {"workspace": (WS, workspace), "workspace_keyvault": (VAULT, vault)}
    return {word: {"scope": scope, "blocks": blocks} for word, (scope, blocks) in both.items()}


NEEDS = (
    Need("workspace", (WRITE,), ("endpoint/mip",)),
    Need("workspace_keyvault", (GIVE,), ("role/mip/r/workspace_keyvault",)),
)


def test_missing_actions_are_named() -> None:
    """The action, the scope, the step and the least role that would do."""
    found = permissions.check(NEEDS, answers([{"actions": ["*/read"]}], [CONTRIBUTOR]))
    first, second = found.reasons

    assert (first.code, second.code) == ("AML250", "AML251")
    assert WRITE in first.cause
    assert WS in first.cause
    assert "endpoint/mip" in first.cause
    assert "AzureML Data Scientist" in first.cure
    assert "Role Based Access Control Administrator" in second.cure
    assert "10 minutes" in second.cure


def test_an_unknown_answer_refuses_nothing() -> None:
    """Where Azure does not say what we may do, nothing is refused; what it does say still counts."""
    assert permissions.check(NEEDS, answers(None, None)).verdict is Verdict.UNKNOWN
    assert permissions.check(NEEDS, answers([SCIENTIST], None)).verdict is Verdict.UNKNOWN
    assert permissions.check(NEEDS, answers([], None)).verdict is Verdict.NO
    assert permissions.check(NEEDS, answers([SCIENTIST], [OWNER])).verdict is Verdict.YES


def test_missing_permission_for_logs_refuses_nothing() -> None:
    """Who may deploy and not read logs may go on, and knows what they will not be told."""
    action = f"{WRITE.rsplit('/', 1)[0]}/deployments/write"
    deploys = [Need("workspace", (action,), ("deployment/mip/blue",))]
    found = permissions.check(deploys, answers([{"actions": [action]}], [OWNER]))

    assert found.verdict is Verdict.UNKNOWN
    assert found.words == "1 action needed, all allowed"
    assert permissions.LOGS in found.why
    for held in (SCIENTIST, CONTRIBUTOR, {"actions": [action, permissions.LOGS]}):
        assert permissions.check(deploys, answers([held], None)).verdict is Verdict.YES
    assert permissions.LOGS not in permissions.check(deploys, answers(None, [OWNER])).why
    assert permissions.check(NEEDS[:1], answers([{"actions": [WRITE]}], [])).unknown == ()


READ = "Microsoft.Authorization/policyAssignments/read"


def test_a_right_that_only_a_check_needs_refuses_nothing() -> None:
    """One sentence names it and the check; the verdict is that of the other rights."""
    needs = [*NEEDS, Need("workspace", (READ,), ("policy/mip", "policy/other"), is_required=False)]
    found = permissions.check(needs, answers([SCIENTIST], [OWNER]))

    assert (found.verdict, found.reasons, found.unknown) == (Verdict.YES, (), ())
    sentence = f"the caller lacks {READ} on w, so policy/mip and policy/other are unknown"
    assert found.words == f"2 actions needed, all allowed; {sentence}"
    assert permissions.check(needs, answers([OWNER], [OWNER])).words == "2 actions needed, all allowed"
    assert permissions.check(needs, answers([], [])).verdict is Verdict.NO
    assert READ not in permissions.check(needs, answers(None, None)).why


def test_one_of_several_rights_is_enough() -> None:
    """The refusal names all of them."""
    either = [Need("workspace", ("Microsoft.Storage/a/write", WRITE), ("lock/mip",))]

    assert permissions.check(either, answers([SCIENTIST], None)).verdict is Verdict.YES
    (reason,) = permissions.check(either, answers([{"actions": ["*/read"]}], None)).reasons
    assert f"lacks Microsoft.Storage/a/write or {WRITE} on {WS}, needed for lock/mip" in reason.cause
    assert "Assign Contributor" in reason.cure


def test_the_rights_of_a_check_matter_if_it_is_unknown() -> None:
    """A check that could tell had all rights that it needed."""
    steps = [
        Step(Verb.CHECK, addr("policy/mip"), {"verdict": "unknown"}, ""),
        Step(Verb.CHECK, addr("references/mip"), {"verdict": "yes"}, ""),
        Step(Verb.CHECK, addr("network/mip"), {"verdict": "unknown"}, ""),
    ]
    found = permissions_needed(spec(), steps)

    assert {action for need in found for action in need.actions} == {*permissions.READ_POLICIES}
    assert {(need.scope, need.by, need.is_required) for need in found} == {("workspace", ("policy/mip",), False)}


def test_the_docs_list_the_rights_of_every_check() -> None:
    """docs/preflight.md; `github federate` assigns Reader, which contains them."""
    page = (ROOT / "docs" / "preflight.md").read_text()
    checks = {each.NAME: each for each in STEP_TYPES if each.__name__.endswith("_check")}
    rights = {
        name: each.permissions(spec(), Step(Verb.CHECK, addr(f"{name}/mip"), {}, ""))[1]
        for name, each in checks.items()
        if hasattr(each, "permissions")
    }

    assert rights.keys() == checks.keys() - {"permission", "network"}
    for action in (action for actions in rights.values() for action in actions):
        assert f"`{action}`" in page
        assert permissions.allows([{"actions": ["*/read"]}], action)


def test_a_role_above_counts_below() -> None:
    """One answer suffices for what lies below it."""
    below = f"{WS}/onlineEndpoints/mip"
    assert permissions.is_decided([(WS, [OWNER])], below)
    assert not permissions.is_decided([(WS, [CONTRIBUTOR])], below)
    assert not permissions.is_decided([(WS, [OWNER])], VAULT)
    assert not permissions.is_decided([(WS, None)], below)


def test_the_least_role_comes_first() -> None:
    """One role for all, or the least for each."""
    assert permissions.suffice([WRITE]) == ["AzureML Data Scientist"]
    assert permissions.suffice([GIVE]) == ["Role Based Access Control Administrator"]
    assert permissions.suffice(["Microsoft.Compute/x/write"]) == ["Contributor"]
    assert permissions.suffice([WRITE, GIVE]) == ["Owner"]

"""Rights: which actions steps need, whether blocks allow them, and which role would help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain.plan import Step, Verb
from deploy.preflight import permissions
from deploy.preflight.check_result import Verdict
from deploy.steps import permissions_needed
from tests.addresses import addr
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
    """Each step's action at its scope; a probe's depends on how callers sign in; checks need nothing."""
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
    found = {
        scope: {a.rsplit("workspaces/", 1)[-1] for a in actions}
        for scope, actions in permissions_needed(spec(), steps).items()
    }

    assert found["workspace_keyvault"] == {GIVE}
    assert found[VAULT] == {"Microsoft.Authorization/roleAssignments/delete"}
    assert {"onlineEndpoints/listkeys/action", "codes/versions/write", "datastores/listsecrets/action"} <= found[
        "workspace"
    ]
    assert {"onlineEndpoints/deployments/write", "onlineEndpoints/deployments/delete"} <= found["workspace"]


def answers(workspace: list | None, vault: list | None) -> dict:
    both = {"workspace": (WS, workspace), "workspace_keyvault": (VAULT, vault)}
    return {word: {"scope": scope, "blocks": blocks} for word, (scope, blocks) in both.items()}


NEEDS = {"workspace": {WRITE: ["endpoint/mip"]}, "workspace_keyvault": {GIVE: ["role/mip/r/workspace_keyvault"]}}


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
    deploys = {"workspace": {f"{WRITE.rsplit('/', 1)[0]}/deployments/write": ["deployment/mip/blue"]}}
    writer = {"actions": [*deploys["workspace"]]}
    found = permissions.check(deploys, answers([writer], [OWNER]))

    assert found.verdict is Verdict.UNKNOWN
    assert found.words == "1 action needed, all allowed"
    assert permissions.LOGS in found.why
    for held in (SCIENTIST, CONTRIBUTOR, {"actions": [*deploys["workspace"], permissions.LOGS]}):
        assert permissions.check(deploys, answers([held], None)).verdict is Verdict.YES
    assert permissions.LOGS not in permissions.check(deploys, answers(None, [OWNER])).why
    assert (
        permissions.check({"workspace": {WRITE: ["endpoint/mip"]}}, answers([{"actions": [WRITE]}], [])).unknown == ()
    )


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

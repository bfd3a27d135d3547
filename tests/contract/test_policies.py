"""Policies before any change: what they refuse, what is not known, and how many requests that takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import commands, emulator
from deploy.domain.plan import Step
from deploy.emulator.policy import assignments
from deploy.emulator.policy.definitions import DATA_MODE, DEPLOYMENTS, ENDPOINTS, Policy
from deploy.emulator.seed.open_world import open_world
from deploy.errors import Refused
from tests.contract.test_preflight import HOME, project
from tests.laws.stage import Ahead

PRIVATE = {
    "name": "private-access", "display_name": "Public access must be disabled",
    "field": f"{ENDPOINTS}/publicNetworkAccess", "not_in": ["Disabled"],
}  # fmt: skip
SIZES = {"name": "sizes", "field": f"{DEPLOYMENTS}/instanceType", "not_in": ["Standard_DS2_v2"]}
ENTRA = {"name": "entra-only", "field": f"{ENDPOINTS}/authMode", "not_in": ["AADToken"]}
TAGGED = {"name": "cost-center", "type": ENDPOINTS, "field": "tags['costCenter']", "exists": False}
REGIONS = {"name": "regions", "field": "location", "not_in": ["eastus", "East US 2"]}
NAMES = {"name": "names", "type": ENDPOINTS, "field": "name", "in": ["fresh-b", "fresh-c"]}
VARIABLES = {"name": "variables", "field": f"{DEPLOYMENTS}/environmentVariables.MODE", "not_in": ["safe"]}
MODELS = {"name": "models", "field": f"{DEPLOYMENTS}/model", "not_in": ["azureml://registries/hospital/models/x"]}


def findings(made: commands.Project) -> list[tuple[str, str]]:
    """The address and the cause of each refusal by a policy."""
    with pytest.raises(Refused) as refused:
        commands.plan(made, "here")
    assert {each.code for each in refused.value.findings} == {"AML247"}
    return [(each.address, each.cause) for each in refused.value.findings]


def checked(made: commands.Project) -> Step | None:
    """The check of policies in a plan that is not refused."""
    return next((step for step in commands.plan(made, "here").steps if step.kind == "policy"), None)


DENIED = {
    "private-access": "publicNetworkAccess is missing, allowed: Disabled",
    "sizes": "instanceType is Standard_NC4as_T4_v3, allowed: Standard_DS2_v2",
    "entra-only": "authMode is Key, allowed: AADToken",
    "cost-center": "tags[costCenter] is required",
    "models": "model is azureml://registries/azureml/models/MedImageInsight/versions/13, allowed: azureml://registries/",
}


def test_denials_refuse_the_plan(tmp_path: Path) -> None:
    """Policy, assignment, field and allowed values, before anything is created. An audit refuses nothing."""
    denying = [PRIVATE, SIZES, ENTRA, TAGGED, MODELS]
    made = project(tmp_path, ["fresh-a"], {"policies": [*denying, {**REGIONS, "effect": "audit", "not_in": ["x"]}]})
    found = findings(made)

    assert {address for address, _ in found} == {"policy/fresh-a"}
    assert len(found) == len(denying)
    for policy in denying:
        title = policy.get("display_name", policy["name"])
        words = f"policy '{title}' (assignment {policy['name']} at {HOME}) refuses it: {DENIED[policy['name']]}"
        assert [cause for _, cause in found if words in cause], words
    assert not any(row["mutating"] for row in emulator.requests(made.state))


def test_allowed_resources_are_planned(tmp_path: Path) -> None:
    """Policies that deny other values are named by number; without any policy there is no check and one request."""
    made = project(tmp_path, ["fresh-a"], {"policies": [REGIONS, {**SIZES, "not_in": ["standard_nc4as_t4_v3"]}]})
    step = checked(made)
    assert step
    assert (step.body["verdict"], step.why.partition(" (")[0]) == ("yes", "2 policy assignments of the workspace")

    free = project(tmp_path / "free", ["fresh-a"], {})
    assert checked(free) is None
    operations = [row["operation"] for row in emulator.requests(free.state)]
    assert operations.count("PolicyAssignments_List") == 1
    assert "PolicyRestrictions_CheckAtResourceGroupScope" not in operations


def test_names_are_checked_for_each_endpoint(tmp_path: Path) -> None:
    """Endpoints of the same content are asked about together, and each by its own name."""
    made = project(tmp_path, [f"fresh-{each}" for each in "abcdefgh"], {"policies": [NAMES]})
    assert [address for address, _ in findings(made)] == ["policy/fresh-b", "policy/fresh-c"]

    sent = [row["operation"] for row in emulator.requests(made.state)]
    assert sent.count("PolicyRestrictions_CheckAtResourceGroupScope") == 2  # one for endpoints, one for deployments
    assert sent.count("PolicyAssignments_List") == 1
    assert sent.count("PolicyDefinitions_Get") == 1


def test_what_is_not_sent_is_not_refused(tmp_path: Path) -> None:
    """Environment variables can contain secrets and are not sent: a policy on them is unknown, not a refusal."""
    made = project(tmp_path, ["fresh-a"], {"policies": [VARIABLES]})
    deployment = made.root / "templates" / "plain" / "deployment.yml.j2"
    deployment.write_text(deployment.read_text() + "environment_variables: {MODE: planted-value}\n")
    step = checked(made)

    assert step
    assert step.body["verdict"] == "unknown"
    assert "properties.environmentVariables is not known before the change" in step.why
    assert "planted-value" not in json.dumps(step.body)


def test_policies_of_the_service_are_unknown(tmp_path: Path) -> None:
    """Azure ML evaluates policies in its own mode: they are named, and refuse nothing."""
    made = project(tmp_path, ["fresh-a"], {"policies": [{**SIZES, "mode": DATA_MODE}]})
    step = checked(made)

    assert step
    assert step.body["verdict"] == "unknown"
    assert "whether policy 'sizes' refuses it: Azure Machine Learning evaluates it itself" in step.why


def test_without_the_right_it_is_unknown(tmp_path: Path) -> None:
    """A caller who reads only the workspace: the right is named, and the plan is not refused."""
    scientist = [{"principal": "signed-in", "role": "AzureML Data Scientist", "scope": "mlw-local"}]
    step = checked(project(tmp_path, ["fresh-a"], {"policies": [PRIVATE], "roles": scientist}))

    assert step
    assert step.body["verdict"] == "unknown"
    assert "permission denied" in step.why
    assert "needs Microsoft.Authorization/policyAssignments/read" in step.why


def test_a_check_that_is_not_answered_is_unknown(tmp_path: Path) -> None:
    """Assignments are listed, and checkPolicyRestrictions fails."""
    made = replace(project(tmp_path, ["fresh-a"], {"policies": [PRIVATE]}), clock=Ahead())
    operation = "PolicyRestrictions_CheckAtResourceGroupScope"
    with emulator.embed(made.state):
        for fault in ({"status": 403}, {"status": 200, "body": {"fieldRestrictions": ""}}, {"status": 200, "body": []}):
            emulator.begin(made.state, faults=[{"kind": "refuse", "operation": operation, "times": "always", **fault}])
            step = checked(made)
            assert step
            assert step.body["verdict"] == "unknown"
            assert "checkPolicyRestrictions could not be read" in step.why


def test_a_policy_that_is_assigned_after_the_plan_refuses_the_apply(tmp_path: Path) -> None:
    """The check before the first change asks again."""
    clock = Ahead()
    made = replace(project(tmp_path, ["fresh-a"], {"policies": [REGIONS]}), clock=clock)
    with emulator.embed(made.state):

        def approve(*_: object) -> None:
            clock.ahead += 3600
            world = open_world(made.state / "world.sqlite")
            with world.transaction():
                assignments.assign(world, Policy.model_validate(PRIVATE), HOME)
            world.close()

        done = commands.apply(made, "here", approve=approve, emit=lambda *_: None)
    [failed] = [outcome for outcome in done.report.outcomes if outcome.error]

    assert (str(failed.address), (failed.error or {})["code"]) == ("policy/fresh-a", "AML247")
    changes = [row for row in emulator.requests(made.state) if row["mutating"] and ".blob." not in row["path"]]
    assert changes == []


def test_only_denials_refuse(tmp_path: Path) -> None:
    """Azure's example of an answer contains audits, which refuse nothing; a denial without ids is still one."""
    made = project(tmp_path, ["fresh-a"], {"policies": [REGIONS]})
    operation = "PolicyRestrictions_CheckAtResourceGroupScope"
    rows = [{"evaluationResult": "NonCompliant", "effectDetails": {"policyEffect": each}} for each in ("Audit", "Deny")]
    for number, expected in ((1, None), (2, "AML247")):
        body = {"contentEvaluationResult": {"policyEvaluations": rows[:number]}}
        emulator.begin(
            made.state,
            faults=[{"kind": "refuse", "operation": operation, "times": "always", "status": 200, "body": body}],
        )
        if expected:
            assert "policy '(without a name)' refuses it" in findings(made)[0][1]
        else:
            assert checked(made)

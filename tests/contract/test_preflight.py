"""Before any change: what is asked of Azure, how often, and what a world that says no or nothing leads to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import commands, emulator
from deploy.errors import CloudError, Exit, Refused
from deploy.preflight.check_result import Verdict
from tests.addresses import addr
from tests.laws.stage import Ahead
from tests.project import make_project

HOME = "/subscriptions/00000000-0000-0000-0000-000000000001"
GROUP = f"{HOME}/resourceGroups/rg-local"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw-local"
MODEL = "azureml://registries/azureml/models/MedImageInsight/versions/13"
SIZE = "Standard_DS2_v2"
BESIDE = {True: 10, False: 11}
"""Requests for everything that is not a list of deployments; who may not read all roles asks for some."""


def project(folder: Path, names: list[str], world: dict[str, Any], *, pipeline: str = "{}") -> commands.Project:
    """A project whose endpoints have these names, on an emulator that begins as the world says."""
    made = commands.Project(make_project(folder))
    template = made.root / "templates" / "plain"
    template.mkdir()
    (template / "endpoint.yml.j2").write_text("name: '{{ endpoint }}'\n")
    (template / "deployment.yml.j2").write_text(
        "name: blue\nendpoint_name: '{{ endpoint }}'\ninstance_count: 1\n"
        f"model: {MODEL}\ninstance_type: '{{{{ values.size }}}}'\n"
    )
    (template / "pipeline.yml").write_text(pipeline)
    size = world.pop("size", "Standard_NC4as_T4_v3")
    environment = {
        "cloud": "local",
        "subscription_id": HOME.rsplit("/", 1)[1],
        "resource_group": "rg-local",
        "workspace": "mlw-local",
        "endpoints": {name: {"template": "plain", "values": {"size": size}} for name in names},
    }
    (made.root / "environments" / "here.yml").write_text(yaml.safe_dump(environment))
    (made.root / "world.yml").write_text(yaml.safe_dump(world))
    emulator.begin(made.state, world=made.root / "world.yml")
    return made


def verdicts(made: commands.Project) -> dict[str, Verdict]:
    return {line.subject.split("/")[0]: line.verdict for line in commands.doctor(made, "here").lines}


@pytest.mark.parametrize("reader", [True, False])
def test_requests_of_an_observation(tmp_path: Path, reader: bool) -> None:
    """One list of deployments an endpoint; everything shared is read once, refusals included."""
    names = [f"ep-{n:03}" for n in range(12)]
    deployment = {"name": "blue", "model": MODEL, "instance_type": SIZE}
    world: dict[str, Any] = {
        "regions": {"eastus": {"families": {"standardDSv2Family": 1000}, "total_cores": 1000}},
        "endpoints": [{"name": name, "traffic": {"blue": 100}, "deployments": [deployment]} for name in names],
        "size": SIZE,
    }
    if not reader:
        world["roles"] = [{"principal": "signed-in", "role": "AzureML Data Scientist", "scope": "mlw-local"}]
    made = project(tmp_path, names, world)
    assert len(commands.plan(made, "here").notes) == len(names)  # none of them carries our tag
    sent = [row for row in emulator.requests(made.state) if row["operation"] != "ManagedIdentity_Token"]
    lists = [row for row in sent if row["operation"] == "OnlineDeployments_List"]

    assert len(lists) == len(names)
    assert not any(row["operation"] == "OnlineEndpoints_CheckNameAvailability" for row in sent)
    assert len(sent) - len(lists) <= BESIDE[reader]
    assert not any(row["mutating"] for row in sent)


def test_requests_of_a_plan_of_new_endpoints(tmp_path: Path) -> None:
    """One request for the name of each endpoint, and ten: what scales a new endpoint is not asked, policies are."""
    names = [f"new-{n:02}" for n in range(8)]
    made = project(tmp_path, names, {})
    commands.plan(made, "here")
    sent = [row["operation"] for row in emulator.requests(made.state) if row["operation"] != "ManagedIdentity_Token"]

    assert len(sent) <= len(names) + 10, sent


def test_nothing_is_asked_about_what_is_not_there(tmp_path: Path) -> None:
    """A new endpoint: its name is asked about, its deployments are not."""
    made = project(tmp_path, ["fresh-one"], {})
    commands.plan(made, "here")
    operations = [row["operation"] for row in emulator.requests(made.state)]

    assert "OnlineEndpoints_CheckNameAvailability" in operations
    assert "OnlineDeployments_List" not in operations


def test_a_workspace_with_a_share_of_its_own(tmp_path: Path) -> None:
    """A workspace may use less of a family than its subscription, and then that is what counts."""
    made = project(tmp_path, ["fresh-two"], {})
    with emulator.embed(made.state) as running:
        _set_share(running, 4)
        with pytest.raises(Refused, match=r"AML243.*for the workspace: need 8, 4 free"):
            commands.plan(made, "here")


def _set_share(running: Any, cores: int) -> None:
    import requests

    variables = running.variables()
    asked = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
    secret = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
    token = requests.get(variables["IDENTITY_ENDPOINT"], params=asked, headers=secret, timeout=10).json()[
        "access_token"
    ]
    row = {"id": f"{WORKSPACE}/quotas/Standard_NCASv3_T4_Family", "limit": cores, "unit": "Count"}
    answer = requests.post(
        f"{running.url}{HOME}/providers/Microsoft.MachineLearningServices/locations/eastus/updateQuotas",
        params={"api-version": "2024-10-01"},
        headers={"Authorization": f"Bearer {token}"},
        json={"value": [row], "location": "eastus"},
        verify=str(running.ca),
        timeout=10,
    )
    assert answer.json()["value"][0]["status"] == "Success"


SILENT = {
    "Usages_List": "quota",
    "Quotas_List": "quota",
    "VirtualMachineSizes_List": "quota",
    "RegistryModelVersions_List": "model",
    "Registry_Discovery": "model",
    "OnlineEndpoints_CheckNameAvailability": "limits",
    "Permissions_List": "permission",
}


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "refuse", "status": 403}, ""),
    ({"kind": "throttle", "form": "none"}, ""),
    ({"kind": "throttle", "retry_after": 300}, "requests a wait of 300 s"),
    ({"kind": "refuse", "status": 500, "message": "it broke"}, "it broke"),
    ({"kind": "refuse", "status": 503, "message": "it is busy"}, "it is busy"),
    ({"kind": "truncate"}, "not a JSON object"),
    ({"kind": "html", "status": 502}, ""),
    ({"kind": "html", "status": 200}, "not a JSON object"),
    ({"kind": "refuse", "status": 200, "body": []}, "not a JSON object"),
    ({"kind": "refuse", "status": 200, "body": "null"}, "differs from Azure's documentation"),
    ({"kind": "refuse", "status": 200, "body": {"value": "none"}}, ""),
    ({"kind": "refuse", "status": 200, "body": {"value": [None]}}, ""),
    ({"kind": "refuse", "status": 200, "body": "[" * 9000 + "]" * 9000}, "not a JSON object"),
]
"""What a read meets, and what is told of it."""


def chosen(operation: str, laws: str) -> list[tuple[dict[str, Any], str]]:
    """With `--laws full` all faults; by default a third, so that each operation meets four of them at least and each
    fault two operations.
    """
    first = list(SILENT).index(operation) % 3
    return FAULTS if laws == "full" else FAULTS[first::3]


def test_each_operation_and_each_fault_is_chosen() -> None:
    """Also by default."""
    found = [[FAULTS.index(each) for each in chosen(operation, "some")] for operation in SILENT]
    assert min(map(len, found)) >= 4
    assert all(sum(number in each for each in found) >= 2 for number in range(len(FAULTS)))
    assert all(chosen(operation, "full") == FAULTS for operation in SILENT)


@pytest.mark.parametrize("operation", SILENT)
def test_an_answer_that_does_not_come_leaves_a_question_open(
    tmp_path: Path, operation: str, request: pytest.FixtureRequest
) -> None:
    """Whatever a read meets that only a check needs: could not tell, and why; nothing is hidden or refused."""
    made = replace(project(tmp_path, ["fresh-three"], {}), clock=Ahead())
    with emulator.embed(made.state):
        quiet = verdicts(made)
        for fault, words in chosen(operation, request.config.getoption("--laws")):
            ordered = {**fault, "operation": operation, "plane": "any", "times": "always"}
            emulator.begin(made.state, faults=[ordered])
            found = verdicts(made)
            checks = {step.kind: step for step in commands.plan(made, "here").steps if not step.changes}

            assert found == quiet | {SILENT[operation]: Verdict.UNKNOWN}, fault
            assert checks[SILENT[operation]].body["verdict"] == "unknown"
            assert "unknown: " in checks[SILENT[operation]].why
            assert words in checks[SILENT[operation]].why


STOOD_ON = ("OnlineEndpoints_List", "Workspaces_Get", "OnlineDeployments_List")


@pytest.mark.parametrize("operation", STOOD_ON)
def test_what_a_plan_stands_on_must_be_told(tmp_path: Path, operation: str) -> None:
    """A plan made without knowing what is there would be a plan to break it."""
    deployment = {"name": "blue", "model": MODEL, "instance_type": SIZE}
    held = [{"name": "there", "traffic": {"blue": 100}, "deployments": [deployment]}]
    made = replace(project(tmp_path, ["there"], {"endpoints": held}), clock=Ahead())
    with emulator.embed(made.state):
        for fault in ({"status": 503}, {"status": 200, "body": []}, {"status": 200, "body": {"value": [None]}}):
            ordered = {"kind": "refuse", "operation": operation, "times": "always", **fault}
            emulator.begin(made.state, faults=[ordered])
            with pytest.raises(CloudError):
                commands.plan(made, "here")
            [line] = [each for each in commands.doctor(made, "here").lines if each.verdict is Verdict.NO]
            assert line.subject == "workspace mlw-local"


ROLE = "roles: [{role: Storage Blob Data Contributor, scope: workspace_storage}]"
SILENCE: list[dict[str, Any]] = [
    {"kind": "refuse", "status": 503, "message": "it is busy"},
    {"kind": "throttle", "retry_after": 300},
    {"kind": "truncate"},
    {"kind": "refuse", "status": 200, "body": {"value": [None]}},
]
"""Ways in which the list of role assignments does not come."""


def unlisted(fault: dict[str, Any]) -> dict[str, Any]:
    return {**fault, "operation": "RoleAssignments_ListForScope", "times": "always"}


@pytest.mark.parametrize("fault", SILENCE, ids=["503", "throttled", "cut off", "foreign"])
def test_roles_that_nobody_tells_refuse_by_themselves(tmp_path: Path, fault: dict[str, Any]) -> None:
    """Their limit could not be told, every other check is made, and the one reason against the plan is the list."""
    made = replace(project(tmp_path, ["fresh-six"], {}, pipeline=ROLE), clock=Ahead())
    with emulator.embed(made.state):
        quiet = verdicts(made)
        emulator.begin(made.state, faults=[unlisted(fault)])
        found = {line.subject.split("/")[0]: line for line in commands.doctor(made, "here").lines}
        with pytest.raises(Refused) as refused:
            commands.plan(made, "here")
        with pytest.raises(Refused, match="AML253"):
            commands.teardown(made, "here", approve=_anything, emit=_anything)

    said = {subject: line.verdict for subject, line in found.items()}
    assert said == quiet | {"limits": Verdict.UNKNOWN, "role": Verdict.NO}
    assert "role assignments of the subscription are left: role assignments could not be read" in found["limits"].words
    assert [(each.address, each.code) for each in refused.value.findings] == [("role/fresh-six", "AML253")]


def test_roles_that_nobody_counts_again_stop_no_apply(tmp_path: Path) -> None:
    """The plan was made when they were told; the check before the first change could not tell, and goes on."""
    clock = Ahead()
    made = replace(project(tmp_path, ["fresh-seven"], {}, pipeline=ROLE), clock=clock)
    with emulator.embed(made.state):

        def think(*_: object) -> None:
            clock.ahead += 3600
            emulator.begin(made.state, faults=[unlisted(SILENCE[0])])

        done = commands.apply(made, "here", approve=think, emit=_anything)
    [place] = [outcome for outcome in done.report.outcomes if outcome.address == addr("limits/fresh-seven")]

    assert done.report.exit == 0
    assert place.evidence.data["verdict"] == "unknown"
    assert "how many role assignments of the subscription are left" in place.evidence.summary


def test_a_stated_limit_refuses_and_a_published_one_warns(tmp_path: Path) -> None:
    """A hundred endpoints in the workspace: without `service_limits` the plan of the next has a note with the key."""
    held = [{"name": f"held-{n:03}"} for n in range(100)]
    made = project(tmp_path, ["fresh-four"], {"endpoints": held})

    notes = commands.plan(made, "here").notes
    assert any("service_limits.endpoints in environments/here.yml" in note for note in notes)
    written = made.root / "environments" / "here.yml"
    written.write_text(written.read_text() + "service_limits: {endpoints: 100}\n")
    with pytest.raises(Refused, match="AML260"):
        commands.plan(made, "here")
    written.write_text(written.read_text().replace("100}", "101}"))
    assert not any("service_limits" in note for note in commands.plan(made, "here").notes)


def test_the_permission_check_names_what_other_checks_lack(tmp_path: Path) -> None:
    """A Data Scientist of the workspace may not read policies and quota: both checks are unknown, and the permission
    check says why, is positive and refuses nothing. `doctor` has the same words. An Owner is told nothing of it.
    """
    scientist = [{"principal": "signed-in", "role": "AzureML Data Scientist", "scope": "mlw-local"}]
    found = {}
    for who, world in (("scientist", {"roles": scientist}), ("owner", {})):
        (tmp_path / who).mkdir()
        made = project(tmp_path / who, ["fresh-eight"], dict(world))
        [step] = [each for each in commands.plan(made, "here").steps if each.kind == "permission"]
        [line] = [each for each in commands.doctor(made, "here").lines if each.subject == str(step.address)]
        assert (line.words, line.verdict, step.body["verdict"]) == (step.why, Verdict.YES, "yes")
        found[who] = step.why

    locations, group = "Microsoft.MachineLearningServices/locations", "Microsoft.Authorization/policy"
    lacks = ", ".join(f"{locations}/{each}/read" for each in ("usages", "quotas", "vmSizes"))
    lacks += (
        f", {group}Assignments/read, {group}Definitions/read, Microsoft.PolicyInsights/checkPolicyRestrictions/read"
    )
    checks = "quota/fresh-eight/Standard_NC4as_T4_v3 and policy/fresh-eight"
    assert f"all allowed; the caller lacks {lacks} on mlw-local, so {checks} are unknown" in found["scientist"]
    assert "lacks" not in found["owner"]


def test_a_teardown_fails_for_what_it_cannot_see(tmp_path: Path) -> None:
    """Roles that may not be read may stay, also where there is no endpoint."""
    scientist = [{"principal": "signed-in", "role": "AzureML Data Scientist", "scope": "mlw-local"}]
    made = project(tmp_path, ["fresh-five"], {"roles": scientist})
    done = commands.teardown(made, "here", approve=_anything, emit=_anything)

    assert done.exit == Exit.STEP_FAILED
    assert [(outcome.error or {}).get("code") for outcome in done.report.outcomes] == ["AML252"]


def _anything(*_: object) -> None:
    """Whatever is planned is agreed to, and nobody watches."""

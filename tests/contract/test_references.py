"""References of the files before any change: environments, connections, identities and roles, models by ARM id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy import commands, emulator
from deploy.domain.plan import Step
from deploy.emulator.http import routes
from deploy.errors import Refused
from deploy.preflight import permissions as rights
from tests.contract.test_preflight import GROUP, MODEL, WORKSPACE, project
from tests.laws.stage import Ahead

USER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-mip"
VARIABLES = "environment_variables: {A: '${{azureml://connections/reports/credentials/key}}', B: plain}\n"
IDENTITY = f"identity: {{type: user_assigned, user_assigned_identities: [{{resource_id: {USER}}}]}}\n"
IDENTITIES = [{"name": "id-mip", "resource_group": "rg-local"}]


def write(made: commands.Project, *, endpoint: str = "", deployment: str = "", pipeline: str = "{}") -> None:
    """Add lines to the files of the template."""
    folder = made.root / "templates" / "plain"
    for name, text in (("endpoint", endpoint), ("deployment", deployment)):
        path = folder / f"{name}.yml.j2"
        path.write_text(path.read_text() + text)
    (folder / "pipeline.yml").write_text(pipeline)


def findings(made: commands.Project) -> list[tuple[str, str]]:
    """Code and cause of each refusal."""
    with pytest.raises(Refused) as refused:
        commands.plan(made, "here")
    assert not any(row["mutating"] for row in emulator.requests(made.state))
    return [(each.code, each.cause) for each in refused.value.findings]


def checked(made: commands.Project) -> Step | None:
    return next((step for step in commands.plan(made, "here").steps if step.kind == "references"), None)


def put(running: Any, path: str, body: dict[str, Any], version: str = "2024-10-01") -> None:
    """Create a resource with the identity that is signed in."""
    variables = running.variables()
    asked = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
    secret = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
    token = requests.get(variables["IDENTITY_ENDPOINT"], params=asked, headers=secret, timeout=10).json()
    sent = {"Authorization": f"Bearer {token['access_token']}"}
    url = f"{running.url}{path}?api-version={version}"
    requests.put(url, json=body, headers=sent, verify=str(running.ca), timeout=10).raise_for_status()


def test_what_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    """An environment, a connection and an identity, all in one answer."""
    made = project(tmp_path, ["fresh-a"], {})
    write(made, endpoint=IDENTITY, deployment=f"{VARIABLES}environment: azureml:lungs:4\n")
    found = findings(made)

    assert [code for code, _ in found] == ["AML211", "AML212", "AML213"]
    assert "there is no environment azureml:lungs:4" in found[0][1]
    assert "there is no connection reports" in found[1][1]
    assert f"there is no user-assigned identity {USER}" in found[2][1]


def test_what_exists_is_found_with_few_requests(tmp_path: Path) -> None:
    """The references of several endpoints are read once."""
    made = project(tmp_path, ["fresh-a", "fresh-b", "fresh-c"], {})
    write(made, deployment=f"{VARIABLES}environment: azureml:lungs:4\n")
    with emulator.embed(made.state) as running:
        put(running, f"{WORKSPACE}/environments/lungs/versions/4", {"properties": {"image": "docker.io/a:1"}})
        connection = {"authType": "CustomKeys", "category": "CustomKeys", "target": "https://a.example"}
        put(running, f"{WORKSPACE}/connections/Reports", {"properties": connection})
        before = len(emulator.requests(made.state))
        step = checked(made)
        sent = [row["operation"] for row in emulator.requests(made.state)[before:]]

    assert step
    assert (step.body["verdict"], step.why) == ("yes", "1 environment, 1 connection found")
    assert (sent.count("WorkspaceConnections_List"), sent.count("AssetVersions_List")) == (1, 1)


def test_another_version_is_named(tmp_path: Path) -> None:
    """The newest version of an environment; an environment of Azure that is not listed is unknown."""
    made = project(tmp_path, ["fresh-a"], {})
    write(made, deployment="environment: azureml:lungs:5\n")
    with emulator.embed(made.state) as running:
        put(running, f"{WORKSPACE}/environments/lungs/versions/4", {"properties": {"image": "docker.io/a:1"}})
    with pytest.raises(Refused, match="there is no environment azureml:lungs:5; its newest version is 4"):
        commands.plan(made, "here")
    path = made.root / "templates" / "plain" / "deployment.yml.j2"
    path.write_text(path.read_text().replace("azureml:lungs:5", "azureml:AzureML-sklearn-1.5:9"))
    step = checked(made)
    assert step
    assert step.body["verdict"] == "unknown"


def roles(made: commands.Project, *assigned: tuple[str, str]) -> None:
    """Assign roles to the identity: (role, ARM id)."""
    from deploy.cloud.role_assignments import BUILT_IN
    from deploy.emulator.rbac import role_assignments
    from deploy.emulator.seed.open_world import open_world
    from deploy.emulator.workspace import user_identities

    world = open_world(made.state / "world.sqlite")
    with world.transaction():
        user = user_identities.find(world, USER)
        assert user
        for number, (role, scope) in enumerate(assigned):
            name = f"00000000-0000-0000-0000-{number:012}"
            principal = user.properties["principalId"]
            role_assignments.assign(world, scope, principal, "ServicePrincipal", BUILT_IN[role], name, "test")
    world.close()


def stores(made: commands.Project) -> tuple[str, str]:
    """The registry and the storage account of the workspace."""
    from deploy.emulator.seed.open_world import open_world

    world = open_world(made.state / "world.sqlite")
    workspace = world.get(WORKSPACE)
    world.close()
    assert workspace
    return workspace.properties["containerRegistry"], workspace.properties["storageAccount"]


def test_a_user_assigned_identity_needs_its_roles(tmp_path: Path) -> None:
    """AcrPull on the registry and Storage Blob Data Reader on the storage, there or above; the plan can assign them."""
    made = project(tmp_path, ["fresh-a"], {"identities": IDENTITIES})
    write(made, endpoint=IDENTITY)
    registry, storage = stores(made)
    found = findings(made)
    assert [code for code, _ in found] == ["AML214", "AML214"]
    assert f"lacks AcrPull on {registry}" in found[0][1]
    assert f"lacks Storage Blob Data Reader on {storage}" in found[1][1]

    roles(made, ("AcrPull", registry), ("Reader", storage))
    assert [cause for _, cause in findings(made) if "Storage Blob Data Reader" in cause]
    roles(made, ("AcrPull", registry), ("Storage Blob Data Reader", GROUP))
    step = checked(made)
    assert step
    assert step.body["verdict"] == "yes"


def test_roles_of_the_plan_count(tmp_path: Path) -> None:
    """pipeline.yml assigns what the identity lacks, so the apply succeeds; a data collector needs to write."""
    made = replace(project(tmp_path, ["fresh-a"], {"identities": IDENTITIES}), clock=Ahead())
    planned = "{role: AcrPull, scope: workspace_registry}, {role: Storage Blob Data Reader, scope: workspace_storage}"
    write(made, endpoint=IDENTITY, pipeline=f"roles: [{planned}]\n")
    step = checked(made)
    assert step
    assert step.body["verdict"] == "yes"
    write(
        made,
        deployment="data_collector: {collections: {model_inputs: {enabled: 'True'}}}\n",
        pipeline=f"roles: [{planned}]\n",
    )
    assert [cause for _, cause in findings(made) if "lacks Storage Blob Data Contributor" in cause]


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """Refused reads are unknown and refuse nothing."""
    made = project(tmp_path, ["fresh-a"], {"identities": IDENTITIES})
    write(made, endpoint=IDENTITY, deployment=f"{VARIABLES}environment: azureml:lungs:4\n")
    reads = ("AssetVersions_List", "WorkspaceConnections_List", "UserAssignedIdentities_Get")
    faults = [{"kind": "refuse", "status": 403, "operation": each, "times": "always"} for each in reads]
    emulator.begin(made.state, faults=faults)
    step = checked(made)
    assert step
    assert step.body["verdict"] == "unknown"
    assert step.why.count("could not be read: permission denied") == len(reads)


def test_a_model_by_its_arm_id(tmp_path: Path) -> None:
    """A version in a workspace."""
    made = project(tmp_path, ["fresh-a"], {})
    path = made.root / "templates" / "plain" / "deployment.yml.j2"
    before = path.read_text()
    reference = f"azureml:{WORKSPACE}/models/lungs/versions/3"
    lines = [f"model: {reference}" if line.startswith("model:") else line for line in before.splitlines()]
    path.write_text("\n".join(lines) + "\n")
    [(code, cause)] = findings(made)
    assert (code, f"there is no model {reference}" in cause) == ("AML210", True)


def test_every_read_of_a_plan_has_its_right_in_the_table(tmp_path: Path) -> None:
    """All checks have something to read, and need no right but those that docs/preflight.md lists, and need all of
    them. What a plan itself needs is beside them; the caller's own permissions need no right.
    """
    policy = {"name": "regions", "field": "location", "not_in": ["eastus"]}
    world = {"identities": IDENTITIES, "policies": [policy], "endpoints": [{"name": "there"}]}
    made = project(tmp_path, ["fresh-a", "there"], world)
    write(made, endpoint=IDENTITY, deployment=f"{VARIABLES}environment: azureml:lungs:4\n")
    path = made.root / "templates" / "plain" / "deployment.yml.j2"
    path.write_text(path.read_text().replace(MODEL, "azureml:own:1"))
    findings(made)
    pinned = "environment: {name: made, version: 1, image: 'docker.io/a:1'}"
    path.write_text(path.read_text().replace("environment: azureml:lungs:4", pinned))
    findings(made)
    sent = [(row["method"], row["path"].partition("?")[0]) for row in emulator.requests(made.state)]
    found = [each for method, path in sent if (each := routes.find(method, path, {})) and each[0].plane == "arm"]
    read = {route.action.replace("{kind}", names.get("kind", "")).lower() for route, names in found}
    table = {
        *rights.READ_QUOTA,
        *rights.READ_NAMES,
        *rights.READ_MODELS,
        *rights.READ_POLICIES,
        *rights.READ_REFERENCES,
    }
    plain = {f"{rights.WORKSPACES}/read", f"{rights.ENDPOINTS}/read", f"{rights.ENDPOINTS}/deployments/read"}
    plain |= {*rights.AUTOSCALE_READ, "Microsoft.Authorization/permissions/read"}

    assert read == {action.lower() for action in table | plain}

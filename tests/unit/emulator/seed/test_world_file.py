"""World files: their resources, their errors, and resets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy import emulator
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.rbac.builtin_roles import ROLES
from deploy.emulator.seed import default_world
from deploy.emulator.seed.schema import WorldFile
from deploy.emulator.world import parse
from tests.project import ROOT
from tests.unit.emulator.azure import Azure, deployment_body, endpoint_body

EXAMPLE = ROOT / "docs" / "emulator" / "world.yml"
PROVIDER = "providers/Microsoft.MachineLearningServices"
CLINIC = f"/subscriptions/{default_world.SUBSCRIPTION}/resourceGroups/rg-clinic/{PROVIDER}/workspaces/mlw-clinic"
EUROPE = f"/subscriptions/{default_world.SUBSCRIPTION}/{PROVIDER}/locations/westeurope"


def begun(folder: Path, tokens: Tokens, text: str) -> Azure:
    """A world with this world file."""
    (folder / "given.yml").write_text(text)
    emulator.begin(folder, world=folder / "given.yml")
    return Azure(folder, tokens)


@pytest.fixture
def clinic(tmp_path: Path, tokens: Tokens) -> Iterator[Azure]:
    found = begun(tmp_path, tokens, EXAMPLE.read_text())
    yield found
    found.world.close()


def test_the_example_is_applied(clinic: Azure) -> None:
    """Workspaces with their resources, registries, and an endpoint with traffic."""
    workspace = clinic.send("GET", CLINIC).json
    assert (workspace["location"], workspace["id"]) == ("westeurope", CLINIC)
    assert workspace["properties"]["storageAccount"].endswith("/stmlwclinic")
    assert clinic.send("GET", f"{CLINIC}/datastores/workspaceblobstore").status == 200
    assert clinic.send("GET", default_world.WORKSPACE_ID).code == "ResourceGroupNotFound"
    found = clinic.send("GET", f"{CLINIC}/onlineEndpoints/mip-clinic").json
    assert (found["properties"]["provisioningState"], found["properties"]["traffic"]) == ("Succeeded", {"blue": 100})
    assert found["tags"] == {"owner": "radiology"}
    blue = clinic.send("GET", f"{CLINIC}/onlineEndpoints/mip-clinic/deployments/blue").json
    assert blue["properties"]["model"] == "azureml://registries/hospital/models/MedImageParse/versions/3"
    other = clinic.send("GET", CLINIC.replace("clinic", "research")).json
    assert other["location"] == "eastus"
    assert other["identity"]["principalId"] != workspace["identity"]["principalId"]
    usages = {u["name"]["value"]: u for u in clinic.send("GET", f"{EUROPE}/usages").json["value"][::-1]}
    assert usages["standardNCADSA100v4Family"]["limit"] == 48
    assert usages["standardNCADSA100v4Family"]["currentValue"] == 24
    assert usages["TotalDedicatedCores"]["limit"] == 200
    assert "/workspaces/mlw-clinic" in str(clinic.send("GET", f"{CLINIC}/{'onlineEndpoints'}").json)


def test_only_the_roles_of_the_file_are_assigned(clinic: Azure) -> None:
    """Besides those of the identities."""
    found = clinic.send("GET", f"{CLINIC}/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()").json
    names = {guid: name for guid, name, *_ in ROLES}
    held = {
        (names[p["roleDefinitionId"].rpartition("/")[2]], p["scope"])
        for p in (item["properties"] for item in found["value"])
        if p["principalId"][-2:] in ("a1", "b1")
    }
    assert held == {
        ("Contributor", CLINIC), ("Reader", f"/subscriptions/{default_world.SUBSCRIPTION}"),
        ("AzureML Data Scientist", CLINIC),
    }  # fmt: skip


def test_the_limits_of_the_file_are_enforced(clinic: Azure) -> None:
    """Endpoints and deployments of the region, deployments of an endpoint; with the numbers."""
    where = f"{CLINIC}/onlineEndpoints"
    body = {**endpoint_body(), "location": "westeurope"}
    assert [clinic.send("PUT", f"{where}/ep-{n}", body).status for n in range(2)] == [201, 201]
    refused = clinic.send("PUT", f"{where}/ep-2", body)
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert "region westeurope has reached its limit. Current usage/limit: 3/3." in refused.message
    clinic.finish_operations()
    assert clinic.send("PUT", f"{where}/ep-1", body).status == 201
    small = {**deployment_body(), "location": "westeurope"}
    assert clinic.send("PUT", f"{where}/ep-0/deployments/one", small).status == 201
    clinic.finish_operations()
    assert clinic.send("PUT", f"{where}/ep-0/deployments/two", small).status == 201
    clinic.finish_operations()
    refused = clinic.send("PUT", f"{where}/ep-0/deployments/three", small)
    assert "deployments of this endpoint has reached its limit. Current usage/limit: 2/2." in refused.message


def test_by_default_the_limits_are_azures(azure: Azure) -> None:
    """20 deployments in an endpoint, 100 endpoints in a region."""
    azure.endpoint()
    azure.finish_operations()
    for number in range(20):
        assert azure.deployment(f"d-{number}", instanceType="Standard_DS1_v2").status == 201
    assert "Current usage/limit: 20/20" in azure.deployment("d-20").message
    for number in range(99):
        assert azure.endpoint(f"ep-{number}").status == 201
    assert "Current usage/limit: 100/100" in azure.endpoint("ep-99").message


def test_a_reset_returns_to_the_file_and_the_same_file_changes_nothing(clinic: Azure, tmp_path: Path) -> None:
    """Another file resets the world; an empty one restores the default world."""
    made = f"{CLINIC}/onlineEndpoints/made"
    body = {**endpoint_body(), "location": "westeurope"}
    clinic.send("PUT", made, body)
    emulator.begin(tmp_path, world=tmp_path / "given.yml")
    assert clinic.send("GET", made).status == 200
    emulator.reset(tmp_path)
    assert clinic.send("GET", made).status == 404
    assert clinic.send("GET", f"{CLINIC}/onlineEndpoints/mip-clinic").status == 200
    (tmp_path / "given.yml").write_text("")
    emulator.begin(tmp_path, world=tmp_path / "given.yml")
    assert clinic.send("GET", default_world.WORKSPACE_ID).status == 200
    assert clinic.send("GET", CLINIC).status == 404


NO_MODEL = "{name: blue, model: azureml://registries/azureml/models/None/versions/1, instance_type: Standard_DS3_v2}"
TOO_MANY = "{name: blue, model: x, instance_type: Standard_NC24ads_A100_v4, instance_count: 40}"
WRONG = [
    ("workspaces: [{name: mlw-x, regin: eastus}]", "1:35: workspaces[0].regin: is not a key here."),
    ("workspaces: [{name: mlw-x, regin: eastus}]", "Did you mean region?"),
    ("resource_group: rg", "1:17: resource_group: is not a key here.\n"),
    ("subscription_id: x", "1:18: subscription_id: is not a key here.\n"),
    ("regions: {eastus: {familes: {}}}", "regions.eastus.familes: is not a key here. Did you mean families?"),
    ("regions:\n  eastus: {total_cores: many}", "2:25: regions.eastus.total_cores: expected a valid integer, found"),
    ("regions:\n  eastus: {families: {standardXFamily: 4}}", "2:40: regions.eastus.families.standardXFamily: is no"),
    ("workspaces: []", "1:13: workspaces:"),
    ("endpoints: [{nme: a}]", "1:13: endpoints[0].name: is missing."),
    ("roles: [{principal: nobody, role: Reader, scope: mlw-local}]", "1:21: roles[0].principal: there is no principal"),
    ("roles: [{principal: signed-in, role: Readr, scope: mlw-local}]", "roles[0].role: there is no role 'Readr'."),
    ("roles: [{principal: signed-in, role: Reader, scope: here}]", "roles[0].scope: there is no 'here'."),
    ("endpoints: [{name: x}]", "1:13: endpoints[0]: The endpoint name 'x' is invalid."),
    ("endpoints: [{name: mip, workspace: other}]", "endpoints[0].workspace: there is no workspace 'other'"),
    ("endpoints: [{name: mip, traffic: {blue: 100}}]", "endpoints[0].traffic: The traffic names deployment 'blue'"),
    (f"endpoints: [{{name: mip, deployments: [{NO_MODEL}]}}]", "endpoints[0].deployments[0]: The model 'azureml:"),
    (f"endpoints: [{{name: mip, deployments: [{TOO_MANY}]}}]", "endpoints[0].deployments[0]: The request is invalid."),
    (f"endpoints: [{{name: mip, deployments: [{TOO_MANY}]}}]", "Not enough quota available"),
    ("- a", "1:1: expected keys and values, found ['a']."),
    ("a: [", "1:5: "),
    ("a: &x [*y]", "found undefined alias"),
    ("a: 2026-13-45", "month must be in 1..12"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_an_invalid_file_is_refused_with_key_path_and_line(
    tmp_path: Path, tokens: Tokens, text: str, words: str
) -> None:
    """The world does not change."""
    with pytest.raises(emulator.InvalidFile) as caught:
        begun(tmp_path, tokens, text)
    assert f"{tmp_path / 'given.yml'}:" in str(caught.value)
    assert words in f"{caught.value}\n"
    azure = Azure(tmp_path, tokens)
    assert azure.send("GET", f"{default_world.WORKSPACE_ID}/onlineEndpoints").json == {"value": []}
    azure.world.close()


def test_a_missing_file_and_a_binary_file_are_reported(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(emulator.InvalidFile, match="No such file"):
        emulator.begin(tmp_path, world=tmp_path / "none.yml")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(emulator.InvalidFile, match="UTF-8"):
        emulator.begin(tmp_path, faults=tmp_path / "binary.yml")


def test_the_example_of_faults_replaces_other_faults(tmp_path: Path, tokens: Tokens) -> None:
    """Each start replaces all faults by those of the file."""
    for _ in range(2):
        emulator.begin(tmp_path, faults=ROOT / "docs" / "emulator" / "faults.yml", time_scale=60)
    azure = Azure(tmp_path, tokens)
    assert [f["kind"] for f in azure.send("GET", "/emulator/faults").json["value"]] == [
        "refuse", "lose", "throttle", "operation_failed", "drip", "refuse", "delay", "answer", "hold",
    ]  # fmt: skip
    assert azure.send("GET", "/emulator/clock").json["scale"] == 60
    azure.world.close()
    with pytest.raises(emulator.InvalidFile, match=r"faults\[0\]\.kind"):
        emulator.begin(tmp_path, faults=[{"kind": "x"}])
    with pytest.raises(emulator.InvalidFile, match="scale"):
        emulator.begin(tmp_path, time_scale=-1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["regions", "workspaces", "endpoints", "name", "eastus", "families", "roles"]), inner
    ),
    max_leaves=12,
)  # fmt: skip


@given(value=VALUES)
def test_any_yaml_is_a_world_or_refused_with_a_line(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    """Never another exception."""
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(yaml.safe_dump(value))
    try:
        found = parse.load_and_apply(path, WorldFile, lambda wanted: wanted)
    except emulator.InvalidFile as wrong:
        found = None
        places = [(t.line, t.column, bool(t.message)) for t in wrong.problems]
    else:
        places = [(1, 1, True)]
    assert places
    assert all(line > 0 and column > 0 and words for line, column, words in places)
    assert found is None or isinstance(found, WorldFile)


def test_the_documentation_is_complete() -> None:
    """Every kind of fault, every key of both files, every control request, every profile."""
    from deploy.emulator.faults import schema as fault_schema
    from deploy.emulator.http import routes
    from deploy.emulator.seed import schema
    from deploy.emulator.world import timing

    manual = (ROOT / "docs" / "emulator.md").read_text()
    wanted = {*fault_schema.KINDS, *fault_schema.FaultSpec.model_fields, *timing.PROFILES} - {"kind"}
    for model in (schema.WorldFile, schema.Region, schema.Workspace, schema.Model, schema.Endpoint):
        wanted |= set(model.model_fields)
    for more in (schema.Deployment, schema.Role, schema.Identity, schema.Connection, schema.Policy):
        wanted |= {field.alias or name for name, field in more.model_fields.items()}
    assert [word for word in sorted(wanted) if f"`{word}`" not in manual] == []
    addresses = {route.path.partition("/{")[0] for route in routes.ROUTES if route.plane == "control"}
    assert [path for path in sorted(addresses) if path not in manual] == []


def test_the_default_workspace_can_be_in_another_region(tmp_path: Path, tokens: Tokens) -> None:
    """It keeps its ids; a second workspace has its own."""
    azure = begun(tmp_path, tokens, "workspaces: [{name: mlw-local, region: uksouth}, {name: mlw-local-2}]")
    one, two = (azure.send("GET", default_world.WORKSPACE_ID + end).json for end in ("", "-2"))
    assert (one["location"], two["location"]) == ("uksouth", "eastus")
    assert one["identity"]["principalId"] == default_world.WORKSPACE_PRINCIPAL
    assert two["properties"]["storageAccount"].endswith("/stmlwlocal2")
    assert two["properties"]["workspaceId"] != one["properties"]["workspaceId"]
    assert azure.send("PUT", f"{default_world.WORKSPACE_ID}/onlineEndpoints/mip", endpoint_body()).status == 400
    azure.world.close()

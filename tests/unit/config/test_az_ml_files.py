"""What azure-ai-ml reads is read here: other spellings, names of the file beside it, output of `az ml ... show`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.config import validation
from deploy.config.validation import az_ml_files
from deploy.config.validation.schema import check as check_model
from deploy.documents import yaml12
from deploy.documents.endpoint_and_deployment import DeploymentDocument, EndpointDocument
from deploy.documents.locations import Rendered
from deploy.domain.spec import EndpointSpec
from deploy.errors import SpecError
from tests.unit.config.test_validation import DEPLOYMENT, ENDPOINT, ENVIRONMENT, WHOLE, check, ways

SCALARS = st.sampled_from(
    ["key", "Key", "AADToken", "yes", "1", "-3", "0.5", ".5", "true", "Minute", "minute", "Linux", "None", "x", ""]
) | st.sampled_from([0, 1, 2, 0.5, True, False, None])  # fmt: skip


PLACES = [way for way in ways(WHOLE)[1:] if way[-1] != "endpoint_name"]
"""Without the name that azure-ai-ml compares without regard to case; it is no part of a release."""


@given(st.sampled_from(PLACES), SCALARS)
def test_a_value_that_the_model_accepts_is_never_changed(way: tuple[Any, ...], value: Any) -> None:
    """So a file that was valid before keeps its release. Reading twice changes nothing more."""
    documents = json.loads(json.dumps(WHOLE))
    around = documents
    for part in way[:-1]:
        around = around[part]
    around[way[-1]] = value
    for model, name in ((EndpointDocument, "endpoint"), (DeploymentDocument, "deployment")):
        source = yaml12.parse(json.dumps(documents[name]), f"templates/m/{name}.yml")
        read = az_ml_files.as_read_by_azure(model, source)
        if check_model(model, source).model:
            assert read == source
        assert az_ml_files.as_read_by_azure(model, read) == read


def test_a_release_does_not_depend_on_the_spelling() -> None:
    """Quoted numbers and other enum values are the same deployment; a spelling that was valid before keeps its own."""
    plain = f"{DEPLOYMENT}app_insights_enabled: true\nliveness_probe: {{period: 7}}\n"
    quoted = f"{DEPLOYMENT}app_insights_enabled: 'Yes'\nliveness_probe: {{period: '7'}}\n"
    assert check(deployment=plain).releases == check(deployment=quoted).releases
    model = "model: {name: m, path: runs:/0/m, type: mlflow_model}"
    os_type = f"environment: {{image: x, conda_file: {{name: x}}, os_type: %s}}\n{model}\n"
    kept = [check(deployment=DEPLOYMENT.replace("model: azureml:m:1\n", os_type % word)) for word in ("Linux", "linux")]
    assert [each.deployments[0]["environment"]["os_type"] for each in kept] == ["Linux", "linux"]


def of_files(endpoint: str, *deployments: tuple[str, str]) -> EndpointSpec:
    """The spec of an endpoint file and of deployment files (name, text)."""
    sources = tuple(yaml12.parse(text, f"templates/m/{name}") for name, text in deployments)
    rendered = Rendered("mip", Path("/nowhere"), yaml12.parse(endpoint, "templates/m/endpoint.yml"), sources, None)
    return validation.validate_endpoint(rendered, ENVIRONMENT, "mip", Path("/nowhere"))


NAMELESS = "model: azureml:m:1\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n"


@pytest.mark.parametrize(
    ("file", "traffic", "name"),
    [
        ("blue-deployment.yml", "", "blue"),
        ("Green-deployment.yml.j2", "", "green"),
        ("deployments/canary.yml", "", "canary"),
        ("deployment.yml", "traffic: {main: 100}\n", "main"),
        ("blue-deployment.yml", "traffic: {blue: 100}\n", "blue"),
    ],
)
def test_names_are_taken_from_the_files(file: str, traffic: str, name: str) -> None:
    """As `az ml online-deployment create --endpoint-name E --name N` does. A name in the file stays."""
    spec = of_files(ENDPOINT + traffic, (file, NAMELESS))
    assert [(each["name"], each["endpoint_name"]) for each in spec.deployments] == [(name, "mip-abc")]
    (own,) = of_files(ENDPOINT, (file, f"{NAMELESS}name: own-1\nendpoint_name: mip-abc\n")).deployments
    assert own["name"] == "own-1"


@pytest.mark.parametrize("traffic", ["", "traffic: {blue: 90, green: 10}\n"])
def test_a_name_that_nothing_determines_is_missing(traffic: str) -> None:
    """And the names of both files must be equal, without regard to case."""
    with pytest.raises(SpecError) as caught:
        of_files(ENDPOINT + traffic, ("deployment.yml", NAMELESS))
    assert [p.cause for p in caught.value.problems if p.code == "AML121"] == ["name is missing."]
    assert of_files("name: MIP-abc\n", ("blue-deployment.yml", f"{NAMELESS}endpoint_name: mip-ABC\n")).name == "mip-abc"
    with pytest.raises(SpecError, match="AML131"):
        of_files("name: mip-abd\n", ("blue-deployment.yml", f"{NAMELESS}endpoint_name: mip-ABC\n"))


def test_traffic_names_deployments_in_any_case() -> None:
    """Unless two of its keys would be one name."""
    blue = ("blue-deployment.yml", NAMELESS)
    assert of_files(f"{ENDPOINT}traffic: {{BLUE: '100'}}\n", blue).traffic == {"blue": 100}
    with pytest.raises(SpecError, match="There is no deployment 'Blue'"):
        of_files(f"{ENDPOINT}traffic: {{Blue: 50, blue: 50}}\n", blue)


SHOWN = """\
auth_mode: key
id: /subscriptions/s/resourceGroups/rg/providers/x/onlineEndpoints/mip-abc
identity: {principal_id: p, tenant_id: t, type: system_assigned}
kind: Managed
location: eastus
mirror_traffic: {}
name: mip-abc
openapi_uri: https://x/swagger.json
properties: {azureml.onlineendpointid: /subscriptions/x, mine: 1}
provisioning_state: Succeeded
public_network_access: enabled
resourceGroup: rg
scoring_uri: https://x/score
tags: {}
traffic: {blue: 100}
"""


def test_the_output_of_show_is_a_file_with_warnings() -> None:
    """Each key that only Azure sets has one, and is not sent."""
    shown = "id: x\nprovisioning_state: Succeeded\ncreation_context: {}\nproperties: {AzureAsyncOperationUri: x}\n"
    spec = of_files(SHOWN, ("blue-deployment.yml", NAMELESS + shown))
    read_only = ["id", "kind", "location", "openapi_uri", "provisioning_state", "resourceGroup", "scoring_uri"]
    told = [*read_only, "properties.azureml.onlineendpointid"]
    told += ["id", "provisioning_state", "creation_context", "properties.AzureAsyncOperationUri"]
    assert [w.cause for w in spec.warnings] == [f"Azure sets {key}, so it is ignored here." for key in told]
    assert {w.code for w in spec.warnings} == {"AML147"}
    assert str(spec.warnings[0].place) == "templates/m/endpoint.yml:2:1"
    assert not spec.endpoint.keys() & set(read_only)
    assert not spec.deployments[0].keys() & {"id", "provisioning_state", "creation_context"}
    assert check().warnings == ()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
    st.sampled_from(["name", "traffic", "type", "tags", "identity", "properties", "id", "model"]), inner, max_size=3
), max_leaves=6))  # fmt: skip
def test_any_document_is_read(value: Any) -> None:
    """Of any form, without an exception."""
    source = yaml12.parse(yaml.safe_dump(value), "templates/m/deployment.yml")
    for model in (EndpointDocument, DeploymentDocument):
        read, _ = az_ml_files.without_read_only(source, az_ml_files.ENDPOINT_READ_ONLY)
        az_ml_files.as_read_by_azure(model, az_ml_files.with_names(read, source))
    rendered = Rendered("mip", Path("/nowhere"), source, (source,), None)
    with contextlib.suppress(SpecError):
        validation.validate_endpoint(rendered, ENVIRONMENT, "mip", Path("/nowhere"))


@pytest.mark.parametrize(
    ("name", "endpoint", "warned"),
    [("main", "", True), ("blue", "", False), ("Green", "", False), ("main", "traffic: {main: 100}\n", False)],
)
def test_the_name_of_the_only_deployment_is_not_used(name: str, endpoint: str, warned: bool) -> None:
    """amldeploy deploys to blue and green in turn, unless the files set the traffic."""
    spec = of_files(f"name: mip-abc\n{endpoint}", ("deployment.yml", f"name: {name}\n{NAMELESS}"))
    assert [w.code for w in spec.warnings] == ["AML151"] * warned

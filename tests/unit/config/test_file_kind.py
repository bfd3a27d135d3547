"""A file for something else has one problem with its kind."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.config.validation import file_kind
from deploy.documents import yaml12
from deploy.errors import SpecError
from tests.unit.config.test_validation import DEPLOYMENT, ENDPOINT, check

AZURE = "https://azuremlschemas.azureedge.net/latest/"
SUPPORTED = "amldeploy supports only managed online endpoints."
ONLINE = "a managed online"
ENDPOINT_FILE = f"This file is for {ONLINE} endpoint, but deployment.yml must be for {ONLINE} deployment."
DEPLOYMENT_FILE = f"This file is for {ONLINE} deployment, but endpoint.yml must be for {ONLINE} endpoint."


def schema(name: str) -> str:
    return f"$schema: {AZURE}{name}.schema.json\n"


def found(endpoint: str = ENDPOINT, deployment: str = DEPLOYMENT) -> list[str]:
    with pytest.raises(SpecError) as caught:
        check(endpoint, deployment)
    return [f"{p.place.line}:{p.place.column} {p.code} {p.cause}" for p in caught.value.problems]


BATCH = """\
name: b
endpoint_name: e
type: model
model: azureml:m:1
compute: azureml:c
settings: {mini_batch_size: 3}
"""


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (schema("managedOnlineDeployment") + DEPLOYMENT, f"1:10 AML145 {DEPLOYMENT_FILE}"),
        (DEPLOYMENT, f"4:16 AML145 {DEPLOYMENT_FILE}"),
        (schema("batchEndpoint") + ENDPOINT, f"1:10 AML145 This is for a batch endpoint; {SUPPORTED}"),
        ("name: b\ndefaults: {deployment_name: x}\n", f"2:11 AML145 This is for a batch endpoint; {SUPPORTED}"),
        (schema("kubernetesOnlineEndpoint") + ENDPOINT, f"1:10 AML127 This is for a Kubernetes endpoint; {SUPPORTED}"),
        (
            schema("managedOnlineEndpoint") + ENDPOINT + "compute: azureml:k\n",
            f"3:10 AML127 This is for a Kubernetes endpoint; {SUPPORTED}",
        ),
        (schema("model") + "name: m\npath: x\n", f"1:10 AML145 This is for a model; {SUPPORTED}"),
    ],
)
def test_an_endpoint_file_for_something_else_is_named(endpoint: str, words: str) -> None:
    """One problem in place of a list of unknown keys."""
    assert found(endpoint) == [words]


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        (schema("managedOnlineEndpoint") + "name: mip-abc\nauth_mode: key\n", f"1:10 AML145 {ENDPOINT_FILE}"),
        ("name: mip-abc\nauth_mode: key\ntraffic: {}\n", f"2:12 AML145 {ENDPOINT_FILE}"),
        (schema("modelBatchDeployment") + BATCH, f"1:10 AML145 This is for a batch endpoint; {SUPPORTED}"),
        (BATCH, f"3:7 AML145 This is for a batch endpoint; {SUPPORTED}"),
        (
            BATCH.replace("type: model\n", "resources: {instance_count: 1}\n"),
            f"5:10 AML145 This is for a batch endpoint; {SUPPORTED}",
        ),
        (
            schema("kubernetesOnlineDeployment") + DEPLOYMENT,
            f"1:10 AML127 This is for a Kubernetes endpoint; {SUPPORTED}",
        ),
    ],
)
def test_a_deployment_file_for_something_else_is_named(deployment: str, words: str) -> None:
    """By its `$schema` or by its keys."""
    assert found(deployment=deployment) == [words]


@pytest.mark.parametrize("text", ["$schema: x\n", schema("managedOnlineDeployment"), schema("other"), ""])
def test_other_schemas_are_not_compared(text: str) -> None:
    """An editor's schema is no reason to refuse a file."""
    assert check(deployment=text + DEPLOYMENT)


def test_two_files_with_swapped_names_have_one_problem_each() -> None:
    """The words of both lead to the names."""
    assert found(DEPLOYMENT, "name: mip-abc\nauth_mode: key\n") == [
        f"2:12 AML145 {ENDPOINT_FILE}",
        f"4:16 AML145 {DEPLOYMENT_FILE}",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "scale_settings: {type: target_utilization, min_instances: 1, max_instances: 2, polling_interval: 3}",
        "scale_settings: {type: default, target_utilization_percentage: 70}",
        "target_utilization: 70",
        "max_instances: 3",
    ],
)
def test_scaling_keys_have_their_own_cure(line: str) -> None:
    """A managed deployment has a count, or Azure Monitor scales it."""
    with pytest.raises(SpecError) as caught:
        check(deployment=f"{DEPLOYMENT}{line}\n")
    assert {p.cure for p in caught.value.problems} == {
        "Remove it. Set instance_count, or add an autoscale setting of Azure Monitor to the deployment."
    }


@given(
    st.dictionaries(
        st.sampled_from(["$schema", "type", "compute", "defaults", "auth_mode", "instance_type", "resources"]),
        st.none() | st.integers() | st.lists(st.text(max_size=3)) | st.sampled_from(["model", "kubernetes"])
        | st.from_regex(r"(https://x/)?[A-Za-z]{0,9}\.schema\.json", fullmatch=True),
    ),
    st.sampled_from([file_kind.ENDPOINT, file_kind.DEPLOYMENT]),
)  # fmt: skip
def test_any_file_has_at_most_one_kind(file: dict[str, object], wanted: str) -> None:
    """Any value of these keys is judged without an exception, and a problem has a cure."""
    other = file_kind.other_kind(yaml12.parse(yaml.safe_dump(file), "endpoint.yml"), wanted)
    assert other is None or (other.code in ("AML127", "AML145") and other.cure)

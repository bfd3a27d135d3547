"""The cause of a failed deployment, the field to change, and the evidence."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.diagnosis import causes
from deploy.diagnosis.diagnose import LINES, diagnose
from deploy.reporter.problems import diagnosis_lines
from tests.project import ROOT

SCHEMA = json.loads((ROOT / "deploy" / "schemas" / "report.json").read_text())
SCRIPT = "Traceback (most recent call last):\n  File 'score.py', line 3\nModuleNotFoundError: No module named 'monai'"
STOCK = (
    "ResourceNotReady User container has crashed or terminated. Please see troubleshooting guide, available here:"
    " https://aka.ms/oe-tsg#error-resourcenotready"
)
"""Azure's message for any container that did not start."""
OWN = {
    "model": "azureml:m:1",
    "code_configuration": {"code": "src", "scoring_script": "score.py"},
    "environment": {"image": "x.azurecr.io/y:1", "conda_file": "conda.yml"},
    "instance_type": "Standard_DS3_v2",
}
"""A deployment with code and an environment of its own."""
BARE = {"model": "azureml://registries/azureml/models/m/versions/1", "instance_type": "Standard_NC24ads_A100_v4"}
"""A deployment of a registry's model, which brings all that it needs."""
INIT, SERVER = "StorageInitializer", "InferenceServer"
SLOW = "INFO loading weights\nKilling, Message: Container inference-server failed liveness probe, will be restarted"
TABLE: list[tuple[str, str, dict[str, str], str, str]] = [
    # nothing could start
    ("AML357", "MissingDriverProgram", {}, "no_server", "code_configuration"),
    ("AML310", "Not enough quota available", {}, "quota", "instance_type"),
    ("AML310", "Not enough quota available", {SERVER: SCRIPT}, "quota", "instance_type"),
    ("AML316", "OutOfCapacity There is not enough VM capacity", {}, "capacity", ""),
    ("AML300", "a lack of Azure Machine Learning capacity in the region", {}, "capacity", ""),
    ("AML311", "Simultaneous count exceeded", {}, "shared_pool", "quota.capacity"),
    ("AML317", "PodUnschedulable", {}, "unschedulable", "instance_type"),
    ("AML340", STOCK, {SERVER: "Name: FailedScheduling, Message: 0/3 nodes"}, "unschedulable", "instance_type"),
    (
        "AML304",
        "ResourceNotFound The environment '/s/environments/x/versions/1' was not found.",
        {INIT: "ERROR: azureml://a/models/b was not found."},
        "environment_missing",
        "environment",
    ),
    ("AML341", "ImageBuildFailure", {}, "image_build", "environment.conda_file"),
    ("AML313", "OutOfQuota", {}, "disk", "instance_type"),
    ("AML342", "SecretsInjectionError", {}, "secrets", "environment_variables"),
    ("AML347", "The container image could not be downloaded", {}, "image_pull", "environment.image"),
    ("AML340", STOCK, {SERVER: "Failed to pull image x.azurecr.io/y: manifest unknown"}, "image_pull", "environment"),
    ("AML344", "BadArgument", {}, "role", "roles"),
    ("AML346", "failed to pull image x.azurecr.io/y: unauthorized", {}, "role", "roles"),
    ("AML340", STOCK, {SERVER: "Failed to pull image x.azurecr.io/y: unauthorized"}, "role", "roles"),
    # the storage initializer
    ("AML340", STOCK, {INIT: "ERROR: AuthorizationPermissionMismatch"}, "role", "roles"),
    ("AML340", STOCK, {INIT: "Download of model failed: BlobNotFound"}, "model_download", "model"),
    ("AML340", STOCK, {INIT: "ERROR model not found", SERVER: SLOW}, "model_download", "model"),
    ("AML304", "ResourceNotFound", {INIT: "ERROR: azureml://a/models/b was not found."}, "model_download", "model"),
    ("AML340", STOCK, {INIT: "The model could not be downloaded"}, "model_download", "model"),
    ("AML348", "Unable to download user model", {}, "model_download", "model"),
    ("AML340", STOCK, {INIT: "OSError: [Errno 28] No space left on device"}, "disk", "instance_type"),
    # the container
    ("AML340", STOCK, {SERVER: SCRIPT}, "init_failed", "code_configuration.scoring_script"),
    ("AML340", STOCK, {SERVER: f"{SCRIPT}\n{SLOW}"}, "init_failed", "code_configuration.scoring_script"),
    ("AML340", STOCK, {SERVER: "process exited with code 1"}, "init_failed", "code_configuration.scoring_script"),
    ("AML340", "UserScriptInitFailed x", {}, "init_failed", "code_configuration.scoring_script"),
    ("AML340", STOCK, {SERVER: SLOW}, "probe_too_early", "liveness_probe.initial_delay"),
    (
        "AML340",
        STOCK,
        {SERVER: "Name: LivenessProbeFailed, code: 502"},
        "probe_too_early",
        "liveness_probe.initial_delay",
    ),
    ("AML340", STOCK, {SERVER: "Readiness probe failed: 502"}, "probe_too_early", "readiness_probe.initial_delay"),
    ("AML340", "ResourceNotReady Liveness probe failed", {}, "probe_too_early", "liveness_probe.initial_delay"),
    ("AML340", STOCK, {SERVER: "[CRITICAL] WORKER TIMEOUT (pid:42)"}, "worker_timeout", "environment_variables."),
    ("AML340", STOCK, {SERVER: "Killed: OOMKilled, exit code 137"}, "out_of_memory", "instance_type"),
    ("AML340", STOCK, {SERVER: f"{SCRIPT[:34]}\ntorch.OutOfMemoryError: CUDA"}, "out_of_memory", "instance_type"),
    ("AML340", STOCK, {SERVER: "Worker (pid:42) was sent SIGKILL! Perhaps out of memory?"}, "out_of_memory", "inst"),
    ("AML340", STOCK, {SERVER: "terminated, exit code 137"}, "out_of_memory", "instance_type"),
    ("AML340", STOCK, {SERVER: f"{SLOW}\nexit code 137"}, "probe_too_early", "liveness_probe.initial_delay"),
    # nothing that proves anything
    ("AML340", STOCK, {}, "unknown", ""),
    ("AML340", STOCK, {INIT: "Storage initializer finished.", SERVER: "INFO loading weights"}, "unknown", ""),
    ("AML340", STOCK, {SERVER: "retrying: failed to download telemetry config"}, "unknown", ""),
    ("AML340", STOCK, {INIT: "failed to download telemetry config: model telemetry"}, "unknown", ""),
    ("AML340", STOCK, {INIT: "Models are downloaded successfully or no model need to download"}, "unknown", ""),
    ("AML340", STOCK, {SERVER: "INFO configuring liveness probe at /health"}, "unknown", ""),
    ("AML323", "AuthorizationFailed The client does not have authorization to perform", {}, "unknown", ""),
    ("AML350", "InternalServerError", {}, "unknown", ""),
    ("AML300", "whatever", {SERVER: "all is well, exit code 0"}, "unknown", ""),
]


@pytest.mark.parametrize(
    ("code", "words", "logs", "cause", "field"), TABLE, ids=[f"{row[3]}-{n}" for n, row in enumerate(TABLE)]
)
def test_each_cause_has_its_message(code: str, words: str, logs: dict[str, str], cause: str, field: str) -> None:
    """By our code, by Azure's message or by a container's log; a message that Azure always returns is no evidence."""
    found = diagnose(code, words, logs, document=OWN)

    assert found.cause == cause
    assert found.field.startswith(field)
    assert bool(found.field) == bool(field)
    assert bool(found.evidence) == (cause != "unknown")


@pytest.mark.parametrize(("code", "words", "logs", "cause"), [row[:4] for row in TABLE])
def test_a_cause_that_was_found_is_not_called_unknown(code: str, words: str, logs: dict[str, str], cause: str) -> None:
    """If our code names the cause, there is no second one; only an unspecific code has an unknown cause."""
    found = diagnose(code, words, logs, document=OWN)
    lines = diagnosis_lines({"diagnosis": found.as_json()})
    told = [line for line in lines if line.startswith("Likely cause: ")]

    assert bool(told) == (cause != "unknown" or code in ("AML300", "AML340"))
    assert any("Likely cause: unknown" in line for line in told) == (cause == "unknown" and bool(told))


@pytest.mark.parametrize(("code", "words", "logs", "cause", "field"), TABLE)
def test_no_field_is_named_that_the_files_lack(
    code: str, words: str, logs: dict[str, str], cause: str, field: str
) -> None:
    """A model that brings its own code and image has neither script nor environment to change."""
    found = diagnose(code, words, logs, document=BARE)

    assert found.cause == cause
    lacking = field.startswith(("code_configuration", "environment.", "environment")) and "variables" not in field
    assert bool(found.field) == (bool(field) and not lacking)


def test_the_first_container_outweighs_the_second() -> None:
    """What fails while the model is fetched never came to its script, whatever Azure calls it."""
    found = diagnose("AML340", STOCK, {INIT: "Downloading M\nERROR: model M was not found.", SERVER: SCRIPT}, OWN)

    assert (found.cause, found.field) == ("model_download", "model")
    assert found.evidence == ("ERROR: model M was not found.",)


def test_an_environment_by_name_is_named_as_such() -> None:
    """There is no image in the files to change, and no conda file."""
    named = {**BARE, "environment": "azureml:mine:1"}
    assert diagnose("AML347", "x", {}, document=named).field == "environment"
    assert diagnose("AML341", "x", {}, document=named).field == "environment"


@pytest.mark.parametrize("row", causes.CAUSES, ids=[f"{row.cause}-{n}" for n, row in enumerate(causes.CAUSES)])
def test_the_cure_belongs_to_the_cause(row: causes.Cause) -> None:
    """Where the code's cure is about something else, the cause brings its own; never two that disagree."""
    assert row.cure
    for code in row.codes:
        assert diagnose(code, "x", {}).cure == ""
    assert diagnose("AML999", " ", {INIT: "Download of model failed: BlobNotFound"}).cure


def test_every_cause_is_in_the_schema_and_in_the_table() -> None:
    """The schema lists exactly the causes in the table."""
    told = {row.cause for row in causes.CAUSES} | {"unknown"}
    assert told == set(SCHEMA["$defs"]["diagnosis"]["properties"]["cause"]["enum"]) == {row[3] for row in TABLE}


def test_the_last_lines_of_a_log_are_saved() -> None:
    """Some lines of each container; the whole log is a file."""
    log = "\n".join(f"line {n}" for n in range(100))
    assert diagnose("AML340", "x", {"InferenceServer": log}).logs["InferenceServer"][-1] == "line 99"
    assert len(diagnose("AML340", "x", {"InferenceServer": log}).logs["InferenceServer"]) == LINES


HEAD = "Instance status:\nSystemSetup: Succeeded\nModelDownload: Failed\n\nContainer events:\n"
EVENT = "Kind: Pod, Name: Pulled, Type: Normal, Time: T, Message: Container image is pulled successfully"


@pytest.mark.parametrize(
    ("log", "last"),
    [
        (f"{HEAD}{EVENT}\n\nContainer logs:\nfirst\nsecond\n", ("first", "second")),
        (f"{HEAD}{EVENT}\n\nContainer logs:\n", ("SystemSetup: Succeeded", "ModelDownload: Failed", EVENT)),
        ("Container logs:\n", ()),
        ("first\n", ("first",)),
    ],
)
def test_the_last_lines_are_those_of_the_container(log: str, last: tuple[str, ...]) -> None:
    """Without stages and events, unless the container wrote nothing; never with Azure's headings."""
    assert diagnose("AML340", STOCK, {SERVER: log}).logs[SERVER] == last


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["StorageInitializer", "InferenceServer"]), st.text()))
def test_any_text_gives_a_diagnosis_of_the_schema(code: str, words: str, logs: dict[str, str]) -> None:
    """The report's JSON matches the schema for any text."""
    found = diagnose(code, words, logs, azure_codes=["A"], state="Failed", unread={"x": words})
    body = json.loads(json.dumps(found.as_json()))
    jsonschema.validate(body, {**SCHEMA["$defs"]["diagnosis"]})

"""Law 9: no output contains a secret, wherever it was planted and returned from."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import commands
from deploy.diagnosis.diagnose import diagnose
from deploy.domain import report
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import Retry
from deploy.errors import CloudError, SpecError
from deploy.execution import executor
from deploy.execution.progress import Event
from deploy.reporter import (
    error_json,
    error_text,
    plan_json,
    plan_markdown,
    plan_text,
    report_files,
    report_json,
    report_markdown,
    report_text,
)
from deploy.sanitize import sanitize
from tests.addresses import addr
from tests.project import make_project
from tests.unit.execution.test_executor import Later

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
SECRET = st.text(LETTERS, min_size=20, max_size=40)
SAID = (
    "AccountName=st;AccountKey={}==;EndpointSuffix=core.windows.net",
    "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey={}",
    "https://st.blob.core.windows.net/c/b?sv=2024-11-04&sig={}&se=2026",
    "Authorization: Bearer {}",
    "Authorization: Basic {}",
    '{{"primaryKey": "{}"}}',
    '{{"secondaryKey":"{}"}}',
    '"{{\\"accessToken\\": \\"{}\\"}}"',
    "HF_TOKEN={}",
    "the secret: {} was refused",
    "https://somebody:{}@example.com/x.git",
    "hf_{}",
    "ghp_{}",
    "sk-{}",
    "api_key='{}'",
    "password={}",
)
"""The forms of keys, tokens, SAS and connection strings in Azure's messages, logs and responses."""


class StepType:
    """Fails with secrets in each of its fields."""

    NAME = "deployment"

    def __init__(self, words: str) -> None:
        self.words = words

    def observe(self, cloud: Any, spec: Any) -> dict:
        raise NotImplementedError

    def plan(self, wanted: Any, facts: Any) -> list:
        raise NotImplementedError

    def run(self, _: Any, step: Step) -> Evidence:
        if step.verb is Verb.UPDATE:
            return Evidence(self.words, {"said": self.words}, {"seen.txt": self.words.encode()})
        error = CloudError("create it", self.words, "Mend it", code="AML340", codes=("A",))
        logs = {"InferenceServer": sanitize(f"Traceback (most recent call last)\n{self.words}")}
        error.attached = {f"{name}.log": text.encode() for name, text in logs.items()}
        error.diagnosis = diagnose("AML340", self.words, logs).as_json()
        raise error


def everything_said(words: str, body: dict) -> str:
    """All that is printed or kept of a plan that was carried out, but for the plan file, which is private."""
    steps = tuple(
        Step(verb, addr(f"deployment/{verb}/blue"), body, "why", Retry()) for verb in (Verb.UPDATE, Verb.CREATE)
    )
    plan = Plan("test", steps)
    events: list[Event] = []
    cloud: Any = SimpleNamespace(arm=SimpleNamespace(requests=0), durations={})
    report = executor.execute(plan, cloud, Later(), events.append, step_types=[StepType(words)])
    assert not report.ok
    kept = b"\n".join(report_files(plan, report).values()).decode()
    forms = (plan_text(plan, width=200), plan_markdown(plan), json.dumps(plan_json(plan)), kept)
    forms += (report_text(report, plan, width=200), report_markdown(report, plan), json.dumps(report_json(report)))
    return "\n".join((*forms, *map(str, events)))


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SECRET)
@pytest.mark.parametrize("said", SAID)
def test_values_that_look_like_secrets_are_not_printed(said: str, secret: str) -> None:
    """Secrets are redacted in any surrounding text, without knowing their value."""
    assert secret not in everything_said_of_strangers(said.format(secret))


def everything_said_of_strangers(words: str) -> str:
    """What is printed, without the files of a probe that a person asked to see as they are."""
    error = CloudError("create it", words, "Mend it")
    found = diagnose("AML340", words, {"InferenceServer": sanitize(words)}).as_json()
    error.diagnosis = found
    told = report.as_json(error)
    return "\n".join(
        (error_text(error, width=200), json.dumps(error_json(error)), sanitize(json.dumps(told)), sanitize(words))
    )


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SECRET, st.sampled_from(("HF_TOKEN", "API_KEY", "STORAGE_CONNECTION_STRING", "DB_PASSWORD", "client_secret")))
def test_problems_contain_no_secrets_of_the_files(secret: str, name: str) -> None:
    """A secret of the environment variables is redacted in Azure's messages, in logs and in responses."""
    body = {"document": {"environment_variables": {name: secret}}}
    assert secret not in everything_said(f"cannot start: {secret} is odd; said {secret}", body)


def test_account_keys_are_known_by_their_looks() -> None:
    """64 bytes in base64, after any text."""
    key = base64.b64encode(bytes(range(64))).decode()
    assert key not in sanitize(f"tried {key} in vain")


@pytest.mark.parametrize(
    "words",
    [
        "The access token expiry UTC time is in the past.",
        "Read the key: it is not there",
        "https://aka.ms/oe-tsg#error-outofquota",
        "model azureml://registries/azureml/models/MedImageParse/versions/17",
    ],
)
def test_plain_words_stay(words: str) -> None:
    """Words about secrets are not redacted."""
    assert sanitize(words) == words


WRONG_PLACES = (
    'model: "{{ values.db_password }}"',
    'scale_settings: {type: "{{ values.db_password }}"}',
    "{{ values.db_password }}: 1",
    'instance_count: "{{ values.db_password }}"',
    'environment: "{{ values.db_password }}"',
    'code_configuration: {code: "{{ values.db_password }}", scoring_script: score.py}',
    'app_insights_enabled: "x{{ values.db_password }}"',
    "instance_count: {{ values.db_password | int('a') + 'b' }}",
    "instance_count: {{ [] | map(attribute=values.db_password) | first.x }}",
)


@pytest.mark.parametrize("secret", ["Wq7planted", "Wq7" + "planted-" * 12, 'Wq7 planted\'s \\ "quote"'])
@pytest.mark.parametrize("line", WRONG_PLACES)
def test_a_secret_in_the_wrong_place_is_not_quoted(tmp_path: Path, line: str, secret: str) -> None:
    """A value whose name looks secret is hidden in every problem, and so is whatever is left of it."""
    root = make_project(tmp_path)
    deployment = root / "templates" / "medimageparse" / "deployment.yml.j2"
    deployment.write_text(f"name: blue\nendpoint_name: mip\n{line}\n")
    place = "subscription_id: 00000000-0000-0000-0000-000000000001\nresource_group: rg-local\nworkspace: mlw-local\n"
    values = json.dumps({"template": "medimageparse", "values": {"db_password": secret}})
    (root / "environments" / "wrong.yml").write_text(f"cloud: local\n{place}endpoints: {{mip: {values}}}\n")

    with pytest.raises(SpecError) as caught:
        commands.validate(commands.Project(root), "wrong")
    said = error_text(caught.value, width=200) + json.dumps(error_json(caught.value)) + str(caught.value)
    assert "Wq7" not in said
    assert "planted" not in said


@pytest.mark.parametrize("command", ["##[error]owned", "##vso[task.setvariable]owned", "x ##[add-mask]y"])
def test_a_workflow_command_in_brackets_is_none(command: str) -> None:
    """A workflow command works at any position in a line."""
    assert "##[" not in sanitize(command)
    assert "##vso[" not in sanitize(command)
    assert command.replace("##", "# #") == sanitize(command)

"""Signing in as a job of GitHub Actions: for hours, and in words when it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.clock import SystemClock
from deploy.cloud import github
from deploy.cloud.connect import Cloud, Hosts
from deploy.domain.spec import Environment
from deploy.emulator import Running
from deploy.emulator.entra import access_tokens
from deploy.emulator.seed import default_world
from deploy.emulator.world.settings import GITHUB
from deploy.errors import NotAuthenticated
from tests.project import ROOT

APP = str(uuid.uuid4())
SUBJECT = "repo:octo-org@123456/octo-repo@456789:environment:prod"
SCOPE = "https://management.azure.com/.default"


@pytest.fixture(scope="module")
def url(running: Running) -> str:
    """An emulator that knows an application with one federated credential."""
    federated = [{"name": "prod", "issuer": GITHUB, "subject": SUBJECT}]
    body = {"kind": "ServicePrincipal", "name": "job", "appId": APP, "federatedCredentials": federated}
    url = f"{running.url}/emulator/principals/{uuid.uuid4()}"
    reply = requests.put(url, json=body, headers=running.control_headers, timeout=20)
    reply.raise_for_status()
    return running.url


@pytest.fixture
def job(url: str) -> dict[str, str]:
    """The variables of a job that may ask for ID tokens."""
    return {
        "GITHUB_ACTIONS": "true",
        github.URL: f"{url}/github/token?api-version=2.0&subject={SUBJECT}",
        github.REQUEST_TOKEN: "amldeploy-emulator",
        "AZURE_CLIENT_ID": APP,
        "AZURE_TENANT_ID": access_tokens.TENANT,
    }


def _refusal(job: dict[str, str], url: str, cloud: str = "AzureCloud") -> NotAuthenticated:
    credential = github.GitHubCredential(job, cloud, url, SystemClock())
    try:
        with pytest.raises(NotAuthenticated) as caught:
            credential.get_token(SCOPE)
    finally:
        credential.close()
    assert job[github.REQUEST_TOKEN] == "" or job[github.REQUEST_TOKEN] not in str(caught.value)
    return caught.value


def _run(state: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.contract.hours", str(state), "6", *more]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "IDENTITY_"))}
    ran = subprocess.run(
        command, cwd=ROOT, env={**clean, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_six_hours_on_five_minute_tokens(tmp_path: Path) -> None:
    """A question every five minutes, access tokens of an hour: nothing fails, and each sign-in has its own ID token."""
    told = _run(tmp_path)
    assert (told["asked"], told["error"]) == (72, "")
    assert told["id_tokens"] == told["sign_ins"] >= 6
    assert (told["credential"], told["principal"]) == ("GitHubCredential", True)


def test_an_id_token_that_is_kept_lasts_an_hour(tmp_path: Path) -> None:
    """The same hours with one ID token end at the first refresh: what the run above would not survive."""
    told = _run(tmp_path, "kept")
    assert told["asked"] == 12
    assert "AADSTS700024" in told["error"]


def test_a_token_is_asked_for_once_while_it_is_good(job: dict[str, str], url: str, running: Running) -> None:
    """Two planes, two sign-ins; a plane asked twice, one."""
    before = _id_tokens(running)
    credential = github.GitHubCredential(job, "AzureCloud", url, SystemClock())
    tokens = [credential.get_token(scope).token for scope in (SCOPE, SCOPE, "https://ml.azure.com/.default")]
    credential.close()
    assert tokens[0] == tokens[1] != tokens[2]
    assert _id_tokens(running) - before == 2


def _id_tokens(running: Running) -> int:
    rows = requests.get(f"{running.url}/emulator/requests", headers=running.control_headers, timeout=20).json()["value"]
    return sum(row["operation"] == "GitHub_Token" for row in rows)


def test_a_request_token_that_is_refused(job: dict[str, str], url: str) -> None:
    """401 of the token service: what GitHub said, and the permission to give."""
    error = _refusal({**job, github.REQUEST_TOKEN: "an old one"}, url)
    assert (error.code, error.exit) == ("AML328", 9)
    assert "401" in str(error)
    assert "id-token: write" in str(error)


def test_no_request_token(job: dict[str, str], url: str) -> None:
    """Nothing is sent without it."""
    assert _refusal({**job, github.REQUEST_TOKEN: ""}, url).code == "AML328"


def test_no_answer(job: dict[str, str], url: str) -> None:
    """An answer that is no ID token, from somebody else."""
    assert _refusal({**job, github.URL: f"{url}/github/.well-known/jwks?api-version=2.0"}, url).code == "AML328"


def test_no_federated_credential_fits(job: dict[str, str], url: str) -> None:
    """Entra's own words name issuer, subject and audience; the cure is the command that prints the right ones."""
    error = _refusal({**job, github.URL: f"{url}/github/token?api-version=2.0&subject=repo:a/fork:pull_request"}, url)
    assert error.code == "AML329"
    assert "AADSTS70021" in str(error)
    assert "repo:a/fork:pull_request" in str(error)
    assert "amldeploy github federate" in str(error)


@pytest.mark.parametrize(("cloud", "audience"), [("AzureUSGovernment", "USGov"), ("AzureChinaCloud", "China")])
def test_sovereign_clouds_have_audiences_of_their_own(job: dict[str, str], url: str, cloud: str, audience: str) -> None:
    """Seen in what Entra answers to a federated credential of the public cloud."""
    error = _refusal(job, url, cloud)
    assert f"Audience: 'api://AzureADTokenExchange{audience}'" in str(error)


def test_an_unknown_application(job: dict[str, str], url: str) -> None:
    """The variable to look at is named."""
    error = _refusal({**job, "AZURE_CLIENT_ID": str(uuid.uuid4())}, url)
    assert error.code == "AML900"
    assert "AZURE_CLIENT_ID" in error.cure


def test_the_door_takes_it_when_it_is_offered(job: dict[str, str], url: str) -> None:
    """Not without a tenant, not for the emulator's own environment."""
    hosts = Hosts(url, "https://ml.azure.com/.default", url, url)

    def kind(cloud: str, **variables: str) -> str:
        before = dict(os.environ)
        os.environ.update({**job, **variables})
        try:
            door = Cloud(
                Environment("prod", cloud, default_world.SUBSCRIPTION, default_world.GROUP,
                            default_world.WORKSPACE, ()),
                hosts, ROOT, SystemClock(),
            )  # fmt: skip
            door.close()
            return type(door.credential).__name__
        finally:
            os.environ.clear()
            os.environ.update(before)

    assert kind("AzureCloud") == "GitHubCredential"
    assert kind("AzureCloud", AZURE_TENANT_ID="") == "DefaultAzureCredential"
    assert kind("local") == "DefaultAzureCredential"

"""A process whose clock on the wall can be turned on, for everybody in it: the client, the emulator, the issuers.

Says, as JSON, what became of a run of so many hours that signs in as a job of GitHub Actions and asks something every
five minutes. With `kept` its ID token is fetched once, as a job would that knows no better.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from pathlib import Path

_wall, _ahead = time.time, [0.0]
time.time = lambda: _wall() + _ahead[0]  # before anybody takes hold of it

import requests  # noqa: E402

from deploy import emulator  # noqa: E402
from deploy.clock import SystemClock  # noqa: E402
from deploy.cloud import response_schemas  # noqa: E402
from deploy.cloud.connect import WORKSPACES, Cloud, Hosts  # noqa: E402
from deploy.cloud.whoami import signed_in  # noqa: E402
from deploy.domain.spec import Environment  # noqa: E402
from deploy.emulator.entra import access_tokens  # noqa: E402
from deploy.emulator.rbac import builtin_roles  # noqa: E402
from deploy.emulator.seed import default_world  # noqa: E402
from deploy.emulator.world.settings import GITHUB  # noqa: E402
from deploy.errors import DeployError  # noqa: E402

APP, PRINCIPAL = str(uuid.uuid4()), str(uuid.uuid4())
SUBJECT = "repo:octo-org/octo-repo:environment:prod"
ALL_STEP_TYPES = 300.0
"""Seconds between two questions, and the life of an ID token."""


def main(state: Path, hours: float, *, kept: bool) -> None:
    with emulator.embed(state) as running:
        os.environ.update(running.variables())
        _furnish(running)
        os.environ.update(
            ACTIONS_ID_TOKEN_REQUEST_URL=f"{running.url}/github/token?api-version=2.0",
            ACTIONS_ID_TOKEN_REQUEST_TOKEN="amldeploy-emulator",
            AZURE_CLIENT_ID=APP,
            AZURE_TENANT_ID=access_tokens.TENANT,
        )
        cloud = _cloud(running.url)
        if kept:
            once = cloud.credential._request()
            cloud.credential._inner._func = lambda: once
        told = _work(cloud, hours)
        cloud.close()
    rows = emulator.requests(state)
    told["id_tokens"] = sum(row["operation"] == "GitHub_Token" for row in rows)
    told["sign_ins"] = sum(row["path"].endswith("/token") and row["method"] == "POST" for row in rows)
    print(json.dumps(told))  # noqa: T201 - the test reads it


def _cloud(url: str) -> Cloud:
    environment = Environment(
        "prod", "AzureCloud", default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE, ()
    )
    return Cloud(environment, Hosts(url, "https://ml.azure.com/.default", url, url), Path(), SystemClock())


def _furnish(running: emulator.Running) -> None:
    url = running.url
    federated = [{"name": "prod", "issuer": GITHUB, "subject": SUBJECT}]
    body = {"kind": "ServicePrincipal", "name": "job", "appId": APP, "federatedCredentials": federated}
    settings = {"access_token_seconds": 3600, "github_subject": SUBJECT, "github_token_seconds": ALL_STEP_TYPES}
    _send("PUT", f"{url}/emulator/settings", settings, **running.control_headers)
    _send("PUT", f"{url}/emulator/principals/{PRINCIPAL}", body, **running.control_headers)
    scope = f"{url}{default_world.WORKSPACE_ID}/providers/Microsoft.Authorization"
    role = {"roleDefinitionId": f"{scope}/roleDefinitions/{builtin_roles.READER}", "principalId": PRINCIPAL}
    owner = requests.get(
        os.environ["IDENTITY_ENDPOINT"],
        params={"resource": "https://management.azure.com", "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        timeout=20,
    ).json()["access_token"]
    made = f"{scope}/roleAssignments/{uuid.uuid4()}?api-version=2022-04-01"
    _send("PUT", made, {"properties": role}, Authorization=f"Bearer {owner}")


def _send(method: str, url: str, body: object, **headers: str) -> None:
    requests.request(method, url, json=body, headers=headers, timeout=20).raise_for_status()


def _work(cloud: Cloud, hours: float) -> dict[str, object]:
    asked, who = 0, signed_in(cloud)
    try:
        while asked * ALL_STEP_TYPES < hours * 3600:
            assert cloud.arm.look(cloud.workspace_id, WORKSPACES, "read the workspace", response_schemas.Workspace)
            asked += 1
            _ahead[0] += ALL_STEP_TYPES
    except DeployError as error:
        return {"asked": asked, "error": str(error), "code": error.code}
    return {"asked": asked, "error": "", "credential": who.credential, "principal": who.object_id == PRINCIPAL}


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), kept="kept" in sys.argv)

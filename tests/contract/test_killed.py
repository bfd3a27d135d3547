"""An emulator killed without warning has lost nothing that it had answered."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.entra import access_tokens
from deploy.emulator.rbac.builtin_roles import OWNER
from deploy.emulator.seed import default_world
from deploy.emulator.storage.access import ACCOUNT_SAS
from deploy.emulator.wire.responses import Json

ROUNDS, FULL = 3, 6
"""How often the emulator is killed: by default, and with `--laws full`."""
VERSION = {"api-version": "2022-02-01-preview"}
ENDPOINTS = f"{default_world.WORKSPACE_ID}/onlineEndpoints"
ASSIGNMENTS = f"{default_world.WORKSPACE_ID}/providers/Microsoft.Authorization/roleAssignments"
BLOBS = "/stmlwlocal.blob.core.windows.net/azureml"
NO_TOKEN = {"Authorization": None}
"""A blob is written and read with a SAS."""


class Writer:
    """Writes all kinds of things and remembers what was acknowledged: an address, and what must be read there."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.acknowledged: dict[str, Json] = {}
        self.connected = threading.Event()
        """Set before anybody is killed: of a connection that is just being made Python loses the socket."""

    def write(self, running: Running, token: str) -> None:
        """Until the connection breaks."""
        with requests.Session() as session:
            _prepare(session, running, token)
            for count in range(10_000):
                try:
                    self._one(session, running.url, f"{self.number}-{count}")
                    self.connected.set()
                except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                    return

    def _one(self, session: requests.Session, url: str, name: str) -> None:
        body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
        made = f"{ENDPOINTS}/e{name}"
        tags = {"tags": {"first": name}}
        self._put(session, url + made, VERSION, body | tags, made, {"first": name})
        role = f"{ASSIGNMENTS}/{uuid.uuid4()}"
        properties = {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{OWNER}",
            "principalId": str(uuid.uuid4()), "principalType": "ServicePrincipal",
        }  # fmt: skip
        self._put(session, url + role, {"api-version": "2022-04-01"}, {"properties": properties}, role, None)
        blob = f"{url}{BLOBS}/{name}?{ACCOUNT_SAS}"
        answer = session.put(blob, data=name.encode() * 1000, headers=NO_TOKEN, timeout=10)
        assert answer.status_code == 201
        self.acknowledged[f"{BLOBS}/{name}"] = name

    def _put(
        self, session: requests.Session, url: str, query: dict[str, str], body: Json, path: str, expected: Json
    ) -> None:
        answer = session.put(url, params=query, json=body, timeout=10)
        assert answer.status_code == 201, answer.text
        self.acknowledged[path] = expected


def _prepare(session: requests.Session, running: Running, token: str) -> None:
    session.trust_env = False  # a bundle named in the environment would come before ours
    session.verify = running.ca
    session.headers["Authorization"] = f"Bearer {token}"


def _missing(running: Running, token: str, acknowledged: dict[str, Json]) -> list[str]:
    """What was acknowledged and cannot be read."""
    lost = []
    with requests.Session() as session:
        _prepare(session, running, token)
        for path, expected in acknowledged.items():
            if path.startswith(BLOBS):
                answer = session.get(f"{running.url}{path}?{ACCOUNT_SAS}", headers=NO_TOKEN, timeout=10)
            else:
                answer = session.get(running.url + path, params=VERSION, timeout=10)
            if answer.status_code != 200:
                lost.append(path)
            elif path.startswith(BLOBS):
                lost += [path] if answer.content != expected.encode() * 1000 else []
            elif expected is not None and answer.json()["tags"] != expected:
                lost.append(path)
    return lost


def test_every_acknowledged_write_outlives_a_kill(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """SIGKILL at a random moment, several times over one world, while two clients write."""
    rounds = FULL if request.config.getoption("--laws") == "full" else ROUNDS
    acknowledged: dict[str, Json] = {}
    roomy = tmp_path / "world.yml"
    roomy.write_text("regions: {eastus: {endpoints: 100000}}")
    running = emulator.launch(tmp_path, world=roomy)
    token = access_tokens.issue(access_tokens.Tokens(tmp_path / "tls"), "https://management.azure.com", time.time())
    moments = random.Random(7)
    try:
        for number in range(rounds):
            writers = [Writer(2 * number + each) for each in range(2)]
            with ThreadPoolExecutor() as pool:
                work = [pool.submit(writer.write, running, token) for writer in writers]
                assert all(writer.connected.wait(30) for writer in writers)
                time.sleep(moments.uniform(0.05, 0.5))
                os.kill(running.pid, signal.SIGKILL)
            assert [each.exception() for each in work] == [None, None]
            new = {path: value for writer in writers for path, value in writer.acknowledged.items()}
            running = emulator.launch(tmp_path)
            assert _missing(running, token, new) == []
            acknowledged |= new
        assert len(acknowledged) > 10 * rounds
        assert _missing(running, token, acknowledged) == []
    finally:
        emulator.stop(tmp_path)

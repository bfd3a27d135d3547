"""A user's score.py runs, fails and ends in the emulator as it would on Azure, deployed by the real SDK."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import OnlineRequestSettings, ProbeSettings
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential

from deploy import emulator
from deploy.emulator import Running
from deploy.emulator.seed import default_world
from tests.contract.own_code import SCORE, deploy, endpoint, interpreter, needs_server, project

SLOW = "import time\ndef init(): pass\ndef run(data):\n    time.sleep(float(data))\n    return 'slept'\n"


@contextlib.contextmanager
def _signed_in(running: Running, **more: str) -> Iterator[MLClient]:
    before = dict(os.environ)
    os.environ.update(running.variables() | more)
    try:
        yield MLClient(
            DefaultAzureCredential(), default_world.SUBSCRIPTION, default_world.GROUP, default_world.WORKSPACE
        )
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[MLClient]:
    with (
        emulator.embed(tmp_path / "state") as running,
        _signed_in(running, AMLDEPLOY_SCORING_PYTHON=interpreter()) as found,
    ):
        yield found


def _score(client: MLClient, name: str, body: str, deployment: str = "blue", route: str = "score") -> requests.Response:
    made = client.online_endpoints.get(name)
    key = client.online_endpoints.get_keys(name).primary_key
    headers = {"Authorization": f"Bearer {key}", "azureml-model-deployment": deployment}
    url = made.scoring_uri.removesuffix("score") + route
    if route != "score":
        return requests.get(url, headers=headers, timeout=30)
    return requests.post(url, data=body, headers={**headers, "Content-Type": "application/json"}, timeout=30)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    until = time.monotonic() + 8
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not _alive(pid)


@needs_server
def test_it_answers_is_updated_and_ends(client: MLClient, tmp_path: Path) -> None:
    """score.py finds its model and its variables; an update runs the new code; a delete ends the process."""
    files = project(tmp_path / "project")
    endpoint(client, "own")
    assert deploy(client, files, "own") == "Succeeded"
    request = tmp_path / "request.json"
    request.write_text('{"x": [1, 2]}')
    answer = json.loads(client.online_endpoints.invoke("own", request_file=str(request), deployment_name="blue"))
    assert (answer["answer"], answer["greeting"]) == ([5.0, 11.0], "hello")
    reply = _score(client, "own", '{"x": [0, 1]}')
    assert reply.json()["answer"] == [2.0, 4.0]
    assert reply.headers["azureml-model-deployment"] == "blue"
    assert float(reply.headers["x-ms-run-fn-exec-ms"]) >= 0
    assert reply.headers["x-ms-run-function-failed"] == "False"
    assert reply.headers["x-request-id"]
    assert "/score" in json.dumps(_score(client, "own", "", route="swagger.json?version=3").json()["paths"])
    assert "weights of shape (2, 2)" in client.online_deployments.get_logs("blue", "own", 100)
    held = client.online_deployments.get("blue", "own").environment_variables
    assert (held["GREETING"], held["AZUREML_ENTRY_SCRIPT"]) == ("hello", "score.py")
    assert held["AML_APP_ROOT"].startswith("/var/azureml-app/")
    files = project(tmp_path / "project", "def init(): pass\ndef run(data): return 'new'\n")
    assert deploy(client, files, "own") == "Succeeded"
    assert _score(client, "own", "{}").json() == "new"
    assert _gone(answer["pid"])
    client.online_endpoints.begin_delete("own").result()
    assert list((tmp_path / "state" / "servers").glob("*/status.json")) == [] or _swept(client, tmp_path)


def _swept(client: MLClient, tmp_path: Path) -> bool:
    until = time.monotonic() + 8
    while list((tmp_path / "state" / "servers").iterdir()) and time.monotonic() < until:
        list(client.online_endpoints.list())
        time.sleep(0.05)
    return not list((tmp_path / "state" / "servers").iterdir())


@needs_server
def test_what_run_raises_is_424(client: MLClient, tmp_path: Path) -> None:
    """The server's own status and words travel in headers; the traceback is in the log."""
    endpoint(client, "raises")
    assert deploy(client, project(tmp_path / "project"), "raises") == "Succeeded"
    reply = _score(client, "raises", '{"y": 1}')
    assert reply.status_code == 424
    assert reply.headers["ms-azureml-model-error-statuscode"] == "500"
    assert "scoring script" in reply.headers["ms-azureml-model-error-reason"]
    assert reply.headers["x-ms-run-function-failed"] == "True"
    assert "KeyError: 'x'" in client.online_deployments.get_logs("blue", "raises", 100)


@needs_server
@pytest.mark.parametrize(
    ("score", "reason"),
    [
        ("def init(): raise ValueError('no weights')\ndef run(data): pass\n", "ValueError: no weights"),
        ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'"),
        ("def init(): pass\n", "does not have a run() function"),
    ],
)
def test_what_does_not_start_is_not_ready(client: MLClient, tmp_path: Path, score: str, reason: str) -> None:
    """The operation fails as ResourceNotReady, the deployment is Failed, its log tells why; mended, it works."""
    endpoint(client, "broken")
    files = project(tmp_path / "project", score)
    with pytest.raises(HttpResponseError) as caught:
        deploy(client, files, "broken")
    assert (caught.value.status_code, caught.value.error.code) == (200, "ResourceNotReady")
    assert "exit code 3" in str(caught.value)
    assert client.online_deployments.get("blue", "broken").provisioning_state == "Failed"
    assert reason in client.online_deployments.get_logs("blue", "broken", 200)
    assert deploy(client, project(tmp_path / "project"), "broken") == "Succeeded"


@needs_server
def test_a_server_that_is_never_ready_is_not_ready(client: MLClient, tmp_path: Path) -> None:
    """The readiness probe's settings are a limit, also when the server is alive."""
    endpoint(client, "sleepy")
    files = project(tmp_path / "project", "import time\ndef init(): time.sleep(60)\ndef run(data): pass\n")
    probe = ProbeSettings(initial_delay=1, period=1, timeout=1, failure_threshold=1)
    with pytest.raises(HttpResponseError, match="readiness probe"):
        deploy(client, files, "sleepy", readiness_probe=probe)


@needs_server
def test_slow_is_408_and_too_many_are_429(client: MLClient, tmp_path: Path) -> None:
    """Twice as many as can be worked on may wait; each no longer than the request timeout."""
    endpoint(client, "slow")
    settings = OnlineRequestSettings(request_timeout_ms=1500, max_concurrent_requests_per_instance=1)
    files = project(tmp_path / "project", SLOW)
    assert deploy(client, files, "slow", request_settings=settings) == "Succeeded"
    with ThreadPoolExecutor(5) as pool:
        seen = Counter(r.status_code for r in pool.map(lambda _: _score(client, "slow", "0.5"), range(5)))
    assert seen[200] >= 2
    assert seen[429] >= 1
    assert set(seen) == {200, 429}
    late = _score(client, "slow", "3")
    assert (late.status_code, late.headers["azureml-model-deployment"]) == (408, "blue")


@needs_server
def test_it_ends_with_its_emulator_and_another_starts_it_again(tmp_path: Path) -> None:
    """Killed without warning, an emulator leaves no server behind; the next one on the same world answers."""
    state = tmp_path / "state"
    setting = {"AMLDEPLOY_SCORING_PYTHON": interpreter()}
    before = dict(os.environ)
    os.environ.update(setting)
    try:
        running = emulator.launch(state)
    finally:
        os.environ.clear()
        os.environ.update(before)
    with _signed_in(running, **setting) as client:
        endpoint(client, "own")
        score = SCORE.replace('"pid":', '"umask": os.popen("umask").read(), "pid":')
        assert deploy(client, project(tmp_path / "project", score), "own") == "Succeeded"
        first = _score(client, "own", '{"x": [1, 2]}').json()
        files = [path for path in (state / "servers").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert {"spec.json", "status.json", "server.log", "score.py"} <= {path.name for path in files}
        assert [path for path in files if path.stat().st_mode & 0o077] == []  # the variables can have secrets
        os.umask(ours := os.umask(0))
        assert int(first["umask"], 8) == ours
        os.kill(first["pid"], signal.SIGKILL)  # the worker: its server starts another
        again = _score(client, "own", '{"x": [1, 2]}')
        while again.status_code != 200:
            again = _score(client, "own", '{"x": [1, 2]}')
        os.kill(running.pid, signal.SIGKILL)
        assert _gone(again.json()["pid"])
    with emulator.embed(state) as other, _signed_in(other) as client:
        last: dict[str, Any] = _score(client, "own", '{"x": [1, 2]}').json()
        assert last["answer"] == first["answer"]
    assert _gone(last["pid"])


def test_without_the_server_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment fails with the cure; everything else of the emulator works."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("AMLDEPLOY_SCORING_PYTHON", str(bare))  # of the command that the emulator runs in
    with emulator.embed(tmp_path / "state") as running, _signed_in(running) as client:
        endpoint(client, "bare")
        with pytest.raises(HttpResponseError, match=r"Run amldeploy emulator scoring") as caught:
            deploy(client, project(tmp_path / "project"), "bare")
        assert caught.value.error.code == "ResourceNotReady"

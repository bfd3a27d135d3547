"""The templates own-model and custom-container do what they say: on the emulator, and as programs."""

from __future__ import annotations

import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from runpy import run_path

import pytest

from deploy import commands, emulator
from deploy.probes import http
from tests.project import ROOT

CONTAINER = ROOT / "templates" / "custom-container"
OWN = ROOT / "templates" / "own-model"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """own-model needs scikit-learn, which pip installs in a minute: with --laws full only."""
    if "template" in metafunc.fixturenames:
        full = metafunc.config.getoption("--laws", default="some") == "full"
        metafunc.parametrize("template", ["custom-container", *(["own-model"] if full else [])])


def test_it_is_deployed_to_the_emulator(tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After init, without any change. own-model is trained again first, and its probe calls the real model."""
    project = commands.Project(tmp_path)
    commands.init(project, template=template)
    if template == "own-model":
        monkeypatch.setenv("AMLDEPLOY_SCORING_PYTHON", "")
        emulator.create_scoring_environment(project.state, commands.scoring_packages(project))
        (tmp_path / "templates/own-model/model/iris.joblib").unlink()
        python = project.state / "scoring/bin/python"
        subprocess.run([python, tmp_path / "templates/own-model/train.py"], check=True, capture_output=True)
    result = commands.apply(project, "local", approve=lambda *_: None, emit=lambda _: None)
    assert result.report.ok
    assert [(slot.name, slot.traffic) for row in result.endpoint_rows for slot in row.slots] == [("blue", 100)]
    assert commands.plan(project, "local").steps == ()


def test_the_versions_of_own_model_agree() -> None:
    """What trains the model and what loads it."""
    pins = [re.findall(r"scikit-learn==[\d.]+", (OWN / name).read_text()) for name in ("train.py", "conda.yml")]
    assert pins[0] == pins[1]
    assert len(pins[0]) == 1


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of the container's server, which runs in this process."""
    handler = run_path(str(CONTAINER / "container/server.py"))["Handler"]
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def answer(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body)) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_container_answers_on_its_routes(server: str, tmp_path: Path) -> None:
    """The routes of deployment.yml, and in Azure the probe of pipeline.yml passes."""
    commands.init(commands.Project(tmp_path), template="custom-container")
    local = (tmp_path / "environments/local.yml").read_text()
    azure = local.replace("cloud: local", "cloud: AzureCloud\nproject: p")
    (tmp_path / "environments/azure.yml").write_text(azure)
    _, (spec,) = commands.validate(commands.Project(tmp_path), "azure")
    routes = spec.deployments[0]["environment"]["inference_config"]
    assert answer(server + routes["liveness_route"]["path"])[0] == 200
    assert answer(server + routes["readiness_route"]["path"])[0] == 200
    probe = spec.pipeline.probe.model_dump()
    body = http.request(probe, CONTAINER)
    assert http.check(probe, CONTAINER, *answer(server + routes["scoring_route"]["path"], body))
    for wrong in (b"", b"[]", b'"x"', b"{}", b'{"text": 1}'):
        assert answer(f"{server}/score", wrong)[0] == 400
    assert answer(f"{server}/else")[0] == 404
    assert answer(f"{server}/else", b"{}")[0] == 404

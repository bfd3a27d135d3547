"""The code that apply prints for a new endpoint: it works when pasted, contains no key, and comes once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import emulator
from deploy.reporter import CallCode, call_code
from tests.fork_server import ForkServer
from tests.project import make_project

URI = "https://mip.eastus.inference.ml.azure.com/score"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running emulator."""
    root = make_project(tmp_path_factory.mktemp("code"))
    emulator.launch(root / ".amldeploy")
    yield root
    emulator.stop(root / ".amldeploy")


@pytest.fixture(scope="module")
def printed(amldeploy: ForkServer, project: Path) -> str:
    """What the first apply printed."""
    ran = amldeploy.run(project, "apply", "-e", "local")
    assert ran.returncode == 0
    return ran.stdout


def parts(text: str) -> tuple[str, str]:
    """The curl command and the Python program."""
    found = re.search(r"With curl:\n\n(.*?)\n\nWith Python:\n\n(.*)", text, re.DOTALL)
    assert found
    return found[1], found[2]


def pasted(amldeploy: ForkServer, project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run in the project folder, in an environment that has a proxy."""
    path = os.pathsep.join((str(amldeploy.commands), os.environ["PATH"]))
    proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    return subprocess.run(
        command, cwd=project, env={**os.environ, "PATH": path, **proxy}, capture_output=True, text=True, check=False
    )


def test_the_printed_curl_command_works(amldeploy: ForkServer, project: Path, printed: str) -> None:
    """bash runs it as it is; the answer is that of the model."""
    ran = pasted(amldeploy, project, "bash", "-c", parts(printed)[0])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads((project / "answer.json").read_text())[0]["image_features"]


def test_the_printed_python_program_works(amldeploy: ForkServer, project: Path, printed: str) -> None:
    """It needs the standard library only."""
    ran = pasted(amldeploy, project, sys.executable, "-I", "-S", "-c", parts(printed)[1])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "image_features" in ran.stdout


def test_it_contains_no_key(amldeploy: ForkServer, project: Path, printed: str) -> None:
    """Neither of the two; and there is none in the report's files."""
    keys = json.loads(amldeploy.run(project, "keys", "show", "-e", "local", "--show", "-o", "json").stdout)
    reports = "".join(path.read_text() for path in (project / ".amldeploy" / "reports").rglob("*.[hj]*"))
    assert not [which for which in ("primary", "secondary") if keys[which] in printed + reports]


def test_the_code_for_ones_own_input_works(amldeploy: ForkServer, project: Path, printed: str) -> None:
    """With the image, the text and the slot of the command line; nothing is sent before it is run."""
    assert "With curl" in printed
    count = len(emulator.requests(project / ".amldeploy", after=0))
    words = ("--code", "--image", "templates/medimageparse/probe/phantom.png", "--text", "heart & liver & lung")
    ran = amldeploy.run(project, "invoke", "-e", "local", "mip", *words, "--slot", "blue")
    scored = [row for row in emulator.requests(project / ".amldeploy", after=count) if "/score" in row["path"]]
    assert (ran.returncode, scored) == (0, [])
    curl, program = parts(ran.stdout)
    assert pasted(amldeploy, project, "bash", "-c", curl).returncode == 0
    features = json.loads(json.loads((project / "answer.json").read_text())[0]["image_features"])
    assert features["shape"][0] == 3
    ran = pasted(amldeploy, project, sys.executable, "-c", program)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_is_printed_only_for_a_new_endpoint(amldeploy: ForkServer, project: Path, printed: str) -> None:
    """Not again, not as JSON, and only a line for several new ones."""
    assert printed.count("Call the model: amldeploy invoke -e local mip\n") == 1
    assert "Call" not in amldeploy.run(project, "apply", "-e", "local").stdout
    file = project / "templates" / "medimageparse" / "endpoint.yml.j2"
    file.write_text(re.sub("(?m)^description:.*", "description: changed", file.read_text()))
    ran = amldeploy.run(project, "apply", "-e", "local")
    assert "update endpoint/mip" in " ".join(ran.stderr.split())
    assert "Call" not in ran.stdout
    local = project / "environments" / "local.yml"
    (project / "environments" / "two.yml").write_text(
        local.read_text().partition("endpoints:")[0]
        + "endpoints:\n  one: {template: medimageinsight}\n  two: {template: gigapath}\n"
    )
    ran = amldeploy.run(project, "apply", "-e", "two")
    assert ran.returncode == 0, ran.stderr
    last = "Call a model: amldeploy invoke -e two KEY. Code for curl and Python: amldeploy invoke -e two KEY --code"
    assert ran.stdout.splitlines()[-1] == last


def test_code_is_not_printed_together_with_what_it_does_not_use(amldeploy: ForkServer, project: Path) -> None:
    """--save, --print-request."""
    for words in (("--save", "out"), ("--print-request",)):
        ran = amldeploy.run(project, "invoke", "-e", "local", "--code", *words)
        assert (ran.returncode, ran.stdout) == (64, "")


def test_the_code_for_azure_needs_no_certificate() -> None:
    """Without a known input the request is a file; without a token only `invoke` is printed."""
    token = "az account get-access-token --query accessToken -o tsv"
    text = call_code(CallCode(URI, "amldeploy invoke -e prod mip", "", token))
    assert "ssl" not in text
    assert "--cacert" not in text
    assert f"$({token})" in text
    assert "With curl, with your request in request.json:" in text
    assert "--data-binary @request.json" in text
    assert "open('request.json', 'rb')" in text
    compile(text.partition("With Python, with your request in request.json:\n\n")[2], "pasted", "exec")
    assert call_code(CallCode(URI, "amldeploy invoke -e local mip", "x", "")) == (
        "Call the model: amldeploy invoke -e local mip"
    )

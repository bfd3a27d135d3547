"""Law 9, through the door: secrets planted in every place a user or Azure can have them appear in nothing that we say.

Said is what every command prints, in every form, and every file that is left behind: plan, report, pictures of a probe.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import requests
import yaml

from deploy import emulator
from tests.laws.conftest import WORKSPACE, World
from tests.project import ROOT

PLANTED = {
    "DB_PASSWORD": "Wq7-planted-password-1",
    "API_KEY": "Wq7plantedApiKey2",
    "STORAGE_CONNECTION_STRING": (
        "DefaultEndpointsProtocol=https;AccountName=st;AccountKey=Wq7plantedAccountKey3==;EndpointSuffix=core.windows.net"
    ),
    "DATA_URL": "https://st.blob.core.windows.net/c/b?sv=2024-11-04&sig=Wq7plantedSignature4%3D&se=2026",
    "HF_TOKEN": "hf_Wq7plantedToken5abcdefgh",
}
MARKS = ("Wq7", "eyJ")
"""What is in every planted secret, and how every token begins."""
COMMANDS = (
    "validate -e law",
    "validate -e law -o json",
    "render -e law",
    "plan -e law",
    "plan -e law -o json --out agreed.json",
    "plan -e law -o markdown",
    "doctor -e law",
    "apply agreed.json -o json",
    "plan -e law",
    "status -e law -o json",
    "logs -e law mip",
    "probe -e law",
    "import -e law --endpoint mip-papdf --out taken",
)


def _run(world: World, line: str) -> str:
    """One command; all that it said."""
    ran = subprocess.run(
        [sys.executable, "-m", "deploy", *line.split()],
        cwd=world.project.root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    return f"$ {line}\n{ran.stdout}{ran.stderr}"


def _plant(world: World) -> None:
    """In the environment's values, and by them in the deployment."""
    template = world.project.root / "templates" / "plain" / "deployment.yml.j2"
    text = template.read_text().partition("environment_variables:")[0]
    lines = "".join(f'  {name}: "{{{{ values.{name.lower()} }}}}"\n' for name in PLANTED)
    template.write_text(f'{text}environment_variables:\n  RELEASE: "{{{{ values.release }}}}"\n{lines}')
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    body["endpoints"]["mip"]["values"] |= {name.lower(): value for name, value in PLANTED.items()}
    path.write_text(yaml.safe_dump(body, width=1000))


def _keys(running: emulator.Running) -> list[str]:
    """The endpoint's own keys, as its owner reads them."""
    variables = running.variables()
    told = requests.get(
        variables["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": "https://management.azure.com"},
        headers={"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]},
        timeout=10,
    ).json()
    answer = requests.post(
        f"{running.url}{WORKSPACE}/onlineEndpoints/mip-papdf/listKeys?api-version=2024-10-01",
        headers={"Authorization": f"Bearer {told['access_token']}"},
        verify=str(running.ca),
        timeout=10,
    ).json()
    return [answer["primaryKey"], answer["secondaryKey"]]


def _files(world: World) -> dict[str, str]:
    """Every file of the project that we wrote and a person may open or pass on. The emulator's world is its own."""
    ours = [p for p in (world.state / "reports").rglob("*") if p.is_file()]
    ours += [p for p in (world.project.root / "taken").rglob("*") if p.is_file()]
    return {
        str(path): path.read_bytes().decode("utf-8", "replace")
        for path in (*ours, world.project.root / "agreed.json")
        if path.suffix not in (".png", ".npy")
    }


@pytest.fixture
def told(world: World) -> dict[str, str]:
    """Everything that was said in the life of an endpoint, by where it was said."""
    _plant(world)
    with emulator.embed(world.state) as running:
        said = {line: _run(world, line) for line in COMMANDS}
        keys = _keys(running)
        quoting = "; ".join(f"{name}={value}" for name, value in PLANTED.items())
        emulator.begin(world.state, faults=[{"kind": "refuse", "status": 400, "message": quoting, "times": "always"}])
        for line in ("plan -e law", "teardown -e law --yes", "status -e law -o json"):
            said[f"{line}, refused"] = _run(world, line)
        emulator.begin(world.state, faults=[])
        for line in ("teardown -e law --yes -o json", "emulator requests -o json"):
            said[line] = _run(world, line)
    said |= _files(world)
    assert any("agreed.json" in where for where in said)
    assert sum("reports" in where for where in said) >= 4
    said["keys"] = "\n".join(keys)
    return said


def test_nothing_planted_is_said(told: dict[str, str]) -> None:
    """No command and no file says any of it; nor the endpoint's keys."""
    keys = told.pop("keys").splitlines()
    assert all(len(key) > 20 for key in keys)
    found = [
        f"{where}: {line.strip()[:160]}"
        for where, text in told.items()
        for line in text.splitlines()
        if any(mark in line for mark in (*MARKS, *keys))
    ]

    assert not found, "\n".join(found)

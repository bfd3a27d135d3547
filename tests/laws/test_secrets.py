"""Law 9, through the CLI: secrets planted wherever a user or Azure can have them appear in no output.

Output is everything that a command prints, in every format, and every file that it writes: plan, report, pictures of a
probe.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests
import yaml

from deploy import emulator
from tests.fork_server import ForkServer
from tests.laws.conftest import WORKSPACE, World

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
"""Text in every planted secret, and the start of every token."""
LIFE = (
    (0, "validate -e law"),
    (0, "validate -e law -o json"),
    (0, "render -e law"),
    (0, "render -e law -o json"),
    (0, "plan -e law"),
    (0, "plan -e law -o json --out agreed.json"),
    (0, "plan -e law -o markdown"),
    (0, "doctor -e law"),
    (0, "doctor -e law -o json"),
    (0, "apply agreed.json -o json --events events.jsonl"),
    (0, "plan -e law"),
    (0, "status -e law -o json"),
    (0, "status -e law -o markdown"),
    (0, "status -e law -e lent -o html"),
    (0, "logs -e law mip"),
    (0, "logs -e law mip -o json"),
    (0, "probe -e law --save seen"),
    (0, "import -e other --endpoint mip-papdf --key taken"),
    (3, "plan -e other taken"),
)
"""What is typed, and the exit code it ends with. The imported template lacks what looked secret, and says so."""
LENT = (
    (0, "apply -e lent -o json"),
    (0, "status -e lent -o ics"),
    (0, "emulator clock --advance 121h"),
    (5, "status -e lent --fail-under 72h"),
    (0, "lease reap -e lent --yes"),
    (0, "lease renew -e lent --within 72h --yes"),
    (0, "lease reap -e lent --within 168h --force"),
    (0, "lease reap -e lent --within 168h --force --yes -o json"),
    (0, "lease restore -e lent KEPT --yes"),
    (0, "teardown -e lent --yes"),
)
"""An endpoint on shared quota: notices at 48 hours left, a successor, its end and its return."""
BESIDE = {
    "other.yml": {"endpoints": {"elsewhere": {"template": "medimageparse"}}},
    "lent.yml": {
        "notices": [{"to": "stdout"}],
        "endpoints": {"lent": {"template": "lent", "values": {"release": "1"}}},
    },
}
FAILS = (
    (5, "apply -e law --events failed.jsonl"),
    (0, "status -e law"),
)
JOB = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_OUTPUT": "outputs.txt"}


def _run(world: World, amldeploy: ForkServer, exit_code: int, line: str, **more: str) -> str:
    """Run one command and check its exit code; return all output."""
    ran = amldeploy.run(world.project.root, *line.split(), NO_COLOR="1", **more)
    assert "Traceback" not in ran.stderr
    assert ran.returncode == exit_code, f"$ {line}\n{ran.stdout}{ran.stderr}"
    return f"$ {line}\n{ran.stdout}{ran.stderr}"


def _plant(world: World) -> None:
    """Plant secrets in the values of the environments, and through them in the deployments."""
    templates, environments = world.project.root / "templates", world.project.root / "environments"
    template = templates / "plain" / "deployment.yml.j2"
    text = template.read_text().partition("environment_variables:")[0]
    lines = "".join(f'  {name}: "{{{{ values.{name.lower()} }}}}"\n' for name in PLANTED)
    template.write_text(f'{text}environment_variables:\n  RELEASE: "{{{{ values.release }}}}"\n{lines}')
    shutil.copytree(templates / "plain", templates / "lent")
    (templates / "lent" / "pipeline.yml.j2").write_text("quota: {capacity: shared}\nlease: {drain: 0s}\n")
    whole = yaml.safe_load((environments / "law.yml").read_text())
    for name, changed in {"law.yml": {}, **BESIDE}.items():
        body = {**whole, **changed}
        for entry in body["endpoints"].values():
            if "values" in entry:
                entry["values"] |= {name.lower(): value for name, value in PLANTED.items()}
        (environments / name).write_text(yaml.safe_dump(body, width=1000))


def _keys(running: emulator.Running) -> list[str]:
    """The keys of the endpoint, as its owner reads them."""
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
    """Every file of the project that amldeploy wrote and a person could open or share. Excluded: the user's own files,
    where the secrets were planted, the emulator's world, public certificates (whose base64 can contain a mark), and
    exports of reap, which only their owner can read.
    """
    root = world.project.root
    theirs = [root / "templates" / "plain", root / "templates" / "lent", root / "environments" / "law.yml"]
    theirs += [root / "environments" / "lent.yml", *world.state.glob("world.sqlite*"), *_exports(world)]
    return {
        str(path.relative_to(root)): path.read_bytes().decode("utf-8", "replace")
        for path in root.rglob("*")
        if path.is_file()
        and path.suffix not in (".png", ".npy")
        and not any(path.is_relative_to(one) for one in theirs)
        and path.name not in ("emulator.json", "bundle.pem")
    }


def _exports(world: World) -> list[Path]:
    """The exports that reap wrote so that restore can recreate everything."""
    return list((world.state / "reaped").glob("*/*/deployments/*.json"))


@pytest.fixture
def life(world: World, amldeploy: ForkServer) -> dict[str, str]:
    """All output in the life of an endpoint, by its source."""
    _plant(world)
    quoting = "; ".join(f"{name}={value}" for name, value in PLANTED.items())
    with emulator.embed(world.state) as running:
        said = {line: _run(world, amldeploy, code, line) for code, line in LIFE}
        keys = _keys(running)
        emulator.begin(world.state, faults=[{"kind": "refuse", "status": 400, "message": quoting, "times": "always"}])
        for code, line in ((4, "plan -e law"), (4, "teardown -e law --yes"), (4, "status -e law -o json")):
            said[f"{line}, refused"] = _run(world, amldeploy, code, line)
        failed = {"kind": "operation_failed", "operation": "OnlineDeployments_CreateOrUpdate", "message": quoting}
        emulator.begin(world.state, faults=[failed])
        _next_release(world)
        for code, line in FAILS:
            said[f"{line}, failed"] = _run(world, amldeploy, code, line, **JOB)
        emulator.begin(world.state, faults=[])
        for code, line in ((0, "teardown -e law --yes -o json"), (0, "emulator requests -o json"), *LENT):
            found = sorted((world.state / "reaped").glob("*/*"))
            said[line] = _run(world, amldeploy, code, line.replace("KEPT", str(found[-1]) if found else ""))
    said |= _files(world)
    assert {path.stat().st_mode & 0o777 for path in _exports(world)} == {0o600}
    said["keys"] = "\n".join(keys)
    return said


def _next_release(world: World) -> None:
    path = world.project.root / "environments" / "law.yml"
    body = yaml.safe_load(path.read_text())
    body["endpoints"]["mip"]["values"]["release"] = "2"
    path.write_text(yaml.safe_dump(body, width=1000))


def test_no_output_contains_a_planted_secret(life: dict[str, str]) -> None:
    """No command and no file contains any of them, nor the keys of the endpoint."""
    keys = life.pop("keys").splitlines()
    assert all(len(key) > 20 for key in keys)
    written = "\n".join(life)
    for kind in ("agreed.json", "events.jsonl", "failed.jsonl", "summary.md", "templates/taken", "seen/", "report.html",
                 "InferenceServer", "reaped/"):  # fmt: skip
        assert kind in written, f"nothing was written that is called {kind}: the test looks at less than it says"
    found = [
        f"{where}: {line.strip()[:160]}"
        for where, text in life.items()
        for line in text.splitlines()
        if not line.startswith("::add-mask::")  # GitHub removes this line from its log, and the value everywhere else
        if any(mark in line for mark in (*MARKS, *keys))
    ]

    assert not found, "\n".join(found)

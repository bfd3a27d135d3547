"""`amldeploy keys`: keys are printed only on request; a rotation makes one new key, under the endpoint's lock."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from deploy import commands, emulator
from deploy.cloud.connect import CLOUDS
from deploy.commands import lock
from deploy.commands.keys import token_command
from deploy.config import reader, validation
from deploy.errors import UsageError
from tests.fork_server import ForkServer
from tests.project import ROOT, make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, amldeploy: ForkServer) -> Iterator[Path]:
    """A project with an endpoint, and a running emulator."""
    root = make_project(tmp_path_factory.mktemp("keys"))
    emulator.launch(root / ".amldeploy")
    assert amldeploy.run(root, "apply", "-e", "local").returncode == 0
    yield root
    emulator.stop(root / ".amldeploy")


def fits(name: str, text: str) -> Any:
    body = json.loads(text)
    schema = json.loads((ROOT / "deploy" / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(body)
    return body


def keys(amldeploy: ForkServer, project: Path) -> dict[str, str]:
    found = fits("keys", amldeploy.run(project, "keys", "show", "-e", "local", "--show", "-o", "json").stdout)
    return {which: found[which] for which in ("primary", "secondary")}


def test_a_key_is_printed_only_on_request(amldeploy: ForkServer, project: Path) -> None:
    """A pipe gets it with --show, alone on its line; without, nothing is read from Azure."""
    both = keys(amldeploy, project)
    refused = amldeploy.run(project, "keys", "show", "-e", "local", "mip")
    assert (refused.returncode, refused.stdout) == (64, "")
    assert refused.stderr == "AML682 cannot show the keys: the output is not a terminal\n    → Use --show\n"
    assert amldeploy.run(project, "keys", "show", "-e", "local", "mip", "--show").stdout == f"{both['primary']}\n"
    ran = amldeploy.run(project, "keys", "show", "-e", "local", "--key", "secondary", "--show")
    assert ran.stdout == f"{both['secondary']}\n"


def test_a_key_is_printed_on_a_terminal(amldeploy: ForkServer, project: Path) -> None:
    """No option is needed there."""
    ours, theirs = pty.openpty()
    command = [str(amldeploy.commands / "amldeploy"), "keys", "show", "-e", "local"]
    subprocess.run(command, cwd=project, stdout=theirs, stderr=subprocess.PIPE, check=True)
    os.close(theirs)
    assert os.read(ours, 1000).decode().strip() == keys(amldeploy, project)["primary"]
    os.close(ours)


@pytest.mark.parametrize("which", ["secondary", "primary"])
def test_a_rotation_makes_one_new_key_each_time(amldeploy: ForkServer, project: Path, which: str) -> None:
    """The other key stays, no output contains a key, and the request has no keyValue."""
    seen = [keys(amldeploy, project)]
    other = "primary" if which == "secondary" else "secondary"
    for form in ("text", "json"):
        ran = amldeploy.run(project, "keys", "rotate", "-e", "local", "mip", "--key", which, "-o", form)
        assert ran.returncode == 0
        seen.append(keys(amldeploy, project))
        assert not [key for each in seen for key in each.values() if key in ran.stdout + ran.stderr]
        assert f"Clients that use the {which} key need the new one" in ran.stdout
    body = fits("keys-rotate", ran.stdout)
    assert (body["rotated"], body["other"], body["other_is_unchanged"]) == (which, other, True)
    assert len({each[which] for each in seen}) == 3
    assert len({each[other] for each in seen}) == 1
    sent = [row for row in emulator.requests(project / ".amldeploy") if "regenerateKeys" in row["path"]]
    assert len(sent) >= 2
    assert {row["status"] for row in sent} == {202}


def test_a_lost_answer_makes_one_new_key(amldeploy: ForkServer, project: Path) -> None:
    """The response to regenerateKeys is lost: the key is read, found to be new, and not replaced again."""
    before, count = keys(amldeploy, project), _sent(project)
    emulator.begin(project / ".amldeploy", faults=[{"operation": "OnlineEndpoints_RegenerateKeys", "kind": "lose"}])
    ran = amldeploy.run(project, "keys", "rotate", "-e", "local", "--key", "secondary")
    assert ran.returncode == 0
    assert _sent(project) == count + 1
    assert keys(amldeploy, project)["secondary"] != before["secondary"]


def test_a_refused_rotation_changes_nothing(amldeploy: ForkServer, project: Path) -> None:
    """Azure's words, exit code 5."""
    before = keys(amldeploy, project)
    fault = {
        "operation": "OnlineEndpoints_RegenerateKeys",
        "kind": "refuse",
        "status": 403,
        "code": "AuthorizationFailed",
    }
    emulator.begin(project / ".amldeploy", faults=[fault])
    ran = amldeploy.run(project, "keys", "rotate", "-e", "local", "--key", "secondary")
    assert ran.returncode == 5
    assert "cannot rotate the secondary key of mip-papdf" in ran.stderr
    assert keys(amldeploy, project) == before


def test_a_key_that_stays_the_same_is_an_error(amldeploy: ForkServer, project: Path) -> None:
    """Azure accepts the request, but a minute later listKeys returns the former key."""
    fault = {"operation": "OnlineEndpoints_RegenerateKeys", "kind": "refuse", "status": 200, "body": None}
    emulator.begin(project / ".amldeploy", faults=[fault], time_scale=600)
    ran = amldeploy.run(project, "keys", "rotate", "-e", "local", "--key", "secondary")
    emulator.begin(project / ".amldeploy", time_scale=1)
    assert ran.returncode == 5
    assert ran.stderr.startswith("AML384 cannot rotate the secondary key of mip-papdf: a minute after")


def test_a_key_of_an_unmanaged_endpoint_is_not_replaced(amldeploy: ForkServer, project: Path) -> None:
    """Another environment with the same endpoint name: its key can be read, but is not changed (law 10)."""
    before = _sent(project)
    shutil.copy(project / "environments" / "local.yml", project / "environments" / "other.yml")
    assert amldeploy.run(project, "keys", "show", "-e", "other", "--show").returncode == 0
    ran = amldeploy.run(project, "keys", "rotate", "-e", "other", "--key", "secondary")
    assert ran.returncode == 4
    words = " ".join(ran.stderr.split())
    assert "AML230 cannot rotate the keys of mip: mip-papdf is managed by local/mip" in words
    assert "Adopt it first: amldeploy import --adopt -e other mip --from local/mip" in words
    assert _sent(project) == before


def test_nothing_is_sent_without_the_approval(project: Path) -> None:
    """It comes before the request, and is not required for the emulator."""
    before, asked = _sent(project), []

    def refuse(what: str, needed: bool) -> None:
        asked.append((what, needed))
        raise UsageError(what, "cancelled")

    with pytest.raises(UsageError, match="cannot rotate the secondary key of mip-papdf: cancelled"):
        commands.rotate_key(commands.Project(project), "local", None, "secondary", approve=refuse, emit=lambda _: None)
    assert asked == [("rotate the secondary key of mip-papdf", False)]
    assert _sent(project) == before


def test_a_rotation_waits_for_the_lock(amldeploy: ForkServer, project: Path) -> None:
    """While another run holds the lock of the endpoint, nothing is sent."""
    before = _sent(project)
    environment = validation.survey_environment(reader.read_environment(project, "local")).environment
    with commands.Project(project).connect(environment) as cloud:
        run = lock.Run(commands.Project(project), cloud, "apply", lambda _: None)
        with lock.exclusive(run, "mip-papdf") as note:
            assert note == ""
            ran = amldeploy.run(project, "keys", "rotate", "-e", "local", "--key", "secondary")
    assert ran.returncode == 8
    assert ran.stderr.startswith("AML670 cannot rotate-keys endpoint mip-papdf: apply by")
    assert _sent(project) == before


def test_without_a_lock_the_output_has_a_note(amldeploy: ForkServer, project: Path) -> None:
    """`lock: off` in the environment file."""
    file = project / "environments" / "local.yml"
    text = file.read_text()
    file.write_text(f"{text}lock: off\n")
    ran = amldeploy.run(project, "keys", "rotate", "-e", "local", "--key", "secondary")
    file.write_text(text)
    assert ran.returncode == 0
    assert ran.stderr.startswith("Note: Not exclusive: local has `lock: off`.")


@pytest.mark.parametrize("mode", ["aad_token", "aml_token"])
def test_an_endpoint_with_tokens_has_no_keys(amldeploy: ForkServer, tmp_path: Path, mode: str) -> None:
    """Both commands say what to use instead."""
    root = make_project(tmp_path)
    file = root / "templates" / "medimageparse" / "endpoint.yml.j2"
    text = re.sub("(?m)^auth_mode:.*", f"auth_mode: {mode}", file.read_text())
    file.write_text(text)
    assert amldeploy.run(root, "apply", "-e", "local").returncode == 0
    for command in (("show", "--show"), ("rotate", "--key", "primary")):
        ran = amldeploy.run(root, "keys", *command, "-e", "local")
        assert ran.returncode == 64
        words = " ".join(ran.stderr.split())
        assert f"mip-papdf has auth_mode {mode}, so it has no keys" in words
        assert "Use a token: amldeploy invoke -e local reads one by itself" in words


@pytest.mark.parametrize(
    ("cloud", "mode", "command"),
    [
        ("AzureCloud", "aadtoken", "az account get-access-token --resource https://ml.azure.com --query accessToken"),
        ("AzureChinaCloud", "aadtoken", "az account get-access-token --resource https://ml.azure.cn --query"),
        (
            "AzureCloud",
            "amltoken",
            "az ml online-endpoint get-credentials -n mip-1 -g rg -w ws --subscription s --query",
        ),
    ],
)
def test_the_command_for_a_token_is_that_of_az(cloud: str, mode: str, command: str) -> None:
    """In Azure: a token of Entra for its cloud, or a token of the endpoint."""
    environment = SimpleNamespace(cloud=cloud, name="prod", resource_group="rg", workspace="ws", subscription_id="s")
    connected: Any = SimpleNamespace(environment=environment, hosts=CLOUDS[cloud])
    assert token_command(connected, "mip-1", mode).startswith(command)


def _sent(project: Path) -> int:
    return sum("regenerateKeys" in row["path"] for row in emulator.requests(project / ".amldeploy"))

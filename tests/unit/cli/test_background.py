"""`-e local` without a running emulator: one in the background, which later commands find and which ends by itself."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import emulator
from deploy.cloud.connect import is_embedded
from deploy.emulator import Running
from deploy.emulator.process import idle, pidfile
from deploy.errors import UsageError
from tests.fork_server import ForkServer
from tests.project import make_project

BACKGROUND = {"AMLDEPLOY_EMULATOR": "background"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose emulator, if any, ends with the test."""
    yield make_project(tmp_path)
    emulator.stop(tmp_path / ".amldeploy")


def wait_for_the_end(pid: int) -> None:
    """Wait until a process has ended."""
    handle = os.pidfd_open(pid)
    try:
        assert select.select([handle], [], [], 30)[0], f"process {pid} did not end"
    finally:
        os.close(handle)


def running(project: Path) -> Running:
    found = emulator.find(project / ".amldeploy")
    assert found
    return found


def test_a_second_command_uses_the_emulator_of_the_first(amldeploy: ForkServer, project: Path) -> None:
    """One line on stderr says that it runs and when it stops; the printed URI is valid afterwards."""
    first = amldeploy.run(project, "apply", "-e", "local", **BACKGROUND)
    assert first.returncode == 0
    words = (
        f"The emulator runs in the background at {running(project).url}. It stops after 30 minutes without a request"
    )
    assert first.stderr.count(words) == 1
    pid = running(project).pid
    second = amldeploy.run(project, "invoke", "-e", "local", "-o", "json", **BACKGROUND)
    assert (second.returncode, second.stderr) == (0, "")
    assert json.loads(second.stdout)["uri"] in first.stdout
    assert running(project).pid == pid
    assert "It stops after 30 minutes without a request." in amldeploy.run(project, "emulator", "status").stdout


def test_only_the_result_is_on_stdout(amldeploy: ForkServer, project: Path) -> None:
    """Also when the command starts an emulator."""
    ran = amldeploy.run(project, "status", "-e", "local", "-o", "json", **BACKGROUND)
    assert json.loads(ran.stdout)["endpoints"][0]["state"] == "absent"
    assert ran.stderr.startswith("The emulator runs in the background")


def test_it_ends_by_itself(project: Path) -> None:
    """After a time without a request. The record is gone before, so that no command finds it."""
    started = emulator.launch(project / ".amldeploy", stops_after=0.2)
    wait_for_the_end(started.pid)
    assert pidfile.recorded(project / ".amldeploy") is None


def test_emulator_start_keeps_it(amldeploy: ForkServer, project: Path) -> None:
    """The same process then runs until it is stopped."""
    started = emulator.launch(project / ".amldeploy", stops_after=1800)
    amldeploy.run(project, "emulator", "start")
    assert running(project) == started
    assert running(project).stops_after == 0
    assert (project / ".amldeploy" / "emulator.json").stat().st_mode & 0o777 == 0o600


def test_another_one_is_started_after_a_kill(amldeploy: ForkServer, project: Path) -> None:
    """With the same world."""
    assert amldeploy.run(project, "apply", "-e", "local", **BACKGROUND).returncode == 0
    killed = running(project)
    os.kill(killed.pid, signal.SIGKILL)
    ran = amldeploy.run(project, "apply", "-e", "local", **BACKGROUND)
    assert ran.returncode == 0
    assert "Done: nothing to do." in ran.stdout
    assert running(project).pid != killed.pid


@pytest.mark.parametrize("stops_after", [1800.0, 0.0])
def test_one_of_another_version_is_replaced_unless_it_was_started_by_hand(
    amldeploy: ForkServer, project: Path, stops_after: float
) -> None:
    """Its code may be older than the command's."""
    state = project / ".amldeploy"
    old = emulator.launch(state, stops_after=stops_after)
    record = json.loads((state / "emulator.json").read_text())
    (state / "emulator.json").write_text(json.dumps({**record, "version": "0.0.1"}))
    assert amldeploy.run(project, "status", "-e", "local", **BACKGROUND).returncode == 0
    assert (running(project).pid == old.pid) is (stops_after == 0)
    if stops_after:
        wait_for_the_end(old.pid)
        assert running(project).version == pidfile.own_version() != ""


def test_two_commands_at_the_same_time_share_one(amldeploy: ForkServer, project: Path) -> None:
    """Both succeed; one emulator is left."""
    command = [str(amldeploy.commands / "amldeploy"), "status", "-e", "local", "-o", "json"]
    environment = {**os.environ, **BACKGROUND}
    both = [
        subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    messages = [each.communicate(timeout=60)[1].decode() for each in both]
    assert [each.returncode for each in both] == [0, 0], messages
    assert all(running(project).url in text for text in messages if text)


def test_a_world_that_cannot_be_read_is_reported_as_before(amldeploy: ForkServer, project: Path) -> None:
    """With its own code and fix, not as an error of the other process."""
    (project / ".amldeploy").mkdir()
    (project / ".amldeploy" / "world.sqlite").write_text("not a database" * 100)
    ran = amldeploy.run(project, "status", "-e", "local", **BACKGROUND)
    assert ran.returncode == 64
    assert ran.stderr.startswith("AML645 ")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"CI": "true"}, True),
        ({"CI": "false"}, False),
        ({"CI": "true", "AMLDEPLOY_EMULATOR": "background"}, False),
        ({"AMLDEPLOY_EMULATOR": "embedded"}, True),
    ],
)
def test_where_it_runs(variables: dict[str, str], expected: bool) -> None:
    """In CI inside the command, as no process should outlive a job."""
    assert is_embedded(variables) is expected


def test_an_unknown_place_is_a_usage_error() -> None:
    """The message has the values that are possible."""
    with pytest.raises(UsageError, match="AMLDEPLOY_EMULATOR is 'inside'") as error:
        is_embedded({"AMLDEPLOY_EMULATOR": "inside"})
    assert error.value.cure == "Set AMLDEPLOY_EMULATOR to embedded or background, or unset it"


@pytest.fixture
def served(tmp_path: Path) -> Running:
    """The record of a server that ends after 1800 s."""
    server = Running("https://127.0.0.1:1", "", "ca.pem", os.getpid(), "secret", 1800.0)
    assert pidfile.write(tmp_path, server)
    return server


def test_it_ends_a_minute_after_its_record(tmp_path: Path, served: Running) -> None:
    """A command that found the record a moment before can use it."""
    assert not idle.has_to_end(tmp_path, served, 1799.9)
    assert pidfile.recorded(tmp_path) == served
    assert not idle.has_to_end(tmp_path, served, 1800.0)
    assert pidfile.recorded(tmp_path) is None
    assert not idle.has_to_end(tmp_path, served, 1.0)
    assert idle.has_to_end(tmp_path, served, 60.0)


@pytest.mark.parametrize("how", ["deleted", "replaced", "kept"])
def test_the_record_decides(tmp_path: Path, served: Running, how: str) -> None:
    """A deleted folder or a newer server ends it; one that is kept never ends by itself."""
    if how == "deleted":
        shutil.rmtree(tmp_path)
    elif how == "replaced":
        pidfile.remove(tmp_path, served)
        assert pidfile.write(tmp_path, replace(served, token="other"))
    else:
        assert pidfile.keep(tmp_path, served).stops_after == 0
    assert idle.has_to_end(tmp_path, served, 59.9) is False
    assert idle.has_to_end(tmp_path, served, 1e6) is (how != "kept")


def test_a_request_in_progress_is_not_idle(tmp_path: Path) -> None:
    """However long it takes."""
    from deploy.emulator.http.server import Server

    server = Server(tmp_path)
    application: Any = server._application
    try:
        application.last_request -= 5000
        assert server.idle_seconds > 4999
        application.active = 1
        assert server.idle_seconds == 0
    finally:
        application.active = 0
        server.stop()

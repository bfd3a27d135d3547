"""Start, find and stop emulators, with real processes and sockets."""

from __future__ import annotations

import gc
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy import emulator
from deploy.emulator import Running
from tests.project import ROOT


def _get(running: Running, path: str) -> tuple[int, bytes]:
    address = urlsplit(running.url)
    context = ssl.create_default_context(cafile=running.ca)
    connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context, timeout=10)
    try:
        connection.request("GET", path, headers=running.control_headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    emulator.stop(tmp_path)


def test_an_embedded_emulator_closes_everything(state: Path) -> None:
    """On loopback, with its own certificate authority; afterwards connections are refused."""
    with emulator.embed(state) as running:
        assert running.pid == os.getpid()
        assert _get(running, "/metadata/endpoints")[0] == 200
        assert emulator.find(state) is None
    with pytest.raises(ConnectionError):
        _get(running, "/metadata/endpoints")
    assert [row["operation"] for row in emulator.requests(state)] == ["Metadata_Endpoints"]


def test_idle_connections_are_aborted_at_the_end(state: Path) -> None:
    """They do not delay the end."""
    with emulator.embed(state) as running:
        address = urlsplit(running.url)
        context = ssl.create_default_context(cafile=running.ca)
        connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context, timeout=10)
        connection.request("GET", "/emulator/status", headers=running.control_headers)
        connection.getresponse().read()
    gc.collect()  # what was left open would warn here
    assert connection.sock.recv(1) == b""
    connection.close()


def test_two_embedded_emulators_share_a_world(state: Path) -> None:
    """Each on its own port."""
    with emulator.embed(state) as one, emulator.embed(state) as two:
        assert one.url != two.url
        _get(one, "/metadata/endpoints")
        assert len(json.loads(_get(two, "/emulator/requests")[1])["value"]) == 1


def test_a_launched_emulator_runs_on_and_is_found_and_stopped(state: Path) -> None:
    """A second launch finds the first; the certificate is kept; a second stop returns False."""
    running = emulator.launch(state)
    assert emulator.launch(state) == running
    assert emulator.find(state) == running
    assert (state / "emulator.json").stat().st_mode & 0o777 == 0o600
    assert (state / "tls" / "server.pem").stat().st_mode & 0o777 == 0o600
    ca = Path(running.ca).read_bytes()
    _get(running, "/metadata/endpoints")
    emulator.reset(state)
    assert emulator.requests(state) == []
    _get(running, "/metadata/endpoints")
    assert [row["number"] for row in emulator.requests(state)] == [1]
    assert emulator.stop(state) is True
    assert emulator.stop(state) is False
    assert emulator.find(state) is None
    again = emulator.launch(state)
    assert Path(again.ca).read_bytes() == ca
    assert len(emulator.requests(state)) == 1


FOREIGN = "import pathlib; pathlib.Path(__file__).with_name('executed').touch(); raise SystemExit('the user')"


def test_a_package_named_deploy_in_the_users_folder_is_not_run(
    state: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nor any other module of that folder: by the server, nor by the check of the scoring interpreter."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("deploy/__init__.py", "deploy/emulator.py", "uvicorn.py", "starlette.py", "email.py", "zipfile.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(FOREIGN)
    code = "import pathlib, sys; from deploy import emulator; state = pathlib.Path(sys.argv[1])"
    code += "; emulator.launch(state); emulator.scoring_problem(state)"
    command, environment = [sys.executable, "-P", "-c", code, state], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(folder.rglob("executed"))
    assert emulator.find(state) is not None


def test_the_files_of_a_world_are_for_their_owner_alone(tmp_path: Path) -> None:
    """All of them, while a server runs that was started with the usual umask; the folder, too."""
    state = tmp_path / "new" / "state"
    before = os.umask(0o022)
    running = emulator.launch(state)
    os.umask(before)
    _get(running, "/metadata/endpoints")
    modes = {str(path.relative_to(state)): path.stat().st_mode & 0o777 for path in state.rglob("*") if path.is_file()}
    emulator.stop(state)
    del modes["tls/ca.pem"]  # not a secret, and in a folder of mode 0700
    assert {"world.sqlite", "world.sqlite-wal", "world.sqlite-shm", "emulator.json", "emulator.log"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert [path.stat().st_mode & 0o777 for path in (state, state / "tls")] == [0o700, 0o700]
    assert state.parent.stat().st_mode & 0o077


def test_each_start_has_another_token(state: Path) -> None:
    """The record has it; another emulator of the same world does not accept it."""
    with emulator.embed(state) as one, emulator.embed(state) as two:
        assert one.token != two.token
        assert _get(one, "/emulator/status")[0] == _get(two, "/emulator/status")[0] == 200
        assert _get(replace(one, token=two.token), "/emulator/status")[0] == 403
    running = emulator.launch(state)
    assert json.loads((state / "emulator.json").read_text())["token"] == running.token


def test_a_stale_record_is_removed(state: Path) -> None:
    """Also one that is not JSON."""
    record = state / "emulator.json"
    record.write_text(json.dumps({"url": "https://127.0.0.1:9", "identity_url": "", "ca": "none", "pid": 1}))
    assert emulator.find(state) is None
    assert not record.exists()
    record.write_text("{")
    assert emulator.find(state) is None


def test_a_record_written_meanwhile_is_kept(state: Path) -> None:
    """The recorded server does not answer; another one writes its record during the check."""
    with emulator.embed(state / "other") as live, socket.create_server(("127.0.0.1", 0)) as dead:
        record, ours = state / "emulator.json", asdict(live)
        record.write_text(json.dumps({**ours, "url": f"https://127.0.0.1:{dead.getsockname()[1]}"}))

        def replace() -> None:
            dead.accept()[0].close()
            record.write_text(json.dumps(ours))

        meanwhile = threading.Thread(target=replace)
        meanwhile.start()
        assert emulator.find(state) is None
        meanwhile.join()
        assert emulator.find(state) == live
        record.unlink()


def test_the_port_is_free_after_a_stop(state: Path) -> None:
    """At once, every time."""
    port = 0
    for _ in range(3):
        running = emulator.launch(state, port=port)
        address = urlsplit(running.url)
        port = int(address.port or 0)
        assert emulator.stop(state)
        with socket.socket() as taken:
            assert taken.connect_ex((str(address.hostname), port)) != 0


def test_a_server_keeps_the_record_of_another(state: Path) -> None:
    """Another server has started on the same folder."""
    running = emulator.launch(state)
    with emulator.embed(state) as other:
        (state / "emulator.json").write_text(json.dumps(asdict(other)))
        os.kill(running.pid, signal.SIGTERM)
        os.waitpid(running.pid, 0)
        assert emulator.find(state) == other
        (state / "emulator.json").unlink()


def test_a_port_in_use_is_reported(state: Path) -> None:
    """The message has the last line of the log."""
    with emulator.embed(state / "a") as running:
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="Choose another --port"):
            emulator.launch(state / "b", port=port)


def test_importing_is_light() -> None:
    """Server, TLS and numpy are imported at the start of an emulator."""
    heavy = ("starlette", "uvicorn", "numpy", "trustme", "azure", "cryptography")
    code = f"import sys, deploy.emulator; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_packages_are_reported_with_the_extra() -> None:
    """A RuntimeError with the cure."""
    code = (
        "import sys, pathlib; sys.modules['trustme'] = None\n"
        "from deploy import emulator\n"
        "try: emulator.launch(pathlib.Path('x'))\n"
        "except emulator.MissingExtra as error: print(isinstance(error, RuntimeError), error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True ")
    assert 'Install "amldeploy[local]"' in done.stdout


def test_the_variables_have_every_address(state: Path) -> None:
    """Everything that another program needs, with the token of the control API, which is not in the object's text."""
    running = Running("https://127.0.0.1:1", "http://127.0.0.1:2/msi/token", str(state / "ca.pem"), 3, "secret")
    assert "secret" not in str(running)
    assert running.variables()["REQUESTS_CA_BUNDLE"] == str(state / "ca.pem")
    found = running.shell_variables()
    assert found["AMLDEPLOY_EMULATOR_TOKEN"] == "secret"
    assert found["ARM_CLOUD_METADATA_URL"] == "https://127.0.0.1:1/metadata/endpoints"
    assert found["REGISTRY_DISCOVERY_ENDPOINT_URL"] == "https://127.0.0.1:1/"
    assert found["REQUESTS_CA_BUNDLE"] == found["SSL_CERT_FILE"] == str(state / "bundle.pem")
    assert found["IDENTITY_ENDPOINT"] == "http://127.0.0.1:2/msi/token"
    assert found["AZURE_TOKEN_CREDENTIALS"] == "ManagedIdentityCredential"


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_hosts_without_a_proxy_stay_without_one(state: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs read either of the two variables; both have the shell's hosts and ours."""
    for each in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "intranet.example, 127.0.0.1")
    found = Running("https://127.0.0.1:1", "", str(state / "ca.pem"), 3, "").variables()
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet.example,127.0.0.1,localhost"


@pytest.mark.parametrize(
    "written",
    [
        "{",
        "[1]",
        "null",
        "",
        '{"url": 5}',
        '{"url":"a","identity_url":"b","ca":"c","pid":"x","token":"y"}',
        '{"url":"a","identity_url":"b","ca":"c","pid":1}',
    ],
)
def test_an_unreadable_record_counts_as_none(written: str, state: Path) -> None:
    """It does not prevent a start, and `find` removes it."""
    (state / "emulator.json").write_text(written)
    assert emulator.has_unreadable_record(state)
    assert emulator.stop(state) is False
    assert not emulator.has_unreadable_record(state)
    assert not (state / "emulator.json").exists()


def test_a_server_replaces_an_unreadable_record(state: Path) -> None:
    """As without a record."""
    (state / "emulator.json").write_bytes(b"\xff\x00")
    running = emulator.launch(state)
    assert emulator.find(state) == running


def test_two_starts_at_the_same_time_end_with_one_emulator(state: Path) -> None:
    """Both get the same one, also without a world."""
    code = "import pathlib, sys; from deploy import emulator; print(emulator.launch(pathlib.Path(sys.argv[1])).pid)"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [each.communicate(timeout=60)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert told[0] == told[1] != ""

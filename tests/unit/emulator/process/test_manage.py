"""Starting, finding, stopping: real processes, real sockets."""

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
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy import emulator
from deploy.emulator import Running


def _get(running: Running, path: str) -> tuple[int, bytes]:
    address = urlsplit(running.url)
    context = ssl.create_default_context(cafile=running.ca)
    connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    emulator.stop(tmp_path)


def test_embedded_it_answers_and_leaves_nothing_open(state: Path) -> None:
    """On loopback, with a certificate that only its own file vouches for; afterwards nobody answers."""
    with emulator.embed(state) as running:
        assert running.pid == os.getpid()
        assert _get(running, "/metadata/endpoints")[0] == 200
        assert emulator.find(state) is None
    with pytest.raises(ConnectionError):
        _get(running, "/metadata/endpoints")
    assert [row["operation"] for row in emulator.requests(state)] == ["Metadata_Endpoints"]


def test_clients_that_hold_on_are_cut_off(state: Path) -> None:
    """An idle connection neither delays the end nor stays behind."""
    with emulator.embed(state) as running:
        address = urlsplit(running.url)
        context = ssl.create_default_context(cafile=running.ca)
        connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context, timeout=10)
        connection.request("GET", "/emulator/status")
        connection.getresponse().read()
    gc.collect()  # what was left open would warn here
    assert connection.sock.recv(1) == b""
    connection.close()


def test_two_embedded_ones_share_a_world(state: Path) -> None:
    """Each on its own port."""
    with emulator.embed(state) as one, emulator.embed(state) as two:
        assert one.url != two.url
        _get(one, "/metadata/endpoints")
        assert len(json.loads(_get(two, "/emulator/requests")[1])["value"]) == 1


def test_launched_it_lives_on_is_found_and_stopped(state: Path) -> None:
    """A second launch finds the first; the certificate survives; stopping twice says that there was nothing."""
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


def test_a_record_of_somebody_dead_is_removed(state: Path) -> None:
    """Also one that is no JSON."""
    record = state / "emulator.json"
    record.write_text(json.dumps({"url": "https://127.0.0.1:9", "identity_url": "", "ca": "none", "pid": 1}))
    assert emulator.find(state) is None
    assert not record.exists()
    record.write_text("{")
    assert emulator.find(state) is None


def test_who_is_recorded_meanwhile_stays_recorded(state: Path) -> None:
    """Who was recorded does not answer; while that is found out another server writes its record."""
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


def test_when_it_is_stopped_its_port_is_free(state: Path) -> None:
    """At once, however often."""
    port = 0
    for _ in range(3):
        running = emulator.launch(state, port=port)
        address = urlsplit(running.url)
        port = int(address.port or 0)
        assert emulator.stop(state)
        with socket.socket() as taken:
            assert taken.connect_ex((str(address.hostname), port)) != 0


def test_a_server_that_ends_leaves_the_record_of_the_next(state: Path) -> None:
    """Somebody who found it silent has started another over the same folder."""
    running = emulator.launch(state)
    with emulator.embed(state) as other:
        (state / "emulator.json").write_text(json.dumps(asdict(other)))
        os.kill(running.pid, signal.SIGTERM)
        os.waitpid(running.pid, 0)
        assert emulator.find(state) == other
        (state / "emulator.json").unlink()


def test_a_taken_port_is_told(state: Path) -> None:
    """The log's last line is part of the message."""
    with emulator.embed(state / "a") as running:
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="Choose another --port"):
            emulator.launch(state / "b", port=port)


def test_importing_is_light() -> None:
    """No server, no TLS, no numbers until an emulator is started."""
    heavy = ("starlette", "uvicorn", "numpy", "trustme", "azure", "cryptography")
    code = f"import sys, deploy.emulator; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_its_packages_it_says_what_to_install() -> None:
    """A RuntimeError with the words of the cure."""
    code = (
        "import sys, pathlib; sys.modules['trustme'] = None\n"
        "from deploy import emulator\n"
        "try: emulator.launch(pathlib.Path('x'))\n"
        "except emulator.MissingExtra as error: print(isinstance(error, RuntimeError), error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True ")
    assert 'Install "amldeploy[local]"' in done.stdout


def test_variables_name_every_door() -> None:
    """What another program needs, and nothing of ours."""
    running = Running("https://127.0.0.1:1", "http://127.0.0.1:2/msi/token", "/ca.pem", 3)
    found = running.variables()
    assert found["ARM_CLOUD_METADATA_URL"] == "https://127.0.0.1:1/metadata/endpoints"
    assert found["REGISTRY_DISCOVERY_ENDPOINT_URL"] == "https://127.0.0.1:1/"
    assert found["REQUESTS_CA_BUNDLE"] == "/ca.pem"
    assert found["IDENTITY_ENDPOINT"] == "http://127.0.0.1:2/msi/token"
    assert found["AZURE_TOKEN_CREDENTIALS"] == "ManagedIdentityCredential"


@pytest.mark.parametrize(
    "written", ["{", "[1]", "null", "", '{"url": 5}', '{"url":"a","identity_url":"b","ca":"c","pid":"x"}']
)
def test_a_record_that_says_nothing_counts_as_none(written: str, state: Path) -> None:
    """It is told of, stops nobody from starting, and is gone when it was looked at."""
    (state / "emulator.json").write_text(written)
    assert emulator.has_unreadable_record(state)
    assert emulator.stop(state) is False
    assert not emulator.has_unreadable_record(state)
    assert not (state / "emulator.json").exists()


def test_a_server_starts_over_a_record_that_says_nothing(state: Path) -> None:
    """As if there were none."""
    (state / "emulator.json").write_bytes(b"\xff\x00")
    running = emulator.launch(state)
    assert emulator.find(state) == running


def test_two_starts_at_the_same_time_end_with_one_emulator(state: Path) -> None:
    """Both get the same one, also when the world is not there yet."""
    code = "import pathlib, sys; from deploy import emulator; print(emulator.launch(pathlib.Path(sys.argv[1])).pid)"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [each.communicate(timeout=60)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert told[0] == told[1] != ""

"""Bad input over real TLS sockets: an answer in Azure's form, never a hang or a traceback, and the next is served."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from deploy.emulator import Running
from deploy.emulator.entra import access_tokens
from deploy.emulator.seed import default_world
from deploy.emulator.storage.access import ACCOUNT_SAS

ENDPOINT = f"{default_world.WORKSPACE_ID}/onlineEndpoints/hostile?api-version=2022-02-01-preview"
MIB = 1 << 20


@contextlib.contextmanager
def _connected(running: Running) -> Iterator[ssl.SSLSocket]:
    address = urlsplit(running.url)
    context = ssl.create_default_context(cafile=running.ca)
    with (
        socket.create_connection((str(address.hostname), address.port or 0), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        yield secure


def _ask(running: Running, raw: bytes) -> tuple[int, bytes]:
    """Send bytes as they are and read until the other side closes: the status, and the body."""
    with _connected(running) as connection:
        with contextlib.suppress(OSError):  # it may answer, and close, before it has read everything
            connection.sendall(raw)
        answer = b""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while part := connection.recv(1 << 16):
                answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


@pytest.fixture
def token(running: Running, state: Path) -> str:  # noqa: ARG001 - asked for so that the keys are there
    return access_tokens.issue(access_tokens.Tokens(state / "tls"), "https://management.azure.com", time.time())


def _request(token: str, body: bytes, method: str = "PUT", path: str = ENDPOINT, **headers: str) -> bytes:
    told = {"Host": "127.0.0.1", "Authorization": f"Bearer {token}", "Connection": "close",
            "Content-Length": str(len(body)), **headers}  # fmt: skip
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'"text"', b"\xff\xfe", b"\0" * 100, b"[" * 100_000, b"{}" * 2])
def test_a_body_that_is_no_object_is_refused(running: Running, token: str, body: bytes) -> None:
    """400 in the gateway's form."""
    status, told = _ask(running, _request(token, body))
    assert status == 400
    assert json.loads(told)["error"]["code"]


def test_a_body_of_64_mib_is_answered(running: Running, token: str) -> None:
    """As a blob it is stored, as an endpoint refused; in seconds."""
    begun = time.monotonic()
    path = f"/stmlwlocal.blob.core.windows.net/azureml/large?{ACCOUNT_SAS}"
    assert _ask(running, _request(token, b"x" * (64 * MIB), path=path, Authorization=""))[0] == 201
    status, told = _ask(running, _request(token, b"[" + b"1," * (32 * MIB - 1) + b"1]"))
    assert (status, json.loads(told)["error"]["code"]) == (413, "RequestContentTooLarge")
    assert time.monotonic() - begun < 60


def test_headers_have_a_limit(running: Running, token: str) -> None:
    """One that is endless gets no answer but a refusal, and the next caller is served."""
    assert _ask(running, _request(token, b"", "GET", "/metadata/endpoints", Long="x" * MIB))[0] in (0, 400, 431)
    assert _ask(running, _request(token, b"", "GET", "/metadata/endpoints"))[0] == 200


def test_a_refused_body_can_be_sent_to_its_end(running: Running) -> None:
    """A client that reads the answer after its whole body gets it, without a token too, with and without a length."""
    body = b"x" * (8 * MIB)
    for data in (body, iter([body])):
        answer = requests.put(f"{running.url}{ENDPOINT}", data=data, timeout=60)
        assert (answer.status_code, answer.headers["Connection"]) == (413, "close")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "\xe9"])
def test_the_content_type_is_not_believed(running: Running, token: str, kind: str) -> None:
    """What is not JSON is refused whatever it is called."""
    status, told = _ask(running, _request(token, b"a=b", **{"Content-Type": kind}))
    assert (status, json.loads(told)["error"]["code"]) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("raw", [b"\x16\x03\x01", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50, b"PUT " + b"a" * 200_000])
def test_what_is_no_http_is_cut_off(running: Running, token: str, raw: bytes) -> None:
    """And the next caller is served."""
    with _connected(running) as connection:
        connection.settimeout(1)
        with contextlib.suppress(OSError):  # it may be cut off before everything is said
            connection.sendall(raw)
            connection.recv(1 << 16)
    assert _ask(running, _request(token, b"", "GET", "/metadata/endpoints"))[0] == 200


def test_half_a_request_holds_nobody_up(running: Running, token: str) -> None:
    """Somebody who never finishes does not keep others waiting."""
    with _connected(running) as connection:
        connection.sendall(_request(token, b"{}", **{"Content-Length": "1000"}))
        begun = time.monotonic()
        assert _ask(running, _request(token, b"", "GET", "/metadata/endpoints"))[0] == 200
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "name", ["..", "../../tls/ca.pem", "%2e%2e/%2e%2e/tls/ca.pem", "a//b", "%00", "%ff", "a" * 3000]
)
def test_a_blobs_name_is_only_a_name(running: Running, state: Path, token: str, name: str) -> None:
    """No file of the state folder is touched or read, whatever the name."""
    before = {path: path.stat().st_mtime_ns for path in (state / "tls").iterdir()}
    path = f"/stmlwlocal.blob.core.windows.net/azureml/{name}?{ACCOUNT_SAS}"
    assert _ask(running, _request(token, b"content", path=path, Authorization=""))[0] in (201, 400, 404)
    status, body = _ask(running, _request(token, b"", "GET", path, Authorization=""))
    assert (status, body) == (200, b"content") or status in (400, 404)
    assert {path: path.stat().st_mtime_ns for path in (state / "tls").iterdir()} == before

"""Scoring: the key is registered as a secret before it is sent, no response contains it; answers are bounded."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.cloud import scoring
from deploy.errors import CloudError, Transient

KEY = "k3y-of-the-endpoint-0123456789"
MODES = {"Key": "listKeys", "AMLToken": "token", "AADToken": ""}


class Parrot(BaseHTTPRequestHandler):
    """A container that copies the request into its response."""

    def do_POST(self) -> None:
        said = self.headers["Authorization"]
        self.server.told.append(self.headers["User-Agent"])  # type: ignore[attr-defined]
        self.send_response(424)
        self.send_header("ms-azureml-model-error-statuscode", "500")
        self.send_header("ms-azureml-model-error-reason", f"cannot use {said.removeprefix('Bearer ')}")
        self.send_header("x-request-id", f"r-{said.removeprefix('Bearer ')}")
        self.end_headers()
        self.wfile.write(f"I got {said}".encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Logs nothing."""


@pytest.fixture
def parrot() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Parrot) as server:
        server.told = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("mode", MODES)
def test_no_response_contains_the_key(mode: str, parrot: Any) -> None:
    """No header, body or error contains the key; it was registered as a secret first, for each auth mode."""
    cloud: Any = SimpleNamespace(
        workspace_id="/w",
        ca=None,
        on_secret=parrot.told.append,
        hosts=SimpleNamespace(data="https://ml/.default"),
        credential=SimpleNamespace(get_token=lambda _: SimpleNamespace(token=KEY)),
        arm=SimpleNamespace(post=lambda *_: {"primaryKey": KEY, "accessToken": KEY}),
    )
    uri = f"http://127.0.0.1:{parrot.server_port}/score"
    endpoint = {"name": "mip", "properties": {"authMode": mode, "scoringUri": uri}}
    answer = scoring.score(cloud, endpoint, "blue", b"{}", timeout=20, limit=2**20, what="probe mip")
    assert parrot.told == [KEY, "amldeploy"]
    assert answer.model_reason == "cannot use (hidden)"
    assert KEY not in f"{answer} {scoring.refusal(answer, 'probe mip')}"


class Stranger(BaseHTTPRequestHandler):
    """Answers each path in its own wrong way."""

    def do_POST(self) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/redirect":
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/model-error":
            self.send_response(424)
            self.send_header("ms-azureml-model-error-reason", "Internal Server Error")
            self.end_headers()
            self.wfile.write(b"KeyError: 'image'")
            return
        if self.path != "/slow-headers":
            self.send_response(200)
            self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1_000_000):
                self.wfile.write(b"HTTP/1.1 200 OK"[:1] if self.path == "/slow-headers" else b"0123456789" * 7)
                if self.path != "/large" and self.server.ended.wait(0.05):  # type: ignore[attr-defined]
                    return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Logs nothing."""


@pytest.fixture
def stranger() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        server.paths, server.ended = [], threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.ended.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def ask(server: Any, path: str, timeout: float = 20, limit: int = 2**20) -> scoring.Answer:
    cloud: Any = SimpleNamespace(
        workspace_id="/w", ca=None, on_secret=str, arm=SimpleNamespace(post=lambda *_: {"primaryKey": KEY})
    )
    endpoint = {
        "name": "mip",
        "properties": {"authMode": "Key", "scoringUri": f"http://127.0.0.1:{server.server_port}{path}"},
    }
    return scoring.score(cloud, endpoint, "blue", b"{}", timeout=timeout, limit=limit, what="probe mip")


def test_an_answer_above_the_limit_is_refused_and_its_start_is_kept(stranger: Any) -> None:
    """No more than the limit is read."""
    with pytest.raises(CloudError, match="larger than 1 MB") as caught:
        ask(stranger, "/large")
    assert caught.value.code == "AML376"
    assert len(caught.value.attached["answer.txt"]) == 2**20


@pytest.mark.parametrize(("path", "cause"), [("/slow-body", "no complete answer"), ("/slow-headers", "no answer")])
def test_an_answer_that_arrives_byte_by_byte_ends_at_the_timeout(stranger: Any, path: str, cause: str) -> None:
    """The timeout is for the whole answer, not for one read; what arrived is kept."""
    with pytest.raises(Transient, match=f"{cause} within 0.4 s") as caught:
        ask(stranger, path, timeout=0.4)
    assert caught.value.code == "AML371"
    assert bool(caught.value.attached) == (path == "/slow-body")


def test_a_redirect_is_refused_and_not_followed(stranger: Any) -> None:
    """The key is not sent to another address."""
    found = scoring.refusal(ask(stranger, "/redirect"), "probe mip")
    assert "does not follow" in str(found)
    assert stranger.paths == ["/redirect"]


def test_the_body_of_an_error_of_the_model_is_shown_first(stranger: Any) -> None:
    """The header has only the reason of the status line."""
    found = scoring.refusal(ask(stranger, "/model-error"), "probe mip")
    assert "KeyError: 'image'" in str(found)


@pytest.mark.parametrize(("mode", "names"), [("key", "primary key"), ("amltoken", "own token"), ("aadtoken", "role")])
def test_a_refused_credential_is_named_by_its_auth_mode(mode: str, names: str) -> None:
    """With a key the roles of the caller do not matter, and waiting for a role cannot help."""
    refused = scoring.refusal(scoring.Answer(401, b"", 0.1, "r", auth_mode=mode), "probe mip")
    assert refused is not None
    assert names in f"{refused.cause} {refused.cure}"
    assert refused.after_role == (mode == "aadtoken")


@pytest.mark.parametrize(
    ("access", "code", "words"),
    [
        ("Enabled", "AML372", "Check the network connection to the scoring URI"),
        ("Disabled", "AML382", "no connection to 127.0.0.1: the endpoint has public_network_access: disabled"),
    ],
)
def test_a_connection_that_fails_is_explained(access: str, code: str, words: str) -> None:
    """A private endpoint can be reached only from its network. A retry is possible, since the cause is not certain."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cloud: Any = SimpleNamespace(
        workspace_id="/w", ca=None, on_secret=str, arm=SimpleNamespace(post=lambda *_: {"primaryKey": KEY})
    )
    properties = {"authMode": "Key", "scoringUri": f"http://127.0.0.1:{port}/score", "publicNetworkAccess": access}
    with pytest.raises(Transient) as caught:
        scoring.score(
            cloud, {"name": "mip", "properties": properties}, "blue", b"{}", timeout=20, limit=9, what="probe mip"
        )
    assert caught.value.code == code
    assert words in str(caught.value)
    assert KEY not in str(caught.value)

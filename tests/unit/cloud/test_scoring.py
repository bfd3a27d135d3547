"""Scoring: the key is registered as a secret before it is sent, and no response contains it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.cloud import scoring

KEY = "k3y-of-the-endpoint-0123456789"
MODES = {"Key": "listKeys", "AMLToken": "token", "AADToken": ""}


class Parrot(BaseHTTPRequestHandler):
    """A container that copies the request into its response."""

    def do_POST(self) -> None:
        said = self.headers["Authorization"]
        self.server.told.append("asked")  # type: ignore[attr-defined]
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
    answer = scoring.score(cloud, endpoint, "blue", b"{}", timeout=20, what="probe mip")
    assert parrot.told == [KEY, "asked"]
    assert answer.model_reason == "cannot use (hidden)"
    assert KEY not in f"{answer} {scoring.refusal(answer, 'probe mip')}"

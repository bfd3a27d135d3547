"""What leaves here is signed by us or not at all: no entry of ~/.netrc takes the place of our Authorization."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import aliases
from deploy.aliases import Context, Target
from deploy.clock import SystemClock
from deploy.cloud import scoring
from deploy.cloud.transport import open_plain, open_session
from deploy.leasing import notices


class Listener(BaseHTTPRequestHandler):
    """Notes who signed each request."""

    def _hear(self) -> None:
        self.server.signed.append(self.headers["Authorization"])  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PATCH = _hear  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server on a machine whose ~/.netrc has an entry for every host."""
    (tmp_path / "netrc").write_text("default login somebody password foreign\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        server.signed = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def _azure(place: str, open_transport: Callable[[], Any]) -> None:
    from azure.core.rest import HttpRequest

    with open_transport() as transport:
        transport.send(HttpRequest("GET", place, headers={"Authorization": "Bearer ours"}))


def _score(place: str) -> None:
    cloud: Any = SimpleNamespace(
        workspace_id="/w",
        ca=None,
        on_secret=lambda _: None,
        arm=SimpleNamespace(post=lambda *_: {"primaryKey": "ours"}),
    )
    endpoint = {"name": "mip", "properties": {"authMode": "Key", "scoringUri": place}}
    scoring.score(cloud, endpoint, "blue", b"{}", timeout=20, limit=2**20, what="probe mip")


def _variable(place: str) -> None:
    variables = {"GITHUB_API_URL": place, "GITHUB_REPOSITORY": "o/r", "GH_TOKEN": "ours"}
    aliases.write({"github_variable": "MIP"}, Target("mip", "https://x", ""), Context(Path(), variables))


SIGNED: dict[str, Callable[[str], None]] = {
    "azure": lambda place: _azure(place, lambda: open_session(SystemClock(), None)),
    "sign-in": lambda place: _azure(place, lambda: open_plain(SystemClock())),
    "scoring": _score,
    "variable": _variable,
}


@pytest.mark.parametrize("caller", SIGNED)
def test_our_authorization_header_is_sent(caller: str, listener: Any) -> None:
    """All calls that set an auth."""
    SIGNED[caller](f"http://127.0.0.1:{listener.server_port}")
    assert set(listener.signed) == {"Bearer ours"}


def test_a_webhook_is_shown_no_credential(listener: Any) -> None:
    """Its address is all that it wants."""
    word = notices.Message("dev", "mip", datetime(2026, 5, 4, tzinfo=UTC), 24)
    notices.send("webhook", "HOOK", word, pytest.fail)
    assert listener.signed == [None]

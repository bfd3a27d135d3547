"""Aliases: one stroke or nothing."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import aliases
from deploy.aliases import Context, Target
from deploy.aliases.target import parse_target
from deploy.errors import CloudError, Transient

OLD = Target("mip-a", "https://mip-a.test/score", "2026-11-30T00:00:00Z")
NEW = Target("mip-b", "https://mip-b.test/score", "2026-12-07T00:00:00Z")


def test_a_file_is_written_and_read(tmp_path: Path) -> None:
    """What was written is read back; folders are made; nothing else is left in them."""
    alias, outside = {"file": "live/mip.json"}, Context(tmp_path, {})

    assert aliases.read(alias, outside) is None
    aliases.write(alias, OLD, outside)
    aliases.write(alias, NEW, outside)
    assert aliases.read(alias, outside) == NEW
    assert [path.name for path in (tmp_path / "live").iterdir()] == ["mip.json"]


def test_readers_see_the_old_or_the_new(tmp_path: Path) -> None:
    """While it is written over and over, every look finds a whole target."""
    alias, outside, seen, done = {"file": "mip.json"}, Context(tmp_path, {}), [], threading.Event()
    aliases.write(alias, OLD, outside)

    def look() -> None:
        while not done.is_set():
            seen.append(aliases.read(alias, outside))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(200):
        aliases.write(alias, NEW if number % 2 else OLD, outside)
    done.set()
    reader.join()

    assert seen
    assert set(seen) <= {OLD, NEW}


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The message names the file, and the old one is unchanged."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(CloudError, match=r"cannot write the alias file/mip\.json"):
        aliases.write({"file": "file/mip.json"}, NEW, Context(tmp_path, {}))


def test_a_command_receives_the_target(tmp_path: Path) -> None:
    """Placeholders in arguments are replaced without a shell; the variables have the same values."""
    code = "import os, sys; open('told', 'w').write(repr((sys.argv[1:], os.environ['AMLDEPLOY_SCORING_URI'])))"
    alias = {"command": [sys.executable, "-c", code, "{endpoint}", "$(touch owned); {lease_ends}"]}
    aliases.write(alias, NEW, Context(tmp_path, {}))

    told = (tmp_path / "told").read_text()
    assert told == repr((["mip-b", f"$(touch owned); {NEW.lease_ends}"], NEW.scoring_uri))
    assert not (tmp_path / "owned").exists()


def test_a_failing_command_is_an_error(tmp_path: Path) -> None:
    """Its last words are in the error."""
    alias = {"command": [sys.executable, "-c", "import sys; sys.exit('no such host')"]}

    with pytest.raises(CloudError, match="it exited with 1: no such host"):
        aliases.write(alias, NEW, Context(tmp_path, {}))


def test_a_missing_command_is_an_error(tmp_path: Path) -> None:
    """No traceback of ours."""
    with pytest.raises(CloudError, match="No such file"):
        aliases.write({"command": ["./not-there"]}, NEW, Context(tmp_path, {}))


class GitHub(BaseHTTPRequestHandler):
    """Variables of one repository, as GitHub's REST API keeps them."""

    def _answer(self, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _handle(self) -> None:
        held: dict[str, str] = self.server.held  # type: ignore[attr-defined]
        name = self.path.rpartition("/variables")[2].strip("/")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if (said := self.server.instead) is not None:  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
        elif self.headers["Authorization"] != "Bearer token":
            self._answer(403, {"message": "Resource not accessible by integration"})
        elif self.command == "POST":
            held[body["name"]] = body["value"]
            self._answer(201, {})
        elif name not in held:
            self._answer(404, {"message": "Not Found"})
        elif self.command == "DELETE":
            del held[name]
            self._answer(204)
        elif self.command == "PATCH":
            held[name] = body["value"]
            self._answer(204)
        else:
            self._answer(200, {"name": name, "value": held[name]})

    do_GET = do_PATCH = do_POST = do_DELETE = _handle  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Any:
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    server.held, server.instead = {}, None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def github(server: Any) -> dict[str, str]:
    place = f"http://127.0.0.1:{server.server_port}"
    return {"GITHUB_API_URL": place, "GITHUB_REPOSITORY": "o/r", "GH_TOKEN": "token"}


def test_a_variable_is_created_and_updated(tmp_path: Path, github: dict[str, str]) -> None:
    """The first write makes it, the next change it."""
    alias, outside = {"github_variable": "MIP"}, Context(tmp_path, github)

    assert aliases.read(alias, outside) is None
    aliases.write(alias, OLD, outside)
    aliases.write(alias, NEW, outside)
    assert aliases.read(alias, outside) == NEW


def test_a_variable_without_write_permission_is_an_error(tmp_path: Path, github: dict[str, str]) -> None:
    """GitHub's words, the permission that is missing, and no token."""
    with pytest.raises(CloudError, match="403: Resource not accessible") as refused:
        aliases.write({"github_variable": "MIP"}, NEW, Context(tmp_path, {**github, "GH_TOKEN": "wrong-token"}))
    assert "can write repository variables" in str(refused.value)
    assert "wrong-token" not in str(refused.value)


@pytest.mark.parametrize("said", [b"<html>Sign in to the proxy</html>", b"[]", b"7", b"null"])
def test_a_proxy_response_is_not_taken_for_github(
    said: bytes, tmp_path: Path, server: Any, github: dict[str, str]
) -> None:
    """A proxy's page, or JSON of another form: no answer of GitHub's, which may be asked again."""
    server.instead = said
    with pytest.raises(Transient, match="cannot read the alias MIP") as caught:
        aliases.read({"github_variable": "MIP"}, Context(tmp_path, github))
    assert caught.value.code == "AML603"


@given(st.text(max_size=60))
def test_any_alias_file_is_read(text: str) -> None:
    """Something else than a target is none, and no error."""
    assert parse_target(text) is None or isinstance(parse_target(text), Target)

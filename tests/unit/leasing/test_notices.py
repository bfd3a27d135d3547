"""Notices: their text, the form for each channel, and channels that fail."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import github_actions
from deploy.errors import CloudError, Transient
from deploy.leasing import notices
from deploy.reporter import SUMMARY_LIMIT, notices_markdown

MESSAGE = notices.Message("dev", "mip-ab12c", datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC), 24)
SECRET = "s3cr3t-part-of-the-address"


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that stores its requests. It answers with the status at the end of the path."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.headers["Content-Type"], json.loads(body)))  # type: ignore[attr-defined]
        tail = self.path.rsplit("/", 1)[-1]
        self.send_response(int(tail) if tail.isdigit() else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Log nothing."""


@pytest.fixture
def hook() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.received = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _address(hook: http.server.ThreadingHTTPServer, tail: str = "") -> str:
    return f"http://127.0.0.1:{hook.server_port}/{SECRET}/{tail}"


@pytest.mark.parametrize("to", ["webhook", "slack", "teams"])
def test_each_kind_of_webhook_gets_its_own_form(to: str, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has endpoint, environment, hours and the command; stdout stays empty."""
    monkeypatch.setenv("HOOK", _address(hook))
    notices.send(to, "HOOK", MESSAGE, pytest.fail)
    ((kind, body),) = hook.received
    assert kind == "application/json"
    text = json.dumps(body)
    for part in ("mip-ab12c", "dev", "24 h", "2026-05-04 03:02", "amldeploy lease renew -e dev --within 24h"):
        assert part in text
    if to == "slack":
        assert set(body) == {"text"}
    elif to == "teams":
        (card,) = body["attachments"]
        assert (body["type"], card["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
        assert card["content"]["type"] == "AdaptiveCard"
        assert all(block["wrap"] for block in card["content"]["body"])
    else:
        assert (body["endpoint"], body["environment"], body["threshold_hours"]) == ("mip-ab12c", "dev", 24)
        assert datetime.fromisoformat(body["lease_ends"]) == MESSAGE.ends


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_of_a_webhook_does_not_contain_its_url(
    status: int, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL is a secret: the message names its variable only."""
    monkeypatch.setenv("HOOK", _address(hook, str(status)))
    with pytest.raises(CloudError, match=f"it answered {status}") as caught:
        notices.send("slack", "HOOK", MESSAGE, pytest.fail)
    assert "HOOK" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_unreachable_webhook_does_not_reveal_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the secret nor the port is in the message."""
    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as closed:
        port = closed.server_port
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}/{SECRET}")
    with pytest.raises(Transient) as caught:
        notices.send("teams", "HOOK", MESSAGE, pytest.fail)
    assert SECRET not in str(caught.value)
    assert str(port) not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message contains the name."""
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(CloudError, match="the variable HOOK is not set"):
        notices.send("webhook", "HOOK", MESSAGE, pytest.fail)


def test_a_job_on_github_collects_notices(hook: Any) -> None:
    """Outside of a job the notice is a line on stdout."""
    received: list[notices.Message] = []
    notices.send("github", None, MESSAGE, pytest.fail, received.append)
    assert received == [MESSAGE]
    said: list[str] = []
    notices.send("github", None, MESSAGE, said.append)
    assert said == [f"{MESSAGE.title}. {MESSAGE.text}"]
    assert hook.received == []


def test_a_job_shows_ten_annotations_and_counts_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lease that ends first comes first. The summary has a line for each."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    words = [
        notices.Message("dev", f"mip-{n:02}\n::error::x", MESSAGE.ends + timedelta(hours=n), 24) for n in range(25)
    ]
    github_actions.report_notices(words[::-1])
    told = capsys.readouterr().err.splitlines()
    assert [re.search(r"mip-\d\d|\d+ more", line)[0] for line in told] == [  # type: ignore[index]
        *(f"mip-{n:02}" for n in range(9)), "16 more",
    ]  # fmt: skip
    assert all(line.startswith(("::warning title=mip", "::notice title=amldeploy")) for line in told)
    lines = (tmp_path / "summary").read_text().strip().splitlines()
    assert [line[:10] for line in lines] == [f"- **mip-{n:02}"[:10] for n in range(25)]


def test_notices_keep_a_summary_within_its_limit() -> None:
    """What is left out is counted."""
    text = notices_markdown([("x" * 400, "y" * 400)] * 5_000)
    assert len(text.encode()) < SUMMARY_LIMIT
    assert re.fullmatch(r"- \d+ more", text.splitlines()[-1])


def test_stdout_gets_one_plain_line() -> None:
    """Title, moment and command."""
    said: list[str] = []
    notices.send("stdout", None, MESSAGE, said.append)
    assert said == [f"{MESSAGE.title}. {MESSAGE.text}"]


@pytest.mark.parametrize("to", ["slack", "teams", "webhook"])
def test_a_problem_has_its_own_text(to: str) -> None:
    """Not the text about a lease that ends; also when no time is known."""
    text = "Azure deleted mip-a. Repair it with: amldeploy lease renew -e dev mip"
    word = notices.Message("dev", "mip-a", None, 0, text)
    told = json.dumps(notices.payload(to, word))

    assert "Azure deleted mip-a. Repair it with" in told
    assert "requests might not reach an endpoint" in told
    assert "less than" not in told

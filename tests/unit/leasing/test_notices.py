"""Notices: what is said, in the form that each channel wants, and what happens when nobody hears it."""

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

WORD = notices.Message("dev", "mip-ab12c", datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC), 24)
SECRET = "s3cr3t-part-of-the-address"


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent; a path that ends in digits answers with them."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.headers["Content-Type"], json.loads(body)))  # type: ignore[attr-defined]
        tail = self.path.rsplit("/", 1)[-1]
        self.send_response(int(tail) if tail.isdigit() else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Says nothing."""


@pytest.fixture
def hook() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.heard = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _address(hook: http.server.ThreadingHTTPServer, tail: str = "") -> str:
    return f"http://127.0.0.1:{hook.server_port}/{SECRET}/{tail}"


@pytest.mark.parametrize("to", ["webhook", "slack", "teams"])
def test_each_kind_of_webhook_hears_it_in_its_own_form(to: str, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, environment, hours and the command to give are in it, whatever the form; stdout stays empty."""
    monkeypatch.setenv("HOOK", _address(hook))
    notices.send(to, "HOOK", WORD, pytest.fail)
    ((kind, body),) = hook.heard
    assert kind == "application/json"
    text = json.dumps(body)
    for part in ("mip-ab12c", "dev", "24 h", "2026-05-04 03:02", "amldeploy renew -e dev --within 24h"):
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
        assert datetime.fromisoformat(body["lease_ends"]) == WORD.ends


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_webhook_that_refuses_is_told_of_without_its_address(
    status: int, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of a webhook is a secret: the variable is named, never what it holds."""
    monkeypatch.setenv("HOOK", _address(hook, str(status)))
    with pytest.raises(CloudError, match=f"it answered {status}") as caught:
        notices.send("slack", "HOOK", WORD, pytest.fail)
    assert "HOOK" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_webhook_that_is_not_there_is_told_of_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: said in words that keep the secret."""
    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as closed:
        port = closed.server_port
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}/{SECRET}")
    with pytest.raises(Transient) as caught:
        notices.send("teams", "HOOK", WORD, pytest.fail)
    assert SECRET not in str(caught.value)
    assert str(port) not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to set is in the message."""
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(CloudError, match="the variable HOOK is not set"):
        notices.send("webhook", "HOOK", WORD, pytest.fail)


def test_github_is_warned_where_there_is_a_run(hook: Any) -> None:
    """The word itself, since only who has all of them can count them; without a run it is a line like any other."""
    heard: list[notices.Message] = []
    notices.send("github", None, WORD, pytest.fail, heard.append)
    assert heard == [WORD]
    said: list[str] = []
    notices.send("github", None, WORD, said.append)
    assert said == [f"{WORD.title}. {WORD.text}"]
    assert hook.heard == []


def test_a_run_shows_the_soonest_ten_and_counts_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order in which they end, whatever order they came in; all are in the summary, one line each."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    words = [notices.Message("dev", f"mip-{n:02}\n::error::x", WORD.ends + timedelta(hours=n), 24) for n in range(25)]
    github_actions.noticed(words[::-1])
    told = capsys.readouterr().err.splitlines()
    assert [re.search(r"mip-\d\d|\d+ more", line)[0] for line in told] == [  # type: ignore[index]
        *(f"mip-{n:02}" for n in range(9)), "16 more",
    ]  # fmt: skip
    assert all(line.startswith(("::warning title=mip", "::notice title=amldeploy")) for line in told)
    lines = (tmp_path / "summary").read_text().strip().splitlines()
    assert [line[:10] for line in lines] == [f"- **mip-{n:02}"[:10] for n in range(25)]


def test_notices_keep_a_summary_within_its_limit() -> None:
    """However many; what is left out is counted."""
    text = notices_markdown([("x" * 400, "y" * 400)] * 5_000)
    assert len(text.encode()) < SUMMARY_LIMIT
    assert re.fullmatch(r"- \d+ more", text.splitlines()[-1])


def test_stdout_gets_one_plain_line() -> None:
    """Title, moment and command."""
    said: list[str] = []
    notices.send("stdout", None, WORD, said.append)
    assert said == [f"{WORD.title}. {WORD.text}"]


@pytest.mark.parametrize("to", ["slack", "teams", "webhook"])
def test_a_trouble_is_told_in_its_own_words(to: str) -> None:
    """What is wrong now, not a lease that is about to end; also where no moment is known."""
    word = notices.Message("dev", "mip-a", None, 0, "Azure deleted mip-a. Repair it with: amldeploy renew -e dev mip")
    told = json.dumps(notices.payload(to, word))

    assert "Azure deleted mip-a. Repair it with" in told
    assert "requests may reach no endpoint" in told
    assert "less than" not in told

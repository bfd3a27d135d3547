"""A simulation of GitHub apart from the runner: repository, environments, approvals, queues, artifacts, comments.

The REST API is real HTTP with three operations on comments; a job's token has the permissions of the job.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.workflows.runs import Run

HERE = Path(__file__).parent
PATH = os.pathsep.join([str(HERE / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
"""Our commands first, then a python3 that is not a shim of a version manager: a shim takes a third of a second."""
BOT = {"login": "github-actions[bot]", "type": "Bot"}


class Queues:
    """Concurrency groups as on GitHub: one run at a time. By default one run waits, and a newer one replaces it; with
    `queue: max` all wait, in order of arrival. `cancel-in-progress` cancels the running one. Replaced runs are
    cancelled.
    """

    def __init__(self, patience: float = 300.0) -> None:
        self.patience = patience
        self._changed = threading.Condition()
        self._lines: dict[str, list[Run]] = {}

    @contextlib.contextmanager
    def turn(self, group: str, run: Run, *, queue: str = "single", cancel: bool = False) -> Iterator[None]:
        if cancel and queue == "max":
            raise AssertionError(f"{group}: GitHub refuses cancel-in-progress with queue: max")
        with self._changed:
            line = self._lines.setdefault(group, [])
            if run in line:
                raise AssertionError(f"{group} waits for itself")
            for other in [] if queue == "max" else line[1:]:
                line.remove(other)
                other.cancel()
            if cancel and line:
                line[0].cancel()
            line.append(run)
            self._changed.notify_all()
            came = self._changed.wait_for(lambda: run not in line or line[0] is run, timeout=self.patience)
        try:
            if not came:
                raise AssertionError(f"run {run.id} waited for its turn in {group} in vain")
            yield
        finally:
            with self._changed:
                if run in line:
                    line.remove(run)
                self._changed.notify_all()

    def joined(self, group: str, run: Run) -> None:
        """Wait until the run is in the queue of a group."""
        with self._changed:
            assert self._changed.wait_for(lambda: run in self._lines.get(group, ()), timeout=30)


@dataclass
class GitHub:
    """The service, for one repository. `tool` holds the workflows; `approve` is called before the job of an
    environment.
    """

    root: Path
    tool: Path
    issuer: str = ""
    repository: str = "octo-org/octo-repo"
    variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    approve: Callable[[str], None] = lambda place: None  # noqa: ARG005
    machine: Mapping[str, str] = field(default_factory=dict)
    queues: Queues = field(default_factory=Queues)
    artifacts: dict[tuple[int, str], dict[str, bytes]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    """Files in the package index."""
    tokens: dict[str, Mapping[str, str]] = field(default_factory=dict)
    masks: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    """Where a masked value was shown all the same. The real runner hides it in the log, and nowhere else."""
    api: str = ""
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, event: str, tree: Path, *, more: Mapping[str, Any] | None = None, **how: Any) -> Run:
        """Create a run, not started yet."""
        return Run(self, next(self._count), event, more or {}, tree, **how)

    def shown(self, where: str, content: str | bytes) -> None:
        """Record that this text is visible to readers."""
        text = content if isinstance(content, str) else content.decode(errors="replace")
        self.leaks += [f"{mask} in {where}: {text[:2000]}" for mask in self.masks if mask in text]

    def folder(self) -> Path:
        found = self.root / f"machine-{next(self._count)}"
        (found / "workspace").mkdir(parents=True)
        return found

    def token(self, rights: Mapping[str, str]) -> str:
        found = f"ghs_{next(self._count)}"
        self.tokens[found] = rights
        return found

    def machine_variables(self, run: Run, folder: Path, place: str, rights: Mapping[str, str]) -> dict[str, str]:
        """The environment variables of every step of a job. ID tokens only if the job has the permission."""
        subject = f"environment:{place}" if place else run.event_name
        ask = f"{self.issuer}/github/token?api-version=2.0&subject=repo:{self.repository}:{subject}"
        ids = {"ACTIONS_ID_TOKEN_REQUEST_URL": ask, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "amldeploy-emulator"}
        return {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            "PATH": PATH,
            **self.machine,
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": self.repository, "GITHUB_API_URL": self.api,
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": str(run.id), "GITHUB_REF": run.ref,
            "GITHUB_WORKSPACE": str(folder / "workspace"), "GITHUB_EVENT_NAME": run.event_name,
            "RUNNER_TEMP": str(folder), **(ids if rights.get("id-token") == "write" and self.issuer else {}),
        }  # fmt: skip

    @contextlib.contextmanager
    def serving(self) -> Iterator[GitHub]:
        """Serve the REST API at `api` for the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"github": self}))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.api = f"http://127.0.0.1:{server.server_port}"
        yield self
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        size, page = query.get("per_page", 30), query.get("page", 1)
        number = int(re.fullmatch(r".*/issues/(\d+)/comments", url.path)[1])  # type: ignore[index]
        found = [each for each in self.github.comments if each["issue"] == number]
        more = page * size < len(found)
        link = f'<{self.github.api}{url.path}?per_page={size}&page={page + 1}>; rel="next"'
        self._answer(200, found[(page - 1) * size : page * size], {"Link": link} if more else {})

    def do_POST(self) -> None:
        number = int(re.fullmatch(r".*/issues/(\d+)/comments", self.path)[1])  # type: ignore[index]
        comment = {"id": len(self.github.comments) + 100, "issue": number, "user": BOT, "body": self._body()}
        if self._may():
            self.github.comments.append(comment)
            self._answer(201, comment)

    def do_PATCH(self) -> None:
        body = self._body()
        if self._may():
            comment = self._comment()
            comment["body"] = body
            self._answer(200, comment)

    def do_DELETE(self) -> None:
        if self._may():
            self.github.comments.remove(self._comment())
            self._answer(204, None)

    def _comment(self) -> dict[str, Any]:
        number = int(re.fullmatch(r".*/issues/comments/(\d+)", self.path)[1])  # type: ignore[index]
        return next(each for each in self.github.comments if each["id"] == number)

    def _body(self) -> str:
        found = str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])
        self.github.shown("a comment", found)
        return found

    def _may(self) -> bool:
        rights = self.github.tokens.get((self.headers["Authorization"] or "").removeprefix("token "), {})
        if rights.get("pull-requests") == "write":
            return True
        self._answer(403, {"message": "Resource not accessible by integration"})
        return False

    def _answer(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)

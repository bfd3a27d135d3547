"""Reading ARM: plain JSON in, plain JSON out, over one session, through azure-core's pipeline.

Answers are Azure's own bodies, so a diff compares what Azure said and not what a model class kept of it. Bounded
retries of HTTP hiccups belong to azure-core's policy here and nowhere else. Nothing is changed except by `post`, and
what is posted (listKeys, token, getLogs) changes nothing either.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deploy.clock import Clock
from deploy.cloud.failures import asking
from deploy.cloud.session import RETRIES, open_session

Json = Any


class Arm:
    """A session to one resource manager. `requests` counts what was sent, through here and through the SDK."""

    def __init__(self, base_url: str, credential: Any, scope: str, clock: Clock, *, ca: str | None = None) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        self.base_url, self.credential, self.scope = base_url.rstrip("/"), credential, scope
        self.transport = open_session(clock, ca)
        self._memory: dict[str, Json] | None = None
        self._lock = threading.RLock()
        self._client: Any = PipelineClient(
            self.base_url,
            transport=self.transport,
            policies=[
                policies.RequestIdPolicy(),
                policies.UserAgentPolicy("amldeploy"),
                policies.RetryPolicy(**RETRIES),
                policies.BearerTokenCredentialPolicy(credential, scope),
            ],
        )

    @property
    def requests(self) -> int:
        return int(self.transport.requests)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, each URL is read once: an observation is one look at the world, and endpoints share what they
        share.
        """
        with self._lock:
            self._memory = {}
        try:
            yield
        finally:
            self._memory = None

    def get(self, path: str, version: str, what: str, **query: str) -> Json | None:
        """The body at `path`; None when Azure says 404."""
        return self._remembered("GET", path, version, what, query)

    def look(self, path: str, version: str, what: str) -> Json | None:
        """The body at `path` as it is this moment, asked for once: who looks again decides when."""
        return self._send("GET", path, version, what, {}, retry_total=0)

    def list(self, path: str, version: str, what: str, **query: str) -> list[Json]:
        """Every item of a paged list; nothing when the parent is absent."""
        page = self.get(path, version, what, **query)
        items: list[Json] = []
        while page:
            items += page.get("value") or []
            page = self.get(page["nextLink"], "", what) if page.get("nextLink") else None
        return items

    def post(self, path: str, version: str, what: str, body: Json = None) -> Json:
        """The answer to an action."""
        return self._send("POST", path, version, what, {}, body)

    def close(self) -> None:
        self._client.close()

    def _remembered(self, method: str, path: str, version: str, what: str, query: dict[str, str]) -> Json | None:
        key = f"{path}?{version}&{sorted(query.items())}"
        memory = self._memory
        if memory is None:
            return self._send(method, path, version, what, query)
        with self._lock:
            if key not in memory:
                memory[key] = self._send(method, path, version, what, query)
            return memory[key]

    def _send(
        self, method: str, path: str, version: str, what: str, query: dict[str, str], body: Json = None, **options: Json
    ) -> Json:
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        params = {"api-version": version, **query} if version else query
        url = path if path.startswith("https://") else self.base_url + path
        reading = {"reads": True, "retry_on_methods": ["GET", "POST"], **options}
        with asking(what):
            response = self._client.send_request(HttpRequest(method, url, params=params, json=body), **reading)
            if response.status_code == 404 and method == "GET":
                return None
            if response.status_code >= 400:
                raise HttpResponseError(response=response)
            return response.json() if response.content else None

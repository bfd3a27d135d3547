"""Reading ARM: plain JSON in, plain JSON out, over one session, through azure-core's pipeline.

Answers are Azure's own bodies, so a diff compares what Azure said and not what a model class kept of it. Bounded
retries of HTTP hiccups belong to azure-core's policy here and nowhere else. What is posted (listKeys, token, getLogs)
changes nothing; what is changed here is what azure-ai-ml has no word for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from json import JSONDecodeError
from typing import Any

from deploy.clock import Clock
from deploy.cloud import response_schemas
from deploy.cloud.failures import asking
from deploy.cloud.rate_limit import caseless
from deploy.cloud.read_cache import Memory
from deploy.cloud.response_schemas import Schema
from deploy.cloud.transport import RETRIES, open_session

Json = Any
Items = list[Any]


@dataclass(frozen=True)
class Answer:
    """Status, headers by their names in lower case, and the JSON of the body; None when there is none."""

    status: int
    headers: Mapping[str, str]
    body: Json


class Arm:
    """A session to one resource manager. `requests` counts what was sent, through here and through the SDK."""

    def __init__(self, base_url: str, credential: Any, scope: str, clock: Clock, *, ca: str | None = None) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        self.base_url, self.credential, self.scope = base_url.rstrip("/"), credential, scope
        self.transport = open_session(clock, ca)
        self._memory = Memory(clock.monotonic)
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
        return int(self.transport.meter.requests)

    @property
    def told(self) -> tuple[datetime, float] | None:
        """The last Date that an answer bore, and when that was (monotonic seconds)."""
        return self.transport.meter.told  # type: ignore[no-any-return]

    def cached_reads(self, seconds: float = 0.0) -> AbstractContextManager[None]:
        """Inside, each URL is read once, refusals included: one look at the world, in which endpoints share. What
        another look was told in the last `seconds` is not read again.
        """
        return self._memory.open(seconds)

    def get(self, path: str, version: str, what: str, schema: type[Schema] = Schema, **query: str) -> Json | None:
        """The body at `path`, of that form; None when Azure says 404."""
        key = f"{path}?{version}&{sorted(query.items())}"
        return self._memory.ask(path, key, lambda: self._read(path, version, what, schema, query))

    def recent(self, path: str, version: str, what: str, schema: type[Schema]) -> Json | None:
        """The same, for who asks about what does not change: as it was told a moment ago, if it was."""
        return self._read(path, version, what, schema, {}, recent=True)

    def forget(self, path: str) -> None:
        """What looks were told at `path` is asked again by the next."""
        self._memory.forget(f"{path}?")

    def once(self, question: str, make: Callable[[], Json]) -> Json:
        """What `make` says, once in a look: for what is made of answers and is long to make."""
        return self._memory.ask(question, question, make)

    def look(self, path: str, version: str, what: str, schema: type[Schema]) -> Json | None:
        """The body at `path` as it is this moment, asked for once: who looks again decides when."""
        return self._read(path, version, what, schema, {}, retry_total=0)

    def list(self, path: str, version: str, what: str, row: type[Schema] = Schema, **query: str) -> list[Json]:
        """Every item of a paged list; nothing when the parent is absent."""
        return self.find(path, version, what, row, **query) or []

    def find(self, path: str, version: str, what: str, row: type[Schema] = Schema, **query: str) -> Items | None:
        """Every item of a paged list, each of that form; None when the parent is absent."""
        schema, links = response_schemas.page(row), set[str]()
        page = self.get(path, version, what, schema, **query)
        if page is None:
            return None
        items: Items = [*page["value"]]
        while link := page.get("nextLink"):
            page = None if link in links else self.get(link, "", what, schema)
            if page is None:
                raise response_schemas.unexpected_response(
                    what, f"page {len(links) + 2} of it is not there, or was there before"
                )
            links.add(link)
            items += page["value"]
        return items

    def post(self, path: str, version: str, what: str, schema: type[Schema], body: Json = None) -> Json:
        """The answer to an action, of that form."""
        return response_schemas.checked(self._send("POST", path, version, what, {}, body).body, schema, what)

    def put(self, path: str, version: str, what: str, body: Json) -> None:
        """One PUT, of what azure-ai-ml has no word for."""
        self._send("PUT", path, version, what, {}, body)

    def patch(self, path: str, version: str, what: str, body: Json) -> None:
        """One PATCH."""
        self._send("PATCH", path, version, what, {}, body)

    def delete(self, path: str, version: str, what: str) -> None:
        """Delete; what is gone is success."""
        self._send("DELETE", path, version, what, {})

    def ask(self, url: str, what: str) -> Answer:
        """How an operation stands, at the address that Azure gave for it."""
        with asking(what):
            return self._exchange("GET", url)

    def close(self) -> None:
        self._client.close()

    def _read(
        self, path: str, version: str, what: str, schema: type[Schema], query: dict[str, str], **options: Json
    ) -> Json | None:
        answer = self._send("GET", path, version, what, query, **options)
        return None if answer.status == 404 else response_schemas.checked(answer.body, schema, what)

    def _send(
        self, method: str, path: str, version: str, what: str, query: dict[str, str], body: Json = None, **options: Json
    ) -> Answer:
        params = {"api-version": version, **query} if version else query
        url = path if path.startswith("https://") else self.base_url + path
        absent = {404} if method in ("GET", "DELETE") else frozenset[int]()
        with asking(what):
            return self._exchange(method, url, params=params, json=body, absent=absent, **options)

    def _exchange(
        self,
        method: str,
        url: str,
        *,
        params: Json = None,
        json: Json = None,
        absent: Container[int] = (),
        **options: Json,
    ) -> Answer:
        """One request and its answer. A refusal is raised; a status in `absent` is an answer without a body."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        reading = {"reads": True, "retry_on_methods": ["GET", "POST"]} if method in ("GET", "POST") else {}
        response = self._client.send_request(HttpRequest(method, url, params=params, json=json), **reading, **options)
        headers = caseless(response.headers)
        if response.status_code in absent:
            return Answer(response.status_code, headers, None)
        if response.status_code >= 400:
            raise HttpResponseError(response=response)
        return Answer(response.status_code, headers, _decoded(response) if response.content else None)


def _decoded(response: Any) -> Json:
    """The JSON of an answer; brackets without an end, or a number of thousands of digits, are none."""
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise JSONDecodeError(str(error), "", 0) from error

"""ARM requests: JSON in, JSON out, over one session, through azure-core's pipeline.

Our own instead of azure-mgmt-machinelearningservices, which drops fields that its models lack: a diff needs Azure's
bodies. azure-core's policy retries HTTP errors. `post` is for actions that change nothing (listKeys, token, getLogs);
`act`, `put` and `patch` are for what azure-ai-ml does not support.
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
from deploy.cloud.error_translation import translated_errors
from deploy.cloud.rate_limit import caseless
from deploy.cloud.read_cache import ReadCache
from deploy.cloud.response_schemas import Schema
from deploy.cloud.transport import RETRIES, open_session

Json = Any
Items = list[Any]


@dataclass(frozen=True)
class Answer:
    """Status, headers with lower-case names, and the JSON of the body; None if it is empty."""

    status: int
    headers: Mapping[str, str]
    body: Json


class Arm:
    """A session with one resource manager. `requests` is the number of requests sent, those of the SDK included."""

    def __init__(self, base_url: str, credential: Any, scope: str, clock: Clock, *, ca: str | None = None) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        self.base_url, self.credential, self.scope = base_url.rstrip("/"), credential, scope
        self.transport = open_session(clock, ca)
        self._cache = ReadCache(clock.monotonic)
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
    def service_time(self) -> tuple[datetime, float] | None:
        """The Date header of the last response, and when it was received (monotonic seconds)."""
        return self.transport.meter.service_time  # type: ignore[no-any-return]

    def cached_reads(self, seconds: float = 0.0) -> AbstractContextManager[None]:
        """Inside, each URL is read once, refusals included. Cached responses of the last `seconds` are used, too."""
        return self._cache.open(seconds)

    def get(self, path: str, version: str, what: str, schema: type[Schema] = Schema, **query: str) -> Json | None:
        """The body at `path`, checked against the schema; None for 404."""
        key = f"{path}?{version}&{sorted(query.items())}"
        return self._cache.get(path, key, lambda: self._read(path, version, what, schema, query))

    def recent(self, path: str, version: str, what: str, schema: type[Schema]) -> Json | None:
        """The body at `path` from the transport's cache, if it was read or written a moment ago; None for 404."""
        return self._read(path, version, what, schema, {}, recent=True)

    def forget(self, path: str) -> None:
        """Remove the cached responses for `path`."""
        self._cache.forget(f"{path}?")

    def forget_all(self, prefix: str, keep: str) -> None:
        """Remove the cached responses with paths or keys that start with `prefix` and do not contain `keep`."""
        self._cache.forget(prefix, keep)

    def once(self, key: str, make: Callable[[], Json]) -> Json:
        """The result of `make`, computed once inside `cached_reads`."""
        return self._cache.get(key, key, make)

    def look(self, path: str, version: str, what: str, schema: type[Schema]) -> Json | None:
        """The body at `path`, read now, without retries; None for 404."""
        return self._read(path, version, what, schema, {}, retry_total=0)

    def list(self, path: str, version: str, what: str, row: type[Schema] = Schema, **query: str) -> list[Json]:
        """All items of a paged list; empty if the parent does not exist."""
        return self.find(path, version, what, row, **query) or []

    def find(self, path: str, version: str, what: str, row: type[Schema] = Schema, **query: str) -> Items | None:
        """All items of a paged list, each checked against the schema; None if the parent does not exist."""
        schema, links = response_schemas.page(row), set[str]()
        page = self.get(path, version, what, schema, **query)
        if page is None:
            return None
        items: Items = [*page["value"]]
        while link := page.get("nextLink"):
            page = None if link in links else self.get(link, "", what, schema)
            if page is None:
                raise response_schemas.unexpected_response(
                    what, f"page {len(links) + 2} of it does not exist, or repeats"
                )
            links.add(link)
            items += page["value"]
        return items

    def post(self, path: str, version: str, what: str, schema: type[Schema], body: Json = None) -> Json:
        """The response to an action, checked against the schema."""
        return response_schemas.checked(self._send("POST", path, version, what, {}, body).body, schema, what)

    def act(self, path: str, version: str, what: str, body: Json) -> None:
        """One POST request of an action that changes something."""
        self._send("POST", path, version, what, {}, body, changes=True)

    def put(self, path: str, version: str, what: str, body: Json) -> None:
        """One PUT request, for what azure-ai-ml does not support."""
        self._send("PUT", path, version, what, {}, body)

    def patch(self, path: str, version: str, what: str, body: Json) -> None:
        """One PATCH request."""
        self._send("PATCH", path, version, what, {}, body)

    def delete(self, path: str, version: str, what: str) -> None:
        """One DELETE request; success if the resource does not exist."""
        self._send("DELETE", path, version, what, {})

    def poll(self, url: str, what: str) -> Answer:
        """The status of an operation, at the URL that Azure returned."""
        with translated_errors(what):
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
        with translated_errors(what):
            return self._exchange(method, url, params=params, json=body, absent=absent, **options)

    def _exchange(
        self,
        method: str,
        url: str,
        *,
        params: Json = None,
        json: Json = None,
        absent: Container[int] = (),
        changes: bool = False,
        **options: Json,
    ) -> Answer:
        """One request and its response. Raises on errors; a status in `absent` returns no body."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        reads = method in ("GET", "POST") and not changes
        reading = {"reads": True, "retry_on_methods": ["GET", "POST"]} if reads else {}
        response = self._client.send_request(HttpRequest(method, url, params=params, json=json), **reading, **options)
        headers = caseless(response.headers)
        if response.status_code in absent:
            return Answer(response.status_code, headers, None)
        if response.status_code >= 400:
            raise HttpResponseError(response=response)
        return Answer(response.status_code, headers, _decoded(response) if response.content else None)


def _decoded(response: Any) -> Json:
    """The JSON of a response. JSONDecodeError also for endless nesting and for numbers of thousands of digits."""
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise JSONDecodeError(str(error), "", 0) from error

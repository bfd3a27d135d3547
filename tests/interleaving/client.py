"""A client of the endpoint: scoring requests at a constant rate, while the runners change it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from deploy.emulator import Running
from tests.interleaving.runners import THEIRS

NAME = "client"
"""Its name in the request log and in order control."""
SECONDS = 0.2
"""From one request to the next one."""
_ENDPOINTS = "SELECT body, private FROM resources WHERE kind = 'endpoint'"


class Client:
    """Sends a request every `SECONDS` inside `with`, if the endpoint has a deployment with traffic."""

    def __init__(self, running: Running, world: Path, body: bytes) -> None:
        self._url, self._world, self._body = running.url, world, body
        self._session = requests.Session()
        self._session.verify, self._session.trust_env = running.ca, False
        self._session.headers.update({"User-Agent": f"runner/{NAME}", "Content-Type": "application/json"})
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def __enter__(self) -> Client:
        self._over.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error

    def close(self) -> None:
        self._session.close()

    def _run(self) -> None:
        while not self._over.wait(SECONDS):
            try:
                if found := self._endpoint():
                    uri, key = found
                    self._session.post(uri, self._body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
            except Exception as error:  # noqa: BLE001 - raised by the thread that plays the schedule
                self._error = error
                return

    def _endpoint(self) -> tuple[str, str] | None:
        """The scoring URI and the key of the endpoint with traffic, read from the world's file."""
        with closing(sqlite3.connect(self._world, timeout=30)) as db:
            rows = [(json.loads(body), json.loads(private)) for body, private in db.execute(_ENDPOINTS)]
        for body, private in rows:
            if body["name"] != THEIRS and any(body["properties"]["traffic"].values()):
                uri = f"{self._url}/inference/{body['location']}/{body['name']}/score"
                return uri, str(private["primaryKey"])
        return None


def is_own(row: Mapping[str, Any]) -> bool:
    """Whether a request of the log is the client's."""
    return str(row["user_agent"]).startswith(f"runner/{NAME}")

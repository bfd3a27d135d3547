"""Drives runners through one emulator in a chosen order, with its order control (docs/emulator.md).

A runner is a process, or a thread with a command: each has a project folder of its own, whose record names the emulator
of the test. A process is named by its user agent, a thread by the principal that it signs in as.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from deploy.emulator import Running
from deploy.emulator.process import pidfile

SECONDS = 30.0
"""The longest that anything here is waited for."""


class Order:
    """The order control of one emulator."""

    def __init__(self, running: Running) -> None:
        self._url = running.url
        self._session = requests.Session()
        self._session.verify, self._session.trust_env = running.ca, False
        self._session.headers.update(running.control_headers)

    def close(self) -> None:
        self._session.close()

    def hold(self, **rule: Any) -> int:
        """Hold the requests that a rule matches; returns the hold's id."""
        return int(self.ask("POST", "faults", {"kind": "hold", **rule}).json()["value"][0]["fault"])

    def end(self, hold: int) -> None:
        """Remove a hold, which releases its requests."""
        self.ask("DELETE", f"faults/{hold}")

    def held(self, after: int = 0, wait: float = 0) -> list[dict[str, Any]]:
        """The requests that are held, oldest first; waits until one has a number above `after`."""
        return list(self.ask("GET", f"order?after={after}&wait={wait:g}").json()["value"])

    def release(self, *who: str | int, wait: float = SECONDS) -> list[dict[str, Any]]:
        """Release requests one after the other, by the names of their runners or by their numbers."""
        return list(self.ask("POST", "order", {"release": list(who), "wait": wait}).json()["value"])

    def first_of(self, runner: str, is_over: Callable[[], bool]) -> dict[str, Any] | None:
        """The first held request of a runner; None if the runner ends without one."""
        after = 0
        while True:
            over = is_over()
            for each in self.held(after, wait=0 if over else 0.1):
                after = each["number"]
                if each["runner"] == runner:
                    return each
            if over:
                return None

    def ask(self, method: str, path: str, body: Any = None, status: int | None = None) -> requests.Response:
        """A control request, which must be answered with this status, or with one below 400."""
        answer = self._session.request(method, f"{self._url}/emulator/{path}", json=body, timeout=SECONDS + 30)
        assert answer.status_code == status or (status is None and answer.ok), answer.text
        return answer


def share_emulator(running: Running, state: Path, principal: str = "") -> None:
    """Make the commands of another project use this emulator, signed in as a principal."""
    state.mkdir(parents=True, exist_ok=True)
    identity = running.identity_url + (f"?object_id={principal}" if principal else "")
    assert pidfile.write(state, replace(running, identity_url=identity))


def start(command: Path, folder: Path, name: str, *words: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `amldeploy WORDS` in a folder, as the runner `name`."""
    variables = {**environment, "AZURE_HTTP_USER_AGENT": f"runner/{name}"}
    return subprocess.Popen(
        [command, *words], cwd=folder, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


class Thread(threading.Thread):
    """A command in this process; `result` is what it returned, and `wait` raises what it raised."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._error = error

    def wait(self) -> Any:
        self.join(SECONDS)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error
        return self.result

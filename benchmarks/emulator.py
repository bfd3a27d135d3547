"""Measure speed and memory of the emulator, as a separate process over TLS. Prints numbers; never fails.

.venv/bin/python benchmarks/emulator.py
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy import emulator  # noqa: E402 import from this checkout
from deploy.emulator import Running  # noqa: E402
from deploy.emulator.entra import access_tokens  # noqa: E402
from deploy.emulator.seed import default_world  # noqa: E402

ENDPOINTS = 1000
CLIENTS = 4
SECONDS = 5.0
VERSION = "api-version=2022-02-01-preview"
LIST = f"{default_world.WORKSPACE_ID}/onlineEndpoints"


class Client:
    """A client with one persistent connection."""

    def __init__(self, running: Running, token: str) -> None:
        address = urlsplit(running.url)
        context = ssl.create_default_context(cafile=running.ca)
        self.connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: object = None) -> bytes:
        sent = None if body is None else json.dumps(body)
        self.connection.request(method, path, sent, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content


def get_for_a_while(running: Running, token: str, number: int) -> list[float]:
    """Send GET requests of endpoints for SECONDS; return the duration of each, in seconds."""
    client, times = Client(running, token), []
    until = time.perf_counter() + SECONDS
    while (begun := time.perf_counter()) < until:
        client.send("GET", f"{LIST}/bench{(number * 37 + len(times)) % ENDPOINTS}?{VERSION}")
        times.append(time.perf_counter() - begun)
    return times


def pooled(running: Running, token: str, clients: int) -> list[float]:
    """Run get_for_a_while in several processes at once; return all durations."""
    with multiprocessing.get_context("spawn").Pool(clients) as pool:
        work = [(running, token, number) for number in range(clients)]
        return [each for times in pool.starmap(get_for_a_while, work) for each in times]


def memory(pid: int) -> float:
    """Return the resident memory of a process in megabytes."""
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)  # noqa: S607
    return int(shown.stdout) / 1024


def list_all(client: Client) -> float:
    """Return the seconds to list every endpoint, page by page; the shortest of five runs."""
    times = []
    for _ in range(5):
        begun, path, found = time.perf_counter(), f"{LIST}?{VERSION}", 0
        while path:
            page = json.loads(client.send("GET", path))
            found += len(page["value"])
            rest = urlsplit(page.get("nextLink") or "")
            path = f"{rest.path}?{rest.query}" if rest.path else ""
        if found != ENDPOINTS:
            raise SystemExit(f"listed {found} of {ENDPOINTS} endpoints")
        times.append(time.perf_counter() - begun)
    return min(times)


def show(label: str, value: float, unit: str, limit: float, *, more_is_better: bool = False) -> None:
    """Print one line: the number, and whether it is within its limit."""
    good = value >= limit if more_is_better else value <= limit
    print(f"{label:<42} {value:9.1f} {unit:<12} {'within' if good else 'MISSES'} {limit:g}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        roomy = state / "world.yml"
        roomy.write_text("regions: {eastus: {endpoints: 100000}}")
        emulator.launch(state, world=roomy)  # the first start creates keys and certificates
        emulator.stop(state)
        begun = time.perf_counter()
        running = emulator.launch(state)
        start = time.perf_counter() - begun
        try:
            measure(running, state, start)
        finally:
            emulator.stop(state)


def measure(running: Running, state: Path, start: float) -> None:
    token = access_tokens.issue(access_tokens.Tokens(state / "tls"), "https://management.azure.com", time.time())
    client = Client(running, token)
    body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    begun = time.perf_counter()
    for number in range(ENDPOINTS):
        client.send("PUT", f"{LIST}/bench{number}?{VERSION}", body)
    filled = time.perf_counter() - begun
    time.sleep(0.3)
    alone = pooled(running, token, 1)
    together = pooled(running, token, CLIENTS)
    p99 = statistics.quantiles(alone, n=100)[98]
    show("start to first answer", start * 1000, "ms", 1000)
    show(f"GET, {CLIENTS} clients", len(together) / SECONDS, "requests/s", 600, more_is_better=True)
    show("GET, 1 client", len(alone) / SECONDS, "requests/s", 600, more_is_better=True)
    show("p99 of GET, 1 client", p99 * 1000, "ms", 15)
    show(f"p99 of GET, {CLIENTS} clients", statistics.quantiles(together, n=100)[98] * 1000, "ms", 15)
    show(f"list of {ENDPOINTS} endpoints", list_all(Client(running, token)) * 1000, "ms", 150)
    show(f"memory with {ENDPOINTS} endpoints", memory(running.pid), "MB", 120)
    print(f"{'create':<42} {ENDPOINTS / filled:9.1f} requests/s")


if __name__ == "__main__":
    main()

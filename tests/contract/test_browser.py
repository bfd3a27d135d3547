"""A page in a browser cannot change the world, nor read a token: not from another origin, not after DNS rebinding.

Every attack is made by a page in a real browser, where one is installed, and in raw HTTP with the headers of a browser.
The page makes the same attacks on a server that allows everything, so that the test sees that they arrive.
"""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from deploy.emulator import Running
from deploy.emulator.entra import access_tokens
from deploy.emulator.seed import default_world
from deploy.emulator.storage.access import ACCOUNT_SAS

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ENDPOINT = f"{default_world.WORKSPACE_ID}/onlineEndpoints/kept?api-version=2024-10-01"
BLOB = f"/stmlwlocal.blob.core.windows.net/azureml/kept?{ACCOUNT_SAS}"
TOKEN = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com"
ATTACKS: list[tuple[str, str, dict[str, str], str]] = [
    ("POST", "/emulator/reset", {}, ""),
    ("POST", "/emulator/reset", {"Authorization": "Bearer guess"}, ""),
    ("POST", "/emulator/clock", {"Content-Type": "text/plain"}, '{"advance": 604800}'),
    ("POST", "/emulator/clock", {"Content-Type": "application/json"}, '{"advance": 604800}'),
    ("POST", "/emulator/faults", {"Content-Type": "text/plain"}, '{"kind": "lose", "times": "always"}'),
    ("DELETE", "/emulator/faults", {}, ""),
    ("PUT", "/emulator/settings", {}, '{"shared_quota_instances": 0}'),
    ("GET", "/emulator/requests", {}, ""),
    ("GET", TOKEN, {}, ""),
    ("GET", TOKEN, {"X-IDENTITY-HEADER": "amldeploy-emulator"}, ""),
    ("GET", "/metadata/endpoints", {}, ""),
    ("DELETE", ENDPOINT, {"Authorization": "Bearer guess"}, ""),
    ("PUT", BLOB, {}, "overwritten"),
    ("POST", "/adfs/oauth2/token", {"Content-Type": "application/x-www-form-urlencoded"}, "grant_type=x"),
]
PAGE = """<!DOCTYPE html><body><pre id="out">the script did not run</pre><script>
const attacks = ATTACKS, bases = BASES, told = [];
const say = (what, base, path, outcome) => told.push([what, base, path, outcome]);
async function ask(base, [method, path, headers, body], mode) {
  try {
    const answer = await fetch(base + path, {method, headers, mode, body: body || undefined, credentials: "include"});
    say(mode, base, path, answer.type === "opaque" ? "opaque" : await answer.text());
  } catch (error) { say(mode, base, path, "blocked"); }
}
const loads = (element, what, base, path) => new Promise(done => {
  for (const event of ["load", "error"])
    element.addEventListener(event, () => { say(what, base, path, event); done(); });
});
function submit(base, [method, path, , body]) {
  const [frame, form, field] = ["iframe", "form", "input"].map(name => document.createElement(name));
  frame.name = "frame" + Math.random();
  document.body.append(frame, form);
  Object.assign(form, {method: "POST", action: base + path, enctype: "text/plain", target: frame.name});
  Object.assign(field, {name: body || "a", value: ""});
  form.append(field);
  const loaded = loads(frame, "form", base, path);
  form.submit();
  return loaded;
}
function show(base, [, path]) {
  const image = new Image(), loaded = loads(image, "image", base, path);
  image.src = base + path;
  return loaded;
}
(async () => {
  const work = [];
  for (const base of bases) for (const attack of attacks) {
    work.push(ask(base, attack, "cors"), ask(base, attack, "no-cors"), show(base, attack));
    if (attack[0] === "POST") work.push(submit(base, attack));
    navigator.sendBeacon(base + attack[1], attack[3]);
  }
  await Promise.race([Promise.all(work), new Promise(done => setTimeout(done, 20000))]);
  document.getElementById("out").textContent = encodeURIComponent(JSON.stringify(told));
})();
</script></body>"""


class Naive(BaseHTTPRequestHandler):
    """A server that allows everything to every page, with a page at `/`; remembers its requests."""

    page = b""
    asked: set[tuple[str, str]]

    def _answer(self) -> None:
        self.asked.add((self.command, self.path))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body, kind = (self.page, "text/html") if self.path == "/" else (b'{"access_token": "bait"}', "application/json")
        self.send_response(200)
        for name in ("Origin", "Methods", "Headers"):
            asked = self.headers.get(
                "Origin" if name == "Origin" else f"Access-Control-Request-{name[:-1] if name == 'Methods' else name}"
            )
            self.send_header(f"Access-Control-Allow-{name}", asked or "*")
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - names of the library

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def naive() -> Iterator[tuple[str, type[Naive]]]:
    """The address of such a server, and its class."""
    handler = type("Handler", (Naive,), {"asked": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


@pytest.fixture(scope="module")
def owner(running: Running, state: Path) -> requests.Session:
    """A client with both tokens, and a world with something to lose: an endpoint, a blob, a fault that counts."""
    session = requests.Session()
    token = access_tokens.issue(access_tokens.Tokens(state / "tls"), "https://management.azure.com", time.time())
    body = {"location": "eastus", "properties": {"authMode": "Key"}}
    headers = {"Authorization": f"Bearer {token}"}
    session.put(running.url + ENDPOINT, json=body, headers=headers, timeout=10).raise_for_status()
    session.put(running.url + BLOB, "kept", headers={"x-ms-blob-type": "BlockBlob"}, timeout=10).raise_for_status()
    session.headers.update(running.control_headers)
    fault = {"kind": "lose", "plane": "any", "number": 1_000_000}
    session.post(f"{running.url}/emulator/faults", json=fault, timeout=10).raise_for_status()
    session.post(f"{running.url}/emulator/clock", json={"advance": 3600, "scale": 0}, timeout=10).raise_for_status()
    return session


def _world(running: Running, state: Path, owner: requests.Session) -> list[Any]:
    """The whole world, as its file has it, and as the control API shows it."""
    names = ("status", "requests", "clock", "faults", "settings", "principals")
    found = {name: owner.get(f"{running.url}/emulator/{name}", timeout=10).json() for name in names}
    found["clock"].pop("ahead")  # the clock stands, real time does not
    db = sqlite3.connect(state / "world.sqlite")
    content = list(db.iterdump())
    db.close()
    return [found, content]


def _bases(running: Running) -> list[str]:
    """Both ports of the emulator."""
    return [running.url, running.identity_url.removesuffix("/msi/token")]


def test_a_page_of_another_origin_changes_nothing(
    running: Running, state: Path, owner: requests.Session, naive: tuple[str, type[Naive]], tmp_path: Path
) -> None:
    """In a real browser: fetch with and without CORS, images, forms, beacons, to both ports."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser is installed: install chromium or google-chrome")
    address, handler = naive
    bases = [*_bases(running), address.replace("127.0.0.1", "localhost")]
    handler.page = PAGE.replace("ATTACKS", json.dumps(ATTACKS)).replace("BASES", json.dumps(bases)).encode()
    before = _world(running, state, owner)
    told = _browse(browser, f"{address}/", tmp_path)
    assert _world(running, state, owner) == before
    seen = [(what, outcome) for what, base, _, outcome in told if base in _bases(running)]
    assert {outcome for what, outcome in seen if what == "cors"} == {"blocked"}
    assert not [outcome for _, outcome in seen if "token" in outcome]
    assert {what for what, _ in seen} == {"cors", "no-cors", "image", "form"}
    assert ("cors", '{"access_token": "bait"}') in {
        (what, outcome) for what, base, _, outcome in told if base == bases[2]
    }
    assert {(method, path) for method, path, *_ in ATTACKS} <= handler.asked


def _browse(browser: str, address: str, profile: Path) -> list[list[str]]:
    """What the page reports."""
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--no-first-run",
         "--disable-background-networking", "--disable-features=LocalNetworkAccessChecks", f"--user-data-dir={profile}",
         "--virtual-time-budget=30000", "--dump-dom", address],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    text = done.stdout.partition('<pre id="out">')[2].partition("</pre>")[0]
    return list(json.loads(unquote(text)))


PAGES = {
    "a page": {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "a page of an old browser": {"Origin": "https://evil.example"},
    "a sandboxed page": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "an image": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a rebound name": {"Host": "evil.example:{port}", "Sec-Fetch-Site": "same-origin"},
    "a rebound name with its origin": {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
    "a rebound name behind a proxy": {
        "Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "127.0.0.1",
    },
}


@pytest.mark.parametrize("page", PAGES)
def test_the_same_in_raw_http(running: Running, state: Path, owner: requests.Session, page: str) -> None:
    """With the headers that a browser sends: refused, with a text, and without permission for the page."""
    before = _world(running, state, owner)
    for base in _bases(running):
        port = urlsplit(base).port
        headers = {name: value.format(port=port) for name, value in PAGES[page].items()}
        for method, path, more, body in ATTACKS:
            preflight = {
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": ",".join(more).lower(),
            }
            for answer, text in (
                _send(running, base, method, path, {**headers, **more}, body),
                _send(running, base, "OPTIONS", path, {**headers, **preflight}, ""),
            ):
                assert answer.status in (403, 421)
                assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
                assert json.loads(text)["error"]["message"].count("Send the ") == 1
    assert _world(running, state, owner) == before


def test_plain_http_does_not_pass_as_https(running: Running, state: Path, owner: requests.Session) -> None:
    """Not with the header of a proxy either: the control API is not on the plain port."""
    before = _world(running, state, owner)
    headers = {**running.control_headers, "X-Forwarded-Proto": "https"}
    answer, text = _send(running, _bases(running)[1], "POST", "/emulator/reset", headers, "")
    assert (answer.status, json.loads(text)["error"]["code"]) == (403, "HttpsRequired")
    assert _world(running, state, owner) == before


def _send(
    running: Running, base: str, method: str, path: str, headers: dict[str, str], body: str
) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(base)
    connection: http.client.HTTPConnection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=running.ca)
        connection = http.client.HTTPSConnection(str(address.hostname), address.port, timeout=10, context=context)
    try:
        connection.request(method, path, body.encode(), headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()

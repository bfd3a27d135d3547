"""What a request has to be before anything else is done with it: host, origin, size, control token, in this order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from deploy.emulator.control import token
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.http import admission
from deploy.emulator.http.routes import ROUTES
from tests.unit.emulator.azure import HOST, WORKSPACE, Azure

CONTROL = [(route.method, route.path.replace("{fault}", "1")) for route in ROUTES if route.plane == "control"]
PLANES = {
    "arm": ("PUT", f"{WORKSPACE}/onlineEndpoints/mip"),
    "unknown": ("PUT", f"{WORKSPACE}/unheardOf/mip"),
    "scoring": ("POST", "/inference/eastus/mip/score"),
    "registry": ("GET", "/registrymanagement/v1.0/registries/azureml/discovery"),
    "blob": ("PUT", "/stmlwlocal.blob.core.windows.net/a/b"),
    "metrics": ("POST", "/eastus.metrics.monitor.azure.com/subscriptions/x/metrics:getBatch"),
    "metadata": ("GET", "/metadata/endpoints"),
    "identity": ("GET", "/msi/token"),
    "entra": ("POST", "/adfs/oauth2/token"),
    "github": ("GET", "/github/token"),
    "control": ("POST", "/emulator/reset"),
}
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Iterator[Azure]:
    """One world for all tests: a refused request leaves it as it is."""
    found = Azure(tmp_path_factory.mktemp("admission"), tokens)
    yield found
    found.world.close()


def _content(azure: Azure) -> list[str]:
    """The whole world."""
    return list(azure.world.db.iterdump())


def test_the_planes_are_all_planes() -> None:
    """The tests below have a request for each."""
    assert PLANES.keys() == {route.plane for route in ROUTES} | {"unknown"}


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x", "Bearer \xe9"]
)
def test_a_control_request_needs_the_token(azure: Azure, sent: str) -> None:
    """Reading, too: the log has paths. The answer says what to send, and nothing has changed."""
    before = _content(azure)
    for method, path in CONTROL:
        reply = azure.send(method, path, {}, {"authorization": sent.format(token=azure.app.control_token)})
        assert (reply.status, reply.code) == (403, "ControlTokenRequired")
        assert f"Authorization: Bearer ${token.VARIABLE}" in reply.message
    assert _content(azure) == before


def test_the_token_of_azure_is_not_the_control_token(azure: Azure) -> None:
    """The owner of the subscription is not the owner of the emulator; each emulator has its own token."""
    owner = {"authorization": f"Bearer {azure.token}"}
    assert azure.send("GET", "/emulator/status", headers=owner).code == "ControlTokenRequired"
    assert azure.send("GET", "/emulator/status").status == 200
    assert token.create() != token.create() != azure.app.control_token


def test_the_control_api_is_not_on_the_plain_port(azure: Azure) -> None:
    """Not even with the token."""
    before = _content(azure)
    for method, path in CONTROL:
        assert azure.send(method, path, {}, scheme="http").code == "HttpsRequired"
    assert _content(azure) == before


FOREIGN = (
    "evil.example", "evil.example:1234", "127.0.0.1:80", "localhost.", "127.0.0.1.evil.example:1234",
    "localhost:1234@evil.example", "127.0.0.1:1234, evil.example", "10.0.0.1:1234", "[::1]:12345", "",
)  # fmt: skip


@pytest.mark.parametrize("plane", PLANES)
def test_another_host_is_refused(azure: Azure, plane: str) -> None:
    """That is what a browser sends after DNS rebinding: 421 on every plane, before anything else."""
    before, body = _content(azure), bytes(5 << 20)
    for scheme, host in product(("https", "http"), FOREIGN):
        reply = azure.send(*PLANES[plane], body, {"host": host, "authorization": ""}, scheme)
        assert (reply.status, reply.code) == (421, "MisdirectedRequest")
        assert "`Host: 127.0.0.1:1234`" in reply.message
    assert _content(azure) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1234", "localhost:1234", "LOCALHOST:1234", "[::1]:1234"])
def test_our_own_host_is_served(azure: Azure, host: str) -> None:
    """By each name of the loopback interface, with its port or, by a simple program, without."""
    assert azure.send("GET", WORKSPACE, headers={"host": host}).status == 200
    assert azure.send("GET", "/emulator/status", headers={"host": host, "origin": f"https://{host}"}).status == 200


@FEW
@given(some.text(some.characters(min_codepoint=33, max_codepoint=126), max_size=30), some.booleans())
def test_any_other_host_or_origin_is_refused(azure: Azure, text: str, is_origin: bool) -> None:
    """Whatever it looks like."""
    headers = {"origin" if is_origin else "host": text or "x"}
    assert azure.send("GET", "/metadata/endpoints", headers=headers).status == (403 if is_origin else 421)


PAGES = (
    *({"origin": origin} for origin in ("null", "http://evil.example", "http://127.0.0.1:1234", "http://localhost:80")),
    *({"origin": origin} for origin in ("https://127.0.0.1:1235", "https://localhost:1234")),
    *({"sec-fetch-site": site} for site in ("cross-site", "same-site", "anything")),
)


@pytest.mark.parametrize("plane", PLANES)
def test_a_web_page_of_another_origin_is_refused(azure: Azure, plane: str) -> None:
    """With Origin, and without it where a browser sends none: an image, a link."""
    before = _content(azure)
    method, path = PLANES[plane]
    for headers, each in product(PAGES, (method, "OPTIONS", "HEAD")):
        reply = azure.send(each, path, {}, headers)
        assert (reply.status, reply.code) == (403, "ForeignOrigin")
        assert [name for name in reply.headers if name.startswith("access-control-")] == []
    assert _content(azure) == before


def test_what_the_user_opens_in_a_browser_is_served(azure: Azure) -> None:
    """An address that was typed, and a page of the emulator itself."""
    for site in ("none", "same-origin"):
        assert azure.send("GET", "/metadata/endpoints", headers={"sec-fetch-site": site}).status == 200


def test_a_refused_request_does_not_use_up_a_fault(azure: Azure) -> None:
    """It waits for the request that it was meant for."""
    azure.send("POST", "/emulator/faults", {"kind": "html", "plane": "metadata"})
    for headers in ({"host": "evil.example"}, {"origin": "null"}):
        assert azure.send("GET", "/metadata/endpoints", headers=headers).status in (403, 421)
    assert azure.send("GET", "/metadata/endpoints").status == 502


ERRORS: dict[str, Any] = {
    "entra": lambda body: json.loads(body)["error"] == "invalid_request",
    "identity": lambda body: json.loads(body)["statusCode"] == 413,
    "blob": lambda body: b"<Code>RequestBodyTooLarge</Code>" in body,
}


@pytest.mark.parametrize("plane", PLANES)
def test_a_body_has_a_limit_before_anyone_is_authenticated(azure: Azure, plane: str) -> None:
    """413 in the form of the plane, and the connection closes. It comes before the tokens."""
    method, path = PLANES[plane]
    size, nobody = admission.limit(plane), {"authorization": ""}
    for length, is_too_large in ((size, False), (size + 1, True)):
        reply = azure.send(method, path, headers={**nobody, "content-length": str(length)})
        assert (reply.status == 413) is is_too_large
        assert (reply.headers.get("connection") == "close") is (reply.status in (403, 413))
    assert ERRORS.get(plane, lambda body: json.loads(body)["error"]["code"] == "RequestContentTooLarge")(reply.content)


def test_the_limits_of_azure() -> None:
    """4 MB of the Resource Manager; what is larger goes to blobs and models; the small planes get little."""
    sizes = {plane: admission.limit(plane) >> 20 for plane in PLANES}
    assert sizes == {
        "arm": 4, "unknown": 4, "registry": 4, "scoring": 256, "blob": 256, "metrics": 1, "metadata": 1, "identity": 1,
        "entra": 1, "github": 1, "control": 1,
    }  # fmt: skip


class Channel:
    """The client of one request: sends a body in parts, without a length, and gets the answer."""

    def __init__(self, azure: Azure, parts: int, *, ends: bool) -> None:
        self._azure, self._left, self._ends = azure, parts, ends
        self.read, self.ahead = 0, 0.0
        self.answer: list[Any] = []

    def send(self, path: str) -> int:
        """The status of a PUT. The loop's clock advances when nothing more is sent."""
        scope = {
            "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"host", HOST.encode())], "scheme": "https", "server": ("127.0.0.1", 1234),
            "client": ("127.0.0.1", 5), "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            real = loop.time
            loop.time = lambda: real() + self.ahead  # type: ignore[method-assign]
            runner.run(self._azure.app(scope, self._receive, self._take))
        return int(self.answer[0]["status"])

    async def _receive(self) -> dict[str, Any]:
        if self._left or self._ends:
            self._left, self.read = self._left - 1, self.read + (1 << 20)
            return {"type": "http.request", "body": bytes(1 << 20), "more_body": self._left > 0 or not self._ends}
        self.ahead += 1000
        await asyncio.Event().wait()
        raise AssertionError

    async def _take(self, message: Any) -> None:
        self.answer.append(message)


def test_a_body_without_a_length_is_cut_off_at_the_limit(azure: Azure) -> None:
    """What still arrives is ignored until the client ends, so that it can read the answer."""
    client = Channel(azure, 9, ends=True)
    assert client.send(f"{WORKSPACE}/onlineEndpoints/mip") == 413
    assert client.read == 9 << 20
    small = Channel(azure, 4, ends=True)
    assert small.send(f"{WORKSPACE}/onlineEndpoints/mip") == 401


@pytest.mark.parametrize("parts", [0, 1])
def test_a_body_that_never_ends_is_refused(azure: Azure, parts: int) -> None:
    """Nothing or a part of it arrives: 408 after a minute, and the connection closes."""
    client = Channel(azure, parts, ends=False)
    assert client.send(f"{WORKSPACE}/onlineEndpoints/mip") == 408
    assert client.answer[-1] == {"type": "http.response.body", "body": b""}
    assert (b"connection", b"close") in client.answer[0]["headers"]

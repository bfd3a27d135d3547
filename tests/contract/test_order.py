"""Order control: the requests of several runners are held, and answered in the order that the test chooses."""

from __future__ import annotations

import os
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy import commands, emulator
from deploy.emulator import Running
from deploy.emulator.seed import default_world
from tests.fork_server import ForkServer
from tests.laws.conftest import World, write_project
from tests.order import Order, Thread, share_emulator, start

EP = f"{default_world.WORKSPACE_ID}/onlineEndpoints"
SCOPE = f"/subscriptions/{default_world.SUBSCRIPTION}"
OWNER = f"{SCOPE}/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
VERSION = {"api-version": "2024-10-01"}


class Client:
    """A plain client of the emulator, named as a runner."""

    def __init__(self, running: Running, name: str = "") -> None:
        self._url = running.url
        self._session = requests.Session()
        self._session.verify, self._session.trust_env = running.ca, False
        token = self._session.get(
            running.identity_url, params={"resource": "https://management.azure.com"}, timeout=10,
            headers={"X-IDENTITY-HEADER": "amldeploy-emulator"},
        ).json()["access_token"]  # fmt: skip
        self._session.headers["Authorization"] = f"Bearer {token}"
        if name:
            self._session.headers["User-Agent"] = f"client/1.0 runner/{name} Python"
        self.token = token

    def put(self, name: str) -> int:
        body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
        return self._session.put(f"{self._url}{EP}/{name}", json=body, params=VERSION, timeout=60).status_code

    def get(self, name: str = "") -> int:
        return self._session.get(f"{self._url}{EP}/{name}", params=VERSION, timeout=60).status_code

    def make_owner(self, principal: str) -> None:
        """Make a principal an owner of the subscription."""
        path = f"{SCOPE}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        body = {"properties": {"roleDefinitionId": OWNER, "principalId": principal}}
        assert self._session.put(self._url + path, json=body, params=VERSION, timeout=10).ok

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def order(running: Running, state: Path) -> Iterator[Order]:
    emulator.reset(state)
    found = Order(running)
    yield found
    emulator.begin(state, faults=[])
    found.close()


@pytest.fixture
def clients(running: Running) -> Iterator[dict[str, Client]]:
    found = {name: Client(running, name) for name in ("a", "b", "")}
    yield found
    for client in found.values():
        client.close()


def rows(state: Path, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in emulator.requests(state) if all(row[key] == value for key, value in wanted.items())]


def names(state: Path) -> list[str]:
    """The endpoints that were written, in the order of the log."""
    return [row["path"].partition("?")[0].rpartition("/")[2] for row in rows(state, method="PUT")]


def test_requests_are_answered_in_the_chosen_order(order: Order, clients: dict[str, Client], state: Path) -> None:
    """Whatever the order in which they arrive; twenty times the same."""
    wanted = ["b-1", "a-1", "a-2", "b-2"]
    for _ in range(20):
        emulator.reset(state)
        order.hold(mutating=True, times="always")
        threads = [
            Thread(lambda name=name: [clients[name].put(f"{name}-{number}") for number in (1, 2)])
            for name in ("a", "b")
        ]
        released = order.release(*(each[0] for each in wanted))
        assert [each["path"].rpartition("/")[2] for each in released] == wanted
        assert [thread.wait() for thread in threads] == [[201] * 2] * 2
        assert names(state) == wanted
    notes = {row["note"] for row in rows(state, method="PUT")}
    assert notes == {"fault 1: hold"}


def test_a_held_request_blocks_no_other(order: Order, clients: dict[str, Client], state: Path) -> None:
    """Held before it is handled it has no effect, and held after it has one; both are listed."""
    order.hold(runner="a", path="*/one")
    order.hold(runner="a", path="*/one", point="after")
    thread = Thread(lambda: clients["a"].put("one"))
    [held] = order.held(wait=10)
    assert (held["runner"], held["point"], held["method"], held["fault"]) == ("a", "before", "PUT", 1)
    assert (held["operation"], held["path"]) == ("OnlineEndpoints_CreateOrUpdate", f"{EP}/one")
    assert clients["b"].get("one") == 404
    order.release("a")
    [held] = order.held()
    assert (held["point"], held["fault"]) == ("after", 2)
    assert clients["b"].get("one") == 200
    assert thread.is_alive()
    order.release(held["number"])
    assert thread.wait() == 201
    assert order.held() == []
    [row] = rows(state, method="PUT")
    assert (row["status"], row["note"]) == (201, "fault 1: hold; fault 2: hold")


def test_a_runner_is_named_by_its_user_agent_or_its_principal(order: Order, running: Running) -> None:
    """The object id of the token, when the user agent has no name."""
    named, unnamed = Client(running, "x"), Client(running)
    hold = order.hold(runner="00000000-0000-0000-0000-0000000000b1", times="always", method="GET")
    thread = Thread(unnamed.get)
    assert [each["runner"] for each in order.held(wait=10)] == ["00000000-0000-0000-0000-0000000000b1"]
    assert named.get() == 200
    order.end(hold)
    assert thread.wait() == 200
    for each in (named, unnamed):
        each.close()


def test_other_faults_apply_to_a_held_request(order: Order, clients: dict[str, Client], state: Path) -> None:
    """A hold changes only the order; a fault can be for one runner."""
    emulator.begin(state, faults=[{"kind": "hold", "runner": "a"}, {"kind": "refuse", "status": 409, "runner": "a"}])
    thread = Thread(lambda: clients["a"].put("one"))
    assert clients["b"].put("one") == 201
    order.release("a")
    assert thread.wait() == 409
    assert [row["note"] for row in rows(state, method="PUT")] == ["", "fault 1: hold; fault 2: refuse"]


@pytest.mark.parametrize(("point", "status", "exists"), [("before", 0, 404), ("after", 201, 200)])
def test_a_client_leaves(
    order: Order, clients: dict[str, Client], running: Running, state: Path, point: str, status: int, exists: int
) -> None:
    """A request that was not handled is dropped, like one that never arrived; the effect of another one stays."""
    order.hold(runner="gone", point=point)
    body = b'{"location": "eastus", "properties": {"authMode": "Key"}, "identity": {"type": "SystemAssigned"}}'
    head = (
        f"PUT {EP}/left?api-version=2024-10-01 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: runner/gone\r\n"
        f"Authorization: Bearer {clients['a'].token}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    port = int(running.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=running.ca)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1") as line:
        line.sendall(head + body)
        assert order.held(wait=10)
    while order.held():
        pass  # until the emulator has noticed the end of the connection
    assert clients["b"].get("left") == exists
    [row] = rows(state, method="PUT")
    assert (row["status"], row["note"]) == (status, "fault 1: hold, the client left")


def test_a_hold_ends_by_itself(order: Order, clients: dict[str, Client], state: Path) -> None:
    """After its time, with a note."""
    order.hold(runner="a", seconds=0.05)
    assert clients["a"].put("one") == 201
    assert [row["note"] for row in rows(state, method="PUT")] == ["fault 1: hold, not released in 0.05 s"]


def test_a_hold_ends_with_its_removal_a_reset_and_the_emulator(tmp_path: Path) -> None:
    """The request is handled then, and answered."""
    with emulator.embed(tmp_path) as running:
        order, client = Order(running), Client(running, "a")
        ends: list[Callable[[int], object]] = [
            order.end,
            lambda _: emulator.begin(tmp_path, faults=[]),
            lambda _: emulator.reset(tmp_path),
            lambda _: order.ask("POST", "reset"),
        ]
        for end in ends:
            hold = order.hold(runner="a", times="always")
            thread = Thread(lambda: client.put("one"))
            assert order.held(wait=10)
            end(hold)
            order.hold(runner="b")  # after a reset it has the same id
            assert thread.wait() == 201
            emulator.reset(tmp_path)
        order.hold(runner="a", times="always")
        thread = Thread(lambda: client.put("two"))
        assert order.held(wait=10)
    assert thread.wait() == 201
    order.close()
    client.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "release: is missing."),
        ({"release": []}, "release: List should have at least 1 item"),
        ({"release": [1.5]}, "release[0]"),
        ({"release": ["a"], "wait": 61}, "wait: expected less than or equal to 60"),
        ({"release": ["a"], "hold": 1}, "hold: is not a key here."),
    ],
)
def test_a_wrong_release_is_refused(order: Order, body: Any, words: str) -> None:
    """With the key."""
    assert words in order.ask("POST", "order", body, status=400).json()["error"]["message"]


def test_a_release_of_a_runner_that_sends_nothing_is_refused(order: Order, clients: dict[str, Client]) -> None:
    """After the time that it waits; what was released before it is counted."""
    order.hold(runner="a")
    thread = Thread(lambda: clients["a"].put("one"))
    assert order.held(wait=10)
    error = order.ask("POST", "order", {"release": ["a", "b"], "wait": 0.05}, status=409).json()["error"]
    assert error == {"code": "NotHeld", "message": "No request of 'b' is held. Released before it: 1."}
    assert thread.wait() == 201


@pytest.mark.parametrize("wait", ["x", "-1", "61", "1e9", "nan", "5"])
def test_a_wrong_wait_is_refused(order: Order, clients: dict[str, Client], wait: str) -> None:
    """With the limit."""
    order.hold(runner="a")
    thread = Thread(clients["a"].get)
    assert order.held(wait=10)
    order.ask("GET", f"order?wait={wait}", status=200 if wait == "5" else 400)
    order.release("a")
    assert thread.wait() == 200


def project(folder: Path, running: Running, name: str, principal: str = "") -> World:
    """A project with one endpoint, whose commands use the emulator of the test."""
    folder.mkdir()
    found = write_project(folder)
    text = (found.project.root / "environments" / "law.yml").read_text()
    (found.project.root / "environments" / "law.yml").write_text(text.replace("mip:", f"{name}:"))
    share_emulator(running, found.state, principal)
    return found


def test_two_processes_are_interleaved(
    order: Order, running: Running, state: Path, tmp_path: Path, amldeploy: ForkServer, request: pytest.FixtureRequest
) -> None:
    """Two runs of `amldeploy apply` in two folders, one emulator: the log has their changes in the chosen order."""
    full = request.config.getoption("--laws", default="some") == "full"
    schedule = list("baabba")
    for number in range(20 if full else 1):
        emulator.reset(state)
        order.hold(runner="[ab]", mutating=True, path="*/onlineEndpoints/*", times="always")
        both = [
            start(amldeploy.commands / "amldeploy",
                  project(tmp_path / f"{name}{number}", running, f"ep-{name}").project.root,
                  name, "apply", "-e", "law", "--yes", environment=os.environ)
            for name in "ab"
        ]  # fmt: skip
        assert [each["runner"] for each in order.release(*schedule)] == schedule
        ends = [(process.communicate()[0], process.returncode) for process in both]
        assert [code for _, code in ends] == [0, 0], ends
        written = [row["path"].partition("/ep-") for row in rows(state, mutating=True)]
        assert [after[0] for path, _, after in written if path.endswith("/onlineEndpoints")] == schedule


def test_a_command_in_this_process_is_preempted(order: Order, running: Running, state: Path, tmp_path: Path) -> None:
    """One plan waits at its third request, another one starts and ends, then the first goes on."""
    owner, principals = Client(running), {name: str(uuid.uuid4()) for name in ("first", "second")}
    for name, who in principals.items():
        order.ask("PUT", f"principals/{who}", {"kind": "ServicePrincipal", "name": name, "appId": str(uuid.uuid4())})
        owner.make_owner(who)
    projects = {name: project(tmp_path / name, running, name, who) for name, who in principals.items()}
    order.hold(runner=principals["first"], number=3)
    first = Thread(lambda: commands.plan(projects["first"].project, "law"))
    held = order.first_of(principals["first"], lambda: not first.is_alive())
    assert held is not None
    commands.plan(projects["second"].project, "law")
    assert first.is_alive()
    order.release(held["number"])
    first.wait()
    callers = [row["caller"] for row in rows(state, plane="arm") if row["caller"] in principals.values()]
    second = callers.count(principals["second"])
    assert callers[: second + 2] == [principals["first"]] * 2 + [principals["second"]] * second
    assert set(callers[second + 2 :]) == {principals["first"]}
    owner.close()


def test_a_runner_that_ends_without_a_held_request(order: Order, clients: dict[str, Client]) -> None:
    """The client-side helper notices."""
    order.hold(runner="a", number=2)
    thread = Thread(clients["a"].get)
    assert order.first_of("a", lambda: not thread.is_alive()) is None
    assert thread.wait() == 200

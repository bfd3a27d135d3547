"""Whether a private host is reached: its addresses and its port. Nothing waits for long."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.connect import CLOUDS
from deploy.cloud.name_server import resolve
from deploy.cloud.network import read_reach

WORKSPACE = {"location": "West Europe", "properties": {"workspaceId": "0f-1a"}}


def cloud(addresses: Any, name: str = "AzureCloud", once: Any = lambda _, make: make()) -> Any:
    return SimpleNamespace(
        environment=SimpleNamespace(cloud=name), hosts=CLOUDS[name], workspace=lambda: WORKSPACE,
        addresses=addresses, arm=SimpleNamespace(once=once),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def body(port: int) -> dict[str, Any]:
    return {"properties": {"scoringUri": f"https://mip.westeurope.inference.ml.azure.com:{port}/score"}}


def test_a_port_that_is_open_or_closed() -> None:
    """A real connection; a second address is tried."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = read_reach(cloud(lambda _: ["127.0.0.2", "127.0.0.1"]), "mip", body(port))
        assert (found["problem"], found["port"]) == ("", port)
    found = read_reach(cloud(lambda _: ["127.0.0.1"]), "mip", body(port))
    assert found["problem"].startswith(f"there is no connection to 127.0.0.1 port {port}")


@given(st.lists(st.ip_addresses().map(str), max_size=3))
def test_every_address_must_be_private(addresses: list[str]) -> None:
    """A public address is a problem, wherever it is in the answer; so is none."""
    found = read_reach(cloud(lambda _: addresses, once=lambda *_: ""), "mip", body(443))
    public = any(ip_address(each).is_global for each in addresses)
    assert bool(found["problem"]) == (public or not addresses)


def test_a_new_endpoint_is_looked_up_in_the_zone_of_the_workspace() -> None:
    """In Azure's public cloud; the names in other clouds are unknown. A name that does not resolve is a problem."""

    def absent(_: str) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    found = read_reach(cloud(absent), "mip", None)
    assert found["host"] == "mip.0f-1a.inference.westeurope.privatelink.api.azureml.ms"
    assert found["problem"] == "its name does not resolve (Name or service not known)"
    assert read_reach(cloud(absent, "AzureChinaCloud"), "mip", None)["unread"]


def test_a_proxy_makes_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy connects, so this machine's own addresses say nothing."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert "proxy" in read_reach(cloud(lambda _: ["10.0.0.4"]), "mip", body(443))["unread"]


def test_names_are_resolved() -> None:
    assert "127.0.0.1" in resolve("localhost")
    with pytest.raises(OSError, match=r".+"):
        resolve("no-such-host.invalid")

"""Who may come in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deploy.emulator.entra import access_tokens
from deploy.emulator.entra.access_tokens import Tokens
from tests.unit.emulator.azure import WORKSPACE, Azure


def test_the_identity_endpoint_hands_out_tokens_that_open_the_door(azure: Azure) -> None:
    """Over plain HTTP, in the form of a managed identity."""
    reply = azure.send(
        "GET",
        "/msi/token?api-version=2019-08-01&resource=https://management.azure.com",
        headers={"x-identity-header": "x"},
        scheme="http",
    )
    azure.token = reply.json["access_token"]
    assert int(reply.json["expires_on"]) > time.time()
    assert azure.send("GET", WORKSPACE).status == 200
    claims = azure.tokens.claims(azure.token)
    assert claims is not None
    assert (claims["oid"], claims["tid"]) == (access_tokens.SIGNED_IN, access_tokens.TENANT)


def test_the_identity_endpoint_wants_its_header_and_a_resource(azure: Azure) -> None:
    """A page in a browser cannot send the header."""
    assert azure.send("GET", "/msi/token?resource=x", scheme="http").status == 401
    assert azure.send("GET", "/msi/token", headers={"x-identity-header": "x"}, scheme="http").status == 400


@pytest.mark.parametrize("token", ["x", "nonsense", "a.b.c", "é"])
def test_without_a_token_of_ours_nobody_gets_in(azure: Azure, token: str) -> None:
    """401 in Azure's form, with a challenge."""
    azure.token = token
    reply = azure.send("GET", WORKSPACE)
    assert (reply.status, reply.code) == (401, "InvalidAuthenticationToken")
    assert reply.headers["www-authenticate"].startswith("Bearer ")
    assert azure.send("GET", WORKSPACE, headers={"authorization": ""}).code == "AuthenticationFailed"


def test_expired_and_misdirected_tokens_are_told_apart(azure: Azure) -> None:
    """Each has its own code; the data plane's token does not open the control plane."""
    azure.token = access_tokens.issue(azure.tokens, "https://management.azure.com/", time.time() - 90_000)
    assert azure.send("GET", WORKSPACE).code == "ExpiredAuthenticationToken"
    azure.token = access_tokens.issue(azure.tokens, "https://ml.azure.com", time.time())
    assert azure.send("GET", WORKSPACE).code == "InvalidAuthenticationTokenAudience"
    assert azure.send("GET", "/registrymanagement/v1.0/registries/azureml/discovery").status == 200


def test_a_token_signed_elsewhere_is_worth_nothing(azure: Azure, tmp_path: Path) -> None:
    """Another state folder has another key."""
    azure.token = access_tokens.issue(Tokens(tmp_path / "other"), "https://management.azure.com", time.time())
    assert azure.send("GET", WORKSPACE).code == "InvalidAuthenticationToken"


def test_a_key_is_kept_and_private(tmp_path: Path) -> None:
    """A restart knows the tokens of before; only the owner may read the file."""
    token = access_tokens.issue(Tokens(tmp_path), "x", 1.0)
    assert Tokens(tmp_path).claims(token) is not None
    assert (tmp_path / "tokens.pem").stat().st_mode & 0o777 == 0o600


def test_plain_http_serves_nothing_but_identity(azure: Azure) -> None:
    """Tokens and keys do not travel in the clear."""
    assert azure.send("GET", WORKSPACE, scheme="http").code == "HttpsRequired"
    assert azure.send("POST", "/inference/eastus/mip/score", {}, scheme="http").code == "HttpsRequired"

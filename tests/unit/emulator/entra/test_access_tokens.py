"""Access tokens and authentication."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deploy.emulator.entra import access_tokens
from deploy.emulator.entra.access_tokens import Tokens
from tests.unit.emulator.azure import WORKSPACE, Azure


def test_the_identity_endpoint_issues_valid_tokens(azure: Azure) -> None:
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


def test_the_identity_endpoint_needs_its_header_and_a_resource(azure: Azure) -> None:
    """A page in a browser cannot send the header."""
    assert azure.send("GET", "/msi/token?resource=x", scheme="http").status == 401
    assert azure.send("GET", "/msi/token", headers={"x-identity-header": "x"}, scheme="http").status == 400


@pytest.mark.parametrize("token", ["x", "nonsense", "a.b.c", "é"])
def test_an_invalid_token_is_401(azure: Azure, token: str) -> None:
    """In Azure's form, with a challenge."""
    azure.token = token
    reply = azure.send("GET", WORKSPACE)
    assert (reply.status, reply.code) == (401, "InvalidAuthenticationToken")
    assert reply.headers["www-authenticate"].startswith("Bearer ")
    assert azure.send("GET", WORKSPACE, headers={"authorization": ""}).code == "AuthenticationFailed"


def test_expired_tokens_and_wrong_audiences_have_their_own_codes(azure: Azure) -> None:
    """A token for the data plane is not valid on the control plane."""
    azure.token = access_tokens.issue(azure.tokens, "https://management.azure.com/", time.time() - 90_000)
    assert azure.send("GET", WORKSPACE).code == "ExpiredAuthenticationToken"
    azure.token = access_tokens.issue(azure.tokens, "https://ml.azure.com", time.time())
    assert azure.send("GET", WORKSPACE).code == "InvalidAuthenticationTokenAudience"
    assert azure.send("GET", "/registrymanagement/v1.0/registries/azureml/discovery").status == 200


def test_a_token_of_another_key_is_401(azure: Azure, tmp_path: Path) -> None:
    """Another state folder has another key."""
    azure.token = access_tokens.issue(Tokens(tmp_path / "other"), "https://management.azure.com", time.time())
    assert azure.send("GET", WORKSPACE).code == "InvalidAuthenticationToken"


def test_the_signing_key_is_stored_with_mode_0600(tmp_path: Path) -> None:
    """Tokens stay valid after a restart."""
    token = access_tokens.issue(Tokens(tmp_path), "x", 1.0)
    assert Tokens(tmp_path).claims(token) is not None
    assert (tmp_path / "tokens.pem").stat().st_mode & 0o777 == 0o600


def test_plain_http_serves_only_the_identity_endpoint(azure: Azure) -> None:
    """Tokens and keys need TLS."""
    assert azure.send("GET", WORKSPACE, scheme="http").code == "HttpsRequired"
    assert azure.send("POST", "/inference/eastus/mip/score", {}, scheme="http").code == "HttpsRequired"

"""Sign-in: secrets, assertions of trusted issuers, managed identities, and errors in Entra's form."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from deploy.emulator.entra import access_tokens
from deploy.emulator.entra.jwt import Signer, verified
from deploy.emulator.world.settings import GITHUB
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply

APP = "00000000-0000-0000-0000-00000000a99a"
PRINCIPAL = "00000000-0000-0000-0000-00000000b99b"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FEDERATED = {"name": "main", "issuer": GITHUB, "subject": MAIN, "audiences": ["api://AzureADTokenExchange"]}


def _application(azure: Azure, **more: Any) -> None:
    body = {
        "kind": "ServicePrincipal", "name": "pipeline", "appId": APP, "secrets": [{"secretText": "open sesame"}],
        "federatedCredentials": [FEDERATED], **more,
    }  # fmt: skip
    assert azure.send("PUT", f"/emulator/principals/{PRINCIPAL}", body).status == 200


def _token(azure: Azure, tenant: str = access_tokens.TENANT, **form: str) -> Reply:
    asked = {
        "grant_type": "client_credentials", "client_id": APP, "scope": "https://management.azure.com/.default", **form,
    }  # fmt: skip
    return azure.send("POST", f"/{tenant}/oauth2/v2.0/token", urlencode(asked).encode(), {"authorization": ""})


def _github(azure: Azure, audience: str = "api://AzureADTokenExchange", subject: str = "") -> str:
    query = f"audience={quote(audience, safe='')}" + (f"&subject={quote(subject, safe='')}" if subject else "")
    shown = {"authorization": "bearer amldeploy-emulator"}
    return str(azure.send("GET", f"/github/token?api-version=2.0&{query}", headers=shown).json["value"])


def _assert(azure: Azure, assertion: str) -> Reply:
    return _token(azure, client_assertion=assertion, client_assertion_type=JWT)


def test_a_client_secret_signs_in(azure: Azure) -> None:
    """The token has the claims of the application's principal."""
    _application(azure)
    reply = _token(azure, client_secret="open sesame")
    assert (reply.status, reply.json["token_type"]) == (200, "Bearer")
    claims = azure.tokens.claims(reply.json["access_token"])
    assert claims is not None
    assert {key: claims[key] for key in ("oid", "appid", "tid", "aud")} == {
        "oid": PRINCIPAL, "appid": APP, "tid": access_tokens.TENANT, "aud": "https://management.azure.com",
    }  # fmt: skip
    azure.token = reply.json["access_token"]
    refused = azure.send("GET", WORKSPACE)
    assert refused.code == "AuthorizationFailed"
    assert f"The client '{APP}' with object id '{PRINCIPAL}'" in refused.message


def test_an_assertion_of_a_trusted_issuer_signs_in(azure: Azure) -> None:
    """Issuer, subject and audience match a federated credential, the signature is the issuer's."""
    _application(azure)
    assert _assert(azure, _github(azure)).status == 200


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"client_secret": "guess"}, 401, 7000215),
        ({}, 401, 7000218),
        ({"client_id": str(uuid.UUID(int=5)), "client_secret": "open sesame"}, 400, 700016),
        ({"tenant": str(uuid.UUID(int=5)), "client_secret": "open sesame"}, 400, 90002),
        ({"client_secret": "open sesame", "scope": "https://management.azure.com"}, 400, 1002012),
        ({"grant_type": "password"}, 400, 70003),
        ({"client_assertion": "nonsense", "client_assertion_type": JWT}, 401, 50027),
    ],
)
def test_errors_have_entras_form(azure: Azure, form: dict[str, str], status: int, code: int) -> None:
    """With the code in the text and as a number, without the secret."""
    _application(azure)
    reply = _token(azure, **form)
    assert (reply.status, reply.json["error_codes"]) == (status, [code])
    assert reply.json["error_description"].startswith(f"AADSTS{code}: ")
    assert "guess" not in reply.content.decode()


def test_an_expired_secret_has_its_own_code(azure: Azure) -> None:
    """One valid secret is enough."""
    old = {"secretText": "old", "endDateTime": "2020-01-01T00:00:00Z"}
    _application(azure, secrets=[old])
    assert _token(azure, client_secret="old").json["error_codes"] == [7000222]
    _application(azure, secrets=[old, {"secretText": "old", "endDateTime": "2999-01-01T00:00:00Z"}])
    assert _token(azure, client_secret="old").status == 200


def test_assertions_that_match_no_credential_are_refused(azure: Azure) -> None:
    """Wrong subject, wrong audience, no credential; the error contains the presented values."""
    _application(azure)
    fork = "repo:somebody/else:ref:refs/heads/main"
    for assertion in (_github(azure, subject=fork), _github(azure, audience="api://other")):
        reply = _assert(azure, assertion)
        assert (reply.status, reply.json["error_codes"]) == (401, [70021])
        assert f"Assertion Issuer: '{GITHUB}'" in reply.json["error_description"]
    azure.send("PUT", "/emulator/settings", {"github_subject": fork})
    assert f"Assertion Subject: '{fork}'" in _assert(azure, _github(azure)).json["error_description"]
    _application(azure, federatedCredentials=[])
    assert _assert(azure, _github(azure, subject=MAIN)).json["error_codes"] == [70021]


def test_an_assertion_expires(azure: Azure, tokens: access_tokens.Tokens) -> None:
    """After five minutes, a common problem of long jobs."""
    _application(azure)
    now = time.time()
    claims = {"iss": GITHUB, "sub": MAIN, "aud": "api://AzureADTokenExchange", "nbf": now - 400, "exp": now - 100}
    reply = _assert(azure, tokens.github.sign(claims))
    assert reply.json["error_codes"] == [700024]
    assert "Client assertion is not within its valid time range. Current time: 20" in reply.json["error_description"]
    assert _assert(azure, tokens.github.sign({**claims, "exp": "soon"})).json["error_codes"] == [700024]
    issued = tokens.github.claims(_github(azure))
    assert issued is not None
    assert issued["exp"] - issued["iat"] == 300


def test_other_issuers_are_trusted_by_their_keys(azure: Azure, tmp_path: Path) -> None:
    """Their key sets are a setting; a token of another key is refused."""
    issuer, mine, other = "https://issuer.example", Signer(tmp_path / "a", "a"), Signer(tmp_path / "b", "b")
    _application(azure, federatedCredentials=[{"issuer": issuer, "subject": "me"}])
    claims = {"iss": issuer, "sub": "me", "aud": "api://AzureADTokenExchange", "exp": time.time() + 60}
    assert _assert(azure, mine.sign(claims)).json["error_codes"] == [50013]
    azure.send("PUT", "/emulator/settings", {"issuers": {issuer: mine.key_set()}})
    assert _assert(azure, mine.sign(claims)).status == 200
    assert _assert(azure, other.sign(claims)).json["error_codes"] == [50013]
    assert verified("x.y.z", {"keys": [{"n": 1}, "odd", {}]}) is None


def test_a_github_token_is_not_valid_for_azure(azure: Azure) -> None:
    """It has another key, for any audience; it needs the request token."""
    azure.token = _github(azure, audience="https://management.azure.com")
    assert azure.send("GET", WORKSPACE).code == "InvalidAuthenticationToken"
    assert azure.send("GET", "/github/token?audience=x", headers={"authorization": "bearer guess"}).status == 401


def test_discovery_documents_have_the_key_urls(azure: Azure) -> None:
    """OpenID configuration, instance discovery, and the keys of the tokens."""
    for tenant in (access_tokens.TENANT, "adfs"):
        for version in ("", "/v2.0"):
            document = azure.send("GET", f"/{tenant}{version}/.well-known/openid-configuration").json
            assert document["token_endpoint"].startswith(f"https://127.0.0.1:1234/{tenant}/oauth2")
            keys = azure.send("GET", document["jwks_uri"].partition(":1234")[2]).json
            assert verified(azure.token, keys) is not None
    github = azure.send("GET", "/github/.well-known/openid-configuration").json
    keys = azure.send("GET", github["jwks_uri"].partition(":1234")[2]).json
    assert verified(_github(azure), keys) is not None
    assert verified(azure.token, keys) is None
    found = azure.send("GET", "/common/discovery/instance?authorization_endpoint=x").json
    assert found["metadata"][0]["aliases"] == ["127.0.0.1:1234"]


def test_the_identity_endpoint_signs_in_the_requested_principal(azure: Azure) -> None:
    """By application or object id; an unknown one is refused."""
    _application(azure)
    for name, value in (("client_id", APP), ("object_id", PRINCIPAL), ("principal_id", PRINCIPAL)):
        reply = azure.send("GET", f"/msi/token?resource=x&{name}={value}", headers={"x-identity-header": "x"})
        claims = azure.tokens.claims(reply.json["access_token"])
        assert claims is not None
        assert claims["oid"] == PRINCIPAL
    assert azure.send("GET", "/msi/token?resource=x&client_id=no", headers={"x-identity-header": "x"}).status == 400


def test_the_directory_lists_all_principals_without_secrets(azure: Azure) -> None:
    """No secret is in lists or in the world file."""
    _application(azure)
    listed = azure.send("GET", "/emulator/principals")
    mine = next(item for item in listed.json["value"] if item["id"] == PRINCIPAL)
    assert mine["federatedCredentials"] == [FEDERATED]
    assert "sesame" not in listed.content.decode()
    assert not any("sesame" in line for line in azure.world.db.iterdump())


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Robot"}, {"secrets": ["x"]}, {"secrets": "x"}, {"federatedCredentials": [{"issuer": "x"}]},
        {"appId": "x"}, {"kind": "Group", "members": ["x"]}, {"appId": access_tokens.SIGNED_IN_APP},
    ],
)  # fmt: skip
def test_an_invalid_principal_is_refused(azure: Azure, body: dict[str, Any]) -> None:
    """Nothing is written."""
    assert azure.send("PUT", f"/emulator/principals/{PRINCIPAL}", body).status in (400, 409)
    assert PRINCIPAL not in azure.send("GET", "/emulator/principals").content.decode()


@pytest.mark.parametrize(
    "body", [{"unknown": 1}, {"shared_quota_eligible": 1}, {"role_assignment_delay_seconds": -1}, {"issuers": []}]
)
def test_an_invalid_setting_is_refused(azure: Azure, body: dict[str, Any]) -> None:
    """By name and by type; null restores the default."""
    assert azure.send("PUT", "/emulator/settings", body).code == "InvalidSetting"
    azure.send("PUT", "/emulator/settings", {"role_assignment_delay_seconds": 5})
    assert azure.send("PUT", "/emulator/settings", {"role_assignment_delay_seconds": None}).json == azure.send(
        "GET", "/emulator/settings"
    ).json | {"role_assignment_delay_seconds": 0}

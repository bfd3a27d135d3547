"""Who is calling: tokens are signed and checked here, and a managed-identity endpoint hands them out.

There is no Entra ID; whoever asks the loopback identity endpoint is the signed-in principal. Tokens are RS256 JWTs with
the claims of real ones, so that programs which look inside find what they expect.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deploy.emulator.certificates import private_file
from deploy.emulator.wire import Answer, Call, Refusal, gateway

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TENANT = "00000000-0000-0000-0000-0000000000aa"
SIGNED_IN = "00000000-0000-0000-0000-0000000000b1"
SIGNED_IN_APP = "00000000-0000-0000-0000-0000000000b2"
SIGNED_IN_NAME = "amldeploy-local"
TOKEN_SECONDS = 86_400
MANAGEMENT_HOSTS = ("management.azure.com", "management.core.windows.net", "127.0.0.1", "localhost")
SCORING_HOSTS = ("ml.azure.com",)


@dataclass(frozen=True)
class Caller:
    """Who sent a request: an object id, "" for nobody, and a name for people."""

    id: str = ""
    name: str = ""


class Tokens:
    """Signs and checks tokens with one RSA key, made when first needed and kept in the state folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "tokens.pem"
        self._key: RSAPrivateKey | None = None
        self._good: dict[str, dict[str, Any]] = {}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT with these claims."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        head = f"{_encode({'typ': 'JWT', 'alg': 'RS256', 'kid': 'amldeploy-emulator'})}.{_encode(claims)}"
        return f"{head}.{_text(self._load().sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that we signed; None for any other text. Expiry is the caller's to judge."""
        if token not in self._good:
            claims = self._verify(token)
            if claims is None:
                return None
            if len(self._good) > 1000:
                self._good.clear()
            self._good[token] = claims
        return self._good[token]

    def _verify(self, token: str) -> dict[str, Any] | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        try:
            head, _, signature = token.rpartition(".")
            self._load().public_key().verify(_bytes(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims: dict[str, Any] = json.loads(_bytes(head.split(".")[1]))
        except (ValueError, IndexError, InvalidSignature):
            return None
        return claims

    def _load(self) -> RSAPrivateKey:
        if self._key is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

            def fresh() -> bytes:
                return generate_private_key(65537, 2048).private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )

            key = serialization.load_pem_private_key(private_file(self._file, fresh), None)
            if not isinstance(key, RSAPrivateKey):
                raise RuntimeError(f"cannot use {self._file}: it holds no RSA key. Delete it.")
            self._key = key
        return self._key


def issue(tokens: Tokens, audience: str, now: float) -> str:
    """An access token of the signed-in principal for one resource."""
    return tokens.sign(
        {
            "aud": audience, "iss": f"https://sts.windows.net/{TENANT}/", "tid": TENANT, "oid": SIGNED_IN,
            "sub": SIGNED_IN, "appid": SIGNED_IN_APP, "idtyp": "app", "ver": "1.0", "xms_az_rid": SIGNED_IN_NAME,
            "iat": int(now), "nbf": int(now), "exp": int(now) + TOKEN_SECONDS,
        }
    )  # fmt: skip


def managed_identity(call: Call) -> Answer:
    """GET /msi/token, api-version 2019-08-01: the App Service form of a managed identity's endpoint."""
    if "x-identity-header" not in call.headers:
        raise Refusal(Answer(401, {"statusCode": 401, "message": "The header X-IDENTITY-HEADER is missing."}))
    resource = call.query.get("resource", "")
    if not resource:
        raise Refusal(Answer(400, {"statusCode": 400, "message": "The parameter 'resource' is missing."}))
    now = time.time()  # sign-in belongs to the clients' time: they judge by their own clocks when to renew
    body = {
        "access_token": issue(call.tokens, resource, now),
        "expires_on": str(int(now) + TOKEN_SECONDS),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": SIGNED_IN_APP,
    }
    return Answer(200, body)


def caller_of(tokens: Tokens, authorization: str, hosts: tuple[str, ...] = MANAGEMENT_HOSTS) -> Caller:
    """Who a control-plane request comes from; `hosts` are the audiences that its plane accepts.

    Raises:
        Refusal: 401 in Azure's form when the token is missing, not ours, expired or meant for somebody else.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    claims = tokens.claims(token)
    if claims is None:
        raise _unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
    if claims["exp"] < time.time():
        raise _unauthorized("ExpiredAuthenticationToken", "The access token expiry UTC time is in the past.")
    if not meant_for(claims, hosts):
        raise _unauthorized(
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{claims.get('aud')}'. It should"
            " exactly match with one of the allowed audiences 'https://management.core.windows.net/',"
            "'https://management.azure.com/'.",
        )
    return Caller(str(claims.get("oid", "")), str(claims.get("xms_az_rid", "")))


def meant_for(claims: Mapping[str, Any], hosts: tuple[str, ...]) -> bool:
    """Whether a token's audience is one of these hosts, on any port."""
    return urlsplit(str(claims.get("aud", ""))).hostname in hosts


def _unauthorized(code: str, message: str) -> Refusal:
    authority = f"https://login.windows.net/{TENANT}"
    challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
    return gateway(401, code, message, {"WWW-Authenticate": challenge})


def _encode(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))

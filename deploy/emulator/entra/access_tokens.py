"""Access tokens: issue them, and authenticate the caller of a request.

Tokens are RS256 JWTs with the claims of Entra's, because some clients read the claims. `signin` has the endpoints that
issue tokens; `rbac.rights` decides what a caller is allowed to do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.emulator.entra.directory import Principal
from deploy.emulator.entra.jwt import Signer as Key
from deploy.emulator.wire.call import Caller, Signer
from deploy.emulator.wire.responses import Refusal, arm_error

TENANT = "00000000-0000-0000-0000-0000000000aa"
SIGNED_IN = "00000000-0000-0000-0000-0000000000b1"
SIGNED_IN_APP = "00000000-0000-0000-0000-0000000000b2"
SIGNED_IN_NAME = "amldeploy-local"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""Azure CLI's application id, in the tokens of users."""
MANAGEMENT_HOSTS = ("management.azure.com", "management.core.windows.net", "127.0.0.1", "localhost")
SCORING_HOSTS = ("ml.azure.com",)
METRICS_HOSTS = ("metrics.monitor.azure.com",)


class Tokens(Key):
    """The signer of the directory's tokens; `github` signs the tokens of the GitHub issuer with another key."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "tokens.pem", "amldeploy-emulator")
        self.github = Key(folder / "github.pem", "amldeploy-emulator-github")


def default_principal() -> Principal:
    """The service principal that owns the default subscription."""
    return Principal(SIGNED_IN, "ServicePrincipal", SIGNED_IN_NAME, SIGNED_IN_APP)


def issue(
    tokens: Signer, audience: str, now: float, principal: Principal | None = None, seconds: float = 86_400.0
) -> str:
    """An access token for one resource, valid for `seconds`; by default of `default_principal`."""
    principal = principal or default_principal()
    person = {"idtyp": "user", "appid": AZURE_CLI, "upn": principal.name, "unique_name": principal.name}
    application = {"idtyp": "app", "appid": principal.client, "xms_az_rid": principal.name}
    return tokens.sign(
        {
            "aud": audience, "iss": f"https://sts.windows.net/{TENANT}/", "tid": TENANT, "oid": principal.id,
            "sub": principal.id, "ver": "1.0", **(person if principal.kind == "User" else application),
            "iat": int(now), "nbf": int(now), "exp": int(now + seconds),
        }
    )  # fmt: skip


def authenticate(tokens: Signer, authorization: str, hosts: tuple[str, ...] = MANAGEMENT_HOSTS) -> Caller:
    """The caller of a control-plane request; `hosts` are the audiences that its plane accepts.

    Raises:
        Refusal: 401 in Azure's form when the token is missing, not issued here, expired or for another audience.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    claims = tokens.claims(token)
    if claims is None:
        raise _unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
    if claims["exp"] < time.time():
        raise _unauthorized("ExpiredAuthenticationToken", "The access token expiry UTC time is in the past.")
    if not has_audience(claims, hosts):
        allowed = "'https://management.core.windows.net/','https://management.azure.com/'"
        if MANAGEMENT_HOSTS[0] not in hosts:
            allowed = f"'https://{hosts[0]}'"
        raise _unauthorized(
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{claims.get('aud')}'. It should"
            f" exactly match with one of the allowed audiences {allowed}.",
        )
    return caller_from(claims)


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """The caller that the claims of a valid token name."""
    name, upn = str(claims.get("xms_az_rid", "")), str(claims.get("upn", ""))
    kind = "User" if upn else "Application"
    return Caller(str(claims.get("oid", "")), name or upn, upn or str(claims.get("appid", "")), kind)


def has_audience(claims: Mapping[str, Any], hosts: tuple[str, ...]) -> bool:
    """Whether the token's audience is one of these hosts, on any port."""
    return urlsplit(str(claims.get("aud", ""))).hostname in hosts


def _unauthorized(code: str, message: str) -> Refusal:
    authority = f"https://login.windows.net/{TENANT}"
    challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
    return arm_error(401, code, message, {"WWW-Authenticate": challenge})

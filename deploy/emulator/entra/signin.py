"""Sign-in: the token endpoint of Entra ID for applications, and the managed-identity endpoint of App Service.

Errors have Entra's form, `{"error", "error_description": "AADSTS...", "error_codes", ...}`. Token times are real time,
not the world's time, because clients decide by their own clocks when to renew a token.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qs

from deploy.emulator.entra import access_tokens, directory, jwt
from deploy.emulator.entra.access_tokens import TENANT
from deploy.emulator.entra.directory import Principal
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Json, Refusal
from deploy.emulator.world import settings

TENANTS = (TENANT, "adfs")
"""Clients use the tenant `adfs` without a lookup at the real Entra ID."""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def openid(call: Call) -> Answer:
    """GET .well-known/openid-configuration of a tenant."""
    tenant = _tenant(call)
    root = f"{call.base}/{tenant}/oauth2" + ("" if tenant == "adfs" else "/v2.0")
    keys = f"{call.base}/{tenant}/discovery/v2.0/keys"
    body = {
        "issuer": f"{call.base}/{tenant}/v2.0", "token_endpoint": f"{root}/token", "jwks_uri": keys,
        "authorization_endpoint": f"{root}/authorize", "device_authorization_endpoint": f"{root}/devicecode",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["token"], "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"], "tenant_region_scope": None,
    }  # fmt: skip
    return Answer(200, body)


def keys(call: Call) -> Answer:
    """GET the public keys of the directory."""
    _tenant(call)
    return Answer(200, call.tokens.key_set())


def instances(call: Call) -> Answer:
    """GET instance discovery: this authority is a separate cloud."""
    host = call.base.partition("//")[2]
    names = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    url = f"{call.base}/{TENANT}/v2.0/.well-known/openid-configuration"
    return Answer(200, {"tenant_discovery_endpoint": url, "api-version": "1.1", "metadata": [names]})


def token(call: Call) -> Answer:
    """POST token: `client_credentials` with a secret, or with an assertion of a trusted issuer (federated token)."""
    _tenant(call)
    form = {key: values[0] for key, values in parse_qs(call.raw.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        raise _refusal(400, "unsupported_grant_type", 70003, "The emulator supports only the grant client_credentials.")
    client = form.get("client_id", "")
    found = directory.application(call.world, client)
    if found is None:
        raise _refusal(
            400, "unauthorized_client", 700016,
            f"Application with identifier '{client}' was not found in the directory '{TENANT}'. This can happen if the "
            "application has not been installed by the administrator of the tenant or consented to by any user in the "
            "tenant. You may have sent your authentication request to the wrong tenant.",
        )  # fmt: skip
    principal, credentials = found
    if "client_assertion" in form:
        _check_assertion(call, form, credentials)
    else:
        _check_secret(form, principal, credentials)
    scope = form.get("scope", "").split(" ")[0]
    if not scope.endswith("/.default"):
        raise _refusal(
            400, "invalid_scope", 1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI).",
        )  # fmt: skip
    seconds = int(settings.number(call.world, "access_token_seconds"))
    access = access_tokens.issue(call.tokens, scope.removesuffix("/.default"), time.time(), principal, seconds)
    body = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
    return Answer(200, {**body, "access_token": access})


def managed_identity(call: Call) -> Answer:
    """GET /msi/token, api-version 2019-08-01: the App Service form of a managed identity's endpoint.

    By default it signs in the owner of the subscription. `client_id`, `object_id` or `principal_id` choose any other
    principal; only the emulator allows that, for tests of permissions.
    """
    if "x-identity-header" not in call.headers:
        raise Refusal(Answer(401, {"statusCode": 401, "message": "The header X-IDENTITY-HEADER is missing."}))
    resource = call.query.get("resource", "")
    if not resource:
        raise Refusal(Answer(400, {"statusCode": 400, "message": "The parameter 'resource' is missing."}))
    requested = next((call.query[key] for key in ("client_id", "object_id", "principal_id") if call.query.get(key)), "")
    principal = directory.find(call.world, requested) if requested else access_tokens.default_principal()
    if principal is None:
        message = (
            f"No User Assigned or Delegated Managed Identity found for specified ClientId/PrincipalId {requested}."
        )
        raise Refusal(Answer(400, {"statusCode": 400, "message": message}))
    now, seconds = time.time(), settings.number(call.world, "access_token_seconds")
    body = {
        "access_token": access_tokens.issue(call.tokens, resource, now, principal, seconds),
        "expires_on": str(int(now + seconds)),
        "resource": resource, "token_type": "Bearer", "client_id": principal.client,
    }  # fmt: skip
    return Answer(200, body)


def _tenant(call: Call) -> str:
    name = call.route_params["tenant"].lower()
    if name not in TENANTS:
        raise _refusal(
            400, "invalid_tenant", 90002,
            f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant.",
        )  # fmt: skip
    return name


def _check_secret(form: dict[str, str], principal: Principal, credentials: dict[str, Json]) -> None:
    if "client_secret" not in form:
        raise _refusal(
            401, "invalid_client", 7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )  # fmt: skip
    digest = directory.digest(form["client_secret"])
    found = [secret for secret in credentials["secrets"] if secret["digest"] == digest]
    if not found:
        raise _refusal(
            401, "invalid_client", 7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{principal.client}'.",
        )  # fmt: skip
    if all(secret["endDateTime"] and _moment(secret["endDateTime"]) < time.time() for secret in found):
        raise _refusal(
            401, "invalid_client", 7000222,
            f"The provided client secret keys for app '{principal.client}' are expired. Visit the Azure portal to "
            "create new keys for your app.",
        )  # fmt: skip


def _check_assertion(call: Call, form: dict[str, str], credentials: dict[str, Json]) -> None:
    assertion = form["client_assertion"]
    claims = jwt.unverified(assertion)
    if claims is None or form.get("client_assertion_type") != _ASSERTION:
        raise _refusal(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
    issuer, subject, audience = (str(claims.get(key, "")) for key in ("iss", "sub", "aud"))
    if not any(
        (item["issuer"], item["subject"]) == (issuer, subject) and audience in item["audiences"]
        for item in credentials["federatedCredentials"]
    ):
        raise _refusal(
            401, "invalid_client", 70021,
            f"No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. "
            f"Assertion Subject: '{subject}'. Assertion Audience: '{audience}'. "
            "https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation",
        )  # fmt: skip
    trusted = {settings.GITHUB: call.tokens.github.key_set(), **settings.get(call.world, "issuers")}
    if jwt.verified(assertion, trusted.get(issuer, {})) is None:
        raise _refusal(
            401, "invalid_client", 50013,
            "Assertion failed signature validation. [Reason - The key was not found.]",
        )  # fmt: skip
    _check_age(claims)


def _check_age(claims: dict[str, Json]) -> None:
    now = time.time()
    begins, ends = claims.get("nbf", 0), claims.get("exp", 0)
    if not (isinstance(begins, int | float) and isinstance(ends, int | float) and begins - 300 <= now < ends):
        raise _refusal(
            401, "invalid_client", 700024,
            f"Client assertion is not within its valid time range. Current time: {_time(now)}, assertion valid from "
            f"{_time(begins)}, expiry time of assertion {_time(ends)}. Review the documentation at https://docs."
            "microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .",
        )  # fmt: skip


def _refusal(status: int, error: str, code: int, message: str) -> Refusal:
    now, trace, correlation = datetime.now(UTC), str(uuid.uuid4()), str(uuid.uuid4())
    moment = f"{now:%Y-%m-%d %H:%M:%S}Z"
    description = f"AADSTS{code}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
    body = {
        "error": error, "error_description": description, "error_codes": [code], "timestamp": moment, "trace_id": trace,
        "correlation_id": correlation, "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }  # fmt: skip
    return Refusal(Answer(status, body), f"AADSTS{code}")


def _time(seconds: Json) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
    except (TypeError, ValueError, OverflowError, OSError):
        return str(seconds)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

"""Who can use the data plane of a storage account: network, credential, permission.

As on Azure, a token of Entra ID needs a role with data actions; being Owner is not enough for blobs. A SAS must have
the signature that the emulator issues; the signature of a Shared Key header is not checked. A request without a
credential is refused with 401, which is inferred: Azure's answer depends on the version of the client.
"""

from __future__ import annotations

import time

from deploy.emulator.entra import access_tokens
from deploy.emulator.storage import accounts, container_store, containers, errors
from deploy.emulator.wire.call import Call, Caller
from deploy.emulator.wire.responses import Refusal
from deploy.emulator.wire.routing import Route
from deploy.emulator.world.store import Resource

ACCOUNT_KEY = "ZW11bGF0b3I="
ACCOUNT_SAS = "sv=2026-10-06&sr=c&sp=racwdl&sig=emulator"
"""A query in the form of a SAS that was signed with the account key."""
DELEGATION_SAS = f"skoid=00000000-0000-0000-0000-000000000000&sktid={access_tokens.TENANT}&{ACCOUNT_SAS}"
"""One that was signed with a key of Entra ID (user delegation); it needs no account key."""
_SIGNATURE = "emulator"
_KEYED = ("sharedkey", "sharedkeylite")
"""The schemes of the Authorization header that use the account key."""


def authenticate(call: Call) -> Caller:
    """The caller of a request to the data plane; without an id if it has a key or a SAS.

    Raises:
        Refusal: the network is closed, or the credential is missing, invalid or not permitted.
    """
    account = containers.account(call)
    if not accounts.network_is_open(call.world):
        raise errors.refusal("AuthorizationFailure")
    scheme = _scheme(call)
    if scheme == "bearer":
        return _caller(call, account)
    if scheme not in _KEYED and "sig" not in call.query:
        raise _challenge("NoAuthenticationInformation")
    if scheme not in _KEYED and call.query["sig"] != _SIGNATURE:
        raise errors.refusal("AuthenticationFailed")
    by_key = scheme in _KEYED or "skoid" not in call.query
    if by_key and not accounts.allows_shared_key(call.world):
        raise errors.refusal("KeyBasedAuthenticationNotPermitted")
    return Caller()


def allow(route: Route, call: Call) -> None:
    """Return if the caller's roles, or the permissions of its SAS, allow the request; refuse it with 403 otherwise.

    Operations on containers are actions, operations on blobs are data actions. A lease call is a write; for blobs this
    is inferred from roles that hold leases.
    """
    verb = "read" if route.method in ("GET", "HEAD") else "delete" if route.method == "DELETE" else "write"
    scheme = _scheme(call)
    if scheme == "bearer":
        of_blob = not route.name.startswith("Container_")
        action = f"{container_store.TYPE}/{'blobs/' if of_blob else ''}{verb}"
        scope = container_store.identifier(containers.account(call), call.route_params.get("container", ""))
        allowed = call.rights.allows(call.caller.id, action, scope, data=of_blob)
    else:
        letter = "l" if route.name == "Blob_List" else verb[0]
        allowed = scheme in _KEYED or letter in call.query.get("sp", "")
    if not allowed:
        raise errors.refusal("AuthorizationPermissionMismatch")


def _scheme(call: Call) -> str:
    return call.headers.get("authorization", "").partition(" ")[0].lower()


def _caller(call: Call, account: Resource) -> Caller:
    claims = call.tokens.claims(call.headers["authorization"].partition(" ")[2])
    hosts = ("storage.azure.com", f"{account.name}.blob.core.windows.net")
    if claims is None or claims["exp"] < time.time() or not access_tokens.has_audience(claims, hosts):
        raise _challenge("InvalidAuthenticationInfo")
    return access_tokens.caller_from(claims)


def _challenge(code: str) -> Refusal:
    authority = f"https://login.microsoftonline.com/{access_tokens.TENANT}/oauth2/authorize"
    value = f"Bearer authorization_uri={authority} resource_id=https://storage.azure.com"
    return errors.refusal(code, headers={"WWW-Authenticate": value})

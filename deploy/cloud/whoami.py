"""The signed-in principal: the type of the credential, and the claims of its token. Never returns the token."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace

from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import translated_errors
from deploy.domain.arm import Json
from deploy.domain.provenance import Provenance
from deploy.errors import DeployError
from deploy.sanitize import sanitize


@dataclass(frozen=True)
class Caller:
    """The class of the credential, the principal's object id and its tenant; empty if unknown.

    `client`: the application of the credential, if it has one.
    """

    credential: str
    object_id: str
    tenant: str
    client: str = ""
    name: str = ""
    """User principal name, empty for an application."""


def signed_in(cloud: Cloud) -> Caller:
    """The principal of the token for the resource manager. Raises NotAuthenticated if there is no token."""
    with translated_errors("sign in"):
        token = cloud.credential.get_token(cloud.arm.scope).token
    claims = _claims(str(token))
    used = getattr(cloud.credential, "_successful_credential", None) or cloud.credential
    oid, tid = (str(claims.get(name) or "") for name in ("oid", "tid"))
    name = next((str(claims[each]) for each in ("upn", "preferred_username", "unique_name") if claims.get(each)), "")
    return Caller(type(used).__name__, oid, tid, str(getattr(used, "client", "")), name)


def principal_name(cloud: Cloud) -> str:
    """The principal's name or object id; `unknown` without a token."""
    try:
        caller = signed_in(cloud)
    except DeployError:
        return "unknown"
    return sanitize(caller.name or caller.object_id or "unknown")


def provenance(cloud: Cloud) -> Provenance:
    """The commit and run of this deployment, its principal, and the service's time."""
    return replace(cloud.made_from, by=principal_name(cloud), at=cloud.now())


def _claims(token: str) -> dict[str, Json]:
    """The claims of a JSON Web Token, not verified, for display only."""
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

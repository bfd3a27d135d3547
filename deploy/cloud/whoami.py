"""Who is calling: which kind of credential was used, and whom its token names. The token itself goes nowhere."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace

from deploy.cloud.connect import Cloud
from deploy.cloud.failures import asking
from deploy.domain.arm import Json
from deploy.domain.provenance import Provenance
from deploy.errors import DeployError, sanitize


@dataclass(frozen=True)
class Caller:
    """The class of the credential that gave a token, the principal's object id and its tenant; empty: not told.

    `client`: the application that the credential was made for, where it was made for one.
    """

    credential: str
    object_id: str
    tenant: str
    client: str = ""
    name: str = ""
    """User principal name, empty for an application."""


def signed_in(cloud: Cloud) -> Caller:
    """Whoever the token for the resource manager names. Raises NotAuthenticated when there is none."""
    with asking("sign in"):
        token = cloud.credential.get_token(cloud.arm.scope).token
    claims = _claims(str(token))
    used = getattr(cloud.credential, "_successful_credential", None) or cloud.credential
    oid, tid = (str(claims.get(name) or "") for name in ("oid", "tid"))
    name = next((str(claims[each]) for each in ("upn", "preferred_username", "unique_name") if claims.get(each)), "")
    return Caller(type(used).__name__, oid, tid, str(getattr(used, "client", "")), name)


def who(cloud: Cloud) -> str:
    """The caller's name, or its object id; `unknown` when no token can be had."""
    try:
        caller = signed_in(cloud)
    except DeployError:
        return "unknown"
    return sanitize(caller.name or caller.object_id or "unknown")


def provenance(cloud: Cloud) -> Provenance:
    """What this run deploys from, its caller, and the moment by the service's clock."""
    return replace(cloud.made_from, by=who(cloud), at=cloud.now())


def _claims(token: str) -> dict[str, Json]:
    """The middle part of a JSON Web Token, unverified: it is read to be shown, not to be trusted."""
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

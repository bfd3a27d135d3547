"""A stand-in for the token issuer of GitHub Actions, for tests of federated sign-in.

Its tokens name the real issuer, so that the same federated credentials work here and on Azure. They are signed with a
key that only this emulator trusts.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Refusal
from deploy.emulator.world import settings
from deploy.emulator.world.settings import GITHUB

PATH = "github"


def token(call: Call) -> Answer:
    """GET /github/token: the answer of ACTIONS_ID_TOKEN_REQUEST_URL to ACTIONS_ID_TOKEN_REQUEST_TOKEN.

    The query has the `audience`, and a `subject` that replaces the setting `github_subject`.
    """
    requested = settings.get(call.world, "github_request_token")
    if call.headers.get("authorization", "").partition(" ")[2] != requested:
        raise Refusal(Answer(401, {"message": "The request token is wrong."}))
    subject = call.query.get("subject") or settings.get(call.world, "github_subject")
    repository, _, context = subject.removeprefix("repo:").partition(":")
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": GITHUB, "sub": subject, "aud": call.query.get("audience") or f"https://github.com/{repository}",
        "jti": str(uuid.uuid4()), "nbf": now - 5, "iat": now,
        "exp": now + int(settings.number(call.world, "github_token_seconds")),
        "repository": repository, "repository_owner": repository.partition("/")[0], "runner_environment": "self-hosted",
    }  # fmt: skip
    if context.startswith("ref:"):
        claims["ref"] = context.removeprefix("ref:")
    if context.startswith("environment:"):
        claims["environment"] = context.removeprefix("environment:")
    return Answer(200, {"count": 1, "value": call.tokens.github.sign(claims)})


def openid(call: Call) -> Answer:
    """GET the OpenID configuration. `issuer` is GitHub's; the keys are at this emulator."""
    body = {
        "issuer": GITHUB, "jwks_uri": f"{call.base}/{PATH}/.well-known/jwks", "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
    }  # fmt: skip
    return Answer(200, body)


def keys(call: Call) -> Answer:
    """GET the public key of the issuer."""
    return Answer(200, call.tokens.github.key_set())

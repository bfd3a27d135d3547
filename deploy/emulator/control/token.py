"""The token of the control API: a server makes a new one at its start, and refuses control requests without it.

The record of a server (`emulator.json`, mode 0600) has it, and `amldeploy emulator env` prints it.
"""

from __future__ import annotations

import hmac
import secrets

from deploy.emulator.wire.responses import arm_error

VARIABLE = "AMLDEPLOY_EMULATOR_TOKEN"


def create() -> str:
    """A new token."""
    return secrets.token_urlsafe(32)


def headers(token: str) -> dict[str, str]:
    """The headers of a control request."""
    return {"Authorization": f"Bearer {token}"}


def require(token: str, authorization: str) -> None:
    """Raise Refusal 403 when the header of a control request does not have the token."""
    scheme, _, sent = authorization.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), token.encode()):
        text = f"The control API needs its token. Send the header `Authorization: Bearer ${VARIABLE}`;"
        text += " `amldeploy emulator env` prints this variable."
        raise arm_error(403, "ControlTokenRequired", text)

"""Who is calling: the credential's class and the principal, never the token."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.whoami import Caller, signed_in


class StaticCredential:
    """A credential whose token is known."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_: str) -> Any:
        return SimpleNamespace(token=self.token)


def caller(token: str) -> Caller:
    cloud: Any = SimpleNamespace(credential=StaticCredential(token), arm=SimpleNamespace(scope="https://x/.default"))
    return signed_in(cloud)


def test_token_claims_are_read() -> None:
    """Object id and tenant, from the middle part."""
    middle = base64.urlsafe_b64encode(json.dumps({"oid": "o1", "tid": "t1"}).encode()).decode().rstrip("=")

    assert caller(f"head.{middle}.secret") == Caller("StaticCredential", "o1", "t1")


def test_a_credential_of_an_application_has_its_client_id() -> None:
    """A job of GitHub Actions is an application's, and that is what its federated credential is found by."""
    credential = StaticCredential("a.b.c")
    credential.client = "c1"  # type: ignore[attr-defined]
    cloud: Any = SimpleNamespace(credential=credential, arm=SimpleNamespace(scope="https://x/.default"))

    assert signed_in(cloud) == Caller("StaticCredential", "", "", "c1")


@given(st.text())
@pytest.mark.parametrize("form", ["{}", "a.{}.b"])
def test_other_tokens_have_no_principal(form: str, text: str) -> None:
    """A token that is no JSON Web Token is no reason to stop."""
    assert caller(form.format(text)).credential == "StaticCredential"

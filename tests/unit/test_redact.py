"""Secrets: found by the name a value carries, or by its looks."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.redact import HIDDEN, is_secret, redact_at, redact_secrets
from deploy.sanitize import sanitize
from tests.project import ROOT
from tests.unit.reporter import examples as g

JWT = "eyJhbGciOiJSUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "name",
    ["API_KEY", "apiKey", "primaryKey", "apikey", "storage-key", "DB_PASSWORD", "client_secret", "HF_TOKEN", "sas",
     "sasToken", "AZURE_STORAGE_CONNECTION_STRING", "connectionString", "credentials", "SSH_PRIVATE_KEY"],
)  # fmt: skip
def test_names_of_secrets(name):
    """What is called a key, a token, a password or a credential is a secret."""
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["key", "auth_mode", "max_tokens", "endpoint_key", "keyvault", "token_count", "tags", "monkey", "", "why"]
)
def test_names_of_anything_else(name):
    """Words that only resemble them are not."""
    assert not is_secret(name)


def test_secrets_are_redacted_everywhere():
    """By its own name, by the name beside it in a list, deep inside, or by its looks alone."""
    value = {
        "a": [{"name": "API_KEY", "value": "x1"}, {"path": "variables.DB_PASSWORD", "before": "x2", "after": "x3"}],
        "credentials": {"user": "x4"},
        "note": f"Bearer {JWT}",
    }
    shown = str(redact_secrets(value))
    assert not any(f"'x{n}'" in shown for n in range(1, 5))
    assert JWT not in shown
    assert shown.count(HIDDEN) == 5


def test_references_and_nothing_are_shown():
    """A reference to a secret is none, and an empty value hides nothing."""
    value = {"API_KEY": "${{azureml://connections/c/credentials/key}}", "TOKEN": None, "PASSWORD": ""}
    assert redact_secrets(value) == value


@g.few
@given(g.BODIES)
def test_hiding_twice_is_hiding_once(body):
    """What was hidden stays as it is."""
    assert redact_secrets(redact_secrets(body)) == redact_secrets(body)


def test_our_own_texts_are_not_redacted():
    """The texts of amldeploy itself pass the redaction unchanged."""
    step_types = [path for path in (ROOT / "deploy").rglob("*.py") if path.stem not in ("redact", "sanitize")]
    ours = [path for path in step_types if "emulator" not in path.parts]
    said = {
        (path.name, node.value)
        for path in ours
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    table = (ROOT / "deploy" / "error_codes.yml").read_text(encoding="utf-8").splitlines()
    said |= {("error_codes.yml", line) for line in table}
    assert [(file, words) for file, words in sorted(said) if HIDDEN in sanitize(words)] == []


@given(
    st.text("kKeyt.on_-1*", min_size=1, max_size=8) | st.sampled_from(["token.1", "my.token", "token.", "API_KEY.x"])
)
def test_a_key_with_dots_is_judged_as_it_is_where_it_stands(name: str) -> None:
    """A secret that a document hides by its name is hidden in a list of changes, too."""
    if redact_secrets({name: "value-of-it"}) == {name: HIDDEN}:
        assert redact_at(f"tags.{name}", "value-of-it") == HIDDEN
        assert redact_secrets([{"path": f"tags.{name}", "before": "value-of-it"}])[0]["before"] == HIDDEN

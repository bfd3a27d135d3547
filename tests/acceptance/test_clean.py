"""A recording contains no secret, no id and no name of the user's, and its requests still refer to each other."""

from __future__ import annotations

import base64
import json
import string
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.acceptance_run.clean import LONGEST_LIST, LONGEST_TEXT, Cleaner

ENDPOINT = "acceptance-1a2b3c4d"
SUBSCRIPTION = "5ab0e1f2-77aa-4c1d-9d1e-3f00c0ffee01"
GROUP, WORKSPACE = "rg-northwind", "mlw-northwind"
ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices"
    f"/workspaces/{WORKSPACE}"
)
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def cleaner(salt: bytes = b"salt") -> Cleaner:
    return Cleaner(salt, ENDPOINT)


def exchange(
    path: str = f"{ID}?api-version=1", asked: Any = None, answer: Any = None, **headers: str
) -> dict[str, Any]:
    return {
        "request": {"method": "GET", "path": path, "headers": {}, "body": asked},
        "response": {"status": 200, "headers": headers, "body": answer},
    }


def cleaned(**parts: Any) -> str:
    return json.dumps(cleaner().exchange(exchange(**parts)))


RANDOM = st.text(string.ascii_letters + string.digits, min_size=36, max_size=90).filter(
    lambda text: any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
)
FORMS = st.one_of(
    RANDOM,
    st.binary(min_size=64, max_size=64).map(lambda data: base64.b64encode(data).decode()),
    st.binary(min_size=32, max_size=32).map(lambda data: base64.b64encode(data).decode()),
    RANDOM.map(lambda text: f"eyJ{text[:20]}.eyJ{text}.{text[:30]}"),
    RANDOM.map(lambda text: f"sk-{text[:30]}"),
    RANDOM.map(lambda text: f"ghp_{text[:30]}"),
)
"""Secrets that are found by their form, wherever they are."""
PLACES = st.sampled_from(
    [
        "{}",
        "failed with {}, try again",
        '{{"nested": "{}"}}',
        "https://example.net/a/b?code={}&x=1",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x",
        "Bearer {}",
        "a: b\nc: {}\n",
    ]
)
KEYS = st.sampled_from(["message", "note", "uri", "name", "tags", "x"])
NAMES = st.sampled_from(["password", "API_KEY", "primaryKey", "sasToken", "clientSecret", "instrumentationKey"])
SHORT = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)


@given(FORMS, PLACES, KEYS, st.sampled_from(["asked", "answer", "header", "path", "key"]))
def test_no_secret_with_a_known_form_survives(secret: str, place: str, key: str, where: str) -> None:
    """In a body, a header, the URL, or as a key."""
    text = place.format(secret)
    value = {"a": [{key: text}]}
    parts: dict[str, Any] = {
        "asked": {"asked": value}, "answer": {"answer": value}, "header": {"location": text},
        "path": {"path": f"{ID}/x?code={secret}"}, "key": {"answer": {secret: 1}},
    }[where]  # fmt: skip
    found = cleaned(**parts)
    assert secret not in found
    assert all(piece not in found for piece in secret.split("/") if len(piece) > 20)


@given(NAMES, SHORT, KEYS)
def test_no_secret_with_a_known_name_survives(name: str, secret: str, key: str) -> None:
    """However short: in objects, in environment variables, and where the text occurs again."""
    secret = f"Zq{secret}"
    repeated = f"repeated {secret}." if len(secret) > 5 else ""
    body = {"properties": {name: secret}, "list": [{"name": name, "value": secret}], key: repeated}
    assert secret not in cleaned(answer=body)
    assert secret not in cleaned(asked=body)


@given(SHORT, st.sampled_from(["listKeys", "listSecrets", "token", "regenerateKeys"]), st.text(min_size=1, max_size=12))
def test_answers_with_keys_are_hidden_whole(secret: str, action: str, name: str) -> None:
    """Whatever the keys of the answer are called; the credential of the request is hidden, too."""
    secret = f"q{secret}q{secret}".ljust(16, "7")
    found = cleaner()
    found.learn_secret("credential-of-the-request")
    first = found.exchange(exchange(f"{ID}/onlineEndpoints/{ENDPOINT}/{action}?api-version=1", answer={name: secret}))
    later = found.exchange(exchange(answer={"echo": f"{secret} credential-of-the-request"}))
    assert secret not in json.dumps([first, later], ensure_ascii=False)
    assert "credential-of" not in json.dumps(later)


@given(st.uuids(), st.integers(0, 3))
def test_ids_are_replaced_consistently(guid: uuid.UUID, turn: int) -> None:
    """The same in each process of a run, in any letter case, another one in another run; and cleaning twice is safe."""
    text = f"/codes/{guid}/versions/1 oeidp:{str(guid).upper()} a{guid}z"[turn:]
    found = cleaner().text(text)
    assert str(guid) not in found.lower()
    assert found == cleaner().text(text) == cleaner().text(found)
    assert found != cleaner(b"other").text(text)


def test_names_and_people_are_replaced() -> None:
    """Resources beside the workspace, hosts with their names, people, and texts that people wrote."""
    vault = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/kv-northwind"
    storage = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/stnorthwind"
    )
    body = {
        "id": ID, "name": WORKSPACE, "tags": {"northwind-owner": "Jo Northwind"},
        "systemData": {"createdBy": "Jo Northwind", "lastModifiedBy": "jo@northwind.example"},
        "properties": {
            "friendlyName": "Northwind's workspace", "description": "of Jo Northwind", "keyVault": vault,
            "storageAccount": storage, "blob": "https://stnorthwind.blob.core.windows.net/c",
            "mail": "jo@northwind.example", "fqdn": f"ml-{WORKSPACE}-westus3-{SUBSCRIPTION}.notebooks.azure.net",
            "image": "crnorthwind.azurecr.io/x", "text": f"No {WORKSPACE} in '{GROUP}', kv-northwind, 20.31.4.5.",
        },
    }  # fmt: skip
    found = cleaned(
        answer=body, **{"x-ms-operation-identifier": f"tenantId={SUBSCRIPTION},objectId=/jo@northwind.example"}
    )
    assert "northwind" not in found.lower()
    assert "20.31.4.5" not in found
    assert SUBSCRIPTION not in found
    account = cleaner().text(storage).rpartition("/")[2]
    assert f"https://{account}.blob.core.windows.net/c" in found


def test_a_short_name_is_replaced_as_a_word() -> None:
    """Not in the names of hosts and types."""
    body = {"id": ID.replace(GROUP, "ml"), "text": "group ml, 'ml'", "uri": "https://a.ml.azure.com/ml-x"}
    found = cleaner().exchange(exchange(answer=body))["response"]["body"]
    assert "/resourceGroups/recorded-" in found["id"]
    assert "ml" not in found["text"]
    assert found["uri"] == body["uri"]


def test_other_endpoints_are_left_out() -> None:
    """Of a list only the endpoint of the run stays, with its tags."""
    rows = [{"id": f"{ID}/onlineEndpoints/{name}", "tags": {"a": "b"}} for name in ("northwind-triage", ENDPOINT)]
    (row,) = cleaner().exchange(exchange(answer={"value": rows}))["response"]["body"]["value"]
    assert row["id"].endswith(ENDPOINT)
    assert row["tags"] == {"a": "b"}


@pytest.mark.parametrize(
    "text",
    [
        f"/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}",
        "/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.MachineLearningServices/locations/eastus",
        "mcr.microsoft.com/azureml/minimal-py312-inference:latest",
        "2026-11-29T23:26:08.1234567+00:00",
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write",
        f"https://{ENDPOINT}.westus3.inference.ml.azure.com/score",
        "Standard_NC24ads_A100_v4",
    ],
)
def test_what_is_public_stays(text: str) -> None:
    """Otherwise a replay would send something else."""
    assert cleaner().text(text) == text


def test_sizes_are_limited() -> None:
    """Long texts and long lists are cut."""
    body = {"value": [{"n": n} for n in range(10_000)], "log": "word " * LONGEST_TEXT}
    found = cleaner().exchange(exchange(answer=body))["response"]["body"]
    assert len(found["value"]) == LONGEST_LIST
    assert (found["value"][0], found["value"][-1]) == ({"n": 0}, {"n": 9999})
    assert len(found["log"]) < LONGEST_TEXT + 100

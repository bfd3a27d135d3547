"""Answers that Azure publishes as examples, and those that were recorded, have the forms that we read them as."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.cloud import response_schemas
from tests.contract.openapi import FOLDER

RECORDED = Path(os.environ.get("AMLDEPLOY_RECORDINGS", FOLDER.parent / "recordings")) / "online_excerpts.json"
PUBLISHED = {
    "OnlineEndpoint/get": response_schemas.Resource,
    "OnlineEndpoint/createOrUpdate": response_schemas.Resource,
    "OnlineEndpoint/update": response_schemas.Resource,
    "OnlineEndpoint/list": response_schemas.page(response_schemas.Resource),
    "OnlineEndpoint/listKeys": response_schemas.Keys,
    "OnlineEndpoint/getToken": response_schemas.Token,
    "ManagedOnlineDeployment/get": response_schemas.Resource,
    "ManagedOnlineDeployment/createOrUpdate": response_schemas.Resource,
    "ManagedOnlineDeployment/update": response_schemas.Resource,
    "OnlineDeployment/list": response_schemas.page(response_schemas.Resource),
    "OnlineDeployment/getLogs": response_schemas.Log,
    "ModelVersion/get": response_schemas.Version,
    "ModelVersion/list": response_schemas.page(response_schemas.Version),
    "Quota/list": response_schemas.page(response_schemas.Usage),
    "Usage/list": response_schemas.page(response_schemas.Usage),
    "VirtualMachineSize/list": response_schemas.page(response_schemas.Size),
}
"""Which example of an api-version is an answer of which form."""
ENDS = {
    "/listKeys": response_schemas.Keys,
    "/token": response_schemas.Token,
    "/getLogs": response_schemas.Log,
    "/usages": response_schemas.page(response_schemas.Usage),
}


def published(name: str) -> Iterator[tuple[str, Any]]:
    """Each answer with a body, and where it stands."""
    for file in sorted(FOLDER.rglob(f"{name}.json")):
        for status, answer in json.loads(file.read_text(encoding="utf-8"))["responses"].items():
            if status in ("200", "201") and answer.get("body"):
                yield f"{file.relative_to(FOLDER)} {status}", answer["body"]


@pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the OpenAPI documents are not here; AMLDEPLOY_SPECS names their folder"
)
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_examples_are_answers(name: str) -> None:
    """Of every api-version that is here."""
    found = list(published(name))

    assert found
    for where, body in found:
        assert response_schemas.checked(body, PUBLISHED[name], where) is body


@pytest.mark.skipif(not RECORDED.is_file(), reason="no recordings are here; AMLDEPLOY_RECORDINGS names their folder")
def test_recorded_answers_are_answers() -> None:
    """What a real service said, with its nulls."""
    met = set()
    for row in json.loads(RECORDED.read_text(encoding="utf-8")):
        path = str(row.get("request", "")).partition("?")[0]
        form = next((form for end, form in ENDS.items() if path.endswith(end)), None)
        if form and row["status"] == 200 and isinstance(row.get("body"), dict):
            assert response_schemas.checked(row["body"], form, row["request"])
            met.add(form)

    assert {response_schemas.Keys, response_schemas.Log} <= met

"""Answers that Azure publishes as examples, and those that were recorded, have the forms that we read them as."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.cloud import forms
from tests.contract.openapi import FOLDER

RECORDED = Path(os.environ.get("AMLDEPLOY_RECORDINGS", FOLDER.parent / "recordings")) / "online_excerpts.json"
PUBLISHED = {
    "OnlineEndpoint/get": forms.Resource,
    "OnlineEndpoint/createOrUpdate": forms.Resource,
    "OnlineEndpoint/update": forms.Resource,
    "OnlineEndpoint/list": forms.page(forms.Resource),
    "OnlineEndpoint/listKeys": forms.Keys,
    "OnlineEndpoint/getToken": forms.Token,
    "ManagedOnlineDeployment/get": forms.Resource,
    "ManagedOnlineDeployment/createOrUpdate": forms.Resource,
    "ManagedOnlineDeployment/update": forms.Resource,
    "OnlineDeployment/list": forms.page(forms.Resource),
    "OnlineDeployment/getLogs": forms.Log,
    "ModelVersion/get": forms.Version,
    "ModelVersion/list": forms.page(forms.Version),
    "Quota/list": forms.page(forms.Usage),
    "Usage/list": forms.page(forms.Usage),
    "VirtualMachineSize/list": forms.page(forms.Size),
}
"""Which example of an api-version is an answer of which form."""
ENDS = {"/listKeys": forms.Keys, "/token": forms.Token, "/getLogs": forms.Log, "/usages": forms.page(forms.Usage)}


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
        assert forms.checked(body, PUBLISHED[name], where) is body


@pytest.mark.skipif(not RECORDED.is_file(), reason="no recordings are here; AMLDEPLOY_RECORDINGS names their folder")
def test_recorded_answers_are_answers() -> None:
    """What a real service said, with its nulls."""
    met = set()
    for row in json.loads(RECORDED.read_text(encoding="utf-8")):
        path = str(row.get("request", "")).partition("?")[0]
        form = next((form for end, form in ENDS.items() if path.endswith(end)), None)
        if form and row["status"] == 200 and isinstance(row.get("body"), dict):
            assert forms.checked(row["body"], form, row["request"])
            met.add(form)

    assert {forms.Keys, forms.Log} <= met

"""What is recorded of a request, and that recording never changes what amldeploy receives."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from scripts.acceptance_run.record import LARGEST_BODY, Recorder, body_of, kept_headers, path_of, read_ahead

ARM = "/subscriptions/s/resourceGroups/g?api-version=1"
SETTINGS = {"salt": "00", "endpoint": "e"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"https://management.azure.com{ARM}", ARM),
        (f"https://management.chinacloudapi.cn{ARM}", ARM),
        ("https://e.westus3.inference.ml.azure.com/score?a=b", "/inference/westus3/e/score?a=b"),
        ("https://acct.blob.core.windows.net/c/a/b?sig=x", "/acct.blob.core.windows.net/c/a/b?sig=x"),
        (f"https://127.0.0.1:4711{ARM}", ARM),
        ("https://127.0.0.1:4711/inference/eastus/e/score", "/inference/eastus/e/score"),
        ("https://login.microsoftonline.com/t/oauth2/v2.0/token", None),
        ("http://127.0.0.1:4711/msi/token?resource=x", None),
        ("https://127.0.0.1:4711/metadata/endpoints", None),
        ("https://management.azure.com/metadata/endpoints", None),
        ("https://hooks.example/subscriptions/x", None),
    ],
)
def test_requests_are_recorded_by_plane(url: str, path: str | None) -> None:
    """Never a sign-in, and no other host."""
    assert path_of(url) == path


def test_headers_without_credentials_are_kept() -> None:
    """Only those that an answer's reader or a replay needs."""
    headers = {
        "Authorization": "Bearer x", "Cookie": "x", "x-ms-date": "x", "x-ms-encryption-key": "x", "Date": "x",
        "Content-Type": b"application/json", "x-ms-blob-type": "BlockBlob", "Retry-After": "3",
        "azureml-model-deployment": "blue", "ms-azureml-model-error-reason": "x",
    }  # fmt: skip
    assert list(kept_headers(headers)) == list(headers)[5:]


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b"text", "text/plain", "text"),
        (io.BytesIO(b"text"), "", "text"),
        (b"{", "application/json", {"bytes": 1}),
        (b"\xff\xfe", "", {"bytes": 2}),
        (b"a" * (LARGEST_BODY + 1), "", {"bytes": LARGEST_BODY + 1}),
        (iter(()), "", {"bytes": None}),
        (b"", "application/json", None),
        (None, "", None),
    ],
)
def test_a_body_is_json_or_text(content: Any, kind: str, body: Any) -> None:
    """Of others the size is recorded."""
    assert body_of(content, kind) == body


@given(st.binary(max_size=2000), st.integers(1, 700))
def test_a_stream_can_still_be_read(content: bytes, size: int) -> None:
    """In parts, as the probe reads it."""
    response = requests.Response()
    response.raw = HTTPResponse(io.BytesIO(content), {"X": "y"}, 424, preload_content=False)
    assert read_ahead(response) == content
    assert (response.raw.status, response.raw.headers["X"]) == (424, "y")
    parts = list(iter(lambda: response.raw.read1(size, decode_content=False), b""))
    assert b"".join(parts) == content


def test_an_exchange_that_cannot_be_recorded_is_counted(tmp_path: Path) -> None:
    """And a recording that cannot be written does not stop the run."""
    file = tmp_path / "recording.jsonl"
    odd = requests.Request("PUT", "https://h/", data=b"x").prepare()
    odd.headers = None  # type: ignore[assignment]
    Recorder({**SETTINGS, "file": str(file)}).add(1.0, ARM, odd, requests.Response(), b"")
    Recorder({**SETTINGS, "file": str(tmp_path)}).add(1.0, ARM, odd, requests.Response(), b"")
    assert json.loads(file.read_text()) == {"started": 1.0, "missing": "AttributeError"}

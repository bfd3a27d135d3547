"""Parses responses of models, with one message for each problem.

Common to the healthcare models: the envelope of the request, JSON rows in the response, JSON and base64 inside strings.
Standard library only, so that probes work on each machine that can deploy.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.redact import redact_secrets
from deploy.sanitize import sanitize

_LONGEST = 160
"""Characters of a value in a message."""


class WrongAnswer(Exception):
    """The response is not as expected. `reason` is one sentence with the expected and the actual value.

    `deploy.steps.probe` converts it to an error.
    """

    def __init__(self, reason: str) -> None:
        self.reason = sanitize(reason)
        super().__init__(self.reason)


def envelope(columns: Sequence[str], *rows: Sequence[Any]) -> bytes:
    """The request body of the healthcare models: a table with one row for each input."""
    table = {"columns": list(columns), "index": list(range(len(rows))), "data": [list(row) for row in rows]}
    return json.dumps({"input_data": table, "params": {}}).encode()


def only_row(probe: Mapping[str, Any], status: int, body: bytes) -> Mapping[str, Any]:
    """The object in the response to a request with one row. Some versions return a list of one, some the object."""
    expect_status(probe, status, body)
    answer = decoded(body)
    rows = answer if isinstance(answer, list) else [answer]
    if len(rows) != 1:
        raise WrongAnswer(f"expected one object for the one row sent, got {len(rows)}")
    if not isinstance(rows[0], dict):
        raise WrongAnswer(f"expected an object for the row sent, got {kind(rows[0])}{_hint(rows[0])}")
    return rows[0]


def expect_status(probe: Mapping[str, Any], status: int, body: bytes) -> None:
    """The HTTP status must be the probe's, by default 200."""
    expected = probe.get("status", 200)
    if status != expected:
        raise WrongAnswer(f"expected HTTP status {expected}, got {status} with {_summary(body)}")


def decoded(body: bytes) -> Any:
    """The JSON value of a response body."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        where = "" if isinstance(error, RecursionError) or not body.strip() else f" ({error})"
        raise WrongAnswer(f"expected JSON, got something else{where}: {_summary(body)}") from None


def required_value(row: Mapping[str, Any], key: str) -> Any:
    """A required value of the row."""
    if key not in row:
        raise WrongAnswer(f"expected the key '{key}' in the answer, got only {_names(row)}")
    return row[key]


def parse_nested_json(value: Any, key: str) -> Any:
    """JSON inside a JSON string, which is the form of the models' responses; any other value is returned as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise WrongAnswer(f"expected JSON inside the string '{key}', got {excerpt(value)}") from None


def unbase64(value: Any, key: str) -> bytes:
    """The bytes of a base64 string; line breaks are allowed, other characters are not."""
    if not isinstance(value, str):
        raise WrongAnswer(f"expected base64 text in '{key}', got {kind(value)}")
    text = value.replace("\n", "").replace("\r", "")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongAnswer(f"expected base64 text in '{key}', got {excerpt(text)} ({error})") from None


def kind(value: Any) -> str:
    """The type of a JSON value in plain words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def short_json(value: Any, name: str = "") -> str:
    """The beginning of a JSON value on one line, without secrets; `name` is its key."""
    line = " ".join(sanitize(json.dumps(redact_secrets(value, name), ensure_ascii=False)[:4000]).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def excerpt(text: str, length: int = _LONGEST) -> str:
    """The beginning of a remote text on one line, in quotes."""
    line = " ".join(sanitize(text[:4000]).split())
    return f"'{line}'" if len(line) <= length else f"'{line[:length]}...'"


def _summary(body: bytes) -> str:
    text = body[:4000].decode("utf-8", "replace").strip()
    if not text:
        return "an empty body"
    if text.startswith("<"):
        title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
        return f"an HTML page, {excerpt(title[1] if title else text)}"
    return excerpt(text)


def _names(row: Mapping[str, Any]) -> str:
    return ", ".join(excerpt(str(name), 40) for name in sorted(row)[:8]) or "an empty object"


def _hint(value: Any) -> str:
    return ": the whole answer is encoded once more than expected" if isinstance(value, str) else ""

"""Taking an answer apart, one sentence for each thing that can be wrong with it.

What the models share: an envelope around the request, JSON rows in the answer, JSON and base64 packed inside strings.
Standard library only, so that every machine that can deploy can also check. Nothing here knows a model or a network.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.errors import sanitize
from deploy.redact import redact_secrets

_LONGEST = 160
"""Characters of a value that a message shows."""


class WrongAnswer(Exception):
    """The endpoint answered, but not what was expected. `reason` says in one sentence what was expected and what came.

    Whoever knows the deployment makes an error of it that a person can act on.
    """

    def __init__(self, reason: str) -> None:
        self.reason = sanitize(reason)
        super().__init__(self.reason)


def envelope(columns: Sequence[str], *rows: Sequence[Any]) -> bytes:
    """The request body that the healthcare models share: a table, one row for each thing to score."""
    table = {"columns": list(columns), "index": list(range(len(rows))), "data": [list(row) for row in rows]}
    return json.dumps({"input_data": table, "params": {}}).encode()


def only_row(probe: Mapping[str, Any], status: int, body: bytes) -> Mapping[str, Any]:
    """The one object of an answer to a request of one row. Some versions send a list of one, some the object bare."""
    expect_status(probe, status, body)
    answer = decoded(body)
    rows = answer if isinstance(answer, list) else [answer]
    if len(rows) != 1:
        raise WrongAnswer(f"expected one object for the one row sent, {len(rows)} came")
    if not isinstance(rows[0], dict):
        raise WrongAnswer(f"expected an object for the row sent, {kind(rows[0])} came{_hint(rows[0])}")
    return rows[0]


def expect_status(probe: Mapping[str, Any], status: int, body: bytes) -> None:
    """The HTTP status must be the probe's (200 unless it says otherwise)."""
    wanted = probe.get("status", 200)
    if status != wanted:
        raise WrongAnswer(f"expected HTTP status {wanted}, {status} came with {_said(body)}")


def decoded(body: bytes) -> Any:
    """The JSON value of an answer's body."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        where = "" if isinstance(error, RecursionError) or not body.strip() else f" ({error})"
        raise WrongAnswer(f"expected JSON, something else came{where}: {_said(body)}") from None


def member(row: Mapping[str, Any], key: str) -> Any:
    """A value that the row must have."""
    if key not in row:
        raise WrongAnswer(f"expected the key '{key}' in the answer, only {_names(row)} came")
    return row[key]


def packed(value: Any, key: str) -> Any:
    """JSON written inside a JSON string, which is how the models answer; a value sent bare is taken as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise WrongAnswer(f"expected JSON inside the string '{key}', {excerpt(value)} came") from None


def unbase64(value: Any, key: str) -> bytes:
    """The bytes of a base64 string; line breaks are allowed, anything else foreign is not."""
    if not isinstance(value, str):
        raise WrongAnswer(f"expected base64 text in '{key}', {kind(value)} came")
    text = value.replace("\n", "").replace("\r", "")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongAnswer(f"expected base64 text in '{key}', {excerpt(text)} came ({error})") from None


def kind(value: Any) -> str:
    """What a JSON value is, in a word or two."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def shown(value: Any, name: str = "") -> str:
    """The beginning of a JSON value on one line, without secrets; `name` is the key it stands under."""
    line = " ".join(sanitize(json.dumps(redact_secrets(value, name), ensure_ascii=False)[:4000]).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def excerpt(text: str, length: int = _LONGEST) -> str:
    """The beginning of a remote text on one line, in quotes."""
    line = " ".join(sanitize(text[:4000]).split())
    return f"'{line}'" if len(line) <= length else f"'{line[:length]}...'"


def _said(body: bytes) -> str:
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

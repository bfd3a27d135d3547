"""The probe type for any endpoint: sends a body, checks the status, and that the response is valid JSON if it looks so.

`answer` is an optional JSON Schema for the response. Without it the content is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import WrongAnswer, decoded, excerpt, expect_status, kind, short_json
from deploy.probes.samples import InvalidProbe, read
from deploy.probes.values import Values

REQUIRED_KEYS: tuple[str, ...] = ()
"""Keys of `probe` in pipeline.yml that this type needs."""
INPUTS: tuple[str, ...] = ()
"""Keys of `probe` that a user can replace by an input of their own."""
TAKES = "json"
"""What a case's input is converted to: png, nifti or json."""
EXPECTS: tuple[str, ...] = ("answer", "text")
"""Keys of `expect` that fit an answer of this type."""


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """The bytes of the `body` file, which must be JSON; an empty object without `body`."""
    _form(probe, folder)
    name = probe.get("body")
    if not name:
        return b"{}"
    body = read(folder, name, "body")
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidProbe("body", f"'{name}' is not JSON ({error})", "Fix the file") from None
    return body


def values(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:
    """The JSON value of the body, or its text."""
    check(probe, folder, status, body)
    try:
        return Values(content=json.loads(body))
    except (ValueError, RecursionError):
        return Values(content=body.decode("utf-8", "replace"))


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
    """Check the status, the JSON of a body that starts like an object or a list, and the schema."""
    expect_status(probe, status, body)
    data = {"type": "http", "status": status, "bytes": len(body)}
    if (form := _form(probe, folder)) is not None:
        _fits(decoded(body), form)
    if body.lstrip()[:1] in (b"{", b"["):
        what = f"{kind(decoded(body))} in JSON"
        return Evidence(f"HTTP {status} with {what}, {len(body)} bytes", data, {"answer.json": body})
    what = excerpt(body[:4000].decode("utf-8", "replace")) if body.strip() else "an empty body"
    return Evidence(f"HTTP {status} with {what}", data)


def _form(probe: Mapping[str, Any], folder: Path) -> Any:
    """The JSON Schema of the response, checked itself; None if the probe has none."""
    form = probe.get("answer")
    if form is None:
        return None
    import jsonschema

    try:
        form = json.loads(read(folder, form, "answer")) if isinstance(form, str) else form
        jsonschema.Draft202012Validator.check_schema(form)
    except (ValueError, RecursionError, jsonschema.SchemaError) as error:
        words = excerpt(getattr(error, "message", None) or str(error))
        cause, cure = f"'answer' is not a JSON Schema ({words})", "Fix 'answer' of 'probe' in pipeline.yml"
        raise InvalidProbe("answer", cause, cure) from None
    return form


def _fits(answer: Any, form: Any) -> None:
    """Raises WrongAnswer with the first mismatch. Remote references of a schema are never fetched."""
    import jsonschema
    import referencing

    validator = jsonschema.Draft202012Validator(form, registry=referencing.Registry())
    try:
        wrong = jsonschema.exceptions.best_match(validator.iter_errors(answer))
    except (referencing.exceptions.Unresolvable, RecursionError) as error:
        raise WrongAnswer(f"the JSON Schema of 'answer' cannot be resolved: {excerpt(str(error))}") from None
    if wrong is not None:
        name = next((part for part in reversed(wrong.absolute_path) if isinstance(part, str)), "")
        rule = f"{wrong.validator} {short_json(wrong.validator_value, name)}" if wrong.validator else "nothing"
        at = f"at {wrong.json_path}"
        raise WrongAnswer(
            f"expected an answer of the form in 'answer', {at}: {rule}, got {short_json(wrong.instance, name)}"
        )

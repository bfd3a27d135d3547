"""The probe that fits every endpoint: send a body, expect a status, JSON where JSON is promised, and the answer's form.

The form is a JSON Schema of the user's own (`answer`). Without one it is not judged what the answer says; a model's own
type of probe does that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import WrongAnswer, decoded, excerpt, expect_status, kind, shown
from deploy.probes.samples import Unfit, read

NEEDS: tuple[str, ...] = ()
"""Keys of `probe` in pipeline.yml that this type needs."""


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """The bytes of the `body` file, which must be JSON; an empty object when the probe names none."""
    _form(probe, folder)
    name = probe.get("body")
    if not name:
        return b"{}"
    body = read(folder, name, "body")
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unfit("body", f"'{name}' is not JSON ({error})", "Mend the file") from None
    return body


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
    """The status must be the expected one; a body that begins like an object or a list, one; and the form as asked."""
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
    """The JSON Schema that the answer must fit, itself found right; None when the probe has none."""
    form = probe.get("answer")
    if form is None:
        return None
    import jsonschema

    try:
        form = json.loads(read(folder, form, "answer")) if isinstance(form, str) else form
        jsonschema.Draft202012Validator.check_schema(form)
    except (ValueError, RecursionError, jsonschema.SchemaError) as error:
        words = excerpt(getattr(error, "message", None) or str(error))
        cause, cure = f"'answer' is not a JSON Schema ({words})", "Mend 'answer' of 'probe' in pipeline.yml"
        raise Unfit("answer", cause, cure) from None
    return form


def _fits(answer: Any, form: Any) -> None:
    """Raises WrongAnswer with the first thing that does not fit. What a schema refers to elsewhere is never fetched."""
    import jsonschema
    import referencing

    judge = jsonschema.Draft202012Validator(form, registry=referencing.Registry())
    try:
        wrong = jsonschema.exceptions.best_match(judge.iter_errors(answer))
    except (referencing.exceptions.Unresolvable, RecursionError) as error:
        raise WrongAnswer(f"the JSON Schema of 'answer' cannot be followed: {excerpt(str(error))}") from None
    if wrong is not None:
        name = next((part for part in reversed(wrong.absolute_path) if isinstance(part, str)), "")
        rule = f"{wrong.validator} {shown(wrong.validator_value, name)}" if wrong.validator else "nothing"
        at = f"at {wrong.json_path}"
        raise WrongAnswer(
            f"expected an answer of the form in 'answer', {at}: {rule}, {shown(wrong.instance, name)} came"
        )

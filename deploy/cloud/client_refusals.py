"""What azure-ai-ml itself refuses, as one sentence for each field. Pure.

Its messages have three forms (azure-ai-ml 1.35): text with a JSON object of marshmallow, field -> messages; a JSON
object `{result, errors: [{message, path, value}]}`; and sections for a terminal, of which Details has the cause. All
end with advice about other tools and links, which is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from deploy.domain.arm import Json

LONGEST = 4000
"""Characters of a message that are shown."""
_DEEPEST = 20
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ADVICE = re.compile(
    r"^\s*(?:Resolutions:|Additional Resources:|Visit this link|The easiest way to author)", re.MULTILINE
)
_MARKERS = re.compile(r"\^{3,}")
"""Python's markers below a line of code, in messages that contain a traceback."""
_ITEM = re.compile(r"\(x\)\s*")
_REFERENCE_FORM = "In order to specify an existing "
"""The start of the message about each form of a reference that a value does not have. A union has one for each form."""


def explanation(text: str) -> str:
    """The message of azure-ai-ml on one line: `path: message` for each field, without its advice."""
    plain = _ANSI.sub("", text)
    found = _json_object(plain)
    parts = list(dict.fromkeys(_sentences(found))) if found is not None else []
    parts = _without_other_forms(parts) or _details(plain)
    whole = "; ".join(part.rstrip(".") for part in parts) or _one_line(plain)
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


def _json_object(text: str) -> Json | None:
    """The first JSON object in the text that has a field."""
    decoder, start = json.JSONDecoder(), text.find("{")
    for _ in range(_DEEPEST):
        if start < 0:
            return None
        try:
            found, _ = decoder.raw_decode(text[start:])
        except (ValueError, RecursionError):
            found = None
        if found:
            return found
        start = text.find("{", start + 1)
    return None


def _sentences(value: Json, path: str = "", depth: int = 0) -> Iterator[str]:
    """`path: message` for each message of the JSON object."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield f"{path}: {_one_line(value)}" if path else _one_line(value)
    elif isinstance(value, list):
        for each in value:
            yield from _sentences(each, path, depth + 1)
    elif isinstance(value, dict) and isinstance(value.get("message"), str):
        inner = str(value.get("path") or "").removeprefix("*")
        yield from _sentences(value["message"], ".".join(filter(None, (path, inner))), depth + 1)
    elif isinstance(value, dict) and isinstance(value.get("errors"), list):
        yield from _sentences(value["errors"], path, depth + 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            inner = "" if name == "_schema" or name.isdigit() else name
            yield from _sentences(each, ".".join(filter(None, (path, inner))), depth + 1)


def _without_other_forms(parts: list[str]) -> list[str]:
    """Without the forms of a reference that the value does not have, if a more specific message is left."""
    return [part for part in parts if _REFERENCE_FORM not in part] or parts


def _details(text: str) -> list[str]:
    """The items of the section Details, or all lines before the advice."""
    cause = _ADVICE.split(text, maxsplit=1)[0]
    _, found, details = cause.rpartition("Details:")
    items = [_one_line(item) for item in _ITEM.split(details)[1:]] if found else []
    return [re.sub(r": - ", ": ", item) for item in items if item] or [_one_line(cause)] * bool(cause.strip())


def _one_line(text: str) -> str:
    return " ".join(_MARKERS.sub("", text).split())

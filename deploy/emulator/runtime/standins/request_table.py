"""The request envelope of the healthcare models, parsed like in their containers.

`{"input_data": {"columns": [...], "index": [...], "data": [[...], ...]}, "params": {}}`: an invalid table is refused
with 400, before the model runs; an error of the model itself is 500.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deploy.emulator.runtime.standins import ScoringError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 64_000_000


def rows(body: Any, columns: Sequence[str], max_count: int) -> list[dict[str, Any]]:
    """One mapping for each row, column name -> value. All of `columns` are required; at most `max_count` rows."""
    table = body.get("input_data") if isinstance(body, dict) else None
    if not isinstance(table, dict):
        raise ScoringError(400, "the request must be an object with 'input_data' holding columns, index and data")
    names, data, index = table.get("columns"), table.get("data"), table.get("index")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ScoringError(400, "'columns' must be a list of names")
    missing = [name for name in columns if name not in names]
    if missing:
        raise ScoringError(400, f"the model is missing inputs {missing}; inputs given: {names}")
    if not isinstance(data, list) or not all(isinstance(row, list) and len(row) == len(names) for row in data):
        raise ScoringError(400, f"'data' must be a list of rows of {len(names)} values")
    if not 1 <= len(data) <= max_count:
        raise ScoringError(400, f"'data' must have 1 to {max_count} rows, it has {len(data)}")
    if index is not None and (not isinstance(index, list) or len(index) != len(data)):
        raise ScoringError(400, f"'index' must have one entry for each of the {len(data)} rows")
    return [dict(zip(names, row, strict=True)) for row in data]


def text(row: dict[str, Any], column: str) -> str:
    """The text of a column."""
    value = row[column]
    if not isinstance(value, str):
        raise ScoringError(400, f"'{column}' must be text")
    return value


def content(row: dict[str, Any], column: str) -> bytes:
    """A column's base64, decoded; line breaks are allowed."""
    plain = text(row, column).replace("\n", "").replace("\r", "")
    try:
        return base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ScoringError(500, f"'{column}' is not base64: {error}") from None


def image(row: dict[str, Any], column: str) -> Image.Image:
    """The PNG or JPEG of a column, fully loaded."""
    from PIL import Image

    raw = content(row, column)
    try:
        opened = Image.open(io.BytesIO(raw), formats=("PNG", "JPEG"))
        if opened.width * opened.height > MAX_PIXELS:
            raise ScoringError(500, f"'{column}' has {opened.width} x {opened.height} pixels, more than memory allows")
        opened.load()
    except ScoringError:
        raise
    except Exception as error:  # noqa: BLE001 - pillow's readers raise many types
        raise ScoringError(500, f"'{column}' is not an image that can be read: {error}") from None
    return opened

"""A stand-in for MedImageInsight. It is not the model, and its vectors have no medical meaning.

It computes a vector from the image (colours on a grid and the histogram of brightness) and one from the text (its runs
of three letters), so that equal inputs have equal vectors. Image and text vectors are unrelated: their similarity means
nothing here. Request and answer are the model's documented ones, 1024 numbers.
"""

from __future__ import annotations

from typing import Any

from deploy.emulator.runtime.standins import ScoringError, request_table
from deploy.emulator.runtime.standins.vectors import of_image, of_text

MAX_ROWS = 1024
LENGTH = 1024
SCALING_FACTOR = 4.5
"""A constant of the model; this is the value of a published example."""


def score(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One object for each row: `image_features` and `text_features`, each [[1024 numbers]], if the row has them, and
    `scaling_factor`.

    ScoringError 400 when the table is wrong or a row is empty, 500 when an image cannot be read.
    """
    rows = request_table.rows(body, ("image", "text"), MAX_ROWS)
    extra = {"scaling_factor": SCALING_FACTOR} if _wants_factor(body.get("params")) else {}
    return [{**_answer(row), **extra} for row in rows]


def _wants_factor(params: Any) -> bool:
    """Unless the request has `get_scaling_factor: false`. Both booleans and their texts are published."""
    return not isinstance(params, dict) or str(params.get("get_scaling_factor")).lower() != "false"


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if row["image"] not in (None, ""):
        answer["image_features"] = [of_image(request_table.image(row, "image"), "L").tolist()]
    if row["text"] not in (None, ""):
        answer["text_features"] = [of_text(request_table.text(row, "text"), LENGTH).tolist()]
    if not answer:
        raise ScoringError(400, "a row must hold an image or a text")
    return answer

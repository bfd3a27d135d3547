"""A stand-in for MedImageParse. It is not the model, and its masks have no medical meaning.

It segments the image with classical methods: three tones by Otsu's thresholds, connected components, and a selection of
them by the words of the prompt (lung: dark; skull: bright; left, lower, largest, ...). Request and answer
are the model's documented ones: prompts joined by `&`, one 0/255 mask each, packed as JSON inside a string.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.emulator.runtime.standins import request_table
from deploy.emulator.runtime.standins.prompts import DARK, Selection, parse_prompt
from deploy.emulator.runtime.standins.segmentation import Components, Grey, Plane, connected_components, tones
from deploy.emulator.runtime.standins.vectors import eight_bit

if TYPE_CHECKING:
    from PIL import Image

MAX_ROWS = 256
_SMALLEST_SHARE = 1 / 5000
"""Components below this share of the image count as noise, unless there are no others."""


def score(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One answer for each row: `image_features` (JSON in a string) and `text_features` (a category per prompt).

    ScoringError 400 for an invalid table, 500 for an unreadable image.
    """
    return [_answer(row) for row in request_table.rows(body, ("image", "text"), MAX_ROWS)]


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    selections = [parse_prompt(prompt) for prompt in request_table.text(row, "text").split("&")]
    masks = segment(_grey(request_table.image(row, "image")), selections)
    features = {
        "data": base64.b64encode(np.where(masks, np.uint8(255), np.uint8(0)).tobytes()).decode("ascii"),
        "shape": list(masks.shape),
        "dtype": "uint8",
    }
    return {"image_features": json.dumps(features), "text_features": [selection.category for selection in selections]}


def segment(grey: Grey, selections: list[Selection]) -> Plane:
    """One mask for each selection: [selections, height, width]. All are empty for an image of a single value."""
    toned = tones(grey)
    if toned is None:
        return np.zeros((len(selections), *grey.shape), np.bool_)
    found: dict[int, Components] = {}
    for tone in {tone for selection in selections for tone in selection.tones}:
        found[tone] = connected_components(toned == tone)
    body = np.flatnonzero((toned != DARK).any(axis=0)), np.flatnonzero((toned != DARK).any(axis=1))
    middle = (float(body[0][0] + body[0][-1]) / 2, float(body[1][0] + body[1][-1]) / 2)
    return np.stack([_mask(found, selection, middle) for selection in selections])


def _mask(found: dict[int, Components], selection: Selection, middle: tuple[float, float]) -> Plane:
    each = next((found[tone] for tone in selection.tones if len(found[tone].area)), found[selection.tones[0]])
    usable = _usable(each)
    candidates = usable[
        _on_side(each.x[usable] - middle[0], selection.right) & _on_side(each.y[usable] - middle[1], selection.down)
    ]
    if len(candidates):
        return each.plane(
            candidates[::-1][: selection.max_count] if selection.smallest else candidates[: selection.max_count]
        )
    return each.plane(usable) & _half(each.shape, selection, middle)


def _usable(each: Components) -> NDArray[np.int64]:
    """The components to select from, largest first: without noise and without those at the border, if possible."""
    chosen = np.arange(len(each.area))
    for good in (each.area >= each.shape[0] * each.shape[1] * _SMALLEST_SHARE, ~each.edge):
        if good[chosen].any():
            chosen = chosen[good[chosen]]
    return chosen


def _on_side(offset: NDArray[Any], direction: int) -> Plane:
    return offset * direction > 0 if direction else np.ones(len(offset), np.bool_)


def _half(shape: tuple[int, int], selection: Selection, middle: tuple[float, float]) -> Plane:
    """One side of the body's middle, for components that span both sides."""
    across = _on_side(np.arange(shape[1]) - middle[0], selection.right)
    along = _on_side(np.arange(shape[0]) - middle[1], selection.down)
    return along[:, None] & across[None, :]


def _grey(image: Image.Image) -> Grey:
    """8-bit luminance, slightly smoothed against noise."""
    from PIL import ImageFilter

    smooth = eight_bit(image).convert("RGB").convert("L").filter(ImageFilter.GaussianBlur(max(image.size) / 512))
    return np.asarray(smooth)

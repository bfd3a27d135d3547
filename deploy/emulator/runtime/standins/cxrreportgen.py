"""A stand-in for CxrReportGen. It is not the model, its sentences are no findings and have no medical meaning.

It compares the left and the right half of the image: it looks for a large dark area in each, and for spots inside them
that are brighter than their mirror image. Request and answer are the model's documented ones: the
sentences and boxes packed as JSON inside a string, boxes in shares of the square cut from the middle of the image.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.emulator.runtime.standins import request_table
from deploy.emulator.runtime.standins.segmentation import Components, Grey, Plane, connected_components, tones
from deploy.emulator.runtime.standins.vectors import eight_bit

if TYPE_CHECKING:
    from PIL import Image

NOTICE = (
    "These sentences are by the emulator's stand-in for CxrReportGen: a comparison of brightness, not the model. "
    "They have no medical meaning."
)
MAX_ROWS = 10
_IMAGES = ("lateral_image", "prior_image")
_TEXTS = ("indication", "technique", "comparison", "prior_report")
_SIDE = 256
_BRIGHTER = 24
_MAX_SPOTS = 3
_SMALLEST_SHARE = 1 / 400

Finding = list[Any]
"""A sentence, and a list of boxes or None."""


def score(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One object for each row: `output`, JSON in a string.

    ScoringError 400 for an invalid table, 500 for an unreadable image.
    """
    return [{"output": json.dumps(_findings(row))} for row in request_table.rows(body, ("frontal_image",), MAX_ROWS)]


def _findings(row: dict[str, Any]) -> list[Finding]:
    frontal = request_table.image(row, "frontal_image")
    for column in _TEXTS:
        if row.get(column) is not None:
            request_table.text(row, column)
    for column in _IMAGES:
        if row.get(column):
            request_table.image(row, column)
    return [[NOTICE, None], *compare(_square(frontal))]


def compare(grey: Grey) -> list[Finding]:
    """The differences between the halves of a square image; one sentence for an image of a single value."""
    toned = tones(grey)
    if toned is None:
        return [["All of the image is equally bright.", None]]
    found = connected_components(toned == 0)
    dark = [_darkest(found, left) for left in (True, False)]
    areas = np.any(dark, axis=0)
    sentences = [_area(plane, side) for plane, side in zip(dark, ("left", "right"), strict=True)]
    return [*sentences, *_brighter(grey, areas | areas[:, ::-1])]


def _darkest(found: Components, left: bool) -> Plane:
    """The largest dark component with its centre in one half that does not touch the border."""
    middle = (found.shape[1] - 1) / 2
    side = found.x < middle if left else found.x > middle
    return found.plane(np.flatnonzero(side & ~found.edge)[:1])


def _area(plane: Plane, side: str) -> Finding:
    if not plane.any():
        return [f"No dark area lies by itself on the image's {side}.", None]
    return [f"The dark area on the image's {side} fills {plane.mean():.1%} of the square.", [_box(plane)]]


def _brighter(grey: Grey, where: Plane) -> list[Finding]:
    values = grey.astype(np.int16)
    more = values - values[:, ::-1]
    found = connected_components((more > _BRIGHTER) & where)
    large = np.flatnonzero(found.area >= grey.size * _SMALLEST_SHARE)[:_MAX_SPOTS]
    planes = [found.plane(np.array([place])) for place in large]
    return [
        [f"Brighter than its mirror image by {more[plane].mean():.0f} grey values.", [_box(plane)]] for plane in planes
    ] or [["Inside the dark areas, left and right are equally bright.", None]]


def _box(plane: Plane) -> list[float]:
    """x_min, y_min, x_max, y_max in shares of the square."""
    x, y = (np.flatnonzero(plane.any(axis=axis)) for axis in (0, 1))
    return [round(int(at) / _SIDE, 3) for at in (x[0], y[0], x[-1] + 1, y[-1] + 1)]


def _square(image: Image.Image) -> Grey:
    """The centre square of the image, scaled to 256 x 256 and slightly smoothed."""
    from PIL import Image, ImageFilter

    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    middle = eight_bit(image).convert("RGB").convert("L").crop((left, top, left + side, top + side))
    small = middle.resize((_SIDE, _SIDE), Image.Resampling.BOX if side > _SIDE else Image.Resampling.BICUBIC)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(1.5)))

"""Draws masks: the image that was sent, each mask in its colour over it, and a legend.

Without numpy and pillow, the result is the reason instead of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.probes.drawing import (
    INK,
    MARGIN,
    PALE,
    PALETTE,
    PAPER,
    ROW,
    RULE,
    SIDE,
    colour,
    disc,
    drawn,
    enlarged,
    fitted,
    font,
    new_page,
    png,
)

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["PALETTE", "Layer", "overlay"]
_SMOOTH = 2.5


@dataclass(frozen=True)
class Layer:
    """One mask to draw: `pixels` has one byte per pixel, 1 inside and 0 outside the mask, rows from the top.

    `area` is its share of `whole`.
    """

    label: str
    note: str
    area: float
    pixels: bytes
    whole: str = "the image"


def overlay(
    image: bytes, size: tuple[int, int], layers: Sequence[Layer], subtitle: str, side: int = SIDE
) -> bytes | str:
    """The picture as PNG, the longer side of the image at least `side` pixels, or the reason for none.

    `size` is the masks' width and height.
    """
    return drawn(image, lambda picture: _page(picture, size, layers, subtitle, side))


def _page(picture: Image.Image, size: tuple[int, int], layers: Sequence[Layer], subtitle: str, side: int) -> bytes:
    from PIL import Image

    scale, width, height = enlarged(size, side)
    painted = _painted(picture.resize((width, height), Image.Resampling.LANCZOS), size, layers)
    title = "  &  ".join(layer.label for layer in layers)
    page, left, top, bottom = new_page(painted, ROW * len(layers), title, subtitle)
    for place, layer in enumerate(layers):
        _legend(page, place, layer, bottom + ROW * place)
        _badge(page, place, layer, size, (left, top, scale))
    return png(page)


def _painted(picture: Image.Image, size: tuple[int, int], layers: Sequence[Layer]) -> Image.Image:
    """The image with each mask as a translucent colour inside a sharp line.

    A blurred mask is one half exactly at the edge of the mask and falls evenly around it, so its value is a measure of
    the distance to the edge: that gives a smooth line of constant width at any size.
    """
    import numpy as np
    from PIL import Image, ImageFilter

    canvas = np.asarray(picture, np.float32)
    for place, layer in enumerate(layers):
        plane = np.frombuffer(layer.pixels, np.uint8).reshape(size[1], size[0]) * np.uint8(255)
        grown = Image.fromarray(plane).resize(picture.size, Image.Resampling.BICUBIC)
        soft = np.asarray(grown.filter(ImageFilter.GaussianBlur(_SMOOTH)), np.float32) / 255
        distance = (soft - 0.5) * (_SMOOTH * 2.507)
        line = np.clip(2.0 - np.abs(distance), 0, 1)
        halo = np.clip(3.05 - np.abs(distance), 0, 1)
        tint = np.asarray(colour(place), np.float32)
        fill = np.clip(distance + 0.5, 0, 1) * 0.5
        canvas = _mixed(canvas, tint, fill)
        canvas = _mixed(canvas, np.asarray(PAPER, np.float32), halo * 0.75)
        canvas = _mixed(canvas, tint, line)
    return Image.fromarray(np.rint(canvas).astype(np.uint8))


def _mixed(below: Any, above: Any, share: Any) -> Any:
    return below + (above - below) * share[..., None]


def _badge(page: Image.Image, place: int, layer: Layer, size: tuple[int, int], frame: tuple[int, int, float]) -> None:
    spot = _label_position(layer.pixels, size)
    if spot:
        left, top, scale = frame
        disc(page, (round(left + (spot[0] + 0.5) * scale), round(top + (spot[1] + 0.5) * scale)), place)


def _label_position(pixels: bytes, size: tuple[int, int]) -> tuple[int, int] | None:
    """The middle of the longest run in the mask's middle row, so that the badge is on the mask; None if it is empty."""
    width, total = size[0], pixels.count(1)
    if not total:
        return None
    seen, row = 0, 0
    while (seen := seen + pixels.count(1, row * width, (row + 1) * width)) * 2 < total:
        row += 1
    line = pixels[row * width : (row + 1) * width]
    longest = max(line.split(b"\0"), key=len)
    return line.index(longest) + len(longest) // 2, row


def _legend(page: Image.Image, place: int, layer: Layer, y: int) -> None:
    from PIL import ImageDraw

    pen, width, middle = ImageDraw.Draw(page), page.width, y + ROW // 2
    pen.line((MARGIN, y, width - MARGIN, y), RULE, 1)
    disc(page, (MARGIN + 20, middle), place)
    share = f"{layer.area:.1%} of {layer.whole}" if layer.area else "nothing found"
    label = fitted(layer.label, 26, width // 2 - 2 * MARGIN)
    pen.text((MARGIN + 56, middle), label, INK, font(26), anchor="lm")
    pen.text((width // 2 + MARGIN, middle), fitted(layer.note, 22, width // 4), PALE, font(22), anchor="lm")
    pen.text((width - MARGIN, middle), share, INK if layer.area else PALE, font(24), anchor="rm")

"""Pictures of what a probe saw: the image that was sent, what came back drawn over it, and a legend.

The colours are those of Okabe and Ito, which people with colour-blindness can tell apart; each mask has a number, too.
numpy and pillow are optional: without them there is a sentence instead of a picture, never an error.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

PALETTE = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0), (0, 114, 178))
_PAPER, _INK, _PALE, _RULE = (17, 20, 24), (240, 243, 246), (150, 160, 170), (44, 50, 57)
_SIDE, _MARGIN, _ROW = 1024, 48, 56
_SMOOTH = 2.5


@dataclass(frozen=True)
class Layer:
    """One mask to draw: `pixels` holds 1 where it is and 0 elsewhere, a byte a pixel, rows from the top."""

    label: str
    note: str
    area: float
    pixels: bytes


def overlay(image: bytes, size: tuple[int, int], layers: Sequence[Layer], subtitle: str) -> bytes | str:
    """The picture as PNG, at least 1024 pixels wide; or why there is none. `size` is the masks' width and height."""
    try:
        import numpy  # noqa: F401, ICN001 - asked for here, used below
        from PIL import Image
    except ImportError as error:
        return f"{error.name or 'numpy or pillow'} is not installed; pip install 'amldeploy[local]' draws pictures"
    try:
        with Image.open(io.BytesIO(image), formats=("PNG",)) as opened:
            picture = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"the image cannot be drawn: {error}"
    return _page(picture, size, layers, subtitle)


def _page(picture: Image.Image, size: tuple[int, int], layers: Sequence[Layer], subtitle: str) -> bytes:
    from PIL import Image, ImageDraw

    scale = max(1.0, _SIDE / max(size))
    width, height = round(size[0] * scale), round(size[1] * scale)
    top = _MARGIN + 84
    bottom = top + height + 28
    page = Image.new("RGB", (max(width, _SIDE) + 2 * _MARGIN, bottom + _ROW * len(layers) + _MARGIN - 16), _PAPER)
    left = (page.width - width) // 2
    page.paste(_painted(picture.resize((width, height), Image.Resampling.LANCZOS), size, layers), (left, top))
    pen = ImageDraw.Draw(page)
    title = "  &  ".join(layer.label for layer in layers)
    pen.text((_MARGIN, _MARGIN - 10), _fitted(title, 38, page.width - 2 * _MARGIN), _INK, _font(38))
    pen.text((_MARGIN, _MARGIN + 40), subtitle, _PALE, _font(22))
    for place, layer in enumerate(layers):
        _legend(page, place, layer, bottom + _ROW * place)
        _badge(page, place, layer, size, (left, top, scale))
    return _png(page)


def _painted(picture: Image.Image, size: tuple[int, int], layers: Sequence[Layer]) -> Image.Image:
    """The image with each mask as a translucent colour inside a crisp line.

    A blurred mask crosses one half exactly at the mask's edge and falls off evenly around it, so its value tells the
    distance to the edge: that gives a smooth line of even width at any size.
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
        colour = np.asarray(_colour(place), np.float32)
        fill = np.clip(distance + 0.5, 0, 1) * 0.5
        canvas = _mixed(canvas, colour, fill)
        canvas = _mixed(canvas, np.asarray(_PAPER, np.float32), halo * 0.75)
        canvas = _mixed(canvas, colour, line)
    return Image.fromarray(np.rint(canvas).astype(np.uint8))


def _mixed(below: Any, colour: Any, share: Any) -> Any:
    return below + (colour - below) * share[..., None]


def _badge(page: Image.Image, place: int, layer: Layer, size: tuple[int, int], frame: tuple[int, int, float]) -> None:
    spot = _heart(layer.pixels, size)
    if spot:
        left, top, scale = frame
        _disc(page, (round(left + (spot[0] + 0.5) * scale), round(top + (spot[1] + 0.5) * scale)), place)


def _heart(pixels: bytes, size: tuple[int, int]) -> tuple[int, int] | None:
    """A point of the mask near the middle of its middle row, so that a badge lies on the mask and not beside it."""
    width, total = size[0], pixels.count(1)
    if not total:
        return None
    seen, row = 0, 0
    while (seen := seen + pixels.count(1, row * width, (row + 1) * width)) * 2 < total:
        row += 1
    filled = [x for x in range(width) if pixels[row * width + x]]
    return filled[len(filled) // 2], row


def _disc(page: Image.Image, centre: tuple[int, int], place: int) -> None:
    """A numbered disc, drawn four times as large and reduced: pillow's own ellipses have jagged edges."""
    from PIL import Image, ImageDraw

    side, finer = 38, 4
    large = Image.new("RGBA", (side * finer, side * finer), (*_colour(place), 0))
    pen = ImageDraw.Draw(large)
    pen.ellipse(
        (finer, finer, (side - 1) * finer, (side - 1) * finer), (*_PAPER, 255), (*_colour(place), 255), 3 * finer
    )
    pen.text((side * finer / 2, side * finer / 2), str(place + 1), _INK, _font(21 * finer), anchor="mm")
    disc = large.resize((side, side), Image.Resampling.LANCZOS)
    page.paste(disc, (centre[0] - side // 2, centre[1] - side // 2), disc)


def _legend(page: Image.Image, place: int, layer: Layer, y: int) -> None:
    from PIL import ImageDraw

    pen, width, middle = ImageDraw.Draw(page), page.width, y + _ROW // 2
    pen.line((_MARGIN, y, width - _MARGIN, y), _RULE, 1)
    _disc(page, (_MARGIN + 20, middle), place)
    share = f"{layer.area:.1%} of the image" if layer.area else "nothing found"
    label = _fitted(layer.label, 26, width // 2 - 2 * _MARGIN)
    pen.text((_MARGIN + 56, middle), label, _INK, _font(26), anchor="lm")
    pen.text((width // 2 + _MARGIN, middle), _fitted(layer.note, 22, width // 4), _PALE, _font(22), anchor="lm")
    pen.text((width - _MARGIN, middle), share, _INK if layer.area else _PALE, _font(24), anchor="rm")


def _colour(place: int) -> tuple[int, int, int]:
    return PALETTE[place % len(PALETTE)]


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _fitted(text: str, size: int, room: int) -> str:
    """The text, cut where it would leave its room."""
    font, cut = _font(size), text
    while cut and font.getlength(cut if cut == text else cut + "...") > room:
        cut = cut[:-1]
    return cut if cut == text else cut.rstrip() + "..."


def _png(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()

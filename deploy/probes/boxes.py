"""Draws findings: the image that was sent, each box in the colour of its sentence, and the sentences.

A thin line frames the square that the model uses if the image is not square. Without numpy and pillow, the result is
the reason instead of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.probes.drawing import (
    INK,
    MARGIN,
    PALE,
    PAPER,
    RULE,
    colour,
    disc,
    drawn,
    enlarged,
    fitted,
    font,
    new_page,
    page_width,
    png,
)
from deploy.probes.values import Box

if TYPE_CHECKING:
    from PIL import Image

_LETTERS, _LINE, _PAD, _LINES = 22, 30, 14, 4


def marked(
    image: bytes, size: tuple[int, int], findings: Sequence[tuple[str, Sequence[Box]]], title: str, subtitle: str
) -> bytes | str:
    """The picture as PNG, at least 1024 pixels on its longer side, or the reason for none. Boxes are in pixels."""
    return drawn(image, lambda picture: _page(picture, size, findings, title, subtitle))


def _page(
    picture: Image.Image,
    size: tuple[int, int],
    findings: Sequence[tuple[str, Sequence[Box]]],
    title: str,
    subtitle: str,
) -> bytes:
    from PIL import Image

    scale, width, height = enlarged(size)
    texts = [_wrapped(text, page_width(width) - 2 * MARGIN - 56) for text, _ in findings]
    larger = picture.resize((width, height), Image.Resampling.LANCZOS)
    page, left, top, bottom = new_page(larger, sum(map(_tall, texts)), title, subtitle)
    if size[0] != size[1]:
        _frame(page, size, (left, top, scale))
    for place, (_, boxes) in enumerate(findings):
        for box in boxes:
            _outline(page, place, box, (left, top, scale))
    for place, (lines, (_, boxes)) in enumerate(zip(texts, findings, strict=True)):
        bottom = _sentence(page, place, lines, bool(boxes), bottom)
    return png(page)


def _frame(page: Image.Image, size: tuple[int, int], frame: tuple[int, int, float]) -> None:
    from PIL import ImageDraw

    left, top, scale = frame
    side = min(size)
    x, y = left + (size[0] - side) // 2 * scale, top + (size[1] - side) // 2 * scale
    ImageDraw.Draw(page).rectangle((x, y, x + side * scale - 1, y + side * scale - 1), None, PALE, 1)


def _outline(page: Image.Image, place: int, box: Box, frame: tuple[int, int, float]) -> None:
    """A line in the finding's colour between two dark ones, visible on bright and on dark parts."""
    from PIL import ImageDraw

    left, top, scale = frame
    x0, y0, x1, y1 = (round(at * scale) for at in box)
    corners = (left + x0, top + y0, left + max(x0 + 1, x1 - 1), top + max(y0 + 1, y1 - 1))
    pen = ImageDraw.Draw(page)
    for grow, ink, thick in ((2, PAPER, 8), (0, colour(place), 4)):
        around = (corners[0] - grow, corners[1] - grow, corners[2] + grow, corners[3] + grow)
        pen.rectangle(around, None, ink, thick)
    disc(page, (corners[0], corners[1]), place)


def _sentence(page: Image.Image, place: int, lines: Sequence[str], boxed: bool, y: int) -> int:
    """Draw the text of one finding; returns the y position of the next."""
    from PIL import ImageDraw

    pen, tall = ImageDraw.Draw(page), _tall(lines)
    pen.line((MARGIN, y, page.width - MARGIN, y), RULE, 1)
    middle = y + _PAD + _LINE // 2
    if boxed:
        disc(page, (MARGIN + 20, middle), place)
    else:
        pen.text((MARGIN + 20, middle), str(place + 1), PALE, font(21), anchor="mm")
    for number, line in enumerate(lines):
        pen.text((MARGIN + 56, middle + number * _LINE), line, INK if boxed else PALE, font(_LETTERS), anchor="lm")
    return y + tall


def _wrapped(text: str, width: int) -> list[str]:
    """The text in at most four lines of a width in pixels; the last one is cut if necessary."""
    letters, lines = font(_LETTERS), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and letters.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    rest = " ".join(lines[_LINES - 1 :])
    return [fitted(line, _LETTERS, width) for line in [*lines[: _LINES - 1], *([rest] if rest else [])]]


def _tall(lines: Sequence[str]) -> int:
    return len(lines) * _LINE + 2 * _PAD

"""Shared parts of the probes' pictures: colours, fonts, numbered discs, and reading the image that was sent.

The colours are those of Okabe and Ito, which people with colour blindness can distinguish; each item also has a number.
numpy and pillow are optional, so they are imported only for drawing.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

PALETTE = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0), (0, 114, 178))
PAPER, INK, PALE, RULE = (17, 20, 24), (240, 243, 246), (150, 160, 170), (44, 50, 57)
SIDE, MARGIN, ROW = 1024, 48, 56


def why_no_drawing() -> str | None:
    """Why drawing is not possible on this machine, or None."""
    try:
        import numpy  # noqa: F401, ICN001 - only a check
        import PIL  # noqa: F401 - only a check
    except ImportError as error:
        return f"{error.name or 'numpy or pillow'} is not installed; pip install 'amldeploy[local]' adds pictures"
    return None


def drawn(image: bytes, draw: Callable[[Image.Image], bytes]) -> bytes | str:
    """The result of `draw` for the image that was sent, as PNG, or the reason for none."""
    if reason := why_no_drawing():
        return reason
    picture = opened(image)
    return picture if isinstance(picture, str) else draw(picture)


def enlarged(size: tuple[int, int], side: int = SIDE) -> tuple[float, int, int]:
    """(scale, width, height) of an image, enlarged so that its longer side has at least `side` pixels."""
    scale = max(1.0, side / max(size))
    return scale, round(size[0] * scale), round(size[1] * scale)


def new_page(picture: Image.Image, below: int, title: str, subtitle: str) -> tuple[Image.Image, int, int, int]:
    """A page with two lines of text, the picture, and `below` free pixels for its legend.

    Returns the page, the picture's left and top, and the top of the legend.
    """
    from PIL import Image

    top = MARGIN + 84
    bottom = top + picture.height + 28
    page = Image.new("RGB", (page_width(picture.width), bottom + below + MARGIN - 16), PAPER)
    left = (page.width - picture.width) // 2
    page.paste(picture, (left, top))
    headed(page, title, subtitle)
    return page, left, top, bottom


def page_width(width: int) -> int:
    """The width of the page for a picture."""
    return max(width, SIDE) + 2 * MARGIN


def opened(image: bytes) -> Image.Image | str:
    """A PNG as RGB, or the reason why it cannot be drawn."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=("PNG",)) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"the image cannot be drawn: {error}"


def headed(page: Image.Image, title: str, subtitle: str) -> None:
    """Draw the two lines of text at the top of a page."""
    from PIL import ImageDraw

    pen, width = ImageDraw.Draw(page), page.width - 2 * MARGIN
    pen.text((MARGIN, MARGIN - 10), fitted(title, 38, width), INK, font(38))
    pen.text((MARGIN, MARGIN + 40), fitted(subtitle, 22, width), PALE, font(22))


def disc(page: Image.Image, centre: tuple[int, int], index: int) -> None:
    """A numbered disc, drawn four times as large and reduced, because pillow's ellipses have jagged edges."""
    from PIL import Image, ImageDraw

    side, finer = 38, 4
    large = Image.new("RGBA", (side * finer, side * finer), (*colour(index), 0))
    pen = ImageDraw.Draw(large)
    edge = (side - 1) * finer
    pen.ellipse((finer, finer, edge, edge), (*PAPER, 255), (*colour(index), 255), 3 * finer)
    pen.text((side * finer / 2, side * finer / 2), str(index + 1), INK, font(21 * finer), anchor="mm")
    small = large.resize((side, side), Image.Resampling.LANCZOS)
    page.paste(small, (centre[0] - side // 2, centre[1] - side // 2), small)


def colour(index: int) -> tuple[int, int, int]:
    """The colour of an item by its position, counted from 0."""
    return PALETTE[index % len(PALETTE)]


def font(size: int) -> Any:
    """The default font in a size in pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def fitted(text: str, size: int, width: int) -> str:
    """The text, cut to a width in pixels."""
    letters, cut = font(size), text
    while cut and letters.getlength(cut if cut == text else cut + "...") > width:
        cut = cut[:-1]
    return cut if cut == text else cut.rstrip() + "..."


def png(page: Image.Image) -> bytes:
    """The page as PNG."""
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()

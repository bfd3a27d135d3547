"""What every picture of a probe is drawn with: colours, letters, numbered discs, and reading the image that was sent.

The colours are those of Okabe and Ito, which people with colour-blindness can tell apart; each thing drawn has a
number, too. numpy and pillow are optional, so they are imported when something is drawn and never before.
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


def missing() -> str | None:
    """Why nothing can be drawn on this machine, or None."""
    try:
        import numpy  # noqa: F401, ICN001 - only asked for
        import PIL  # noqa: F401 - only asked for
    except ImportError as error:
        return f"{error.name or 'numpy or pillow'} is not installed; pip install 'amldeploy[local]' draws pictures"
    return None


def drawn(image: bytes, draw: Callable[[Image.Image], bytes]) -> bytes | str:
    """What `draw` makes of the image that was sent, as PNG; or why there is none."""
    if excuse := missing():
        return excuse
    picture = opened(image)
    return picture if isinstance(picture, str) else draw(picture)


def enlarged(size: tuple[int, int], side: int = SIDE) -> tuple[float, int, int]:
    """(scale, width, height) of an image whose longer side is to have at least `side` pixels."""
    scale = max(1.0, side / max(size))
    return scale, round(size[0] * scale), round(size[1] * scale)


def sheet(picture: Image.Image, below: int, title: str, subtitle: str) -> tuple[Image.Image, int, int, int]:
    """A page with two lines, the picture under them, and `below` pixels of room for what is told about it.

    Returns the page, the picture's left and top, and where the room begins.
    """
    from PIL import Image

    top = MARGIN + 84
    bottom = top + picture.height + 28
    page = Image.new("RGB", (across(picture.width), bottom + below + MARGIN - 16), PAPER)
    left = (page.width - picture.width) // 2
    page.paste(picture, (left, top))
    headed(page, title, subtitle)
    return page, left, top, bottom


def across(width: int) -> int:
    """How wide the page of a picture is."""
    return max(width, SIDE) + 2 * MARGIN


def opened(image: bytes) -> Image.Image | str:
    """A PNG as RGB, or why it cannot be drawn."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=("PNG",)) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"the image cannot be drawn: {error}"


def headed(page: Image.Image, title: str, subtitle: str) -> None:
    """Write the two lines at the top of a page."""
    from PIL import ImageDraw

    pen, step_type = ImageDraw.Draw(page), page.width - 2 * MARGIN
    pen.text((MARGIN, MARGIN - 10), fitted(title, 38, step_type), INK, font(38))
    pen.text((MARGIN, MARGIN + 40), fitted(subtitle, 22, step_type), PALE, font(22))


def disc(page: Image.Image, centre: tuple[int, int], place: int) -> None:
    """A numbered disc, drawn four times as large and reduced: pillow's own ellipses have jagged edges."""
    from PIL import Image, ImageDraw

    side, finer = 38, 4
    large = Image.new("RGBA", (side * finer, side * finer), (*colour(place), 0))
    pen = ImageDraw.Draw(large)
    edge = (side - 1) * finer
    pen.ellipse((finer, finer, edge, edge), (*PAPER, 255), (*colour(place), 255), 3 * finer)
    pen.text((side * finer / 2, side * finer / 2), str(place + 1), INK, font(21 * finer), anchor="mm")
    small = large.resize((side, side), Image.Resampling.LANCZOS)
    page.paste(small, (centre[0] - side // 2, centre[1] - side // 2), small)


def colour(place: int) -> tuple[int, int, int]:
    """The colour of the thing at a place, counted from 0."""
    return PALETTE[place % len(PALETTE)]


def font(size: int) -> Any:
    """Letters of a size in pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def fitted(text: str, size: int, step_type: int) -> str:
    """The text, cut where it would leave its room."""
    letters, cut = font(size), text
    while cut and letters.getlength(cut if cut == text else cut + "...") > step_type:
        cut = cut[:-1]
    return cut if cut == text else cut.rstrip() + "..."


def png(page: Image.Image) -> bytes:
    """The page as PNG."""
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()

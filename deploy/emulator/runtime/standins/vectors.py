"""Vectors of the embedding stand-ins: colours and brightness of an image, spelling of a text.

They are scaled to length 1. Equal inputs give equal vectors, similar images give similar ones.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Vector = NDArray[np.float32]
GRID = 16


def of_image(image: Image.Image, bands: str) -> Vector:
    """The mean red, green and blue of each field of a 16 x 16 grid, then a histogram of 256 for each of the bands.

    1024 numbers with the band "L", 1536 with "RGB". With the histogram, a black image also has a vector.
    """
    from PIL import Image

    picture = eight_bit(image).convert("RGB")
    fields = np.asarray(picture.resize((GRID, GRID), Image.Resampling.BOX), np.float64).ravel() / 255
    counts = np.array(picture.convert(bands).histogram(), np.float64)
    return _normalize(np.concatenate([fields, counts / (picture.width * picture.height) * GRID]))


def of_text(text: str, length: int) -> Vector:
    """How often each run of three letters occurs, added at positions from a checksum."""
    spelled = f"  {' '.join(text.lower().split())}  ".encode()
    numbers = np.zeros(length)
    for start in range(len(spelled) - 2):
        place = zlib.crc32(spelled[start : start + 3])
        numbers[place % length] += 1 if place >> 31 else -1
    return _normalize(numbers) if numbers.any() else _normalize(np.ones(length))


def eight_bit(image: Image.Image) -> Image.Image:
    """An image of more than 8 bits scaled to 8 bits, its darkest pixel to 0 and its brightest to 255."""
    from PIL import Image

    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, np.float64)
    span = float(np.ptp(values)) or 1.0
    return Image.fromarray(np.rint((values - values.min()) / span * 255).astype(np.uint8))


def _normalize(numbers: NDArray[np.float64]) -> Vector:
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)

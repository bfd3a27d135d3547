"""The picture of what came back."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deploy.probes.pictures import PALETTE, Layer, overlay


def png(width, height, value=90):
    out = io.BytesIO()
    Image.new("RGB", (width, height), (value, value, value)).save(out, "PNG")
    return out.getvalue()


def square(width, height, label="square"):
    plane = np.zeros((height, width), np.uint8)
    plane[height // 4 : height // 2, width // 4 : width // 2] = 1
    return Layer(label, "other", float(plane.mean()), plane.tobytes())


def drawn(*arguments):
    picture = overlay(*arguments)
    assert isinstance(picture, bytes)
    return Image.open(io.BytesIO(picture))


def test_a_mask_is_outlined_in_its_colour_and_tinted_inside():
    """The line has the palette's colour, the inside leans towards it, the outside is the image."""
    page = drawn(png(1024, 1024), (1024, 1024), [square(1024, 1024)], "words")
    left, top = 48, 48 + 84
    assert page.getpixel((left + 256, top + 300)) == pytest.approx(PALETTE[0], abs=40)
    assert page.getpixel((left + 300, top + 300)) == pytest.approx(tuple((90 + c) / 2 for c in PALETTE[0]), abs=3)
    assert page.getpixel((left + 700, top + 700)) == (90, 90, 90)


def test_the_same_answer_gives_the_same_bytes():
    """Nothing in the picture depends on when it is drawn."""
    layers = [square(64, 64), square(64, 64, "two")]
    assert overlay(png(64, 64), (64, 64), layers, "words") == overlay(png(64, 64), (64, 64), layers, "words")


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.lists(st.text(max_size=40), min_size=1, max_size=9))
def test_any_size_and_any_words_can_be_drawn(width, height, labels):
    """Small and narrow images are enlarged to 1024 pixels, long and strange prompts are cut to fit."""
    page = drawn(png(width, height), (width, height), [square(width, height, label) for label in labels], "words")
    assert page.width >= 1024
    assert page.height >= 1024 * min(1, height / max(width, height))


def test_an_image_that_cannot_be_decoded_gives_a_sentence():
    """A PNG with a good header and a broken inside is no reason to fail a probe."""
    broken = png(64, 64)[:-40]
    said = overlay(broken, (64, 64), [square(64, 64)], "words")
    assert isinstance(said, str)
    assert said.startswith("the image cannot be drawn: ")

"""The picture of findings."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deploy.probes.boxes import marked
from deploy.probes.drawing import PALETTE


def png(width, height, value=90):
    out = io.BytesIO()
    Image.new("RGB", (width, height), (value, value, value)).save(out, "PNG")
    return out.getvalue()


def drawn(*arguments):
    picture = marked(*arguments)
    assert isinstance(picture, bytes)
    return Image.open(io.BytesIO(picture))


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_sentence():
    """The line lies on the box, its inside and outside are the image."""
    findings = [("Nothing here.", []), ("There.", [(200, 300, 600, 700)])]
    page = drawn(png(1024, 1024), (1024, 1024), findings, "title", "words")
    left, top = 48, 48 + 84
    for x, y in ((400, 301), (400, 698), (201, 500), (598, 500)):
        assert page.getpixel((left + x, top + y)) == PALETTE[1]
    assert page.getpixel((left + 400, top + 500)) == page.getpixel((left + 100, top + 500)) == (90, 90, 90)


@pytest.mark.parametrize(("size", "corner"), [((1024, 768), (128, 0)), ((768, 1024), (0, 128))])
def test_the_square_that_the_model_sees_is_framed(size, corner):
    """A thin line shows the part of a long or wide image to which boxes refer."""
    page = drawn(png(*size), size, [("Nothing.", [])], "title", "words")
    left = (page.width - size[0]) // 2
    assert page.getpixel((left + corner[0], 132 + corner[1])) == (150, 160, 170)


Box = st.tuples(*[st.floats(0, 90)] * 4)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.tuples(st.text(max_size=300), st.lists(Box, max_size=2)), min_size=1, max_size=9),
)
def test_any_findings_can_be_drawn(width, height, findings):
    """Any size, any words, any boxes: long sentences are wrapped and cut, small images enlarged."""
    tidy = [(text, [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in boxes]) for text, boxes in findings]
    assert drawn(png(width, height), (width, height), tidy, "title", "words").width >= 1024


def test_an_image_that_cannot_be_decoded_gives_a_sentence():
    """A PNG with a good header and a broken inside is no reason to fail a probe."""
    said = marked(png(64, 64)[:-40], (64, 64), [("Nothing.", [])], "title", "words")
    assert isinstance(said, str)
    assert said.startswith("the image cannot be drawn: ")

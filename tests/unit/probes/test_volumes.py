"""The picture of a volume's labels."""

from __future__ import annotations

import io
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deploy.probes import nifti
from deploy.probes.drawing import PALETTE
from deploy.probes.pictures import Layer
from deploy.probes.volumes import slices
from tests.unit.probes.given import nifti as written

LEFT_BACK_FEET = -np.eye(3)


def body():
    """A volume indexed to the patient's left, back and feet: something bright in front, a label on the left."""
    image, labels = np.full((12, 10, 8), 40, np.int16), np.zeros((12, 10, 8), np.uint8)
    image[4:8, 0:3, 0:5] = 200
    labels[8:11, 4:7, 1:4] = 1
    return image, labels


def drawn(image, labels, affine, spacing=(1, 1, 1)):
    stored = written(image, affine=None if affine is None else np.hstack([affine, np.zeros((3, 1))]), spacing=spacing)
    head, values = nifti.volume(stored, image.shape)
    _, found = nifti.volume(written(labels), labels.shape)
    picture = slices(head, values, found, [(1, Layer("left", "9 ml", 0.03, b""))], "words")
    assert isinstance(picture, bytes)
    return picture


def test_the_patients_left_is_on_the_right_and_the_head_at_the_top():
    """Front at the top of the first slice, left on the right of the first two, head at the top of the last two."""
    page = np.asarray(Image.open(io.BytesIO(drawn(*body(), LEFT_BACK_FEET))).convert("RGB")).astype(int)
    pictures = page[48 + 84 : -116, 48:-48]  # between the title and the legend
    first, others = pictures[:, : pictures.shape[1] * 35 // 100], pictures[:, pictures.shape[1] * 35 // 100 :]
    assert middle(first, PALETTE[0]) == pytest.approx((0.55, 0.79), abs=0.02)  # y 4 to 6 of 10, x 8 to 10 of 12
    assert middle(first, (510, 510, 510))[0] == pytest.approx(0.15, abs=0.04)  # bright: y 0 to 2 of 10
    assert middle(others, PALETTE[0])[0] == pytest.approx(0.35, abs=0.02)  # z 1 to 3 of 8, in the middle of 10


def middle(picture, colour):
    """Where half of a colour is, down and across, as shares of the picture."""
    rows, columns = np.nonzero(np.abs(picture - np.array(colour) / 2).sum(axis=2) < 30)
    assert len(rows) > 1000
    return (rows.min() + rows.max()) / 2 / picture.shape[0], (columns.min() + columns.max()) / 2 / picture.shape[1]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3))[::4])
def test_the_orientation_does_not_depend_on_the_storage_order(order, signs):
    """The same body stored along other axes and directions, with a matching affine, gives the same picture."""
    image, labels = body()
    turned = [np.flip(each.transpose(order), [a for a in range(3) if signs[a] < 0]) for each in (image, labels)]
    affine = (LEFT_BACK_FEET[:, order]) * np.array(signs)
    spacing = (1, 2, 3)
    stored = [spacing[axis] for axis in order]
    assert drawn(*turned, affine, stored) == drawn(image, labels, LEFT_BACK_FEET, spacing)


def test_without_an_affine_it_is_shown_as_it_is_stored():
    """No orientation is invented."""
    assert drawn(*body(), None) == drawn(*body(), LEFT_BACK_FEET)


@settings(max_examples=10, deadline=None)
@given(st.tuples(*[st.integers(1, 20)] * 3), st.sampled_from(["i2", "f4"]), st.integers(0, 9))
def test_any_volume_can_be_drawn(shape, kind, seed):
    """Thin volumes, volumes of one value and volumes with numbers that are none are drawn."""
    values = np.random.default_rng(seed).integers(-9, 9, shape).astype(kind)
    if kind == "f4":
        values[0, 0, 0] = np.nan
    labels = (np.arange(values.size).reshape(shape) == 0).astype(np.uint8)
    assert Image.open(io.BytesIO(drawn(values * (seed > 4), labels, None))).width >= 1024

"""Reading volumes."""

from __future__ import annotations

import gzip
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.probes.nifti import NotNifti, header, volume
from tests.unit.probes.given import TYPES, nifti

volumes = st.sampled_from(sorted(TYPES)).flatmap(
    lambda kind: arrays(np.dtype(kind), array_shapes(min_dims=3, max_dims=3, max_side=4))
)
SMALL = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


@given(volumes, st.sampled_from("<>"), st.booleans())
def test_every_number_comes_back(values, order, packed):
    """Any type, either byte order, gzipped or not: the values are those that were written, x fastest."""
    head, read = volume(nifti(values, order, packed=packed), values.shape)
    assert (head.shape, head.order, head.voxels) == (values.shape, order, values.size)
    assert np.array_equal(np.array(read, values.dtype), values.ravel(order="F"), equal_nan=values.dtype.kind == "f")


def test_scale_spacing_and_affine_are_read():
    """A slope of zero means no scaling; an affine counts only if its code is set."""
    affine = [[-2, 0, 0, 9], [0, -2, 0, 8], [0, 0, 3, -7]]
    head = header(nifti(SMALL, affine=affine, scale=(2.5, -1), spacing=(2, -2, 3)))
    assert (head.slope, head.intercept, head.spacing) == (2.5, -1, (2, 2, 3))
    assert [list(row) for row in head.affine] == affine
    plain = header(nifti(SMALL, scale=(0, 7)))
    assert (plain.slope, plain.intercept, plain.affine) == (1, 0, None)


WRONG = {
    "empty": (b"", r"348 bytes for the header, got 0"),
    "prose": (b"x" * 400, r"a NIfTI-1 header, with 348 as first number"),
    "gzipped prose": (gzip.compress(b"x" * 400), r"a NIfTI-1 header"),
    "broken gzip": (b"\x1f\x8b" + bytes(400), r"got one that ends in the header"),
    "gzip cut off": (nifti(SMALL)[:-30], r"got one that ends in"),
    "other magic": (nifti(SMALL, change={344: b"n+2\0"}), r"the NIfTI-1 magic 'n\+1' at byte 344, got b'n\+2"),
    "header of a pair": (nifti(SMALL, change={344: b"ni1\0"}), r"a header with its data in another file"),
    "two dimensions": (nifti(SMALL, change={40: b"\2\0"}), r"volume of three dimensions, got 2 dimensions of 2 x 3"),
    "a series": (nifti(SMALL, change={40: b"\4\0", 48: b"\5\0"}), r"got 4 dimensions of 2 x 3 x 4 x 5"),
    "no voxels": (nifti(SMALL, change={44: b"\0\0"}), r"3 dimensions of 2 x 0 x 4"),
    "too many": (nifti(SMALL, change={42: b"\xff\x7f" * 3}), r"at most \d+ voxels"),
    "colours": (nifti(SMALL, change={70: b"\x80\0"}), r"got NIfTI type 128"),
    "data before the header's end": (nifti(SMALL, change={108: struct.pack("<f", 10)}), r"byte 352 or later, got 10.0"),
    "data at no number": (nifti(SMALL, change={108: struct.pack("<f", np.nan)}), r"byte 352 or later, got nan"),
    "data missing": (nifti(SMALL, packed=False)[:-1], r"48 bytes for the data of 2 x 3 x 4 voxels, got 47"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_damage_has_its_message(name):
    """The message contains what was expected and what the file contains."""
    content, words = WRONG[name]
    with pytest.raises(NotNifti, match=words):
        volume(content, (2, 3, 4))


def test_another_shape_is_refused_before_its_data_is_read():
    """A volume of another size is not unpacked."""
    with pytest.raises(NotNifti, match="a volume of 4 x 3 x 2 voxels like the one sent, got 2 x 3 x 4"):
        volume(nifti(SMALL), (4, 3, 2))


@given(st.binary(max_size=500), st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), max_size=8))
def test_random_text_raises_no_other_error(noise, changes):
    """Noise, and a good file with changed bytes: a volume or NotNifti."""
    damaged = nifti(SMALL, packed=False, change={at: bytes([value]) for at, value in changes})
    for content in (noise, gzip.compress(noise), damaged):
        with suppress(NotNifti):
            assert len(volume(content, (2, 3, 4))[1]) == 24

"""Reads a NIfTI-1 volume with the standard library: its size, its position in space, its values.

Our own instead of nibabel, which needs numpy: probes run with the standard library. It reads at most the size in the
header, so a small response cannot unpack to more than that.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import sys
import zlib
from array import array
from dataclasses import dataclass

_GZIP = b"\x1f\x8b"
_CODES = {2: "B", 4: "h", 8: "i", 16: "f", 64: "d", 256: "b", 512: "H", 768: "I", 1024: "q", 1280: "Q"}
"""NIfTI's number types that `array` can hold: integers of 8 to 64 bits, floats of 32 and 64."""
MOST_VOXELS = 512 * 512 * 2048


class NotNifti(Exception):
    """The volume is invalid. The message is a phrase that follows "expected"."""


@dataclass(frozen=True)
class Header:
    """The first 348 bytes.

    `shape`: voxels along x, y, z. `spacing`: millimetres. `affine`: three rows from voxel to world, None without an
    sform and a qform. `code`: the number type. `start`: offset of the data. A stored value times `slope` plus
    `intercept` is the real value.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...] | None
    order: str
    code: str
    start: int
    slope: float
    intercept: float

    @property
    def voxels(self) -> int:
        return math.prod(self.shape)


def header(content: bytes) -> Header:
    """The header of a .nii.gz (or an unpacked .nii). NotNifti if it is not a single 3D volume."""
    with _opened(content) as stream:
        return _header(_taken(stream, 348, "the header"))


def volume(content: bytes, shape: tuple[int, int, int]) -> tuple[Header, array[float]]:
    """Header and stored values, x fastest. NotNifti if the volume has another shape or its data is incomplete."""
    with _opened(content) as stream:
        head = _header(_taken(stream, 348, "the header"))
        if head.shape != shape:
            raise NotNifti(f"a volume of {sized(shape)} voxels like the one sent, got {sized(head.shape)}")
        _taken(stream, head.start - 348, "the header's extensions")
        values: array[float] = array(head.code)
        values.frombytes(_taken(stream, head.voxels * values.itemsize, f"the data of {sized(shape)} voxels"))
    if (head.order == "<") != (sys.byteorder == "little"):
        values.byteswap()
    return head, values


def patient_left(head: Header) -> tuple[int, int]:
    """The stored axis that is most parallel to the patient's left, and 1 if its index grows to the left.

    The world's first axis runs to the right. Without an affine: the first axis, to the left, as most scanners store it.
    """
    if head.affine is None:
        return 0, 1
    across = [value if math.isfinite(value) else 0.0 for value in head.affine[0][:3]]
    axis = max(range(3), key=lambda each: abs(across[each]))
    return axis, -1 if across[axis] > 0 else 1


def sized(shape: tuple[int, ...]) -> str:
    """A shape as text, such as `96 x 96 x 64`."""
    return " x ".join(map(str, shape))


def _opened(content: bytes) -> gzip.GzipFile | io.BytesIO:
    stream = io.BytesIO(content)
    return gzip.GzipFile(fileobj=stream) if content.startswith(_GZIP) else stream


def _taken(stream: gzip.GzipFile | io.BytesIO, count: int, what: str) -> bytes:
    try:
        taken = stream.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise NotNifti(f"a gzipped NIfTI file, got one that ends in {what} ({error})") from None
    if len(taken) != count:
        raise NotNifti(f"{count} bytes for {what}, got {len(taken)}")
    return taken


def _header(raw: bytes) -> Header:
    order = next((order for order in "<>" if struct.unpack_from(order + "i", raw)[0] == 348), None)
    if order is None:
        raise NotNifti("a NIfTI-1 header, with 348 as first number, got another")
    if raw[344:348] == b"ni1\0":
        raise NotNifti("header and data in one file ('n+1'), got a header with its data in another file ('ni1')")
    if raw[344:348] != b"n+1\0":
        raise NotNifti(f"the NIfTI-1 magic 'n+1' at byte 344, got {raw[344:348]!r}")
    dimensions = struct.unpack_from(order + "8h", raw, 40)
    datatype = struct.unpack_from(order + "h", raw, 70)[0]
    if datatype not in _CODES:
        raise NotNifti(f"whole or real numbers of 8 to 64 bits, got NIfTI type {datatype}")
    start, slope, intercept = struct.unpack_from(order + "3f", raw, 108)
    scaled = math.isfinite(slope) and slope != 0 and math.isfinite(intercept)
    return Header(
        shape=_shape(dimensions),
        spacing=_spacing(struct.unpack_from(order + "3f", raw, 80)),
        affine=_affine(raw, order),
        order=order,
        code=_CODES[datatype],
        start=_start(start),
        slope=slope if scaled else 1.0,
        intercept=intercept if scaled else 0.0,
    )


def _affine(raw: bytes, order: str) -> tuple[tuple[float, ...], ...] | None:
    """The rows of the sform; without one, those of the qform, a unit quaternion (NIfTI-1, method 2)."""
    qform, sform = struct.unpack_from(order + "2h", raw, 252)
    if sform > 0:
        return tuple(struct.unpack_from(order + "4f", raw, at) for at in (280, 296, 312))
    if qform <= 0:
        return None
    b, c, d, *offset = struct.unpack_from(order + "6f", raw, 256)
    a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    handed, *steps = struct.unpack_from(order + "4f", raw, 76)
    steps[2] *= -1 if handed < 0 else 1
    turn = (
        (a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)),
        (2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)),
        (2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c),
    )
    rows = zip(turn, offset, strict=True)
    return tuple((*(value * step for value, step in zip(row, steps, strict=True)), at) for row, at in rows)


def _shape(dimensions: tuple[int, ...]) -> tuple[int, int, int]:
    count, sizes = dimensions[0], dimensions[1:]
    if not 3 <= count <= 7 or min(sizes[:count]) < 1 or max(sizes[3:count], default=1) > 1:
        raise NotNifti(f"one volume of three dimensions, got {count} dimensions of {sized(sizes[: max(0, count)])}")
    x, y, z = sizes[:3]
    if x * y * z > MOST_VOXELS:
        raise NotNifti(f"at most {MOST_VOXELS} voxels, got {sized((x, y, z))}")
    return x, y, z


def _spacing(stored: tuple[float, ...]) -> tuple[float, float, float]:
    x, y, z = (abs(each) if math.isfinite(each) and each else 1.0 for each in stored)
    return x, y, z


def _start(stored: float) -> int:
    if not math.isfinite(stored) or not 348 <= stored < 1 << 24:
        raise NotNifti(f"data that starts at byte 352 or later, got {stored}")
    return int(stored)

"""Read and write NIfTI-1 volumes: one gzipped file. An unreadable one is refused with 500, as by the model.

Written here because nibabel is a large dependency for two functions, and reads without limits.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.emulator.runtime.standins import ScoringError

MAX_VOXELS = 64_000_000
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


@dataclass(frozen=True)
class Volume:
    """`values` indexed x, y, z; `header` the 348 bytes of the file; `order` their byte order.

    `orientation` is the affine's 3 x 3 part, from voxel steps to millimetres to the right, front and head.
    """

    values: NDArray[Any]
    header: bytes
    order: str
    orientation: NDArray[np.float64]


def read(content: bytes) -> Volume:
    """A volume of three dimensions. ScoringError 500 for anything else."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            header = stream.read(348)
            order = _order(header)
            shape, kind, start = _layout(header, order)
            stream.read(start - 348)
            size = math.prod(shape) * kind.itemsize
            data = stream.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(f"not gzipped ({error})") from None
    if len(data) != size:
        raise _unreadable(f"{size} bytes of data expected, {len(data)} there")
    values = np.frombuffer(data, kind).reshape(shape, order="F")
    return Volume(values, header, order, _orientation(header, order))


def write(volume: Volume, labels: NDArray[np.uint8]) -> bytes:
    """A gzipped file with labels as values: the same header except for the number type, without a date."""
    header = bytearray(volume.header)
    struct.pack_into(volume.order + "8h", header, 40, 3, *labels.shape, 1, 1, 1, 1)
    struct.pack_into(volume.order + "2h", header, 70, 2, 8)
    struct.pack_into(volume.order + "3f", header, 108, 352, 1, 0)
    return gzip.compress(bytes(header) + bytes(4) + labels.tobytes(order="F"), 6, mtime=0)


def _order(header: bytes) -> str:
    if len(header) == 348 and header[344:348] == b"n+1\0":
        for order in "<>":
            if struct.unpack_from(order + "i", header)[0] == 348:
                return order
    raise _unreadable("no NIfTI-1 header")


def _layout(header: bytes, order: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    count, *sizes = struct.unpack_from(order + "8h", header, 40)
    if not 3 <= count <= 7 or min(sizes[:count]) < 1 or max(sizes[3:count], default=1) > 1:
        raise _unreadable(
            f"a volume of three dimensions expected, {count} dimensions of {sizes[: max(0, count)]} there"
        )
    if math.prod(sizes[:3]) > MAX_VOXELS:
        raise _unreadable(f"{math.prod(sizes[:3])} voxels, more than memory allows")
    (code,) = struct.unpack_from(order + "h", header, 70)
    (start,) = struct.unpack_from(order + "f", header, 108)
    if code not in _TYPES or not math.isfinite(start) or not 348 <= start < 1 << 24:
        raise _unreadable(f"numbers of type {code} from byte {start}")
    return tuple(sizes[:3]), np.dtype(order + _TYPES[code]), int(start)


def _orientation(header: bytes, order: str) -> NDArray[np.float64]:
    """The affine's 3 x 3 part. Default, as most scanners store volumes: to the patient's left, back and head."""
    (stated,) = struct.unpack_from(order + "h", header, 254)
    if stated <= 0:
        return np.diag([-1.0, -1.0, 1.0])
    rows = [struct.unpack_from(order + "4f", header, at)[:3] for at in (280, 296, 312)]
    return np.nan_to_num(np.array(rows, np.float64), posinf=0, neginf=0)


def _unreadable(why: str) -> ScoringError:
    return ScoringError(500, f"'image' is not a NIfTI volume that can be read: {why}")

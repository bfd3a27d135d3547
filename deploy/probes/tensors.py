"""The numbers of an archive that `torch.save` wrote, without torch and without unpickling, which would run code.

The opcodes of the pickle are read only for the name of the number type.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence

_MOST_BYTES = 1 << 24
"""A larger tensor is not the vector of one tile; its numbers are not read."""
_TYPES = {"FloatStorage": "f", "DoubleStorage": "d", "HalfStorage": "e", "BFloat16Storage": "b"}


def numbers(pickle: bytes, storages: Sequence[bytes], byteorder: bytes) -> list[float] | None:
    """All numbers of the storages in their order; None if their type is unknown or they are too many."""
    import pickletools  # only for this: it takes longer to import than all of this module

    try:
        names = {str(value).split(" ")[-1] for code, value, _ in pickletools.genops(pickle) if code.name == "GLOBAL"}
    except ValueError:
        return None
    kinds = {_TYPES[name] for name in names if name in _TYPES}
    content = b"".join(storages)
    if len(kinds) != 1 or len(content) > _MOST_BYTES:
        return None
    return _decoded(content, kinds.pop(), "big" if byteorder.strip() == b"big" else "little")


def _decoded(content: bytes, kind: str, order: str) -> list[float] | None:
    size = struct.calcsize({"b": "H"}.get(kind, kind))
    if len(content) % size:
        return None
    count, sign = len(content) // size, ">" if order == "big" else "<"
    if kind == "e":
        return list(struct.unpack(f"{sign}{count}e", content))
    if kind == "b":  # the upper half of a float32
        halves = struct.unpack(f"{sign}{count}H", content)
        return list(struct.unpack(f"{sign}{count}f", struct.pack(f"{sign}{count}I", *(half << 16 for half in halves))))
    values: array[float] = array(kind)
    values.frombytes(content)
    if order != sys.byteorder:
        values.byteswap()
    return values.tolist()

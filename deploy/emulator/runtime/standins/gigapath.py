"""A stand-in for Prov-GigaPath. It is not the model, and its vectors have no medical meaning.

It computes 1536 numbers from the tile: colours on a grid and the histogram of each colour. They are packed like the
model's: base64 of the zip archive that `torch.save` writes for a float32 tensor, here of shape
[1, 1536]. The archive is written without torch, with its pickle built opcode by opcode. What only torch itself needs
(alignment, a serialisation id) is omitted.
"""

from __future__ import annotations

import base64
import io
import pickle
import struct
import zipfile
from typing import Any

from deploy.emulator.runtime.standins import request_table
from deploy.emulator.runtime.standins.vectors import Vector, of_image

MAX_ROWS = 256
"""The model documents no limit; this one limits the memory of an answer."""


def score(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One object for each row: `image_features`, base64 of a saved tensor.

    ScoringError 400 for an invalid table, 500 for an unreadable image.
    """
    return [_answer(row) for row in request_table.rows(body, ("image",), MAX_ROWS)]


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    vector = of_image(request_table.image(row, "image"), "RGB")
    return {"image_features": base64.b64encode(serialize(vector)).decode("ascii")}


def serialize(vector: Vector) -> bytes:
    """A tensor of one row as `torch.save` writes it: the pickle names the storage, the storage is raw numbers."""
    parts = {
        "data.pkl": _pickle(len(vector)),
        "byteorder": b"little",
        "data/0": vector.astype("<f4").tobytes(),
        "version": b"3\n",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
    return out.getvalue()


def _pickle(count: int) -> bytes:
    """The call `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`."""
    storage = (
        pickle.MARK
        + _word("storage")
        + _name("torch", "FloatStorage")
        + _word("0")
        + _word("cpu")
        + _number(count)
        + pickle.TUPLE
        + pickle.BINPERSID
    )
    size = _number(1) + _number(count) + pickle.TUPLE2
    stride = _number(count) + _number(1) + pickle.TUPLE2
    hooks = _name("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    call = pickle.MARK + storage + _number(0) + size + stride + pickle.NEWFALSE + hooks + pickle.TUPLE
    whole = _name("torch._utils", "_rebuild_tensor_v2") + call + pickle.REDUCE
    return pickle.PROTO + b"\x02" + whole + pickle.STOP


def _word(text: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(text)) + text.encode()


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)

"""Prov-GigaPath: input is a tile of a pathology slide, output is a tensor saved by torch.

The expected response, as in its client: one object per row; `image_features` is base64 of an archive of `torch.save`, a
zip file with a pickle and the raw numbers of each storage. Unpickling runs code, so remote data is never unpickled: the
archive is checked, and its numbers only as bytes.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import WrongAnswer, envelope, excerpt, only_row, required_value, unbase64
from deploy.probes.samples import base64_text, png_size, read, required_text
from deploy.probes.tensors import numbers
from deploy.probes.values import Values

REQUIRED_KEYS: tuple[str, ...] = ("image",)
"""Keys of `probe` in pipeline.yml that this type needs."""
INPUTS: tuple[str, ...] = ("image",)
"""Keys of `probe` that a user can replace by an input of their own."""
TAKES = "png"
"""What a case's input is converted to: png, nifti or json."""
EXPECTS: tuple[str, ...] = ("vector",)
"""Keys of `expect` that fit an answer of this type."""
_ZIP = b"PK\x03\x04"
MOST_BYTES = 256 * 1024 * 1024


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """One row: the tile in base64 as it is."""
    image = read(folder, required_text(probe, "image"))
    png_size(image, probe["image"])
    return envelope(("image",), (base64_text(image),))


def values(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:  # noqa: ARG001 - the signature of all probe types
    """The vector of the tile; none if the numbers are of a type that is not known here."""
    _, parts = _archive(probe, status, body)
    pickle = next(content for name, content in parts.items() if name.name == "data.pkl")
    order = next((content for name, content in parts.items() if name.name == "byteorder"), b"")
    found = numbers(pickle, _storages(parts), order)
    if not found:
        return Values()
    if not all(map(math.isfinite, found)):
        raise WrongAnswer("expected finite numbers in 'image_features', got one that is not")
    return Values(vectors={"image": found})


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:  # noqa: ARG001 - the signature of all probe types
    """Open the archive, verify the checksum of each part, and check that there are numbers other than zero."""
    saved, parts = _archive(probe, status, body)
    storages = _storages(parts)
    size = sum(map(len, storages))
    data = {
        "type": "gigapath",
        "image": probe["image"],
        "archive_bytes": len(saved),
        "storages": len(storages),
        "storage_bytes": size,
        "entries": [str(name) for name in parts],
    }
    files = {f"{Path(probe['image']).stem}-features.pt": saved}
    return Evidence(f"a torch archive with {size} bytes of numbers ({size // 4} if float32)", data, files)


def _archive(probe: Mapping[str, Any], status: int, body: bytes) -> tuple[bytes, dict[PurePosixPath, bytes]]:
    """The archive, and its parts."""
    row = only_row(probe, status, body)
    saved = unbase64(required_value(row, "image_features"), "image_features")
    if not saved.startswith(_ZIP):
        actual = "nothing" if not saved else f"a beginning of {saved[:4].hex(' ')}"
        raise WrongAnswer(f"expected a zip archive as torch.save writes in 'image_features', got {actual}")
    parts = _parts(saved)
    if not any(name.name == "data.pkl" for name in parts):
        listed = ", ".join(excerpt(str(name), 40) for name in list(parts)[:8]) or "nothing"
        raise WrongAnswer(f"expected the entry data.pkl in the archive of 'image_features', got {listed}")
    storages = _storages(parts)
    size = sum(map(len, storages))
    if not size:
        raise WrongAnswer("expected numbers in the archive of 'image_features', got no storage")
    if not any(content.strip(b"\0") for content in storages):
        raise WrongAnswer(f"expected a tensor with values other than zero in 'image_features', got {size} zero bytes")
    return saved, parts


def _storages(parts: Mapping[PurePosixPath, bytes]) -> list[bytes]:
    return [content for name, content in parts.items() if name.parent.name == "data"]


def _parts(saved: bytes) -> dict[PurePosixPath, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(saved)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > MOST_BYTES:
                raise WrongAnswer(
                    f"expected one tile's numbers in 'image_features', got an archive of {unpacked} bytes"
                )
            return {PurePosixPath(entry.filename): archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, zlib.error) as error:
        raise WrongAnswer(f"expected a whole zip archive in 'image_features', got a broken one ({error})") from None

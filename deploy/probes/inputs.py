"""Converts the input of a case to what the model takes: PNG images, .nii.gz volumes, JSON bodies.

The table `_READERS` has a reader for each ending of a file name. A PNG, and a volume that this code reads itself, is
sent as it is. nibabel, pydicom and pillow are imported only for a file that needs them.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.probes import dicom, nifti
from deploy.probes.samples import Unreadable, missing_extra

MOST_BYTES = 256 << 20
"""Size of one file of a case."""


def convert(path: Path, wanted: str) -> bytes:
    """The content of a file as `wanted`: png, nifti or json. Raises Unreadable."""
    name = path.name.lower()
    ending = ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()
    if ending not in _READERS and path.is_file() and dicom.is_dicom(path):
        ending = ".dcm"
    kind, reader = _READERS.get(ending, ("", None))
    if reader is None:
        raise Unreadable(f"files with the ending '{ending}' are not read", f"Use one of {', '.join(sorted(_READERS))}")
    if kind != wanted:
        raise Unreadable(f"the model takes {_WORDS[wanted]}, this is {_WORDS[kind]}", f"Use {_WORDS[wanted]}")
    return reader(path)


def png_of(array: object) -> bytes:
    """An array of 8 bits as PNG."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")  # type: ignore[arg-type]
    return out.getvalue()


def content(path: Path) -> bytes:
    """The bytes of a file, bounded in size."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"it is larger than {MOST_BYTES >> 20} MB", "Use a smaller one")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{error.strerror or error}", "Check the path and its permissions") from None


def _picture(path: Path) -> bytes:
    """A JPEG as PNG, in grey or in RGB."""
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", path.name, "local") from None
    try:
        with Image.open(io.BytesIO(content(path)), formats=("JPEG",)) as picture:
            out = io.BytesIO()
            picture.convert("L" if picture.mode == "L" else "RGB").save(out, "PNG")
            return out.getvalue()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(f"it is not a JPEG image: {error}", "Use a PNG or JPEG file") from None


def _dicom(path: Path) -> bytes:
    content(path)
    try:
        return png_of(dicom.grey_or_rgb(path))
    except ImportError as error:
        raise missing_extra(error.name or "pillow", path.name, "local") from None


def _volume(path: Path) -> bytes:
    """A volume as .nii.gz: as it is if this code reads it, otherwise converted by nibabel."""
    raw = content(path)
    try:
        nifti.volume(raw, nifti.header(raw).shape)
    except nifti.NotNifti as reason:
        return _converted(path, f"expected {reason}")
    return raw if raw.startswith(b"\x1f\x8b") else gzip.compress(raw, 6, mtime=0)


def _converted(path: Path, reason: str) -> bytes:
    try:
        import nibabel
    except ImportError:
        raise missing_extra("nibabel", f"{path.name} ({reason})") from None
    import numpy as np

    try:
        image = nibabel.load(path)
        shape = tuple(int(each) for each in image.shape)
        if len(shape) < 3 or any(each != 1 for each in shape[3:]) or np.prod(shape) > nifti.MOST_VOXELS:
            raise Unreadable(f"it is no single volume of three dimensions: {nifti.sized(shape)}", "Use one volume")
        values = np.asanyarray(image.dataobj).reshape(shape[:3])
        if values.dtype.kind not in "iufb":
            raise Unreadable(f"its numbers are of type {values.dtype}", "Use whole or real numbers")
        small = values.astype(np.float32) if values.dtype.kind == "f" or values.dtype.itemsize > 4 else values
        made = nibabel.Nifti1Image(small, image.affine, dtype=small.dtype)
        return gzip.compress(made.to_bytes(), 6, mtime=0)
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001 - nibabel raises many types
        raise Unreadable(f"it is not a NIfTI volume: {' '.join(str(error).split())[:200]}", "Use .nii.gz") from None


_WORDS = {"png": "an image", "nifti": "a volume", "json": "a JSON body"}
_READERS: Mapping[str, tuple[str, Callable[[Path], bytes]]] = {
    ".png": ("png", content),
    ".jpg": ("png", _picture),
    ".jpeg": ("png", _picture),
    ".dcm": ("png", _dicom),
    ".dicom": ("png", _dicom),
    ".nii": ("nifti", _volume),
    ".nii.gz": ("nifti", _volume),
    ".json": ("json", content),
}
"""Ending of a file name -> what it becomes, and its reader."""
EXTENSION = {"png": ".png", "nifti": ".nii.gz", "json": ".json"}
"""What a file becomes -> the ending of its name."""

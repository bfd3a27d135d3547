"""Reads the expected answer of a case into the values that the metrics compare."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.probes import medimageparse3d, nifti
from deploy.probes.inputs import content
from deploy.probes.metrics import expected_kind
from deploy.probes.regions import Region
from deploy.probes.samples import Unreadable, missing_extra
from deploy.probes.values import Finding, Values

Find = Callable[[str], Path]
"""The path of a file that a case names. Raises Unreadable."""


def read(case: Mapping[str, Any], find: Find, prompts: Sequence[str], shape: tuple[int, ...]) -> Values | None:
    """The expected values of a case; None if it expects none. `shape`: of the masks, as in `Region`."""
    kind, expect = expected_kind(case), case.get("expect") or {}
    if kind is None:
        return None
    if kind == "masks":
        return Values(_masks(expect["masks"], find, prompts, shape))
    if kind == "findings":
        rows = [Finding(each["text"], tuple(map(_box, each["boxes"]))) for each in expect["findings"]]
        return Values(findings=tuple(rows))
    if kind == "vector":
        return Values(vectors={"image": _vector(expect["vector"], find)})
    value = expect[kind]
    return Values(content=_json(value, find) if kind == "answer" and isinstance(value, str) else value)


def _box(box: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, box)
    if left >= right or top >= bottom:
        raise Unreadable(f"the box {list(box)} is not [left, top, right, bottom]", "Use left < right and top < bottom")
    return left, top, right, bottom


def _json(name: str, find: Find) -> Any:
    try:
        return json.loads(content(find(name)))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name} is not JSON: {error}", "Fix the file") from None


def _vector(name: str, find: Find) -> list[float]:
    numbers = _json(name, find)
    fits = isinstance(numbers, list) and all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
    if not fits or not any(numbers):
        raise Unreadable(f"{name} is not a list of finite numbers, of which one is not zero", "Fix the file")
    return [float(number) for number in numbers]


def _masks(
    masks: str | Mapping[str, str], find: Find, prompts: Sequence[str], shape: tuple[int, ...]
) -> tuple[Region, ...]:
    if isinstance(masks, str):
        number, left = _numbers(find(masks), shape)
        unknown = sorted(set(number.translate(None, bytes(range(len(prompts) + 1)))))
        if unknown and set(unknown) != {255} - set(range(len(prompts) + 1)):
            raise Unreadable(
                f"{masks} has the number {unknown[0]}, but there are {len(prompts)} prompts", "Fix the file"
            )
        if unknown and len(prompts) > 1:
            raise Unreadable(f"{masks} has the number 255 and several prompts", "Use the number n for the n-th prompt")
        return tuple(
            Region(prompt, shape, number.translate(bytes(n in (place, *unknown) for n in range(256))), left)
            for place, prompt in enumerate(prompts, 1)
        )
    if missing := [prompt for prompt in prompts if prompt not in masks]:
        raise Unreadable(f"'masks' has no file for the prompt '{missing[0]}'", "Add it")
    found = []
    for prompt in prompts:
        number, left = _numbers(find(masks[prompt]), shape)
        found.append(Region(prompt, shape, number.translate(bytes(n != 0 for n in range(256))), left))
    return tuple(found)


def _numbers(path: Path, shape: tuple[int, ...]) -> tuple[bytes, tuple[int, int]]:
    """One byte per pixel, and where the patient's left is."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return _of_volume(path, shape)
    try:
        array = _of_npz(path) if name.endswith(".npz") else _of_png(path)
    except ImportError as error:
        raise missing_extra(error.name or "pillow", path.name, "local") from None
    if array.shape != shape[::-1]:
        sizes = [nifti.sized(tuple(each)) for each in (array.shape[::-1], shape)]
        raise Unreadable(
            f"{path.name} has {sizes[0]} pixels, the input has {sizes[1]}", "Use a mask of the input's size"
        )
    return array.tobytes(), (0, 1)


def _of_png(path: Path) -> Any:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content(path)), formats=("PNG",)) as picture:
            if picture.mode not in ("1", "L", "P"):
                raise Unreadable(f"{path.name} is a PNG of mode {picture.mode}", "Use 8-bit grey or a palette")
            return np.asarray(picture).astype(np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(f"{path.name} is not a PNG image: {error}", "Use PNG, NPZ or NIfTI") from None


def _of_npz(path: Path) -> Any:
    import numpy as np

    try:
        with np.load(io.BytesIO(content(path)), allow_pickle=False) as archive:
            array = archive[archive.files[0]]
    except Exception as error:  # noqa: BLE001 - a damaged archive raises many types
        raise Unreadable(f"{path.name} is not an NPZ archive: {error}", "Use PNG, NPZ or NIfTI") from None
    if array.dtype.kind not in "biu" or array.min(initial=0) < 0 or array.max(initial=0) > 255:
        raise Unreadable(f"{path.name} has numbers outside 0 to 255", "Use whole numbers")
    return np.ascontiguousarray(array.astype(np.uint8))


def _of_volume(path: Path, shape: tuple[int, ...]) -> tuple[bytes, tuple[int, int]]:
    raw = content(path)
    try:
        head, stored = nifti.volume(raw, (shape[0], shape[1], shape[2]) if len(shape) == 3 else (0, 0, 0))
    except nifti.NotNifti as reason:
        raise Unreadable(f"{path.name}: expected {reason}", "Use a label volume of the input's size") from None
    counts = set(stored)
    labels = {int(each * head.slope + head.intercept): each for each in counts if float(each).is_integer()}
    if len(labels) != len(counts) or not all(0 <= label < 256 for label in labels):
        raise Unreadable(f"{path.name} has values that are not labels", "Use whole numbers from 0 to 255")
    numbers = bytearray(len(stored))
    for label in sorted(labels)[1:] if 0 in labels else sorted(labels):
        region = medimageparse3d.regions_of([""], head, stored, {1: labels[label]})[0]
        numbers = bytearray(
            (int.from_bytes(numbers, "little") | int.from_bytes(region.pixels, "little") * label).to_bytes(
                len(numbers), "little"
            )
        )
    return bytes(numbers), nifti.patient_left(head)

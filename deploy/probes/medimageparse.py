"""MedImageParse: input is an image and prompts separated by `&`, output is one mask for each prompt.

The expected response, as in its notebooks: one object per row; `image_features` is JSON inside a string with base64
`data`, `shape` [prompts, height, width] and `dtype` uint8; a pixel belongs to the mask if its value is 128 or more (the
upper half of 0-255). `text_features` lists a category for each prompt. A mask that is empty or covers the whole image
is a warning; if all masks are so, the response is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.domain.report import Evidence
from deploy.probes.answers import WrongAnswer, envelope, kind, only_row, parse_nested_json, required_value, unbase64
from deploy.probes.pictures import Layer, overlay
from deploy.probes.regions import Region
from deploy.probes.samples import base64_text, png_size, prompts_of, read, required_text
from deploy.probes.values import Values
from deploy.sanitize import sanitize
from deploy.text import noun

REQUIRED_KEYS: tuple[str, ...] = ("image", "text")
"""Keys of `probe` in pipeline.yml that this type needs."""
INPUTS: tuple[str, ...] = ("image", "text")
"""Keys of `probe` that a user can replace by an input of their own."""
TAKES = "png"
"""What a case's input is converted to: png, nifti or json."""
EXPECTS: tuple[str, ...] = ("masks",)
"""Keys of `expect` that fit an answer of this type."""
FOREGROUND = 128
_ONE_WHERE_FOREGROUND = bytes(value >= FOREGROUND for value in range(256))


@dataclass(frozen=True)
class Mask:
    """The result of one prompt. `area` is a share of the image; `box` is left, top, right, bottom in pixels, the last
    two exclusive; `centroid` is x, y in pixels. Box and centroid are None if the mask is empty."""

    prompt: str
    category: str | None
    pixels: int
    area: float
    box: tuple[int, int, int, int] | None
    centroid: tuple[float, float] | None

    @property
    def is_partial(self) -> bool:
        return 0 < self.area < 1


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """One row: the image file in base64 as it is, and the prompts as they are."""
    image = read(folder, required_text(probe, "image"))
    png_size(image, probe["image"])
    prompts_of(probe)
    return envelope(("image", "text"), (base64_text(image), probe["text"]))


def values(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Values:
    """The mask of each prompt. The patient's left is on the right of an image, by radiological convention."""
    row, prompts = only_row(probe, status, body), prompts_of(probe)
    size = png_size(read(folder, required_text(probe, "image")), probe["image"])
    planes = _planes(required_value(row, "image_features"), len(prompts), *size)
    _categories(row, len(prompts))
    return Values(tuple(Region(*each) for each in zip(prompts, [size] * len(prompts), planes, strict=True)), size=size)


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:
    """Measure each mask. The picture needs numpy and pillow; without them `data` contains the reason for none."""
    prompts = prompts_of(probe)
    row = only_row(probe, status, body)
    image = read(folder, required_text(probe, "image"))
    width, height = png_size(image, probe["image"])
    planes = _planes(required_value(row, "image_features"), len(prompts), width, height)
    categories = _categories(row, len(prompts))
    masks = [_measured(*each, width) for each in zip(prompts, categories, planes, strict=True)]
    if not any(mask.is_partial for mask in masks):
        raise WrongAnswer(f"expected a mask of a part of the image, {_nothing(masks)}")
    layers = [Layer(m.prompt, m.category or "", m.area, plane) for m, plane in zip(masks, planes, strict=True)]
    words = f"medimageparse probe, {Path(probe['image']).name}, {_masks(len(masks))} of {width} x {height} pixels"
    picture = overlay(image, (width, height), layers, words)
    return _evidence(probe, (width, height), masks, picture)


def _planes(features: Any, count: int, width: int, height: int) -> list[bytes]:
    array = parse_nested_json(features, "image_features")
    if not isinstance(array, dict):
        raise WrongAnswer(f"expected an object with data, shape and dtype in 'image_features', got {kind(array)}")
    shape, dtype = required_value(array, "shape"), required_value(array, "dtype")
    if not isinstance(shape, list) or len(shape) != 3 or not all(type(n) is int for n in shape):
        raise WrongAnswer(f"expected a shape of [prompts, height, width], got {_short(shape)}")
    if shape[0] != count:
        raise WrongAnswer(f"expected {_masks(count)} for {count} prompt{'s' * (count > 1)}, got {shape[0]}")
    if shape[1:] != [height, width]:
        raise WrongAnswer(f"expected masks as large as the image, {width} x {height}, got {shape[2]} x {shape[1]}")
    if dtype != "uint8":
        raise WrongAnswer(f"expected dtype uint8, got {_short(dtype)}")
    data, size = unbase64(required_value(array, "data"), "data"), width * height
    if len(data) != count * size:
        raise WrongAnswer(f"expected {count * size} bytes for the shape {_short(shape)}, got {len(data)}")
    return [data[start : start + size].translate(_ONE_WHERE_FOREGROUND) for start in range(0, len(data), size)]


def _categories(row: Mapping[str, Any], count: int) -> list[str | None]:
    listed = row.get("text_features")
    if listed is None:
        return [None] * count
    if not isinstance(listed, list):
        raise WrongAnswer(f"expected a list of categories in 'text_features', got {kind(listed)}")
    if len(listed) != count:
        required_text = f"{count} {noun(count, 'category', 'categories')} in 'text_features', one for each prompt"
        raise WrongAnswer(f"expected {required_text}, got {len(listed)}")
    if not all(isinstance(name, str) for name in listed):
        return [None] * count
    return [" ".join(sanitize(name[:60]).split()) for name in listed]


def _measured(prompt: str, category: str | None, plane: bytes, width: int) -> Mask:
    rows = [plane.count(1, start, start + width) for start in range(0, len(plane), width)]
    columns = [plane[x::width].count(1) for x in range(width)]
    pixels = sum(rows)
    if not pixels:
        return Mask(prompt, category, 0, 0.0, None, None)
    (left, right, x), (top, bottom, y) = _extent(columns, pixels), _extent(rows, pixels)
    return Mask(prompt, category, pixels, pixels / len(plane), (left, top, right, bottom), (x, y))


def _extent(counts: list[int], total: int) -> tuple[int, int, float]:
    filled = [place for place, count in enumerate(counts) if count]
    return filled[0], filled[-1] + 1, round(sum(counts[place] * place for place in filled) / total, 2)


def _evidence(probe: Mapping[str, Any], size: tuple[int, int], masks: list[Mask], picture: bytes | str) -> Evidence:
    name = f"{Path(probe['image']).stem}-masks.png"
    files = {name: picture} if isinstance(picture, bytes) else {}
    data = {
        "type": "medimageparse",
        "image": probe["image"],
        "size": list(size),
        "masks": [asdict(mask) for mask in masks],
        "warnings": [_warning(mask) for mask in masks if not mask.is_partial],
        "picture": name if files else None,
        "no_picture": None if files else picture,
    }
    found = ", ".join(f"{mask.prompt} {mask.area:.1%}" if mask.is_partial else _warning(mask) for mask in masks)
    return Evidence(f"{_masks(len(masks))} of {size[0]} x {size[1]} pixels: {found}", data, files)


def _warning(mask: Mask) -> str:
    return f"'{mask.prompt}' {'covers the whole image' if mask.area else 'found nothing'}"


def _masks(count: int) -> str:
    return f"{count} {noun(count, 'mask')}"


def _nothing(masks: list[Mask]) -> str:
    empty = sum(mask.area == 0 for mask in masks)
    return f"got {empty} empty and {len(masks) - empty} full"


def _short(value: Any) -> str:
    return sanitize(repr(value)[:80])

"""Changes of answers that no probe should take for a regression."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.wrong_answers.inputs import Input
from benchmarks.wrong_answers.kinds import ALL, EMBEDDING, REPORTING, SECONDS, SEGMENTING, Kind, kind

Rng = np.random.Generator
KINDS: list[Kind] = []
_BOUNDARY = 0.01


@kind((*EMBEDDING, *REPORTING), KINDS)
def float16_noise(given: Input, rng: Rng) -> Any:
    """Real numbers with the relative error of 16 bits."""
    if given.template in REPORTING:
        return [
            [text, boxes and [_rounded(np.array(box), rng).tolist() for box in boxes]] for text, boxes in given.answer
        ]
    return {name: _rounded(numbers, rng) for name, numbers in given.answer.items()}


def _rounded(numbers: Any, rng: Rng) -> Any:
    spread = 1 + rng.uniform(-1, 1, numbers.shape) * np.finfo(np.float16).eps
    return (numbers * spread).astype(np.float16).astype(np.float64)


@kind(tuple(name for name in ALL if name != "medimageparse3d"), KINDS)
def jpeg_input(given: Input, rng: Rng) -> Any:
    """The answer to the image as JPEG of a quality from 85 to 95."""
    out = io.BytesIO()
    pixels = np.rint(given.pixels * 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=int(rng.integers(85, 96)))
    return given.unpack(given.asked(given.with_file(out.getvalue())))


@kind(ALL, KINDS)
def keys_reordered(given: Input, rng: Rng) -> bytes:
    """The keys of all objects in another order, also inside strings, and with other white space."""
    body = json.loads(given.pack(given.answer))
    return json.dumps(_shuffled(body, rng), indent=int(rng.integers(4))).encode()


def _shuffled(value: Any, rng: Rng) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], rng) for key in rng.permutation(list(value)).tolist()}
    if isinstance(value, list):
        return [_shuffled(each, rng) for each in value]
    if isinstance(value, str) and value[:1] == "{":
        return json.dumps(_shuffled(json.loads(value), rng))
    return value


def _right(given: Input, _: Rng) -> Any:
    return given.answer


@kind(SEGMENTING, KINDS)
def boundary(given: Input, rng: Rng) -> Any:
    """1 % of the pixels on either side of the edge of each mask changed."""
    edge = np.zeros_like(given.answer)
    for axis in given.axes.values():
        differs = np.diff(given.answer, axis=axis)
        for first in (0, 1):
            place = [slice(None)] * edge.ndim
            place[axis] = slice(first, first + differs.shape[axis])
            edge[tuple(place)] |= differs
    changed = edge & (rng.random(edge.shape, np.float32) < _BOUNDARY)
    masks = given.answer ^ changed
    masks[1:] &= ~masks[:1]  # in a volume, a voxel has one label
    return masks


KINDS.append(Kind("20_percent_slower", ALL, _right, SECONDS * 1.2))

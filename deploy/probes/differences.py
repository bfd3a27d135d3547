"""Draws how an answer differs from the expected one: the pixels of the worst mask, or both sets of boxes.

Without numpy and pillow, the result is the reason instead of a picture.
"""

from __future__ import annotations

from array import array
from typing import Any

from deploy.probes import boxes, nifti, pictures, volumes
from deploy.probes.cases import Result
from deploy.probes.metrics import dice
from deploy.probes.regions import Region

_KINDS = ("true positive", "false positive", "false negative")


def picture(result: Result) -> bytes | str:
    """The difference as PNG, or the reason for none."""
    want, got = result.expected, result.answer
    if want is None or got is None or not result.image:
        return "there is no expected answer to compare with, or no image"
    if want.regions:
        pairs = list(zip(got.regions, want.regions, strict=True))
        one, other = min(pairs, key=lambda pair: dice(*pair))
        words = f"case {result.name}, '{one.prompt}', answered and expected"
        return (
            _volume(result.image, one, other, words) if len(one.shape) == 3 else _image(result.image, one, other, words)
        )
    if want.findings:
        rows = [(f"expected: {each.text}", each.boxes) for each in want.findings]
        rows += [(f"answered: {each.text}", each.boxes) for each in got.findings]
        return boxes.marked(result.image, got.size, rows, f"case {result.name}", "expected and answered boxes")
    return "answers of this kind are not drawn"


def _parts(answered: Region, expected: Region) -> list[bytes]:
    """True positive, false positive and false negative pixels, one byte each."""
    length = len(answered.pixels)
    whole = (answered.bits & expected.bits, answered.bits & ~expected.bits, expected.bits & ~answered.bits)
    return [each.to_bytes(length, "little") for each in whole]


def _layers(answered: Region, parts: list[bytes], whole: str) -> list[pictures.Layer]:
    counts = [part.count(1) for part in parts]
    return [
        pictures.Layer(kind, answered.prompt, count / len(part), part, whole)
        for kind, count, part in zip(_KINDS, counts, parts, strict=True)
    ]


def _image(image: bytes, answered: Region, expected: Region, words: str) -> bytes | str:
    layers = _layers(answered, _parts(answered, expected), "the image")
    return pictures.overlay(image, (answered.shape[0], answered.shape[1]), layers, words)


def _volume(content: bytes, answered: Region, expected: Region, words: str) -> bytes | str:
    try:
        head, grey = nifti.volume(content, (answered.shape[0], answered.shape[1], answered.shape[2]))
    except nifti.NotNifti as wrong:
        return f"the volume cannot be drawn: expected {wrong}"
    parts = _parts(answered, expected)
    total = sum(int.from_bytes(part, "little") * number for number, part in enumerate(parts, 1))
    labels: Any = array("B", total.to_bytes(len(answered.pixels), "little"))
    layers = _layers(answered, parts, "the volume")
    return volumes.slices(head, grey, labels, [(float(n), layer) for n, layer in enumerate(layers, 1)], words)

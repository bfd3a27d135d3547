"""Draws a volume: three slices side by side in radiological convention, with the labels over them.

Each slice is the one with the most labelled voxels. The patient's left is on the right, the front at the top of the
first slice, the head at the top of the others. A file without an affine is shown as it is stored.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from deploy.probes.drawing import png, why_no_drawing
from deploy.probes.nifti import Header
from deploy.probes.pictures import Layer, overlay

_GAP, _SLICE, _SIDE = 12, 512, 1536


def slices(
    head: Header,
    image: array[float],
    labels: array[float],
    prompts: Sequence[tuple[float | None, Layer]],
    subtitle: str,
) -> bytes | str:
    """The picture as PNG, or the reason for none.

    `prompts`: the stored value of each label (None if it does not occur) and its layer; the pixels are computed here.
    """
    if reason := why_no_drawing():
        return reason
    import numpy as np
    from PIL import Image

    grey, spacing = _oriented(_windowed(np.asarray(image)), head)
    found, _ = _oriented(np.asarray(labels), head)
    wanted = np.isin(found, [label for label, _ in prompts if label is not None])
    cuts = [int(np.argmax(wanted.sum(axis=tuple(a for a in range(3) if a != axis)))) for axis in range(3)]
    picture = _row([_panel(grey, axis, cuts[axis], spacing) for axis in (2, 1, 0)])
    layers = []
    for label, layer in prompts:
        mask = (found == label if label is not None else found != found).astype(np.uint8)
        drawn = _row([_panel(mask * np.uint8(255), axis, cuts[axis], spacing) for axis in (2, 1, 0)])
        pixels = (drawn > 127).astype(np.uint8).tobytes()
        layers.append(Layer(layer.label, layer.note, layer.area, pixels, "the volume"))
    size = (picture.shape[1], picture.shape[0])
    return overlay(png(Image.fromarray(picture)), size, layers, subtitle, _SIDE)


def _windowed(values: Any) -> Any:
    """8-bit grey from any numbers: the middle 99 % of them; NaN and infinity count as 0."""
    import numpy as np

    real = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    low, high = np.percentile(real, (0.5, 99.5))
    return np.rint(np.clip((real - low) / ((high - low) or 1.0), 0, 1) * 255).astype(np.uint8)


def _oriented(flat: Any, head: Header) -> tuple[Any, tuple[float, ...]]:
    """The volume with its axes to the patient's left, to the back and to the feet, and its spacing in that order."""
    import numpy as np

    stored = flat.reshape(head.shape, order="F")
    if head.affine is None:
        return stored, head.spacing
    turn = -np.nan_to_num(np.array(head.affine)[:, :3])  # the world's axes run right, front, head
    order = _axes(np.abs(turn))
    turned = stored.transpose(order)
    for world, axis in enumerate(order):
        if turn[world, axis] < 0:
            turned = np.flip(turned, world)
    return turned, tuple(head.spacing[axis] for axis in order)


def _axes(strength: Any) -> tuple[int, int, int]:
    """The stored axis that is most parallel to each axis of the world; each is used once."""
    from itertools import permutations

    x, y, z = max(permutations(range(3)), key=lambda order: sum(strength[w, a] for w, a in enumerate(order)))
    return x, y, z


def _panel(values: Any, axis: int, cut: int, spacing: Sequence[float]) -> Any:
    """One slice with rows from the top and square pixels; small ones are enlarged so that masks have smooth edges."""
    import numpy as np
    from PIL import Image

    plane = np.take(values, cut, axis).T
    page_width, down = (each for place, each in enumerate(spacing) if place != axis)
    finest = min(spacing) / max(1, _SLICE // max(values.shape))
    size = (max(1, round(plane.shape[1] * page_width / finest)), max(1, round(plane.shape[0] * down / finest)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, Image.Resampling.BICUBIC))


def _row(panels: Sequence[Any]) -> Any:
    import numpy as np

    height = max(panel.shape[0] for panel in panels)
    padded: list[Any] = []
    for panel in panels:
        above = (height - panel.shape[0]) // 2
        around = ((above, height - panel.shape[0] - above), (0 if not padded else _GAP, 0))
        padded.append(np.pad(panel, around))
    return np.hstack(padded)

"""A stand-in for MedImageParse 3D. It is not the model, and its labels have no medical meaning.

It segments the volume with classical methods: three tones by Otsu's thresholds, connected bodies, and a selection of
them by the words of the prompt, with left and right from the file's affine. Request and answer are the
model's documented ones: prompts joined by `&`, one volume of labels as .nii.gz, packed as JSON inside a string.
Label n is the n-th prompt; a voxel of two prompts gets the first one's label.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.emulator.runtime.standins import ScoringError, nifti, request_table
from deploy.emulator.runtime.standins.prompts import Selection, parse_prompt
from deploy.emulator.runtime.standins.segmentation import Plane, connected_components, tones

MAX_ROWS = 1
MAX_PROMPTS = 255
_SMALLEST_SHARE = 1 / 20000
"""Bodies below this share of the volume count as noise, unless there are no others."""


@dataclass(frozen=True)
class Bodies:
    """Connected bodies, largest first. `number` is 1 and up at each voxel, 0 outside; the other arrays have one
    entry per body: size in voxels, centroid in voxels, and whether it touches a side of the volume."""

    number: NDArray[np.int64]
    size: NDArray[np.int64]
    centre: NDArray[np.float64]
    cut: Plane


def score(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One answer: `nifti_file`, JSON in a string.

    ScoringError 400 for an invalid table, 500 for an unreadable volume.
    """
    return [_answer(row) for row in request_table.rows(body, ("image", "text"), MAX_ROWS)]


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    prompts = request_table.text(row, "text").split("&")
    if len(prompts) > MAX_PROMPTS:
        raise ScoringError(500, f"{len(prompts)} prompts, labels go up to {MAX_PROMPTS}")
    volume = nifti.read(request_table.content(row, "image"))
    labels = segment(volume, [parse_prompt(prompt) for prompt in prompts])
    data = base64.b64encode(nifti.write(volume, labels)).decode("ascii")
    return {"nifti_file": json.dumps({"data": data})}


def segment(volume: nifti.Volume, selections: list[Selection]) -> NDArray[np.uint8]:
    """A label for each voxel; all 0 for a volume of a single value."""
    labels = np.zeros(volume.values.shape, np.uint8)
    toned = tones(_grey(volume.values))
    if toned is None:
        return labels
    found = {tone: bodies(toned == tone) for tone in {tone for selection in selections for tone in selection.tones}}
    for label, selection in enumerate(selections, 1):
        chosen = _select(found, selection, volume)
        labels[chosen & (labels == 0)] = label
    return labels


def _select(found: dict[int, Bodies], selection: Selection, volume: nifti.Volume) -> Plane:
    each = next((found[tone] for tone in selection.tones if len(found[tone].size)), found[selection.tones[0]])
    keep = np.arange(len(each.size))
    for good in (each.size >= volume.values.size * _SMALLEST_SHARE, ~each.cut):
        if good[keep].any():
            keep = keep[good[keep]]
    offset = (each.centre[keep] - (np.array(volume.values.shape) - 1) / 2) @ -volume.orientation.T
    for direction, axis in ((selection.right, 0), (selection.down, 2)):  # a patient's left is on an image's right
        if direction:
            on_side = offset[:, axis] * direction > 0
            keep, offset = keep[on_side], offset[on_side]
    keep = keep[::-1][: selection.max_count] if selection.smallest else keep[: selection.max_count]
    return np.isin(each.number, keep + 1)


def bodies(plane: NDArray[np.bool_]) -> Bodies:
    """Find the bodies: the components of each slice, joined where they overlap in the next slice."""
    number = np.zeros(plane.shape, np.int64)
    total = 0
    for z in range(plane.shape[2]):
        found = connected_components(plane[:, :, z])
        number[:, :, z][plane[:, :, z]] = np.repeat(found.component, found.ends - found.starts) + total + 1
        total += len(found.area)
    roots = _connected(number, total)
    order = np.argsort(-np.bincount(roots[number].ravel(), minlength=total + 1)[1:], kind="stable") + 1
    used = order[roots[order] == order]
    rank = np.zeros(total + 1, np.int64)
    rank[used] = np.arange(1, len(used) + 1)
    return _measure(rank[roots[number]], len(used))


def _connected(number: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """The smallest component that each component is connected to; 0 means none."""
    lower, upper = number[:, :, :-1], number[:, :, 1:]
    both = (lower > 0) & (upper > 0)
    pairs = np.unique(np.stack([lower[both], upper[both]]), axis=1).T
    roots = list(range(total + 1))
    for one, other in pairs.tolist():
        a, b = _root(roots, one), _root(roots, other)
        roots[max(a, b)] = min(a, b)
    return np.array([_root(roots, piece) for piece in range(total + 1)], np.int64)


def _root(roots: list[int], piece: int) -> int:
    while roots[piece] != piece:
        roots[piece] = roots[roots[piece]]
        piece = roots[piece]
    return piece


def _measure(number: NDArray[np.int64], count: int) -> Bodies:
    flat = number.ravel()
    size = np.bincount(flat, minlength=count + 1)[1:]
    places = [np.broadcast_to(axis, number.shape).ravel() for axis in np.ogrid[tuple(map(slice, number.shape))]]
    centre = [np.bincount(flat, place, count + 1)[1:] / np.maximum(size, 1) for place in places]
    sides = [np.take(number, end, axis).ravel() for axis in range(3) for end in (0, -1)]
    cut = np.isin(np.arange(1, count + 1), np.concatenate(sides))
    return Bodies(number, size, np.stack(centre, axis=1), cut)


def _grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """8 bits from any numbers: the middle 99 % of them are scaled to 0 to 255."""
    real = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0) / 2  # so that no difference overflows
    low, high = np.percentile(real, (0.5, 99.5))
    if low == high:
        low, high = real.min(), real.max()
    scaled = np.clip((real - low) / ((high - low) or 1.0), 0, 1) * 255
    grey: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return grey

"""Regressions of models that answer with masks: arrays [prompts, y, x] or [prompts, x, y, z]."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.wrong_answers.inputs import Input
from benchmarks.wrong_answers.kinds import SEGMENTING, Kind, kind

Rng = np.random.Generator
Masks = NDArray[np.bool_]
KINDS: list[Kind] = []
FLAT, VOLUMES = SEGMENTING[:1], SEGMENTING[1:]
PIXELS = 8


@kind(SEGMENTING, KINDS)
def mirrored_left_right(given: Input, _: Rng) -> Masks:
    """The masks of the mirrored image."""
    return np.flip(given.answer, given.axes["x"])


@kind(SEGMENTING, KINDS)
def mirrored_top_bottom(given: Input, _: Rng) -> Masks:
    return np.flip(given.answer, given.axes["y"])


@kind(FLAT, KINDS)
def prompts_reordered(given: Input, _: Rng) -> Masks:
    """Each mask belongs to another prompt."""
    return given.answer[::-1]


@kind(VOLUMES, KINDS)
def label_numbers_exchanged(given: Input, _: Rng) -> Masks:
    return given.answer[::-1]


@kind(VOLUMES, KINDS)
def label_numbers_moved(given: Input, rng: Rng) -> NDArray[Any]:
    """Labels that do not begin at 1."""
    labels = _numbers(given)
    return np.where(labels > 0, labels + np.int16(rng.integers(1, 5)), labels)


@kind(SEGMENTING, KINDS)
def shifted_by_8_pixels(given: Input, rng: Rng) -> Masks:
    """In a random direction along one axis or several."""
    axes = list(given.axes.values())
    steps = rng.integers(-1, 2, len(axes))
    steps[rng.integers(len(axes))] = rng.choice((-1, 1))
    masks = given.answer
    for axis, step in zip(axes, steps * PIXELS, strict=True):
        masks = _moved(masks, axis, int(step))
    return masks


@kind(SEGMENTING, KINDS)
def half_the_size(given: Input, _: Rng) -> Masks:
    """A model that scales the image to half its size, and does not scale the masks back."""
    return np.ascontiguousarray(given.answer[(slice(None), *[slice(None, None, 2)] * len(given.axes))])


@kind(SEGMENTING, KINDS)
def half_the_size_in_a_corner(given: Input, _: Rng) -> Masks:
    """The same in a frame of the right size."""
    small = half_the_size(given, _)
    masks = np.zeros_like(given.answer)
    masks[tuple(slice(0, length) for length in small.shape)] = small
    return masks


@kind(SEGMENTING, KINDS)
def inverted(given: Input, _: Rng) -> Masks:
    return ~given.answer


@kind(SEGMENTING, KINDS)
def answer_to_another_input(given: Input, rng: Rng) -> Masks:
    """The masks of another input of the template, in the size of this one."""
    other = given.others[int(rng.integers(len(given.others)))]
    masks = given.unpack(given.asked(other))
    for axis in given.axes.values():
        places = np.arange(given.answer.shape[axis]) * masks.shape[axis] // given.answer.shape[axis]
        masks = np.take(masks, places, axis)
    return masks


@kind(SEGMENTING, KINDS)
def wrong_windowing(given: Input, rng: Rng) -> Masks:
    """The answer to an image with most of its grey values cut off."""
    return _to_other_pixels(given, lambda pixels: _windowed(pixels, rng))


@kind(SEGMENTING, KINDS)
def greyscale_inverted(given: Input, _: Rng) -> Masks:
    """The answer to the negative of the image."""
    return given.answer_to(1 - given.pixels)


@kind(SEGMENTING, KINDS)
def empty(given: Input, _: Rng) -> Masks:
    return np.zeros_like(given.answer)


@kind(SEGMENTING, KINDS)
def full(given: Input, _: Rng) -> Masks:
    return np.ones_like(given.answer)


@kind(SEGMENTING, KINDS)
def one_pixel(given: Input, rng: Rng) -> Masks:
    """Of each mask, one pixel is left."""
    masks = np.zeros_like(given.answer)
    for mask, right in zip(masks, given.answer, strict=True):
        places = np.flatnonzero(right)
        mask.reshape(-1)[places[rng.integers(len(places))]] = True
    return masks


@kind(SEGMENTING, KINDS)
def noise(given: Input, rng: Rng) -> Masks:
    return rng.random(given.answer.shape, np.float32) < rng.uniform(0.02, 0.5)


@kind(SEGMENTING, KINDS)
def one_mask_missing(given: Input, rng: Rng) -> Masks:
    masks = given.answer.copy()
    masks[rng.integers(len(masks))] = False
    return masks


@kind(SEGMENTING, KINDS)
def part_missing(given: Input, rng: Rng) -> Masks:
    """30 to 60 % of each mask, on one side of a straight cut."""
    masks = given.answer.copy()
    axis, share, ascending = rng.integers(len(given.axes)), rng.uniform(0.3, 0.6), rng.random() < 0.5
    for mask in masks:
        places = np.nonzero(mask)
        cut = np.quantile(places[axis], share if ascending else 1 - share)
        gone = places[axis] < cut if ascending else places[axis] > cut
        mask[tuple(place[gone] for place in places)] = False
    return masks


@kind(SEGMENTING, KINDS)
def dilated(given: Input, rng: Rng) -> Masks:
    """By a fifth to a half of the side of a square (a cube) of the same size."""
    return np.stack([_grown(mask, _radius(mask, rng.uniform(0.2, 0.5))) for mask in given.answer])


@kind(SEGMENTING, KINDS)
def eroded(given: Input, rng: Rng) -> Masks:
    """By a tenth to a fifth of the side."""
    return np.stack([~_grown(~mask, _radius(mask, rng.uniform(0.1, 0.2))) for mask in given.answer])


@kind(SEGMENTING, KINDS)
def rows_and_columns_exchanged(given: Input, _: Rng) -> Masks:
    """The first two axes transposed; the images and volumes are as wide as high."""
    return np.ascontiguousarray(np.swapaxes(given.answer, given.axes["x"], given.axes["y"]))


@kind(SEGMENTING, KINDS)
def masks_merged(given: Input, _: Rng) -> Masks:
    """Each prompt gets all that any prompt found."""
    return np.broadcast_to(given.answer.any(axis=0), given.answer.shape).copy()


@kind(FLAT, KINDS)
def values_0_and_1(given: Input, _: Rng) -> NDArray[np.uint8]:
    """The foreground is 1 instead of 255."""
    return given.answer.astype(np.uint8)


@kind(FLAT, KINDS)
def probabilities(given: Input, rng: Rng) -> NDArray[np.float32]:
    """Real numbers instead of bytes."""
    return (given.answer * rng.uniform(0.6, 1)).astype(np.float32)


@kind(FLAT, KINDS)
def cut_off(given: Input, rng: Rng) -> bytes:
    """The last part of the pixels is missing."""
    row = json.loads(given.row["image_features"])
    data = base64.b64decode(row["data"])
    row["data"] = base64.b64encode(data[: int(len(data) * rng.uniform(0.1, 0.95))]).decode()
    return json.dumps([{**given.row, "image_features": json.dumps(row)}]).encode()


@kind(VOLUMES, KINDS)
def not_a_number(given: Input, rng: Rng) -> NDArray[np.float32]:
    """Some voxels are NaN."""
    labels = _numbers(given).astype(np.float32)
    labels[rng.random(labels.shape) < rng.uniform(0.0005, 0.2)] = np.nan
    return labels


@kind(VOLUMES, KINDS)
def slices_reversed(given: Input, _: Rng) -> Masks:
    return np.flip(given.answer, given.axes["z"])


@kind(VOLUMES, KINDS)
def axes_transposed(given: Input, _: Rng) -> Masks:
    """The numbers in the order z, y, x, with the header of x, y, z."""
    return np.stack([mask.ravel(order="C").reshape(mask.shape, order="F") for mask in given.answer])


@kind(VOLUMES, KINDS)
def orientation_ignored(given: Input, _: Rng) -> Masks:
    """Left is on the side where it is in most files, whatever the affine of this one says."""
    from deploy.probes import nifti

    return given.answer if nifti.patient_left(nifti.header(given.image)) == (0, 1) else given.answer[::-1]


@kind(VOLUMES, KINDS)
def every_second_slice_empty(given: Input, rng: Rng) -> Masks:
    masks = given.answer.copy()
    masks[..., int(rng.integers(2)) :: 2] = False
    return masks


def _numbers(given: Input) -> NDArray[np.int16]:
    return sum((mask * np.int16(number) for number, mask in enumerate(given.answer, 1)), np.int16(0))


def _to_other_pixels(given: Input, change: Any) -> Masks:
    """The answer to changed pixels. The stand-in ignores some changes: if half of each mask stays, another is drawn.

    With these windows, the Dice of an answer is below 0.3 or above 0.95.
    """
    for _ in range(20):
        masks = given.answer_to(change(given.pixels))
        axes = tuple(range(1, masks.ndim))
        both, either = ((op(masks, given.answer)).sum(axes) for op in (np.logical_and, np.logical_or))
        if (both < either / 2).any():
            break
    return masks


def _windowed(pixels: NDArray[Any], rng: Rng) -> NDArray[Any]:
    low = rng.uniform(0.1, 0.8)
    return np.clip((pixels - low) / rng.uniform(0.02, 0.2), 0, 1)


def _moved(masks: NDArray[Any], axis: int, step: int) -> NDArray[Any]:
    """Zeros move in."""
    moved = np.roll(masks, step, axis)
    edge = [slice(None)] * masks.ndim
    edge[axis] = slice(0, step) if step > 0 else slice(masks.shape[axis] + step, None)
    if step:
        moved[tuple(edge)] = False
    return moved


def _radius(mask: Masks, share: float) -> int:
    return max(2, round(share * float(mask.sum()) ** (1 / mask.ndim)))


def _grown(mask: Masks, radius: int) -> Masks:
    """Every pixel that has one of the mask within `radius` along each axis."""
    for axis in range(mask.ndim):
        done, grown = 0, mask.copy()
        while done < radius:
            step = min(radius - done, max(1, done))
            grown = grown | _moved(grown, axis, step) | _moved(grown, axis, -step)
            done += step
        mask = grown
    return mask

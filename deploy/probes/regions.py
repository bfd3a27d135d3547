"""A mask as pixels, in two or three dimensions, and what can be measured of it. Standard library only."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

SPECK = 0.01
"""A component below this share of its mask is a speck, and is not counted."""
_RUN = re.compile(b"\x01+")
_Run = tuple[int, int]
"""First column, and the column after the last one."""


@dataclass(frozen=True)
class Region:
    """The mask of one prompt.

    `shape`: width, height, or the voxels along x, y, z. `pixels`: one byte per pixel, 1 inside and 0 outside, the first
    axis of `shape` fastest. `left`: the axis along which the patient's left lies, and 1 if the index grows to the left.
    """

    prompt: str
    shape: tuple[int, ...]
    pixels: bytes
    left: tuple[int, int] = (0, 1)

    @cached_property
    def count(self) -> int:
        """The number of pixels inside."""
        return self.pixels.count(1)

    @property
    def area(self) -> float:
        """The share of the image, or of the volume, from 0 to 1."""
        return self.count / len(self.pixels)

    @cached_property
    def bits(self) -> int:
        """All pixels as one whole number, so that `&`, `|` and `^` work on all of them at once."""
        return int.from_bytes(self.pixels, "little")

    @cached_property
    def outline(self) -> float:
        """The length of the edge in relation to that of a square with the same area (the surface, and a cube).

        A square has 1, a disc 1.1, a thin vessel about 10; noise has more than 100.
        """
        if not self.count:
            return 0.0
        edges = sum(self._edges(axis) for axis in range(len(self.shape)))
        return edges / (2 * len(self.shape) * math.pow(self.count, 1 - 1 / len(self.shape)))

    def _edges(self, axis: int) -> int:
        """The edges along an axis, those at the border of the image included."""
        stride = math.prod(self.shape[:axis])
        both = self.bits & (self.bits >> 8 * stride)
        return 2 * (self.count - both.bit_count())

    def centre(self, axis: int) -> float:
        """The mean position of the pixels along an axis, as a share of its length."""
        stride, length = math.prod(self.shape[:axis]), self.shape[axis]
        block, total = stride * length, len(self.pixels)
        if axis == 0:
            counts = [self.pixels[place::length].count(1) for place in range(length)]
        else:
            counts = [
                sum(
                    self.pixels.count(1, start + place * stride, start + (place + 1) * stride)
                    for start in range(0, total, block)
                )
                for place in range(length)
            ]
        return (sum(place * n for place, n in enumerate(counts)) / self.count + 0.5) / length

    @property
    def towards_left(self) -> float:
        """How far to the patient's left the centre lies, from 0 to 1."""
        axis, sign = self.left
        centre = self.centre(axis)
        return centre if sign > 0 else 1 - centre

    @cached_property
    def components(self) -> int:
        """The number of parts that do not touch by an edge (a face); specks are not counted."""
        return sum(size >= self.count * SPECK for size in _sizes(self))


def overlap(one: Region, other: Region) -> float:
    """The intersection of two masks over their union (IoU); 1 if both are empty."""
    union = (one.bits | other.bits).bit_count()
    return (one.bits & other.bits).bit_count() / union if union else 1.0


def _sizes(region: Region) -> list[int]:
    """The sizes of all components: the runs of each row, joined with those of the row above and of the slice before."""
    height = region.shape[1]
    parents: list[int] = []
    sizes: list[int] = []
    rows: dict[int, list[tuple[_Run, int]]] = {}
    for row, runs in _rows(region):
        rows[row] = here = []
        above = rows.get(row - 1, ()) if row % height else ()
        for run in runs:
            here.append((run, len(parents)))
            parents.append(len(parents))
            sizes.append(run[1] - run[0])
        for before in (above, rows.pop(row - height, ())):
            _join(here, list(before), parents)
    total: dict[int, int] = {}
    for place, size in enumerate(sizes):
        root = _root(parents, place)
        total[root] = total.get(root, 0) + size
    return list(total.values())


def _rows(region: Region) -> Iterator[tuple[int, list[_Run]]]:
    width = region.shape[0]
    for row in range(len(region.pixels) // width):
        line = region.pixels[row * width : (row + 1) * width]
        if 1 in line:
            yield row, [match.span() for match in _RUN.finditer(line)]


def _join(here: list[tuple[_Run, int]], before: list[tuple[_Run, int]], parents: list[int]) -> None:
    """Join the runs of two rows that share a column. Both are in ascending order."""
    place = 0
    for (start, end), own in here:
        while place < len(before) and before[place][0][1] <= start:
            place += 1
        ahead = place
        while ahead < len(before) and before[ahead][0][0] < end:
            one, other = _root(parents, own), _root(parents, before[ahead][1])
            parents[max(one, other)] = min(one, other)
            ahead += 1


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place

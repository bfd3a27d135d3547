"""Classical segmentation with numpy: tones (two Otsu thresholds) and connected components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Plane = NDArray[np.bool_]


def tones(grey: Grey) -> NDArray[np.uint8] | None:
    """0 dark, 1 middle, 2 bright for each pixel; None when the image has a single value.

    Two thresholds split the histogram with the largest variance between the three classes.
    """
    histogram = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    used = np.flatnonzero(histogram)
    if len(used) < 2:
        return None
    if len(used) == 2:
        return np.where(grey == used[1], np.uint8(2), np.uint8(0))
    mass = np.concatenate(([0.0], np.cumsum(histogram)))
    moment = np.concatenate(([0.0], np.cumsum(histogram * np.arange(256))))
    inner = used[1:]
    low, high = np.meshgrid(inner, inner, indexing="ij")
    spread = sum(_between(mass, moment, start, end) for start, end in ((0, low), (low, high), (high, 256)))
    spread = np.where(low < high, spread, -1.0)
    first, second = np.unravel_index(int(np.argmax(spread)), spread.shape)
    return np.digitize(grey, (inner[first], inner[second])).astype(np.uint8)


def _between(mass: Any, moment: Any, start: Any, end: Any) -> Any:
    weight = mass[end] - mass[start]
    return (moment[end] - moment[start]) ** 2 / np.maximum(weight, 1.0)


@dataclass(frozen=True)
class Components:
    """The 4-connected components of a plane, largest first; one entry per component in every array.

    `x` and `y` are centroids in pixels; `edge` is whether a component touches the image's border.
    """

    shape: tuple[int, int]
    area: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    edge: Plane
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    component: NDArray[np.int64]

    def plane(self, chosen: NDArray[np.int64]) -> Plane:
        """The mask of the chosen components."""
        selected = np.isin(self.component, chosen)
        height, width = self.shape
        steps = np.zeros(height * (width + 1) + 1, np.int8)
        steps[self.starts[selected]] = 1
        steps[self.ends[selected]] = -1
        return np.cumsum(steps[:-1], dtype=np.int8).reshape(height, width + 1)[:, :width].astype(np.bool_)


def connected_components(plane: Plane) -> Components:
    """Find the components by joining the runs of adjacent rows: the cost grows with the runs, not the pixels."""
    height, width = plane.shape
    stride = width + 1
    padded = np.zeros((height, stride), np.int8)
    padded[:, :width] = plane
    steps = np.diff(padded.ravel(), prepend=np.int8(0))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    roots = _connected(starts, ends, stride)
    _, component = np.unique(roots, return_inverse=True)
    return _measure((height, width), starts, ends, component)


def _connected(starts: NDArray[np.int64], ends: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """The smallest run that each run is connected to."""
    first = np.searchsorted(ends, starts + stride, side="right")
    last = np.searchsorted(starts, ends + stride, side="left")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    roots = np.arange(len(starts))
    while len(upper):
        a, b = roots[upper], roots[lower]
        apart = a != b
        upper, lower, a, b = upper[apart], lower[apart], a[apart], b[apart]
        roots[np.maximum(a, b)] = np.minimum(a, b)  # where several edges lower one root, the others try again
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]
    return roots


def _measure(
    shape: tuple[int, int], starts: NDArray[np.int64], ends: NDArray[np.int64], component: NDArray[np.int64]
) -> Components:
    stride, count = shape[1] + 1, int(component.max(initial=-1)) + 1
    row, left, length = starts // stride, starts % stride, ends - starts
    area = np.bincount(component, length, count)
    x = np.bincount(component, length * (left + (length - 1) / 2), count) / np.maximum(area, 1)
    y = np.bincount(component, length * row, count) / np.maximum(area, 1)
    touching = (row == 0) | (row == shape[0] - 1) | (left == 0) | (left + length == shape[1])
    edge = np.bincount(component, touching, count) > 0
    order = np.argsort(-area, kind="stable")
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return Components(
        shape, area[order].astype(np.int64), x[order], y[order], edge[order], starts, ends, rank[component]
    )

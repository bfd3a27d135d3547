"""Tones and connected components, compared with slow reference methods."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.emulator.runtime.standins.segmentation import connected_components, tones

planes = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


def flooded(plane):
    """Each connected component as a set of pixels, by walking from neighbour to neighbour."""
    left = set(zip(*np.nonzero(plane), strict=True))
    found = []
    while left:
        piece, todo = set(), [left.pop()]
        while todo:
            y, x = todo.pop()
            piece.add((y, x))
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= near
            todo += near
        found.append(piece)
    return found


@settings(deadline=None)
@given(planes)
def test_components_are_those_of_a_flood_fill(plane):
    """Runs joined row by row give the same components, areas, centroids and edges as walking from pixel to pixel."""
    found, walked = connected_components(plane), flooded(plane)
    drawn = [frozenset(zip(*np.nonzero(found.plane(np.array([n]))), strict=True)) for n in range(len(found.area))]
    assert sorted(map(sorted, drawn)) == sorted(map(sorted, walked))
    assert list(found.area) == sorted((len(piece) for piece in walked), reverse=True)
    height, width = plane.shape
    for n, piece in enumerate(drawn):
        assert np.isclose(found.y[n], np.mean([y for y, _ in piece]))
        assert np.isclose(found.x[n], np.mean([x for _, x in piece]))
        assert found.edge[n] == any(y in (0, height - 1) or x in (0, width - 1) for y, x in piece)


def test_rings_joined_by_bridges_are_one_component():
    """A component that winds through many rows is joined."""
    side = 64
    plane = np.zeros((side, side), np.bool_)
    for ring in range(0, side // 2, 2):
        plane[ring, ring : side - ring] = plane[side - 1 - ring, ring : side - ring] = True
        plane[ring : side - ring, ring] = plane[ring : side - ring, side - 1 - ring] = True
        if ring:
            plane[ring, ring - 2 : ring] = True
    assert len(connected_components(plane).area) == 1


@settings(deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=8)))
def test_tones_keep_the_order_of_brightness(grey):
    """A darker pixel never gets a brighter tone, and every tone of a varied image is in use."""
    toned = tones(grey)
    if toned is None:
        assert len(np.unique(grey)) == 1
        return
    order = np.argsort(grey, axis=None, kind="stable")
    assert (np.diff(toned.ravel()[order].astype(int)) >= 0).all()
    assert len(np.unique(toned)) == min(3, len(np.unique(grey)))


def test_tones_separate_three_levels():
    """With noise around them."""
    rng = np.random.default_rng(0)
    level = np.repeat([20, 110, 240], 400).reshape(30, 40)
    toned = tones((level + rng.integers(-9, 10, level.shape)).astype(np.uint8))
    assert np.array_equal(toned, np.digitize(level, (60, 180)))

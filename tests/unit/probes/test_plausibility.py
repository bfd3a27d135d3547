"""Answers that have the right form and cannot be right, and harmless changes that must pass."""

from __future__ import annotations

import random

import pytest

from deploy.probes import WrongAnswer, plausibility
from deploy.probes.regions import Region, overlap
from deploy.probes.values import Finding, Values

SIDE = 64


def square(prompt="lung", left=8, top=8, side=20, width=SIDE, height=SIDE):
    plane = bytearray(width * height)
    for y in range(top, top + side):
        plane[y * width + left : y * width + left + side] = b"\1" * side
    return Region(prompt, (width, height), bytes(plane))


def changed(region, pixels):
    return Region(region.prompt, region.shape, bytes(pixels))


def noise(prompt="lung", side=256):
    numbers = random.Random(1)
    return Region(prompt, (side, side), bytes(numbers.getrandbits(1) for _ in range(side * side)))


def permuted(region):
    """The mask with its rows in another order."""
    rows = [region.pixels[at : at + region.shape[0]] for at in range(0, len(region.pixels), region.shape[0])]
    random.Random(2).shuffle(rows)
    return changed(region, b"".join(rows))


def test_a_square_has_its_measures():
    """Area, edge, position and parts of a mask whose numbers are known."""
    region = square()
    assert region.count == 400
    assert region.area == 400 / 4096
    assert region.outline == 1.0
    assert region.components == 1
    assert region.centre(0) == region.centre(1) == 18 / 64
    cube = bytes(x in (1, 2) and y in (1, 2) and z in (1, 2) for z in range(4) for y in range(4) for x in range(4))
    assert Region("", (4, 4, 4), cube).outline == pytest.approx(1.0)


def test_components_touch_by_an_edge():
    """Diagonal neighbours are two parts; specks are not counted; in a volume, slices join."""
    corner = changed(square(side=10, left=0, top=0), square(side=10, left=0, top=0).pixels)
    both = bytes(a | b for a, b in zip(corner.pixels, square(side=10, left=10, top=10).pixels, strict=True))
    assert changed(corner, both).components == 2
    with_speck = bytearray(square().pixels)
    with_speck[60 * SIDE + 60] = 1
    assert changed(corner, with_speck).components == 1
    joined = Region("", (2, 2, 3), b"\1\0\0\0\1\0\0\0\1\1\0\0")
    apart = Region("", (2, 2, 3), b"\1\0\0\0\0\0\0\0\1\0\0\0")
    assert (joined.components, apart.components) == (1, 2)


def test_the_components_are_those_of_the_stand_ins_segmentation():
    """Another implementation, in numpy, finds as many in random planes."""
    np = pytest.importorskip("numpy")
    from deploy.emulator.runtime.standins.segmentation import connected_components

    for seed in range(20):
        plane = np.random.default_rng(seed).random((12, 9)) < 0.45
        area = connected_components(plane).area
        region = Region("", (9, 12), plane.astype(np.uint8).tobytes())
        assert region.components == (area >= plane.sum() * 0.01).sum()


WRONG = [
    (Values((changed(square(), bytes(SIDE * SIDE)), square("b"))), {}, "the mask of 'lung' is empty"),
    (Values((changed(square(), b"\1" * SIDE * SIDE),)), {}, "the mask of 'lung' is full"),
    (Values((square(side=1, width=256, height=256),)), {}, "expected an area of 0.01% to 95.00%"),
    (Values((noise(),)), {}, "'lung' is ragged"),
    (Values((square("left lung"), square("right lung"))), {}, "expected different masks for 'left lung'"),
    (Values((square(),)), {"masks": {"lung": {"area": [0.2, 0.5]}}}, "expected an area of 20.00% to 50.00% for 'lung'"),
    (Values((permuted(square(width=512, height=512, side=300, left=100)),)), {}, "ragged"),
    (
        Values((square("left lung", left=2), square("right lung", left=40))),
        {"sides": "radiological"},
        "expected 'left lung' further to the patient's left than 'right lung'",
    ),
    (
        Values((square("Left lung", left=40), square("Right lung", left=2))),
        {"sides": "image"},
        "expected 'Left lung' further to the image's left",
    ),
    (Values(vectors={"image": [0.5] * 100}), {}, "expected different numbers in the image vector"),
    (Values(vectors={"image": [0.1, 0.7], "text": [0.1, 0.7]}), {}, "expected different vectors for image and text"),
    (Values(findings=(Finding("A lung."), Finding("a  lung"))), {}, "the sentence 'a lung' is repeated"),
    (
        Values(findings=(Finding("A.", ((1, 1, 9, 9),)), Finding("B.", ((1, 1, 9, 9),)))),
        {},
        "expected different boxes, all 2 are the same",
    ),
]


@pytest.mark.parametrize(("values", "rules", "words"), WRONG, ids=[words[:40] for _, _, words in WRONG])
def test_an_implausible_answer_is_wrong(values, rules, words):
    """One sentence about what is not plausible; with `unchecked`, the same answer passes."""
    with pytest.raises(WrongAnswer) as wrong:
        plausibility.check(values, rules)
    assert words in wrong.value.reason
    plausibility.check(values, "unchecked")


def test_parts_out_of_range_are_wrong():
    """Two parts where the sample has one."""
    both = bytes(a | b for a, b in zip(square().pixels, square(left=40, top=40).pixels, strict=True))
    with pytest.raises(WrongAnswer, match="expected 1 to 1 components for 'lung', got 2"):
        plausibility.check(Values((changed(square(), both),)), {"masks": {"lung": {"components": [1, 1]}}})


RIGHT = [
    Values((square("left lung", left=40), square("right lung", left=2))),
    Values((square("left lung", left=40),)),
    Values(vectors={"image": [0.1, -0.2, 0.3], "text": [0.3, 0.1, 0.2]}),
    Values(findings=(Finding("Nodule.", ((1, 1, 9, 9),)), Finding("Nodule.", ((20, 1, 29, 9),)))),
    Values(content={"label": "well"}),
    Values(),
]


@pytest.mark.parametrize("values", RIGHT)
def test_a_plausible_answer_passes(values):
    """Left and right on their sides, one side only, different vectors, one sentence for two places, any JSON."""
    plausibility.check(values, {"sides": "radiological"})


def test_a_few_changed_pixels_at_the_edge_pass():
    """A mask that differs by some pixels of its boundary has the same parts and nearly the same outline."""
    pixels = bytearray(square(width=256, height=256, side=100, left=50, top=50).pixels)
    for place in range(50, 150, 10):
        pixels[49 * 256 + place], pixels[150 * 256 + place], pixels[48 * 256 + place + 3] = 1, 1, 1
    region = Region("lung", (256, 256), bytes(pixels))
    plausibility.check(Values((region,)), {"masks": {"lung": {"components": [1, 1], "outline": 2}}})


def test_an_own_input_has_no_ranges():
    """An empty mask, and equal masks for two words, can be right for an image of the user's."""
    empty = changed(square("tumor"), bytes(SIDE * SIDE))
    plausibility.check(Values((empty, square("a"), square("b"))), None)
    with pytest.raises(WrongAnswer, match="is repeated"):
        plausibility.check(Values(findings=(Finding("A."), Finding("A."))), None)


def test_equal_answers_to_different_inputs_are_found():
    """The answer of another input; equal inputs may have equal answers, and so may sentences without boxes."""
    one, other = Values(vectors={"image": [0.1, 0.2]}), Values(vectors={"image": [0.1, 0.3]})
    assert list(plausibility.distinct([("a", "1", one), ("b", "2", one), ("c", "3", other)])) == [("a", "b")]
    assert list(plausibility.distinct([("a", "1", one), ("b", "1", one)])) == []
    normal = Values(findings=(Finding("No finding."),))
    assert list(plausibility.distinct([("a", "1", normal), ("b", "2", normal)])) == []
    masks = Values((square(),))
    assert list(plausibility.distinct([("a", "1", masks), ("b", "2", masks)])) == [("a", "b")]


def test_overlap_is_that_of_sets():
    """Symmetric, 1 for equal masks, and known for two squares."""
    one, other = square(left=0), square(left=10)
    assert overlap(one, other) == overlap(other, one) == pytest.approx(1 / 3)
    assert overlap(one, one) == 1

"""Each metric: symmetric, bounded, 1 for equal answers, and right for values that are known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.probes import metrics
from deploy.probes.plausibility import box_overlap
from deploy.probes.regions import Region, overlap
from deploy.probes.values import Finding, Values

PLANES = st.lists(st.sampled_from([0, 1]), min_size=12, max_size=12).map(lambda bits: Region("a", (4, 3), bytes(bits)))
NUMBERS = st.floats(-100, 100).map(lambda number: round(number, 3))
VECTORS = st.lists(NUMBERS, min_size=5, max_size=5).filter(lambda numbers: any(abs(n) > 0.01 for n in numbers))
WORDS = st.lists(st.sampled_from(["the", "heart", "is", "large", "no"]), max_size=6).map(" ".join)
BOXES = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)).map(
    lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
)


def holds(measure, one, other, low):
    """Symmetry, bounds and identity."""
    value = measure(one, other)
    assert value == pytest.approx(measure(other, one))
    assert low <= value <= 1
    assert measure(one, one) == pytest.approx(1)


@given(PLANES, PLANES)
def test_dice_and_iou(one, other):
    """Both, and the relation of one to the other: dice = 2 iou / (1 + iou)."""
    holds(metrics.dice, one, other, 0)
    holds(overlap, one, other, 0)
    both = overlap(one, other)
    assert metrics.dice(one, other) == pytest.approx(2 * both / (1 + both))


@given(VECTORS, VECTORS)
def test_cosine_and_distance(one, other):
    """The cosine does not see the length of a vector, the distance does."""
    holds(metrics.cosine, one, other, -1)
    holds(metrics.distance, one, other, 0)
    half = [number / 2 for number in one]
    assert metrics.cosine(one, half) == pytest.approx(1)
    assert metrics.distance(one, half) == pytest.approx(2 / 3)


@given(WORDS, WORDS)
def test_token_f1(one, other):
    holds(metrics.token_f1, one, other, 0)


@given(BOXES, BOXES)
def test_the_overlap_of_boxes(one, other):
    holds(box_overlap, one, other, 0)


@given(st.lists(BOXES, max_size=4), st.lists(BOXES, max_size=4))
def test_the_f1_of_boxes(one, other):
    """Symmetric also with several boxes; one that is lost or added lowers it."""
    holds(lambda a, b: metrics.matched_f1(a, b, box_overlap, 0.5), one, other, 0)
    assert metrics.matched_f1([*one, (900.0, 900.0, 910.0, 910.0)], one, box_overlap, 0.5) < 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_json_has_bounds_and_identity(one, other):
    """It is not symmetric: keys that are not expected are ignored. The order of keys does not matter."""
    assert 0 <= metrics.json_share(one, other, 0.001) <= 1
    assert metrics.json_share(one, one, 0) == 1
    if isinstance(one, dict):
        assert metrics.json_share(dict(reversed(one.items())), one, 0) == 1


KNOWN = [
    (metrics.cosine([1, 0], [0, 1]), 0),
    (metrics.cosine([1, 0], [-2, 0]), -1),
    (metrics.cosine([1, 0], [1, 0, 0]), -1),
    (metrics.cosine([0, 0], [1, 0]), -1),
    (metrics.distance([3, 0], [0, 4]), 1 - 5 / 7),
    (metrics.distance([1], [1, 2]), 0),
    (metrics.token_f1("The heart is large.", "the HEART is small"), 0.75),
    (metrics.token_f1("", ""), 1),
    (metrics.token_f1("", "a"), 0),
    (box_overlap((0, 0, 10, 10), (5, 0, 15, 10)), 1 / 3),
    (metrics.json_share({"a": 1.0005, "b": [1, "x"]}, {"a": 1, "b": [1, "y"]}, 0.001), 2 / 3),
    (metrics.json_share([1, 2, 3], [1, 2], 0), 2 / 3),
    (metrics.json_share({"a": 1, "more": 2}, {"a": 1}, 0), 1),
    (metrics.json_share(True, 1, 0), 0),
    (metrics.json_share({}, {}, 0), 1),
    (metrics.json_share(1001.0, 1000, 0.001), 1),
]


@pytest.mark.parametrize(("value", "expected"), KNOWN)
def test_known_values(value, expected):
    """Computed by hand."""
    assert math.isclose(value, expected, abs_tol=1e-9)


def test_the_worst_mask_counts():
    """Two right masks and a wrong one are a wrong answer."""
    full, empty = Region("a", (2, 2), b"\1\1\0\0"), Region("a", (2, 2), b"\0\0\1\1")
    one, other = Values((full, full, full)), Values((full, full, empty))
    assert metrics.METRICS["dice"].measure(one, other, {}) == 0
    assert metrics.METRICS["iou"].measure(one, one, {}) == 1


def test_a_lost_sentence_lowers_the_f1_of_sentences():
    """Of four sentences, three are left; similar words are the same sentence."""
    four = [Finding(text) for text in ("The heart is large.", "No effusion.", "Clear lungs.", "A rib is broken.")]
    measure = metrics.METRICS["sentence_f1"].measure
    assert measure(Values(findings=tuple(four[1:])), Values(findings=tuple(four)), {}) == pytest.approx(6 / 7)
    close = [Finding("The heart is very large."), *four[1:]]
    assert measure(Values(findings=tuple(close)), Values(findings=tuple(four)), {}) == 1


@pytest.mark.parametrize("kind", ["masks", "vector", "findings", "label", "text", "answer"])
def test_every_kind_of_answer_has_default_metrics(kind):
    """A case without `floors` is measured; stated floors replace the defaults."""
    case = {"expect": {kind: "x", "labels": ["x"]}, "floors": {}}
    found = metrics.floors_of(case)
    assert found
    assert all(kind in metrics.METRICS[name].expects for name in found)
    assert metrics.floors_of({**case, "floors": {"dice": 0.5}}) == {"dice": 0.5}
    assert metrics.floors_of({"expect": None, "floors": {}}) == {}


@pytest.mark.parametrize(
    "other",
    [
        "Pleural effusion on the left, 12 mm wide.",
        "No pleural effusion on the right, 12 mm wide.",
        "No pleural effusion on the left, 30 mm wide.",
        "No pleural effusion on the left, 12 x 12 mm wide.",
    ],
)
def test_sentences_that_contradict_are_different(other):
    """A negation, a side or a number outweighs all words in common; a measured number may vary."""
    one = "No pleural effusion on the left, 12 mm wide."

    assert metrics.token_f1(one, other) > 0.8
    assert metrics.sentence_likeness(one, other) == 0
    assert metrics.sentence_likeness(one, one.replace("12", "11.5").lower()) > 0.8


def test_boxes_are_compared_with_their_sentences():
    """The right boxes at the wrong sentences are wrong."""
    boxes = (1.0, 1.0, 5.0, 5.0), (7.0, 7.0, 9.0, 9.0)
    texts = "The heart is enlarged.", "A nodule in the lung."
    right = Values(findings=tuple(Finding(text, (box,)) for text, box in zip(texts, boxes, strict=True)))
    swapped = Values(findings=tuple(Finding(text, (box,)) for text, box in zip(texts, boxes[::-1], strict=True)))
    measure = metrics.METRICS["box_f1"].measure

    assert measure(right, right, {"box_overlap": 0.5}) == 1
    assert measure(swapped, right, {"box_overlap": 0.5}) == 0


def test_the_margin_of_distance_is_that_of_cosine():
    """A vector that is below the live one by the margin in `cosine` is so in `distance`, too."""
    turned = math.acos(1 - 0.05)
    answer, expected = [math.cos(turned), math.sin(turned)], [1.0, 0.0]

    assert metrics.margin_of("cosine", {"margin": 0.05}) == 0.05
    assert 1 - metrics.distance(answer, expected) == pytest.approx(metrics.margin_of("distance", {"margin": 0.05}))

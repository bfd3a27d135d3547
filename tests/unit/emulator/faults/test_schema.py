"""Which requests a fault counts, and how an invalid fault is refused."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.emulator.faults import inject
from deploy.emulator.faults.schema import ALWAYS, KINDS, FaultFile, FaultSpec, Request
from deploy.emulator.world import parse
from tests.unit.emulator.azure import WORKSPACE, Azure

PUT = Request("arm", "PUT", f"{WORKSPACE}/onlineEndpoints/mip", "OnlineEndpoints_CreateOrUpdate", mutating=True)
GET = Request("arm", "GET", f"{WORKSPACE}/onlineEndpoints/mip", "OnlineEndpoints_Get", mutating=False)
SCORE = Request("scoring", "POST", "/inference/eastus/mip/score", "Score", mutating=False)
GREEN = Request("scoring", "POST", "/inference/eastus/mip/score", "Score", mutating=False, deployment="mip/green")
BLOB = Request("blob", "PUT", "/a.blob.core.windows.net/c/b", "Blob_Put", mutating=True)


def _matches(request: Request, **spec: Any) -> bool:
    return parse.validate({"kind": "lose", **spec}, FaultSpec).matches(request)


def test_by_default_a_fault_counts_only_arm_requests() -> None:
    """Requests on other planes do not count."""
    assert [_matches(r) for r in (PUT, GET, SCORE, BLOB)] == [True, True, False, False]
    assert [_matches(r, mutating=True) for r in (PUT, GET, SCORE, BLOB)] == [True, False, False, False]
    assert [_matches(r, mutating=False) for r in (PUT, GET, SCORE, BLOB)] == [False, True, False, False]
    assert [_matches(r, plane="any") for r in (PUT, GET, SCORE, BLOB)] == [True, True, True, True]
    assert [_matches(r, plane="blob") for r in (PUT, GET, SCORE, BLOB)] == [False, False, False, True]


def test_patterns_are_globs_in_any_case() -> None:
    """For method, path and operation; a pattern matches on every plane."""
    assert _matches(PUT, method="put", path="*/ONLINEENDPOINTS/*")
    assert not _matches(GET, method="put", path="*/onlineEndpoints/*")
    assert not _matches(PUT, path="*/onlineEndpoints")
    assert _matches(SCORE, operation="score")
    assert _matches(GET, operation="OnlineEndpoints_*")
    assert not _matches(SCORE, path="*/score", plane="arm")


def test_stale_ghost_and_operation_kinds_match_only_suitable_requests() -> None:
    """A stale answer needs a GET; a failed operation needs a request that can start one."""
    for kind in ("stale", "ghost"):
        assert [_matches(r, kind=kind) for r in (PUT, GET, SCORE)] == [False, True, False]
    for kind in (k for k in KINDS if k.startswith("operation_")):
        assert [_matches(r, kind=kind, plane="any") for r in (PUT, GET, BLOB)] == [True, False, False]


def test_a_fault_of_a_deployment_counts_only_its_requests() -> None:
    """By name, by `endpoint/deployment`, or by a glob; a fault without it counts the request when it arrives."""
    for pattern, fits in [("green", True), ("gr*", True), ("mip/GREEN", True), ("*/green", True), ("blue", False),
                          ("other/green", False), ("ip/green", False)]:  # fmt: skip
        assert _matches(GREEN, deployment=pattern) is fits, pattern
        assert not _matches(SCORE, deployment=pattern)
    assert not _matches(GREEN, plane="any")
    assert not _matches(GREEN, deployment="green", plane="arm")
    assert _matches(GREEN, deployment="green", path="*/score", method="post")


def test_a_fault_of_an_answer_counts_only_requests_with_a_deployment() -> None:
    """Without the key `deployment`, those of every deployment."""
    for detail in ({"kind": "delay", "seconds": 1}, {"kind": "answer", "body": 1}):
        assert [_matches(r, **detail) for r in (PUT, SCORE, GREEN)] == [False, False, True]
        assert not _matches(GREEN, **detail, deployment="blue")


def test_a_hold_counts_requests_only_at_its_point() -> None:
    """No other fault counts a request there."""
    at = {point: replace(PUT, point=point, runner="a") for point in ("", "before", "after")}
    for spec, fits in [({"kind": "hold"}, ["before"]), ({"kind": "hold", "point": "after"}, ["after"]), ({}, [""])]:
        assert [point for point, request in at.items() if _matches(request, **spec)] == fits
    assert [_matches(at["before"], kind="hold", runner=name) for name in ("a", "A", "*", "b", "aa")] == [
        True, True, True, False, False,
    ]  # fmt: skip


SHARES = st.one_of(
    st.floats(0, 1, exclude_min=True),
    st.integers(1, 100).map(lambda n: n / 100),
    st.sampled_from([1, 0.29, 1 / 3]),
)


@given(share=SHARES, number=st.integers(1, 5), count=st.integers(0, 200))
def test_a_share_is_exact(share: float, number: int, count: int) -> None:
    """For every share and after every request: the share of the count, rounded up or down, so 5 of 100 are 5 %."""
    spec = parse.validate({"kind": "lose", "share": share, "number": number}, FaultSpec)
    applied = 0
    for seen in range(1, number + count):
        applied += spec.is_due(seen, applied)
        wanted = Fraction(str(share)) * (seen - number + 1)
        assert max(0, math.floor(wanted)) <= applied <= max(0, math.ceil(wanted))


@settings(max_examples=30)
@given(share=st.floats(0.001, 0.5), blocked=st.sets(st.integers(1, 100)))
def test_a_share_makes_up_for_requests_that_another_fault_took(share: float, blocked: set[int]) -> None:
    """At the next matches, one each."""
    spec = parse.validate({"kind": "lose", "share": share}, FaultSpec)
    applied = 0
    for seen in range(1, 301):
        applied += seen not in blocked and spec.is_due(seen, applied)
    assert abs(applied - Fraction(str(share)) * 300) < 1


def test_a_share_does_not_follow_a_rhythm() -> None:
    """A client that alternates between two requests meets the fault with both of them."""
    spec = parse.validate({"kind": "lose", "share": 0.05}, FaultSpec)
    struck: list[int] = []
    for seen in range(1, 201):
        struck += [seen] * spec.is_due(seen, len(struck))
    assert len(struck) == 10
    assert {seen % 2 for seen in struck} == {0, 1}


@given(
    number=st.integers(1, 6), times=st.integers(1, 4), mutating=st.sampled_from([None, True, False]),
    requests=st.lists(st.sampled_from([PUT, GET, SCORE, BLOB]), max_size=14),
)  # fmt: skip
def test_a_fault_applies_to_the_nth_match_and_as_often_as_times(
    azure_once: Azure, number: int, times: int, mutating: bool | None, requests: list[Request]
) -> None:
    """For every sequence of requests."""
    world = azure_once.world
    spec = parse.validate({"kind": "lose", "number": number, "times": times, "mutating": mutating}, FaultSpec)
    with world.transaction():
        inject.remove(world)
        inject.register(world, [spec])
    struck = [at for at, request in enumerate(requests) if inject.match(world, request)]
    fitting = [at for at, request in enumerate(requests) if spec.matches(request)]
    assert struck == fitting[number - 1 : number - 1 + times]


@pytest.fixture(scope="module")
def azure_once(tmp_path_factory: pytest.TempPathFactory, tokens: Any) -> Any:
    found = Azure(tmp_path_factory.mktemp("world"), tokens)
    yield found
    found.world.close()


def test_two_faults_for_one_request_apply_one_after_the_other(azure_once: Azure) -> None:
    """Both count it; the first one applies, the other one to the next match."""
    world = azure_once.world
    with world.transaction():
        inject.remove(world)
        inject.register(world, [FaultSpec(kind="lose"), FaultSpec(kind="reset"), FaultSpec(kind="drip", number=3)])
    assert [getattr(inject.match(world, GET), "spec", None) for _ in range(4)] == [
        FaultSpec(kind="lose"), FaultSpec(kind="reset"), FaultSpec(kind="drip", number=3), None,
    ]  # fmt: skip
    assert world.controls.has_active_faults is False


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "explode"}, "kind: expected one of refuse, throttle, "),
        ({}, "kind: is missing."),
        ({"kind": "lose", "numbr": 3}, "numbr: is not a key here. Did you mean number?"),
        ({"kind": "lose", "number": 0}, "number: expected greater than or equal to 1, found 0."),
        ({"kind": "lose", "number": "3"}, "number: expected a valid integer, found '3'."),
        ({"kind": "lose", "status": 500}, "'status' is not a key of the kind lose, which takes nothing."),
        ({"kind": "drip", "code": "X"}, "'code' is not a key of the kind drip, which takes seconds."),
        ({"kind": "throttle", "form": "smoke"}, "form: expected 'seconds', 'date', 'milliseconds' or 'none'"),
        ([], "expected keys and values, found []."),
        ({"kind": "lose", "share": 0}, "share: expected greater than 0, found 0."),
        ({"kind": "lose", "share": 5}, "share: expected less than or equal to 1, found 5."),
        ({"kind": "delay"}, "delay needs 'seconds', 'factor' or both."),
        ({"kind": "delay", "factor": 0.5}, "factor: expected greater than or equal to 1"),
        ({"kind": "answer"}, "answer needs 'body' or 'transform'."),
        ({"kind": "answer", "body": 1, "transform": "nan"}, "answer needs 'body' or 'transform'."),
        ({"kind": "answer", "transform": "worse"}, "transform: expected 'shift_mask', 'empty_mask', 'swap_labels'"),
        ({"kind": "hold", "seconds": 601}, "a hold lasts at most 600 seconds."),
        ({"kind": "hold", "point": "during"}, "point: expected 'before' or 'after'"),
        ({"kind": "stale", "deployment": "green"}, "'deployment' matches scoring requests"),
        ({"kind": "hold", "deployment": "green"}, "'deployment' matches scoring requests"),
        ({"kind": "operation_failed", "deployment": "green"}, "'deployment' matches scoring requests"),
    ],
)
def test_an_invalid_fault_is_refused_with_its_key(spec: Any, words: str) -> None:
    """And with the expected value."""
    with pytest.raises(parse.InvalidValue) as caught:
        parse.validate(spec, FaultSpec)
    assert words in str(caught.value)


@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)
                          | st.dictionaries(st.sampled_from(["faults", "kind", "number", "x"]), inner)))  # fmt: skip
def test_any_value_is_a_fault_file_or_an_invalid_value(value: Any) -> None:
    """Never another exception."""
    with contextlib.suppress(parse.InvalidValue):
        parse.validate(value, FaultFile)
        return
    with pytest.raises(parse.InvalidValue) as caught:
        parse.validate(value, FaultFile)
    assert str(caught.value)


def test_times_can_be_always() -> None:
    """The control API returns the word."""
    spec = parse.validate({"kind": "lose", "times": "always"}, FaultSpec)
    assert spec.times == ALWAYS
    shown = inject.Fault(1, spec, 0, 5, 5).to_json()
    assert (shown["times"], shown["left"], shown["seen"]) == ("always", "always", 5)


def test_a_share_has_no_limit_unless_times_sets_one() -> None:
    """In the list of faults, and in effect."""
    for times, left, applied in [({}, "always", 50), ({"times": 3}, 0, 3)]:
        spec = parse.validate({"kind": "lose", "share": 0.5, **times}, FaultSpec)
        done = 0
        for seen in range(1, 101):
            done += done < spec.limit and spec.is_due(seen, done)
        assert done == applied
        assert inject.Fault(1, spec, 0, 100, done).to_json()["left"] == left

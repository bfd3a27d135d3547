"""Which requests a fault counts, and how an invalid fault is refused."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.faults import inject
from deploy.emulator.faults.schema import ALWAYS, KINDS, FaultFile, FaultSpec, Request
from deploy.emulator.world import parse
from tests.unit.emulator.azure import WORKSPACE, Azure

PUT = Request("arm", "PUT", f"{WORKSPACE}/onlineEndpoints/mip", "OnlineEndpoints_CreateOrUpdate", mutating=True)
GET = Request("arm", "GET", f"{WORKSPACE}/onlineEndpoints/mip", "OnlineEndpoints_Get", mutating=False)
SCORE = Request("scoring", "POST", "/inference/eastus/mip/score", "Score", mutating=False)
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

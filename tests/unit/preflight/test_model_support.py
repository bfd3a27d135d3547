"""Claims: what a publisher says of a model, and what follows for the plan."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.preflight.check_result import CheckResult, Verdict
from deploy.preflight.model_support import check, claims, serves
from tests.unit.preflight.given import A100, H100, MODEL, looked

MACHINE = {"cores": 24, "gpus": 1, "memory": 220, "disk": 65536}


def judged(size: str = A100, *, shared: bool = False, machine: dict[str, Any] = MACHINE, **more: Any) -> CheckResult:
    return check(looked(**more), size, machine, shared=shared, also="")


@pytest.mark.parametrize("written", [repr([A100, H100]), f'["{A100}","{H100}"]', f"{A100}, {H100}"])
def test_allow_list_in_any_spelling(written: str) -> None:
    """As a list of Python or JSON, or with commas; among the tags or among the properties."""
    for place in ("tags", "properties"):
        body = {"properties": {"tags": {}, "properties": {}, place: {"inference_compute_allow_list": written}}}
        assert claims(body)["allowed"] == [A100, H100]


def test_smallest_machine() -> None:
    """Four numbers, or nobody said."""
    said = {"properties": {"properties": {"inference-min-sku-spec": "24|1|220|64"}}}
    assert claims(said)["smallest"] == [24, 1, 220, 64]
    assert claims({"properties": {"properties": {"inference-min-sku-spec": "large"}}})["smallest"] is None


@pytest.mark.parametrize(
    ("tags", "properties", "shared"),
    [
        ({"SharedComputeCapacityEnabled": ""}, {}, True),
        ({}, {"sharedComputeCapacityEnabled": "True"}, True),
        ({"SharedComputeCapacityEnabled": ""}, {"SharedComputeCapacityEnabled": "False"}, False),
        ({}, {}, False),
        (None, None, None),
    ],
)
def test_shared_quota(tags: Any, properties: Any, shared: bool | None) -> None:
    """Property or tag, in any case; a property that says no counts for more; neither field present tells nothing."""
    assert claims({"properties": {"tags": tags, "properties": properties}})["shared"] is shared


def test_refusals() -> None:
    """Each reason has its own code."""
    small = {**MACHINE, "memory": 28}
    assert [r.code for r in judged(exists=False).reasons] == ["AML210"]
    assert [r.code for r in judged("Standard_DS3_v2").reasons] == ["AML244"]
    assert [r.code for r in judged(machine=small, allowed=None).reasons] == ["AML245"]
    assert judged(machine=small).reasons == ()
    assert [r.code for r in check(looked(shared=False), A100, MACHINE, shared=True, also="").reasons] == ["AML246"]


def test_unknown_results() -> None:
    """A registry that refuses, a published model without an allow-list, a shared flag nobody shows: none blocks."""
    assert judged(exists=None, unread="not for you").verdict is Verdict.UNKNOWN
    assert judged(allowed=None).verdict is Verdict.UNKNOWN
    assert check(looked(shared=None), A100, MACHINE, shared=True, also="").verdict is Verdict.UNKNOWN
    assert judged(machine={}).verdict is Verdict.YES


def test_models_of_ones_own_say_nothing() -> None:
    """A workspace's model has no allow-list, and nobody expects one."""
    assert judged(published=False, allowed=None, smallest=None).verdict is Verdict.YES


def test_the_newest_version_is_a_note() -> None:
    """An older version is no refusal; the newest needs no note, nor does a label."""
    assert judged(newest="19").why == f"{MODEL}; newest is 19 (registry azureml)"
    assert "newest" not in judged().why
    label = MODEL.replace("versions/17", "labels/latest")
    assert "newest" not in judged(reference=label, newest="19").why


@pytest.mark.parametrize(
    ("document", "can"),
    [
        ({}, False),
        ({"environment": {"image": "x"}}, False),
        ({"environment": {"image": "x", "inference_config": {"scoring_route": {}}}}, True),
        ({"environment": "azureml:e:1"}, True),
        ({"code_configuration": {"code": "src"}}, True),
        ({"code_configuration": None}, False),
    ],
)
def test_a_custom_model_of_the_workspace_needs_a_scoring_server(document: dict[str, Any], can: bool) -> None:
    """A registered environment may have one. Models of a registry and MLflow models have their own."""
    mine = {"reference": "azureml:mine:1", "published": False, "allowed": None, "serves": serves(document)}
    for kind, codes in (("custom_model", [] if can else ["AML357"]), ("mlflow_model", []), (None, [])):
        assert [r.code for r in judged(**mine, type=kind).reasons] == codes
    assert judged(type="custom_model", serves=False).reasons == ()

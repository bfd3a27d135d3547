"""Faults of one deployment's scoring: errors, latency, other answers."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.emulator.dataplane import model_faults
from deploy.emulator.faults.schema import FaultSpec, Transform
from deploy.emulator.wire.responses import Answer
from deploy.probes import WrongAnswer, find
from tests.project import ROOT
from tests.unit.emulator.azure import WORKSPACE, Azure
from tests.unit.probes.given import answer_of_the_stand_in

INSIGHT = "azureml://registries/azureml/models/MedImageInsight/versions/13"
TEXT = {"input_data": {"columns": ["image", "text"], "index": [0], "data": [["", "lung"]]}}
GREEN = {"azureml-model-deployment": "green"}


@pytest.fixture
def azure(azure: Azure) -> Azure:
    """With the deployments blue and green, which answer texts; a request to `brief` has 0.1 s."""
    azure.endpoint()
    azure.finish_operations()
    for name, timeout in {"blue": "PT1M", "green": "PT1M", "brief": "PT0.1S"}.items():
        settings = {"requestTimeout": timeout, "maxConcurrentRequestsPerInstance": 1}
        assert azure.deployment(name, model=INSIGHT, requestSettings=settings).status == 201
    azure.finish_operations()
    azure.endpoint(traffic={"blue": 50, "green": 50})
    azure.finish_operations()
    return azure


def add_fault(azure: Azure, **rule: Any) -> None:
    reply = azure.send("POST", "/emulator/faults", rule)
    assert reply.status == 201, reply.content


def scored(azure: Azure) -> list[dict[str, Any]]:
    rows = azure.send("GET", "/emulator/requests").json["value"]
    return [row for row in rows if row["operation"] == "Score"]


def test_a_share_of_a_deployments_requests_fails(azure: Azure) -> None:
    """Exactly 5 of 100; the other deployment of the endpoint has no fault."""
    add_fault(azure, kind="refuse", deployment="green", status=500, share=0.05)
    key = azure.send("POST", f"{WORKSPACE}/onlineEndpoints/mip/listKeys").json["primaryKey"]
    shown = {"authorization": f"Bearer {key}"}
    replies = [
        azure.send("POST", "/inference/eastus/mip/score", TEXT, {**shown, "azureml-model-deployment": deployment})
        for deployment in ["green", "blue", *["green"] * 99]
    ]

    assert Counter((r.headers["azureml-model-deployment"], r.status) for r in replies) == {
        ("blue", 200): 1, ("green", 200): 95, ("green", 500): 5,
    }  # fmt: skip
    faulty = [row for row in scored(azure) if row["status"] == 500]
    assert {(row["target"].rpartition("/")[2], row["note"]) for row in faulty} == {("green", "fault 1: refuse")}
    [listed] = azure.send("GET", "/emulator/faults").json["value"]
    assert (listed["seen"], listed["applied"], listed["left"]) == (100, 5, "always")


def test_an_error_has_the_form_of_scoring(azure: Azure) -> None:
    """424 with the container's status in headers, which the fault can set; others as of the front end."""
    add_fault(azure, kind="refuse", deployment="green", status=424, message="CUDA\nis out of memory")
    add_fault(azure, kind="refuse", deployment="green", status=424, headers={"ms-azureml-model-error-statuscode": 503})
    add_fault(azure, kind="refuse", deployment="green", status=503, body="no healthy upstream")
    model, other, front = (azure.score(TEXT, headers=GREEN) for _ in range(3))

    assert (model.status, model.code, model.message) == (424, "ModelError", "CUDA\nis out of memory")
    assert model.headers["ms-azureml-model-error-statuscode"] == "500"
    assert model.headers["ms-azureml-model-error-reason"] == "CUDA?is out of memory"
    assert other.headers["ms-azureml-model-error-statuscode"] == "503"
    assert (front.status, front.content) == (503, b"no healthy upstream")
    for reply in (model, other, front):
        assert (reply.headers["server"], reply.headers["azureml-model-deployment"]) == ("azureml-frontdoor", "green")
        assert "x-ms-failure-cause" not in reply.headers


def test_the_connection_to_a_deployment_is_dropped(azure: Azure) -> None:
    """Before the model runs, or after it."""
    add_fault(azure, kind="reset", deployment="green")
    add_fault(azure, kind="lose", deployment="green")
    for _ in range(2):
        assert azure.score(TEXT, headers={"azureml-model-deployment": "blue"}).status == 200
        with pytest.raises(IndexError):  # nothing was sent
            azure.score(TEXT, headers=GREEN)
    notes = [(row["status"], row["note"]) for row in scored(azure) if row["target"].endswith("green")]
    assert notes == [(0, "fault 1: reset"), (200, "fault 2: lose")]


def test_faults_of_a_deployment_are_applied_in_their_order(azure: Azure) -> None:
    """One for each request; a fault of the whole plane is first, and then the deployment's faults do not count."""
    add_fault(azure, kind="refuse", deployment="green", status=500, number=2)
    add_fault(azure, kind="answer", deployment="mip/g*", body={"label": "ill"}, times=2)
    add_fault(azure, kind="html", status=200, effect=True, plane="scoring", number=3)
    replies = [azure.score(TEXT, headers=GREEN) for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 500, 200, 200, 200]
    wrong = b'{"label": "ill"}'
    assert [reply.content == wrong for reply in replies] == [True, False, False, True, False]
    assert replies[2].content.startswith(b"<html>")
    assert [fault["seen"] for fault in azure.send("GET", "/emulator/faults").json["value"]] == [2, 3, 3]


def test_a_fault_of_a_mirrored_request_is_noted(azure: Azure) -> None:
    """Beside the mirror."""
    azure.endpoint(traffic={"blue": 100}, mirrorTraffic={"green": 50})
    azure.finish_operations()
    add_fault(azure, kind="answer", deployment="blue", body=1, times="always")
    for _ in range(4):
        assert azure.score(TEXT).json == 1
    notes = {row["note"] for row in scored(azure)}
    assert notes == {"mirrored to green; fault 1: answer", "fault 1: answer"}


def test_latency_is_in_the_log_and_counts_for_the_timeout(azure: Azure) -> None:
    """408 as soon as the timeout of the deployment ends."""
    add_fault(azure, kind="delay", deployment="green", seconds=0.05)
    add_fault(azure, kind="delay", deployment="brief", seconds=30)
    begun = time.perf_counter()
    assert [azure.score(TEXT, headers=GREEN).status for _ in range(2)] == [200, 200]
    assert azure.score(TEXT, headers={"azureml-model-deployment": "brief"}).status == 408
    assert time.perf_counter() - begun < 25
    slow, quick, timed_out = scored(azure)
    assert slow["milliseconds"] >= 49
    assert timed_out["milliseconds"] >= 99
    assert [row["note"] for row in (slow, quick, timed_out)] == ["fault 1: delay", "", "fault 2: delay"]


def test_latency_counts_for_the_limit_of_concurrent_requests_and_blocks_no_other(azure: Azure) -> None:
    """Two requests are allowed at once, the third is refused; a request to another deployment overtakes them."""
    add_fault(azure, kind="delay", deployment="green", seconds=0.3, times="always")
    key = azure.send("POST", f"{WORKSPACE}/onlineEndpoints/mip/listKeys").json["primaryKey"]
    ended: list[tuple[str, int]] = []

    async def score(deployment: str) -> None:
        reply = await azure.exchange("POST", "/inference/eastus/mip/score", TEXT, {
            "authorization": f"Bearer {key}", "azureml-model-deployment": deployment})  # fmt: skip
        ended.append((deployment, reply.status))

    async def all_at_once() -> None:
        await asyncio.gather(*map(score, ("green", "green", "green", "blue")))

    asyncio.run(all_at_once())
    assert ended == [("green", 429), ("blue", 200), ("green", 200), ("green", 200)]


def test_a_factor_multiplies_the_own_latency() -> None:
    """And `seconds` are added to it."""

    async def work() -> Answer:
        await asyncio.sleep(0.02)  # the latency of the model
        return Answer(200, b"{}")

    begun = time.perf_counter()
    assert asyncio.run(model_faults.changed(work, FaultSpec(kind="delay", factor=5, seconds=0.03)))[0].status == 200
    assert time.perf_counter() - begun >= 0.13


def answered(spec: FaultSpec, answer: Answer) -> tuple[Answer, str]:
    async def work() -> Answer:
        return answer

    return asyncio.run(model_faults.changed(work, spec))


@pytest.mark.parametrize(
    ("body", "sent"), [({"a": 1.5}, b'{"a": 1.5}'), ("[NaN]", b"[NaN]"), (None, b"null"), ("", b"")]
)
def test_an_answer_is_replaced(body: Any, sent: bytes) -> None:
    """By JSON, or by a text as it is; an error of the model stays."""
    spec, headers = FaultSpec(kind="answer", body=body), {"Content-Type": "application/json"}
    assert answered(spec, Answer(200, b"[1]", headers)) == (Answer(200, sent, headers), "")
    assert answered(spec, Answer(424, b"[1]", headers)) == (Answer(424, b"[1]", headers), "")


def test_a_transformation_with_nothing_to_change_is_noted(azure: Azure) -> None:
    """The answer is the model's, and the log shows why."""
    add_fault(azure, kind="answer", deployment="green", transform="empty_mask")
    add_fault(azure, kind="answer", deployment="green", transform="scale_numbers")
    same, half, whole = (azure.score(TEXT, headers=GREEN).json[0]["text_features"][0] for _ in range(3))
    assert same == whole
    assert half == [number / 2 for number in whole]
    assert [row["note"] for row in scored(azure)] == ["fault 1: answer; nothing to change", "fault 2: answer", ""]


def packed(array: Any) -> dict[str, Any]:
    data = base64.b64encode(array.tobytes()).decode()
    return {"data": data, "shape": list(array.shape), "dtype": str(array.dtype)}


def unpacked(value: Any) -> Any:
    return np.frombuffer(base64.b64decode(value["data"]), value["dtype"]).reshape(value["shape"])


def transformed(name: str, value: Any) -> Any:
    body = model_faults.transform(name, json.dumps(value).encode())
    return None if body is None else json.loads(body)


NUMBERS = np.arange(1, 33, dtype=np.uint8).reshape(2, 2, 8)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("shift_mask", [[[0, 1, 2, 3, 4, 5, 6, 7], [0, 9, 10, 11, 12, 13, 14, 15]],
                        [[0, 17, 18, 19, 20, 21, 22, 23], [0, 25, 26, 27, 28, 29, 30, 31]]]),
        ("empty_mask", [[[0] * 8] * 2] * 2),
        ("swap_labels", NUMBERS[::-1].tolist()),
    ],
)  # fmt: skip
def test_masks_are_changed(name: str, wanted: Any) -> None:
    """In JSON, and in JSON inside a string, as MedImageParse sends them."""
    assert unpacked(transformed(name, [{"masks": packed(NUMBERS)}])[0]["masks"]).tolist() == wanted
    [row] = transformed(name, [{"image_features": json.dumps(packed(NUMBERS)), "other": "text"}])
    assert unpacked(json.loads(row["image_features"])).tolist() == wanted
    assert row["other"] == "text"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("swap_labels", {"labels": ["ill", "well"], "classes": [1, 0, 0], "box": [0.1, 0.5]},
         {"labels": ["well", "ill"], "classes": [0, 0, 1], "box": [0.1, 0.5]}),
        ("swap_labels", [["ill", 0.5], ["well", 0.25]], None),
        ("scale_numbers", {"score": 0.5, "class": 3, "vector": [[1.0, -2.0]], "ok": True, "text": "1.5"},
         {"score": 0.25, "class": 3, "vector": [[0.5, -1.0]], "ok": True, "text": "1.5"}),
        ("shift_mask", {"vector": [0.5]}, None),
        ("empty_mask", {"data": "AAA", "shape": [1], "dtype": "uint8"}, None),
        ("empty_mask", {"data": "/w==", "shape": [2], "dtype": "uint8"}, None),
        ("empty_mask", {"data": "/w==", "shape": [1], "dtype": "object"}, None),
        ("empty_mask", {"data": "/w==", "shape": [{}], "dtype": "no"}, None),
    ],
)  # fmt: skip
def test_json_is_changed(name: str, value: Any, wanted: Any) -> None:
    """None where there is nothing to change."""
    assert transformed(name, value) == wanted


def test_numbers_become_nan() -> None:
    """In JSON and in arrays of fractions; classes and masks stay."""
    value = {"vector": [0.5, 1], "array": packed(np.ones((1, 2), np.float32)), "mask": packed(NUMBERS)}
    after = transformed("nan", value)
    assert np.isnan([after["vector"][0], *unpacked(after["array"]).ravel()]).all()
    assert (after["vector"][1], after["mask"]) == (1, value["mask"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.builds(packed, st.sampled_from([NUMBERS, NUMBERS.astype(np.float32), NUMBERS[:1, :1, :1] > 0])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["data", "shape", "dtype"]), inner)
    | st.builds(json.dumps, inner),
)  # fmt: skip


def form(value: Any) -> Any:
    """The value without its numbers and texts."""
    if isinstance(value, dict):
        return {key: form(each) for key, each in value.items()}
    return [form(each) for each in value] if isinstance(value, list) else type(value).__name__


@settings(max_examples=30)
@given(value=JSON, name=st.sampled_from(get_args(Transform)))
def test_a_transformation_keeps_the_form_of_any_answer(value: Any, name: str) -> None:
    """Objects with the same keys, lists of the same length, values of the same types."""
    after = transformed(name, value)
    assert after is None or form(after) == form(value)


@given(body=st.binary() | st.just(b"[" * 100_000))
def test_any_bytes_are_left_as_they_are(body: bytes) -> None:
    """Without an error."""
    for name in get_args(Transform):
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            assert model_faults.transform(name, body) is None


def test_every_transformation_of_the_schema_exists() -> None:
    assert tuple(model_faults.TRANSFORMATIONS) == get_args(Transform)


IMAGES = {
    "medimageparse": "probe/phantom.png", "medimageinsight": "probe/chest.png", "cxrreportgen": "probe/chest.png",
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "model", "name", "noticed"),
    [
        ("medimageparse", "MedImageParse", "shift_mask", False),
        ("medimageparse", "MedImageParse", "empty_mask", True),
        ("medimageinsight", "MedImageInsight", "scale_numbers", False),
        ("medimageinsight", "MedImageInsight", "nan", True),
        ("cxrreportgen", "CxrReportGen", "scale_numbers", False),
        ("cxrreportgen", "CxrReportGen", "nan", True),
    ],
)
def test_the_answers_of_the_models_are_changed(template: str, model: str, name: str, noticed: bool) -> None:
    """Other answers of the same form: a probe that checks only the form accepts them, except empty masks and NaN."""
    probe = {"type": template, "image": IMAGES[template], "text": "left lung & right lung"}
    after = model_faults.transform(name, answer_of_the_stand_in(probe, model))
    assert after is not None
    judge, folder = find(template), ROOT / "templates" / template
    if noticed:
        with pytest.raises(WrongAnswer):
            judge.check(probe, folder, 200, after)
    else:
        judge.check(probe, folder, 200, after)

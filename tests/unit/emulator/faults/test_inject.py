"""Faults: the answer, the effect on the world, the note in the request log."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.emulator.entra.access_tokens import Tokens
from tests.unit.emulator.azure import WORKSPACE, Azure, Reply

EP = f"{WORKSPACE}/onlineEndpoints"
PUT = {"operation": "OnlineEndpoints_CreateOrUpdate"}


def add_fault(azure: Azure, **rule: Any) -> int:
    """Add one fault through the control API; returns its number."""
    reply = azure.send("POST", "/emulator/faults", rule)
    assert reply.status == 201, reply.content
    return int(reply.json["value"][0]["fault"])


def notes(azure: Azure) -> list[str]:
    return [row["note"] for row in azure.send("GET", "/emulator/requests").json["value"] if row["note"]]


def state(azure: Azure, path: str = "mip") -> str:
    return str(azure.get(path)["properties"]["provisioningState"])


def test_refuse_answers_in_azures_form_without_effect(azure: Azure) -> None:
    """Status, code, message and headers are the fault's; it applies once and is in the log."""
    number = add_fault(azure, kind="refuse", status=503, message="Come back.", headers={"Retry-After": 7}, **PUT)
    reply = azure.endpoint()
    assert (reply.status, reply.code, reply.message) == (503, "ServiceUnavailable", "Come back.")
    assert (reply.headers["retry-after"], reply.headers["x-ms-failure-cause"]) == ("7", "gateway")
    assert azure.send("GET", f"{EP}/mip").status == 404
    assert azure.endpoint().status == 201
    assert notes(azure) == [f"fault {number}: refuse"]


@pytest.mark.parametrize(("body", "sent"), [({"a": [1]}, b'{"a":[1]}'), ("gone fishing", b"gone fishing")])
def test_refuse_takes_any_body(azure: Azure, body: Any, sent: bytes) -> None:
    """JSON as JSON, text unchanged."""
    add_fault(azure, kind="refuse", status=418, body=body)
    reply = azure.send("GET", EP)
    assert (reply.status, reply.content) == (418, sent)


def test_refuse_with_effect_keeps_the_effect(azure: Azure) -> None:
    """Like a gateway timeout."""
    add_fault(azure, kind="refuse", status=504, effect=True, **PUT)
    assert azure.endpoint().code == "GatewayTimeout"
    assert state(azure) == "Creating"


def test_the_nth_arm_request_is_refused(azure: Azure) -> None:
    """Counted since the fault was added; other planes and control requests do not count."""
    azure.send("GET", EP)
    add_fault(azure, kind="refuse", number=3)
    seen = []
    for _ in range(4):
        azure.send("GET", "/metadata/endpoints")
        azure.send("GET", "/emulator/faults")
        seen.append(azure.send("GET", EP).status)
    assert seen == [200, 200, 400, 200]


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds", "none"])
def test_throttle_in_each_form(azure: Azure, form: str) -> None:
    """429 in the Resource Manager's form, with the wait in the fault's form."""
    add_fault(azure, kind="throttle", retry_after=2.5, form=form)
    reply = azure.send("GET", EP)
    assert (reply.status, reply.code) == (429, "SubscriptionRequestsThrottled")
    waits = {name: value for name, value in reply.headers.items() if "retry-after" in name}
    if form == "date":
        date = parsedate_to_datetime(waits.pop("retry-after")).timestamp()
        assert date - azure.clock.now() == pytest.approx(3, abs=1)
    assert waits == {"seconds": {"retry-after": "3"}, "milliseconds": {"retry-after-ms": "2500"}}.get(form, {})


def test_unauthorized_answers_401(azure: Azure) -> None:
    """With a challenge, as for an expired token."""
    add_fault(azure, kind="unauthorized")
    reply = azure.send("GET", EP)
    assert (reply.status, reply.code) == (401, "ExpiredAuthenticationToken")
    assert "invalid_token" in reply.headers["www-authenticate"]


def test_lose_keeps_the_effect_and_reset_has_none(azure: Azure) -> None:
    """The client gets no answer; the log shows the difference."""
    add_fault(azure, kind="lose", **PUT)
    with pytest.raises(IndexError):  # nothing was sent
        azure.endpoint("lost")
    add_fault(azure, kind="reset", **PUT)
    with pytest.raises(IndexError):
        azure.endpoint("reset")
    assert [item["name"] for item in azure.get("")["value"]] == ["lost"]
    rows = azure.send("GET", "/emulator/requests?mutating=true").json["value"]
    assert [(row["status"], row["note"]) for row in rows] == [(201, "fault 1: lose"), (0, "fault 2: reset")]


def test_truncate_and_html_are_not_json(azure: Azure) -> None:
    """The client cannot parse either."""
    add_fault(azure, kind="truncate")
    add_fault(azure, kind="html", status=502)
    add_fault(azure, kind="html", status=200, effect=True, **PUT)
    cut, page = azure.send("GET", EP), azure.send("GET", EP)
    assert (cut.status, cut.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert int(cut.headers["content-length"]) == len(cut.content) > 0
    assert (page.status, page.headers["content-type"]) == (502, "text/html")
    for reply in (cut, page, azure.endpoint()):
        with pytest.raises(ValueError, match="line 1"):
            json.loads(reply.content)
    assert state(azure) == "Creating"


def test_drip_sends_the_answer_slowly(azure: Azure) -> None:
    """The answer is complete at the end."""
    add_fault(azure, kind="drip", seconds=0.2)
    begun = time.perf_counter()
    assert azure.send("GET", EP).json == {"value": []}
    assert time.perf_counter() - begun >= 0.19


def test_stale_answers_have_the_state_before_the_last_write(azure: Azure) -> None:
    """For one resource and for lists; the world does not change."""
    azure.serving_endpoint(blue=100, green=0)
    azure.endpoint(traffic={"green": 100})
    azure.finish_operations()
    add_fault(azure, kind="stale", times=2)
    assert azure.get("mip")["properties"]["traffic"] == {"blue": 100}
    assert azure.get("")["value"][0]["properties"]["traffic"] == {"blue": 100}
    assert azure.get("mip")["properties"]["traffic"] == {"green": 100}
    assert azure.send("DELETE", f"{EP}/mip/deployments/blue").status == 202
    azure.finish_operations()
    add_fault(azure, kind="stale", path="*/deployments/blue")
    assert state(azure, "mip/deployments/blue") == "Succeeded"
    assert azure.send("GET", f"{EP}/mip/deployments/blue").status == 404
    azure.endpoint("fresh")
    add_fault(azure, kind="stale")
    assert azure.send("GET", f"{EP}/fresh").status == 404
    assert azure.send("GET", f"{EP}/fresh").status == 200


def test_ghost_hides_a_new_resource(azure: Azure) -> None:
    """404 for `times` requests, only for resources created after the fault was added."""
    azure.endpoint("old")
    add_fault(azure, kind="ghost", times=2)
    assert azure.send("GET", f"{EP}/old").status == 200
    assert azure.send("GET", f"{EP}/mip").status == 404
    azure.endpoint()
    replies = [azure.send("GET", f"{EP}/mip") for _ in range(3)]
    assert [reply.status for reply in replies] == [404, 404, 200]
    assert replies[0].code == "ResourceNotFound"
    assert notes(azure) == ["fault 1: ghost"] * 2


def _status(azure: Azure, reply: Reply) -> Reply:
    return azure.send("GET", reply.headers["azure-asyncoperation"].removeprefix("https://127.0.0.1:1234"))


@pytest.mark.parametrize(("kind", "word"), [("operation_failed", "Failed"), ("operation_canceled", "Canceled")])
def test_an_operation_fails_or_is_canceled(azure: Azure, kind: str, word: str) -> None:
    """After its time, with the fault's code and message; the resource is unchanged."""
    azure.serving_endpoint(blue=100, green=0)
    add_fault(azure, kind=kind, code="OutOfCapacity", message="No machine.")
    reply = azure.endpoint(traffic={"green": 100})
    assert reply.status == 201
    assert _status(azure, reply).json["status"] == "Updating"
    azure.finish_operations()
    told = _status(azure, reply).json
    assert (told["status"], told["error"]["code"], told["error"]["message"]) == (word, "OutOfCapacity", "No machine.")
    assert state(azure) == word
    assert azure.get("mip")["properties"]["traffic"] == {"blue": 100}
    azure.endpoint(traffic={"green": 100})
    azure.finish_operations()
    assert (state(azure), notes(azure)) == ("Succeeded", [f"fault 1: {kind}"])


def test_a_request_without_operation_does_not_use_up_a_fault(azure: Azure) -> None:
    """Refused, or nothing to delete: the fault applies to the next operation."""
    add_fault(azure, kind="operation_failed")
    assert azure.endpoint("no").status == 400
    assert azure.send("DELETE", f"{EP}/mip").status == 204
    assert _status(azure, azure.endpoint()).status == 200
    azure.finish_operations()
    assert state(azure) == "Failed"
    assert azure.send("DELETE", f"{EP}/mip").status == 202


def test_a_failed_deletion_keeps_the_children(azure: Azure) -> None:
    """The endpoint is Failed, its deployments exist, and it can be deleted again."""
    azure.serving_endpoint(blue=100)
    add_fault(azure, kind="operation_failed")
    azure.send("DELETE", f"{EP}/mip")
    azure.finish_operations()
    assert (state(azure), state(azure, "mip/deployments/blue")) == ("Failed", "Succeeded")
    azure.send("DELETE", f"{EP}/mip")
    azure.finish_operations()
    assert azure.send("GET", f"{EP}/mip").status == 404


def test_operation_stuck_never_ends_or_takes_longer(azure: Azure) -> None:
    """Without `seconds` it never ends."""
    add_fault(azure, kind="operation_stuck", path="*/never")
    add_fault(azure, kind="operation_stuck", seconds=7200, path="*/long")
    never, long = azure.endpoint("never"), azure.endpoint("long")
    azure.clock.advance(3600)
    assert [_status(azure, reply).json["status"] for reply in (never, long)] == ["Updating", "Updating"]
    azure.clock.advance(365 * 86400)
    assert [_status(azure, reply).json["status"] for reply in (never, long)] == ["Updating", "Succeeded"]
    assert (state(azure, "never"), state(azure, "long")) == ("Creating", "Succeeded")


def test_operation_vanished_still_has_its_effect(azure: Azure) -> None:
    """Only its status is 404."""
    add_fault(azure, kind="operation_vanished")
    reply = azure.endpoint()
    assert _status(azure, reply).status == 404
    azure.finish_operations()
    assert _status(azure, reply).status == 404
    assert state(azure) == "Succeeded"


def test_faults_are_listed_removed_and_gone_after_a_reset(azure: Azure) -> None:
    """One by its number, or all; with an invalid fault none is added."""
    one, two = add_fault(azure, kind="lose", number=9), add_fault(azure, kind="refuse", status=500)
    azure.send("GET", EP)
    listed = azure.send("GET", "/emulator/faults").json["value"]
    assert [(f["fault"], f["seen"], f["applied"], f["left"]) for f in listed] == [(one, 1, 0, 1), (two, 1, 1, 0)]
    assert azure.send("DELETE", f"/emulator/faults/{one}").json == {"removed": 1}
    assert azure.send("DELETE", f"/emulator/faults/{one}").status == 404
    wrong = azure.send("POST", "/emulator/faults", {"faults": [{"kind": "lose"}, {"kind": "loose"}]})
    assert (wrong.status, "faults[1].kind" in wrong.message) == (400, True)
    assert len(azure.send("GET", "/emulator/faults").json["value"]) == 1
    add_fault(azure, kind="lose")
    assert azure.send("POST", "/emulator/reset").status == 200
    assert azure.send("GET", "/emulator/faults").json["value"] == []
    assert azure.send("GET", EP).status == 200


def test_processes_share_their_faults(azure: Azure, tokens: Tokens) -> None:
    """One adds it, another applies it, and it is used up for both."""
    path = Path(azure.world.db.execute("PRAGMA database_list").fetchone()[2])
    other = Azure(path.parent, tokens)
    assert other.send("GET", EP).status == 200
    add_fault(azure, kind="refuse", status=500)
    assert other.send("GET", EP).status == 500
    assert azure.send("GET", EP).status == 200
    other.world.close()


def test_faults_apply_to_scoring_too(azure: Azure) -> None:
    """Before the model runs, or after its answer."""
    azure.serving_endpoint(blue=100)
    add_fault(azure, kind="refuse", status=503, operation="Score")
    add_fault(azure, kind="html", status=200, effect=True, path="*/score")
    assert azure.score({}).status == 503
    assert azure.score({}).content.startswith(b"<html>")
    assert azure.score({}).status == 424
    rows = azure.send("GET", "/emulator/requests").json["value"]
    scored = [(row["status"], row["note"]) for row in rows if row["operation"] == "Score"]
    assert scored == [(503, "fault 1: refuse"), (424, "fault 2: html"), (424, "")]

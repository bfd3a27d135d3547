"""A recording comes from another machine: it can have any content, and nothing of it is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import emulator
from scripts.acceptance_run.__main__ import main
from scripts.acceptance_run.replay import Client, Unusable, collapsed, read, replay

WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers"
    "/Microsoft.MachineLearningServices/workspaces/mlw"
)


def entry(method: str, path: str, body: Any = None, status: int = 200, answer: Any = None) -> dict[str, Any]:
    return {
        "started": 1.0, "request": {"method": method, "path": path, "headers": {}, "body": body},
        "response": {"status": status, "headers": {}, "body": answer},
    }  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["started", "request", "response", "method", "path", "headers", "body", "status"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.lists(st.one_of(st.binary(max_size=40), JSON.map(lambda value: json.dumps(value).encode())), max_size=5))
def test_any_content_can_be_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """A line that is no exchange counts as left out."""
    file = tmp_path_factory.getbasetemp() / "recording.jsonl"
    file.write_bytes(b"\n".join(lines))
    for found in read(file):
        assert found == {} or (
            found["request"]["path"].startswith("/") and isinstance(found["response"]["status"], int)
        )


def test_exchanges_are_read_in_the_order_of_their_start(tmp_path: Path) -> None:
    """Several threads write them when they end."""
    file = tmp_path / "recording.jsonl"
    file.write_text("\n".join(json.dumps({**entry("GET", f"/{n}"), "started": n}) for n in (3, 1, 2)))
    assert [found["request"]["path"] for found in read(file)] == ["/1", "/2", "/3"]


def test_polling_is_reduced_to_its_first_and_last_answer() -> None:
    """Other repeated reads to the last one; writes stay."""
    busy, done = ({"properties": {"provisioningState": state}} for state in ("Creating", "Succeeded"))
    polls = [entry("GET", "/a?x=1", answer=busy), entry("GET", "/a?x=2", answer=busy), entry("GET", "/a", answer=done)]
    sent = [entry("PUT", "/a"), entry("PUT", "/a"), *polls, entry("GET", "/b"), entry("GET", "/b"), polls[2]]
    assert list(collapsed(sent)) == [*sent[:2], polls[0], polls[2], sent[6], polls[2]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no answer with the workspace"),
        (json.dumps(entry("GET", f"{WORKSPACE}?x", answer={"location": "East US"})), "its workspace is invalid"),
    ],
)
def test_an_unusable_recording_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    """With the reason."""
    file = tmp_path / "recording.jsonl"
    file.write_text(content)
    assert main(["--replay", str(file)], root=tmp_path) == 3
    assert reason in capsys.readouterr().err
    with pytest.raises(Unusable, match="No such file"):
        replay(tmp_path / "absent.jsonl", tmp_path / "state")


def test_what_cannot_be_sent_is_left_out(tmp_path: Path) -> None:
    """Headers with line ends, texts outside Latin-1, bodies that are too deep."""
    deep: Any = []
    for _ in range(600):
        deep = [deep]
    read_it = entry("GET", f"{WORKSPACE}?api-version=2024-10-01", answer={"location": "eastus"})
    odd = [entry("PUT", f"{WORKSPACE}/onlineEndpoints/e?api-version=1") for _ in range(3)]
    odd[0]["request"]["headers"] = {"x-ms-a": "a\nb"}
    odd[1]["request"]["headers"] = {"x-ms-a": "\u2603"}
    odd[2]["request"]["body"] = {"a": deep}
    odd[2]["response"]["body"] = {"error": deep}
    file = tmp_path / "recording.jsonl"
    file.write_text("\n".join(map(json.dumps, [read_it, *odd])))
    (tmp_path / "state").mkdir()
    found = replay(file, tmp_path / "state", "quick")
    assert (found.sent, found.left_out) == (1, 3)
    assert "left out" in found.summary


def test_nothing_of_a_recording_is_executed(tmp_path: Path) -> None:
    """Uploaded files are those of the template, and a deployment has no variables and no other script."""
    bad = 'RELEASE = "a-1"\nFAILS = True\nimport os; os.system("touch /tmp/x")\n'
    account = "/recordedaaaaaaaa.blob.core.windows.net/codes-1/code"
    properties = {
        "codeConfiguration": {"codeId": "x", "scoringScript": "../../evil.py"},
        "environmentVariables": {"A": "b"},
    }
    deployment = f"{WORKSPACE}/onlineEndpoints/e/deployments/blue?api-version=1"
    with emulator.embed(tmp_path) as running, Client(running, tmp_path, "e") as client:
        script = client.translated(entry("PUT", f"{account}/score.py", bad)["request"])["body"]
        other = client.translated(entry("PUT", f"{account}/json.py", bad)["request"])["body"]
        sent = client.translated(entry("PUT", deployment, {"properties": properties})["request"])["body"]["properties"]
    assert "os.system" not in script
    assert 'RELEASE = "a-1"' in script
    assert "FAILS = True" in script
    assert other == ""
    assert sent == {"codeConfiguration": {"codeId": "x", "scoringScript": "score.py"}, "environmentVariables": {}}


def test_ids_of_the_service_are_translated(tmp_path: Path) -> None:
    """Ids that first occur in an answer are the service's; ids of requests, and equal ones, stay."""
    theirs, ours, chosen = (f"{digit * 8}-0000-0000-0000-000000000000" for digit in "abc")
    with emulator.embed(tmp_path) as running, Client(running, tmp_path, "e") as client:
        client.translated(entry("GET", f"/codes/{chosen}")["request"])
        client.learn(
            {"list": [{"role": "x", "id": theirs}, {"role": "y", "id": chosen}], "containerName": "blobs-1"},
            {"list": [{"role": "y", "id": ours}, {"role": "x", "id": ours}], "containerName": "blobs-local"},
        )
        assert client.translated(entry("GET", f"/x/{theirs}/{chosen}/blobs-1")["request"])["path"] == (
            f"/x/{ours}/{chosen}/blobs-local"
        )

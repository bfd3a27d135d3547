"""Every cell of the lease table, for blobs and containers, on both planes; then times, repeated and invalid calls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.seed import default_world
from tests.unit.emulator.azure import Azure, Reply
from tests.unit.emulator.storage.lease_table import CELLS, ROWS, STATES, A, B, headers

ACCOUNT = "/stmlwlocal.blob.core.windows.net"
ARM = f"{default_world.STORAGE_ID}/blobServices/default/containers"
NUMBERS = itertools.count()
WRITES = (
    ("PUT", "", 201), ("PUT", "?comp=metadata", 200), ("PUT", "?comp=properties", 200),
    ("PUT", "?comp=block&blockid=QQ", 201), ("PUT", "?comp=blocklist", 201), ("DELETE", "", 202),
)  # fmt: skip


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> Iterator[Azure]:
    """One world for all cells: each has its own blob or container."""
    folder: Path = tmp_path_factory.mktemp("leases")
    found = Azure(folder, tokens)
    found.send("PUT", f"{ACCOUNT}/box?restype=container")
    yield found
    found.world.close()


def new_blob(azure: Azure) -> str:
    path = f"{ACCOUNT}/box/{next(NUMBERS)}"
    assert azure.send("PUT", path, b"content").status == 201
    return path


def bring(azure: Azure, path: str, state: str, query: str = "?comp=lease") -> None:
    """Lease a blob or container with id A for 60 seconds, and bring the lease to a state."""
    steps: dict[str, tuple[tuple[str, float], ...]] = {
        "available": (), "leased": (("acquire A", 1),), "breaking": (("acquire A", 1), ("break", 1)),
        "broken": (("acquire A", 1), ("break", 60)), "expired": (("acquire A", 60),),
    }  # fmt: skip
    for call, seconds in steps[state]:
        assert azure.send("PUT", path + query, b"", headers(call)).status in (201, 202)
        azure.clock.advance(seconds)
    assert azure.send("HEAD", path + query.replace("comp=lease", "")).headers["x-ms-lease-state"] == state


def arm_body(sent: dict[str, str]) -> dict[str, str]:
    """The body of the Resource Manager's lease call for the headers of the data plane's."""
    names = {
        "x-ms-lease-action": "action", "x-ms-lease-id": "leaseId", "x-ms-lease-duration": "leaseDuration",
        "x-ms-proposed-lease-id": "proposedLeaseId", "x-ms-lease-break-period": "breakPeriod",
    }  # fmt: skip
    return {names[key]: value for key, value in sent.items()}


def outcome(reply: Reply, ok: int = 0) -> str:
    """The status ("ok" for `ok`) and the error code."""
    code = reply.headers.get("x-ms-error-code", "")
    return f"{'ok' if reply.status == ok else reply.status} {code}".strip()


def test_the_table_is_complete() -> None:
    """Five states, eleven calls."""
    assert (len(STATES), len(ROWS), len(CELLS)) == (5, 11, 55)


@pytest.mark.parametrize(("call", "state", "expected"), CELLS, ids=[f"{call}-{state}" for call, state, _ in CELLS])
def test_a_cell_of_the_table(azure: Azure, call: str, state: str, expected: str) -> None:
    """Status, error code, and the state afterwards. A write is Put Blob."""
    path = new_blob(azure)
    bring(azure, path, state)
    is_write = call.startswith("write")
    reply = azure.send("PUT", path + ("" if is_write else "?comp=lease"), b"", headers(call))
    after = azure.send("HEAD", path).headers["x-ms-lease-state"]
    if reply.status >= 400:
        assert (outcome(reply), after) == (expected, state)
    else:
        assert f"{outcome(reply, 201 if is_write else 0)} {after}" == expected


@pytest.mark.parametrize(("method", "query", "done"), WRITES, ids=[f"{write[0]}{write[1]}" for write in WRITES])
def test_every_write_obeys_the_table(azure: Azure, method: str, query: str, done: int) -> None:
    """Put Blob, Set Metadata, Set Properties, Put Block, Put Block List, Delete."""
    for call, state, expected in CELLS:
        if call.startswith("write"):
            path = new_blob(azure)
            bring(azure, path, state)
            reply = azure.send(method, path + query, b"", headers(call))
            wanted = expected.partition(" ")[0] if reply.status == done else expected
            assert outcome(reply, done) == wanted, (call, state)


@pytest.mark.parametrize("state", STATES)
def test_a_read_needs_no_id_but_a_wrong_one_is_refused(azure: Azure, state: str) -> None:
    """GET and HEAD with no id, A and B; a list is always allowed."""
    path = new_blob(azure)
    bring(azure, path, state)
    for method in ("GET", "HEAD"):
        assert azure.send(method, path).status == 200
        for name in ("A", "B"):
            expected = ROWS[f"write with {name}"][STATES.index(state)].replace("ok", "200").split()[0]
            assert str(azure.send(method, path, headers=headers(f"read {name}")).status) == expected
    assert azure.send("GET", f"{ACCOUNT}/box?restype=container&comp=list").status == 200


@pytest.mark.parametrize("plane", ["data", "arm"])
@pytest.mark.parametrize("call", [call for call in ROWS if not call.startswith("write")])
def test_a_container_obeys_the_table_on_both_planes(azure: Azure, call: str, plane: str) -> None:
    """The lease calls in every state; the Resource Manager answers 200 to each that succeeds."""
    for at, state in enumerate(STATES):
        name = f"box-{next(NUMBERS)}"
        path = f"{ACCOUNT}/{name}?restype=container"
        azure.send("PUT", path)
        bring(azure, path, state, "&comp=lease")
        sent = headers(call)
        if plane == "data":
            reply = azure.send("PUT", f"{path}&comp=lease", b"", sent)
            found = outcome(reply)
        else:
            reply = azure.send("POST", f"{ARM}/{name}/lease", arm_body(sent))
            found = f"{reply.status} {'' if reply.status == 200 else reply.code}".strip()
        if reply.status < 400:
            found = f"{found} {azure.send('HEAD', path).headers['x-ms-lease-state']}"
        status, rest = ROWS[call][at].split()
        assert found == f"{'200' if plane == 'arm' and reply.status < 400 else status} {rest}", state


@pytest.mark.parametrize(
    ("duration", "period", "waited", "left"),
    [
        ("-1", None, 0, 0), ("-1", "0", 0, 0), ("-1", "30", 0, 30), ("60", None, 20, 40), ("60", "0", 20, 0),
        ("60", "30", 20, 30), ("60", "60", 20, 40),
    ],
)  # fmt: skip
def test_a_break_waits_for_the_shorter_time(
    azure: Azure, duration: str, period: str | None, waited: int, left: int
) -> None:
    """Without a period: the rest of the lease, or at once for an infinite one. A second break only shortens it."""
    path = new_blob(azure)
    azure.send("PUT", f"{path}?comp=lease", b"", {**headers("acquire A"), "x-ms-lease-duration": duration})
    azure.clock.advance(waited)
    sent = {"x-ms-lease-action": "break", **({"x-ms-lease-break-period": period} if period else {})}
    assert azure.send("PUT", f"{path}?comp=lease", b"", sent).headers["x-ms-lease-time"] == str(left)
    again = {"x-ms-lease-action": "break", "x-ms-lease-break-period": "60"}
    assert azure.send("PUT", f"{path}?comp=lease", b"", again).headers["x-ms-lease-time"] == str(left)
    if left:
        azure.clock.advance(left - 1)
        assert azure.send("PUT", path, b"", headers("write")).status == 412
        azure.clock.advance(1)
    assert azure.send("PUT", f"{path}?comp=lease", b"", headers("acquire B")).status == 201


def test_acquire_sent_again_renews_and_without_a_proposed_id_it_is_refused(azure: Azure) -> None:
    """A lost answer can be sent again only with the same proposed id; a new duration applies."""
    path = new_blob(azure)
    for duration in ("15", "-1", "60"):
        sent = {**headers("acquire A"), "x-ms-lease-duration": duration}
        assert azure.send("PUT", f"{path}?comp=lease", b"", sent).headers["x-ms-lease-id"] == A
        shown = azure.send("HEAD", path).headers["x-ms-lease-duration"]
        assert shown == ("infinite" if duration == "-1" else "fixed")
    other = new_blob(azure)
    plain = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"}
    first = azure.send("PUT", f"{other}?comp=lease", b"", plain)
    assert len(first.headers["x-ms-lease-id"]) == 36
    assert outcome(azure.send("PUT", f"{other}?comp=lease", b"", plain)) == "409 LeaseAlreadyPresent"


def test_a_renewal_of_an_expired_lease_proves_that_nobody_wrote(azure: Azure) -> None:
    """After a write, the old id is gone; after a read it is not."""
    path = new_blob(azure)
    bring(azure, path, "expired")
    azure.send("GET", path)
    assert azure.send("PUT", f"{path}?comp=lease", b"", headers("renew A")).status == 200
    azure.clock.advance(60)
    azure.send("PUT", f"{path}?comp=metadata")
    renewed = azure.send("PUT", f"{path}?comp=lease", b"", headers("renew A"))
    assert outcome(renewed) == "409 LeaseIdMismatchWithLeaseOperation"


def test_a_change_is_idempotent_and_needs_the_right_id(azure: Azure) -> None:
    """A repeated change succeeds, whatever id it names; one to a third id does not."""
    path = new_blob(azure)
    bring(azure, path, "leased")
    for _ in range(2):
        changed = azure.send("PUT", f"{path}?comp=lease", b"", headers("change A to B"))
        assert (changed.status, changed.headers["x-ms-lease-id"]) == (200, B)
    third = {**headers("change A to B"), "x-ms-proposed-lease-id": A.replace("0a", "0c")}
    assert outcome(azure.send("PUT", f"{path}?comp=lease", b"", third)) == "409 LeaseIdMismatchWithLeaseOperation"


def test_a_new_blob_cannot_be_written_with_a_lease_id(azure: Azure) -> None:
    """It has no lease; and If-None-Match: * on a leased blob tells the lease, without its id."""
    path = f"{ACCOUNT}/box/new"
    refused = azure.send("PUT", path, b"", headers("write with A"))
    assert outcome(refused) == "412 LeaseNotPresentWithBlobOperation"
    leased = new_blob(azure)
    bring(azure, leased, "leased")
    create = {"if-none-match": "*"}
    assert outcome(azure.send("PUT", leased, b"", create)) == "412 LeaseIdMissing"
    assert outcome(azure.send("PUT", leased, b"", {**create, **headers("write with A")})) == "409 BlobAlreadyExists"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "MissingRequiredHeader"), ({"action": "steal"}, "InvalidHeaderValue"),
        ({"action": "acquire"}, "MissingRequiredHeader"),
        ({"action": "acquire", "duration": "14"}, "InvalidHeaderValue"),
        ({"action": "acquire", "duration": "61"}, "InvalidHeaderValue"),
        ({"action": "acquire", "duration": "0"}, "InvalidHeaderValue"),
        ({"action": "acquire", "duration": "x"}, "InvalidHeaderValue"),
        ({"action": "renew"}, "MissingRequiredHeader"), ({"action": "renew", "id": "x"}, "InvalidHeaderValue"),
        ({"action": "change", "id": A}, "MissingRequiredHeader"),
        ({"action": "break", "break-period": "61"}, "InvalidHeaderValue"),
        ({"action": "break", "break-period": "-1"}, "InvalidHeaderValue"),
    ],
)  # fmt: skip
def test_an_invalid_lease_call_is_refused(azure: Azure, sent: dict[str, str], code: str) -> None:
    """400, on a blob, on a container, and in the Resource Manager."""
    path = new_blob(azure)
    named = {f"x-ms-lease-{name}": value for name, value in sent.items()}
    for address in (f"{path}?comp=lease", f"{ACCOUNT}/box?restype=container&comp=lease"):
        assert outcome(azure.send("PUT", address, b"", named)) == f"400 {code}"
    refused = azure.send("POST", f"{ARM}/box/lease", arm_body(named))
    assert (refused.status, refused.code) == (400, "InvalidRequestContent")
    assert outcome(azure.send("PUT", path, b"", {"x-ms-lease-id": "x"})) == "400 InvalidHeaderValue"

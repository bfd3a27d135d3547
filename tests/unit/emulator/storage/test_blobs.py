"""Blobs: content, blocks, ranges, metadata, versions, conditions, lists."""

from __future__ import annotations

import itertools
from email.utils import formatdate
from xml.etree import ElementTree as ET

import pytest

from tests.unit.emulator.azure import Azure

ACCOUNT = "/stmlwlocal.blob.core.windows.net"
BOX = f"{ACCOUNT}/box"
BLOB = f"{BOX}/dir/a%20b.txt"


@pytest.fixture(autouse=True)
def box(azure: Azure) -> None:
    """The container of the tests."""
    assert azure.send("PUT", f"{BOX}?restype=container").status == 201


def test_a_blob_keeps_its_bytes_and_metadata(azure: Azure) -> None:
    """PUT, HEAD, GET, a range, metadata, list, delete."""
    assert azure.send("HEAD", BLOB).headers["x-ms-error-code"] == "BlobNotFound"
    assert azure.send("PUT", BLOB, b"hello \x00 world", {"x-ms-meta-a": "1"}).status == 201
    assert azure.send("PUT", BLOB, b"", {"if-none-match": "*"}).status == 409
    assert azure.send("PUT", f"{BLOB}?comp=metadata", headers={"x-ms-meta-b": "2"}).status == 200
    head = azure.send("GET", BLOB)
    assert (head.content, head.headers["x-ms-meta-b"]) == (b"hello \x00 world", "2")
    assert "x-ms-meta-a" not in head.headers
    part = azure.send("GET", BLOB, headers={"x-ms-range": "bytes=1-3"})
    assert (part.status, part.content, part.headers["content-range"]) == (206, b"ell", "bytes 1-3/13")
    listed = azure.send("GET", f"{BOX}?restype=container&comp=list&prefix=dir/").content
    assert b"<Name>dir/a b.txt</Name>" in listed
    assert azure.send("DELETE", BLOB).status == 202
    assert azure.send("GET", BLOB).status == 404


def test_blocks_are_joined_to_a_blob(azure: Azure) -> None:
    """In the order of the list; a missing block is refused."""
    for name, content in (("QQ", b"one "), ("Qg", b"two")):
        azure.send("PUT", f"{BLOB}?comp=block&blockid={name}", content)
    order = b"<BlockList><Latest>Qg</Latest><Latest>QQ</Latest></BlockList>"
    assert azure.send("PUT", f"{BLOB}?comp=blocklist", order).status == 201
    assert azure.send("GET", BLOB).content == b"twoone "
    assert azure.send("PUT", f"{BLOB}?comp=blocklist", order).status == 400


def test_head_has_the_size_without_the_content(azure: Azure) -> None:
    """As in storage; also for a blob of several parts."""
    content = bytes(range(256)) * 40_000  # more than two parts
    azure.send("PUT", BLOB, content)
    head = azure.send("HEAD", BLOB)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(content)))
    assert azure.send("GET", BLOB).content == content


def test_a_range_is_that_part_or_416(azure: Azure) -> None:
    """206 with the bytes and their position, for each range of a blob of three parts."""
    content = bytes(range(13))
    for name, block in (("QQ", content[:5]), ("Qg", content[5:6]), ("Qw", content[6:])):
        azure.send("PUT", f"{BLOB}?comp=block&blockid={name}", block)
    order = b"".join(b"<Latest>" + name + b"</Latest>" for name in (b"QQ", b"Qg", b"Qw"))
    azure.send("PUT", f"{BLOB}?comp=blocklist", b"<BlockList>" + order + b"</BlockList>")
    for start, end in itertools.product(range(15), (None, *range(15))):
        reply = azure.send("GET", BLOB, headers={"range": f"bytes={start}-{'' if end is None else end}"})
        last = 12 if end is None else min(end, 12)
        if start > 12 or last < start:
            assert (reply.status, reply.headers["content-range"]) == (416, "bytes */13")
        else:
            assert (reply.status, reply.content) == (206, content[start : last + 1])
            assert reply.headers["content-range"] == f"bytes {start}-{last}/13"


def version(azure: Azure) -> tuple[str, str]:
    found = azure.send("HEAD", BLOB).headers
    return found["etag"], found["last-modified"]


def test_every_write_changes_etag_and_last_modified(azure: Azure) -> None:
    """Content, metadata, properties; a read and a lease call change neither."""
    seen = []
    for call in ("", "?comp=metadata", "?comp=properties", ""):
        azure.clock.advance(2)
        written = azure.send("PUT", BLOB + call, b"")
        assert (written.headers["etag"], written.headers["last-modified"]) == version(azure)
        seen.append(version(azure))
    assert len({etag for etag, _ in seen}) == len({moment for _, moment in seen}) == 4
    azure.clock.advance(2)
    lease = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"}
    leased = azure.send("PUT", f"{BLOB}?comp=lease", b"", lease)
    assert (leased.headers["etag"], leased.headers["last-modified"]) == seen[-1] == version(azure)


def test_properties_are_returned_until_they_are_set_again(azure: Azure) -> None:
    """Content type and language of a blob."""
    azure.send("PUT", BLOB, b"{}", {"x-ms-blob-content-type": "application/json", "x-ms-blob-content-language": "de"})
    found = azure.send("GET", BLOB).headers
    assert (found["content-type"], found["content-language"]) == ("application/json", "de")
    azure.send("PUT", f"{BLOB}?comp=properties", b"", {"x-ms-blob-content-type": "text/plain"})
    found = azure.send("HEAD", BLOB).headers
    assert (found["content-type"], found.get("content-language")) == ("text/plain", None)


CALLS = [
    ("GET", "", 200), ("HEAD", "", 200), ("PUT", "", 201), ("PUT", "?comp=metadata", 200),
    ("PUT", "?comp=properties", 200), ("PUT", "?comp=lease", 201), ("DELETE", "", 202),
]  # fmt: skip


@pytest.mark.parametrize(("method", "query", "done"), CALLS)
def test_conditions_are_checked_before_a_call(azure: Azure, method: str, query: str, done: int) -> None:
    """If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since: 412, or 304 for a read that has the content."""
    azure.send("PUT", BLOB, b"first")
    etag, moment = version(azure)
    later, earlier = (formatdate(azure.world.now() + step, usegmt=True) for step in (60, -60))
    unchanged = 304 if method in ("GET", "HEAD") else 412
    lease = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"} if query == "?comp=lease" else {}
    for status, condition in (
        (412, {"if-match": '"0x0"'}),
        (412, {"if-unmodified-since": earlier}),
        (unchanged, {"if-none-match": etag}),
        (unchanged, {"if-modified-since": moment}),
        (unchanged, {"if-modified-since": later}),
        (400, {"if-modified-since": "yesterday"}),
    ):
        refused = azure.send(method, BLOB + query, b"", {**lease, **condition})
        assert (refused.status, version(azure)) == (status, (etag, moment)), condition
    assert azure.send("GET", BLOB).content == b"first"
    fulfilled = {"if-match": f'"0x0", {etag}', "if-unmodified-since": moment, "if-modified-since": earlier}
    assert azure.send(method, BLOB + query, b"", {**lease, **fulfilled}).status == done


def test_a_blob_that_must_not_exist_is_created_once(azure: Azure) -> None:
    """If-None-Match: *; with If-Match nothing is created."""
    assert azure.send("PUT", BLOB, b"", {"if-match": "*"}).headers["x-ms-error-code"] == "ConditionNotMet"
    assert azure.send("GET", BLOB).status == 404
    assert azure.send("PUT", BLOB, b"one", {"if-none-match": "*"}).status == 201
    second = azure.send("PUT", BLOB, b"two", {"if-none-match": "*"})
    assert (second.status, second.headers["x-ms-error-code"]) == (409, "BlobAlreadyExists")
    assert azure.send("GET", BLOB).content == b"one"


def test_a_list_has_the_version_and_the_metadata_of_each_blob(azure: Azure) -> None:
    """Only what its container holds, in order of the names."""
    azure.send("PUT", BLOB, b"x", {"x-ms-meta-a": "1"})
    azure.send("PUT", f"{BOX}/another", b"yz")
    listed = ET.fromstring(azure.send("GET", f"{BOX}?restype=container&comp=list&include=metadata").content)  # noqa: S314 - ours
    assert [blob.findtext("Name") for blob in listed.iter("Blob")] == ["another", "dir/a b.txt"]
    found = listed.findall("Blobs/Blob")[1]
    etag, moment = version(azure)
    assert (found.findtext("Properties/Etag"), found.findtext("Properties/Last-Modified")) == (etag, moment)
    assert (found.findtext("Properties/LeaseState"), found.findtext("Metadata/a")) == ("available", "1")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_is_read_or_written_without_a_container(azure: Azure, method: str) -> None:
    """404; another account does not exist either."""
    missing = azure.send(method, f"{ACCOUNT}/none/blob", b"")
    assert (missing.status, missing.headers["x-ms-error-code"]) == (404, "ContainerNotFound")
    other = azure.send(method, "/another.blob.core.windows.net/box/blob", b"")
    assert (other.status, other.headers["x-ms-error-code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"{BLOB}?comp=snapshot"), ("GET", f"{BLOB}?comp=blocklist"), ("DELETE", f"{BLOB}?comp=tags"),
        ("GET", f"{BOX}?restype=container&comp=acl"), ("PUT", BOX), ("GET", f"{ACCOUNT}?comp=list"),
    ],
)  # fmt: skip
def test_an_operation_that_is_not_emulated_changes_nothing(azure: Azure, method: str, path: str) -> None:
    """400, with a note in the request log; 401 without a credential."""
    azure.send("PUT", BLOB, b"content")
    refused = azure.send(method, path, b"")
    assert (refused.status, refused.headers["x-ms-error-code"]) == (400, "UnsupportedQueryParameter")
    assert azure.send("GET", "/emulator/requests").json["value"][-1]["note"] == "not emulated"
    assert azure.send(method, path, b"", {"authorization": ""}).status == 401
    assert azure.send("GET", BLOB).content == b"content"

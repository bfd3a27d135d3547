"""Workspace assets and their blobs."""

from __future__ import annotations

import itertools

from tests.unit.emulator.azure import WORKSPACE, Azure

BLOB = "/stmlwlocal.blob.core.windows.net/box/dir/a%20b.txt"


def test_a_version_is_created_read_listed_and_deleted(azure: Azure) -> None:
    """201, then 200; the container has the latest and the next version."""
    root = f"{WORKSPACE}/models/mine"
    assert azure.send("GET", root).status == 404
    body = {"properties": {"modelUri": "azureml://x", "tags": {"a": "b"}, "properties": {"n": 1}}}
    assert azure.send("PUT", f"{root}/versions/1", body).status == 201
    again = azure.send("PUT", f"{root}/versions/1", body)
    assert (again.status, again.json["properties"]["flavors"], again.json["properties"]["properties"]) == (
        200,
        {},
        {"n": "1"},
    )
    azure.send("PUT", f"{root}/versions/2", body)
    container = azure.send("GET", root).json["properties"]
    assert (container["latestVersion"], container["nextVersion"]) == ("2", "3")
    assert [item["name"] for item in azure.send("GET", f"{root}/versions?$top=1").json["value"]] == ["2"]
    assert [item["name"] for item in azure.send("GET", f"{WORKSPACE}/models").json["value"]] == ["mine"]
    assert azure.send("DELETE", f"{root}/versions/2").status == 200
    assert azure.send("DELETE", f"{root}/versions/2").status == 204
    assert azure.send("GET", f"{root}/versions/2").status == 404


def test_uploaded_code_is_found_by_its_hash(azure: Azure) -> None:
    """Under any name, so that a client need not upload it again."""
    root = f"{WORKSPACE}/codes/c2/versions"
    azure.send(
        "PUT",
        f"{WORKSPACE}/codes/c1/versions/1",
        {"properties": {"codeUri": "x", "properties": {"hash_sha256": "abc"}}},
    )
    assert len(azure.send("GET", f"{root}?hash=abc").json["value"]) == 1
    assert azure.send("GET", f"{root}?hash=xyz").json["value"] == []


def test_the_default_datastore_has_the_emulators_address(azure: Azure) -> None:
    """In its account name; secrets are a SAS, or a key for older clients."""
    found = azure.send("GET", f"{WORKSPACE}/datastores?isDefault=true").json["value"]
    assert [item["name"] for item in found] == ["workspaceblobstore"]
    assert found[0]["properties"]["accountName"] == "127.0.0.1:1234/stmlwlocal"
    path = f"{WORKSPACE}/datastores/workspaceblobstore/listSecrets"
    assert azure.send("POST", path, {"expirableSecret": True}).json["secretsType"] == "Sas"
    assert azure.send("POST", path, {"expirableSecret": False}).json["secretsType"] == "AccountKey"
    assert azure.send("GET", f"{WORKSPACE}/datastores/none").status == 404
    assert azure.send("GET", f"{WORKSPACE}/jobs").status == 404


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
    listed = azure.send("GET", "/stmlwlocal.blob.core.windows.net/box?comp=list&prefix=dir/").content
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

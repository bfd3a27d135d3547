"""Blob storage as far as assets need it: whole blobs, blocks, metadata, lists. SAS signatures are not checked.

A blob is stored in parts of 4 MiB, so that a request needs no more memory than it sends or reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import formatdate
from xml.etree import ElementTree as ET

from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer, Refusal

_PART = 4 << 20
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def put(call: Call) -> Answer:
    """PUT a blob, one of its blocks, the list of its blocks, its metadata, or a container (accepted as it is)."""
    path, what = _path(call), call.query.get("comp", "")
    if call.query.get("restype") == "container":
        return Answer(201)
    if what == "metadata":
        _require(call)
        call.world.db.execute("UPDATE blobs SET metadata = ? WHERE path = ?", (json.dumps(_metadata(call)), path))
        return Answer(200, headers=_version_headers(call))
    if what == "block":
        if "blockid" not in call.query:
            raise _error(400, "MissingRequiredQueryParameter", "A required query parameter was not specified: blockid.")
        call.world.db.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (path, call.query["blockid"], call.raw))
        return Answer(201)
    if call.headers.get("if-none-match") == "*" and _find(call) is not None:
        raise _error(409, "BlobAlreadyExists", "The specified blob already exists.")
    size = _join_blocks(call, path) if what == "blocklist" else _store(call, path)
    call.world.db.execute(
        "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)", (path, size, json.dumps(_metadata(call)), call.world.now())
    )
    return Answer(201, headers=_version_headers(call))


def get(call: Call) -> Answer:
    """GET a blob or a range of it."""
    size, headers = _describe(call)
    range_header = call.headers.get("x-ms-range", call.headers.get("range", ""))
    found = _RANGE.fullmatch(range_header)
    if found is None:
        return Answer(200, _slice(call, 0, size), headers)
    start = int(found[1])
    end = min(int(found[2] or size), size - 1)
    if start >= size or end < start:
        message = "The range specified is invalid for the current size of the resource."
        raise _error(416, "InvalidRange", message, {"Content-Range": f"bytes */{size}"})
    return Answer(206, _slice(call, start, end + 1), headers | {"Content-Range": f"bytes {start}-{end}/{size}"})


def head(call: Call) -> Answer:
    """HEAD a blob: its size and metadata."""
    size, headers = _describe(call)
    return Answer(200, b"", headers | {"Content-Length": str(size)})


def _describe(call: Call) -> tuple[int, dict[str, str]]:
    size, metadata = _require(call)
    described = {f"x-ms-meta-{key}": value for key, value in json.loads(metadata).items()}
    kind = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    return size, {**kind, **_version_headers(call), **described}


def delete(call: Call) -> Answer:
    """DELETE a blob."""
    _require(call)
    for table in ("blobs", "parts"):
        call.world.db.execute(f"DELETE FROM {table} WHERE path = ?", (_path(call),))  # noqa: S608 - constant names
    return Answer(202)


def listing(call: Call) -> Answer:
    """GET the blobs of a container that begin with `prefix`."""
    root = f"{call.route_params['account']}/{call.route_params['container']}/"
    prefix = root + call.query.get("prefix", "")
    rows = call.world.db.execute(
        "SELECT path, size FROM blobs WHERE substr(path, 1, ?) = ? ORDER BY path", (len(prefix), prefix)
    )
    document = ET.Element("EnumerationResults", ContainerName=call.route_params["container"])
    blobs = ET.SubElement(document, "Blobs")
    for path, size in rows:
        blob = ET.SubElement(blobs, "Blob")
        ET.SubElement(blob, "Name").text = path.removeprefix(root)
        properties = ET.SubElement(blob, "Properties")
        for key, value in {"Content-Length": str(size), "BlobType": "BlockBlob", **_version_headers(call)}.items():
            ET.SubElement(properties, key).text = value
    ET.SubElement(document, "NextMarker")
    return Answer(
        200, b"<?xml version='1.0' encoding='utf-8'?>" + ET.tostring(document), {"Content-Type": "application/xml"}
    )


def _store(call: Call, path: str) -> int:
    """Write a body as a blob's content; returns its size."""
    call.world.db.execute("DELETE FROM parts WHERE path = ?", (path,))
    for start in range(0, len(call.raw), _PART):
        part = call.raw[start : start + _PART]
        call.world.db.execute("INSERT INTO parts VALUES (?, ?, ?)", (path, start, part))
    return len(call.raw)


def _join_blocks(call: Call, path: str) -> int:
    """Join the listed blocks to a blob; returns its size."""
    names = re.findall(rb"<(?:Latest|Uncommitted|Committed)>([^<]+)</", call.raw)
    call.world.db.execute("DELETE FROM parts WHERE path = ?", (path,))
    size = 0
    for name in names:
        row = call.world.db.execute(
            "INSERT OR REPLACE INTO parts SELECT path, ?, content FROM blocks WHERE path = ? AND block = ?"
            " RETURNING length(content)",
            (size, path, name.decode()),
        ).fetchone()
        if row is None:
            raise _error(400, "InvalidBlockList", "The specified block list is invalid.")
        size += row[0]
    call.world.db.execute("DELETE FROM blocks WHERE path = ?", (path,))
    return size


def _slice(call: Call, start: int, end: int) -> bytes:
    """The bytes of a blob from `start` up to, but not including, `end`."""
    rows = call.world.db.execute(
        "SELECT start, content FROM parts WHERE path = ? AND start < ? AND start + length(content) > ? ORDER BY start",
        (_path(call), end, start),
    )
    return b"".join(content[max(0, start - at) : end - at] for at, content in rows)


def _path(call: Call) -> str:
    return f"{call.route_params['account']}/{call.route_params['container']}/{call.route_params['blob']}"


def _find(call: Call) -> tuple[int, str] | None:
    row = call.world.db.execute("SELECT size, metadata FROM blobs WHERE path = ?", (_path(call),)).fetchone()
    return (row[0], row[1]) if row else None


def _require(call: Call) -> tuple[int, str]:
    found = _find(call)
    if found is None:
        raise _error(404, "BlobNotFound", "The specified blob does not exist.")
    return found


def _metadata(call: Call) -> dict[str, str]:
    return {
        key.removeprefix("x-ms-meta-"): value for key, value in call.headers.items() if key.startswith("x-ms-meta-")
    }


def _version_headers(call: Call) -> dict[str, str]:
    return {"ETag": '"0x8EMULATOR"', "Last-Modified": formatdate(call.world.now(), usegmt=True)}


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Refusal:
    body = f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Refusal(
        Answer(status, body.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml", **(headers or {})})
    )

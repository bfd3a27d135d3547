"""Blob storage as far as assets need it: whole blobs, blocks, metadata, lists. Signatures are not looked at."""

from __future__ import annotations

import json
import re
from email.utils import formatdate
from xml.etree import ElementTree as ET

from deploy.emulator.wire import Answer, Call, Refusal


def put(call: Call) -> Answer:
    """PUT a blob, one of its blocks, the list of its blocks, its metadata, or a container (accepted as it is)."""
    path, what = _path(call), call.query.get("comp", "")
    if call.query.get("restype") == "container":
        return Answer(201)
    if what == "metadata":
        _require(call)
        call.world.db.execute("UPDATE blobs SET metadata = ? WHERE path = ?", (json.dumps(_metadata(call)), path))
        return Answer(200, headers=_stamp(call))
    if what == "block":
        if "blockid" not in call.query:
            raise _error(400, "MissingRequiredQueryParameter", "A required query parameter was not specified: blockid.")
        call.world.db.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (path, call.query["blockid"], call.raw))
        return Answer(201)
    if call.headers.get("if-none-match") == "*" and _find(call) is not None:
        raise _error(409, "BlobAlreadyExists", "The specified blob already exists.")
    content = _assembled(call, path) if what == "blocklist" else call.raw
    call.world.db.execute(
        "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)",
        (path, content, json.dumps(_metadata(call)), call.world.now()),
    )
    return Answer(201, headers=_stamp(call))


def get(call: Call) -> Answer:
    """GET a blob or a range of it; HEAD its size and metadata."""
    content, metadata = _require(call)
    headers = {
        "x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes",
        **_stamp(call), **{f"x-ms-meta-{key}": value for key, value in json.loads(metadata).items()},
    }  # fmt: skip
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("x-ms-range", call.headers.get("range", "")))
    if asked is None or not content:
        return Answer(200, content, headers)
    start, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
    part = content[start : end + 1]
    return Answer(206, part, headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"})


def delete(call: Call) -> Answer:
    """DELETE a blob."""
    _require(call)
    call.world.db.execute("DELETE FROM blobs WHERE path = ?", (_path(call),))
    return Answer(202)


def listing(call: Call) -> Answer:
    """GET the blobs of a container that begin with `prefix`."""
    root = f"{call.path['account']}/{call.path['container']}/"
    prefix = root + call.query.get("prefix", "")
    rows = call.world.db.execute(
        "SELECT path, length(content) FROM blobs WHERE substr(path, 1, ?) = ? ORDER BY path", (len(prefix), prefix)
    )
    document = ET.Element("EnumerationResults", ContainerName=call.path["container"])
    blobs = ET.SubElement(document, "Blobs")
    for path, size in rows:
        blob = ET.SubElement(blobs, "Blob")
        ET.SubElement(blob, "Name").text = path.removeprefix(root)
        properties = ET.SubElement(blob, "Properties")
        for key, value in {"Content-Length": str(size), "BlobType": "BlockBlob", **_stamp(call)}.items():
            ET.SubElement(properties, key).text = value
    ET.SubElement(document, "NextMarker")
    return Answer(
        200, b"<?xml version='1.0' encoding='utf-8'?>" + ET.tostring(document), {"Content-Type": "application/xml"}
    )


def _assembled(call: Call, path: str) -> bytes:
    names = re.findall(rb"<(?:Latest|Uncommitted|Committed)>([^<]+)</", call.raw)
    parts = []
    for name in names:
        row = call.world.db.execute(
            "SELECT content FROM blocks WHERE path = ? AND block = ?", (path, name.decode())
        ).fetchone()
        if row is None:
            raise _error(400, "InvalidBlockList", "The specified block list is invalid.")
        parts.append(row[0])
    call.world.db.execute("DELETE FROM blocks WHERE path = ?", (path,))
    return b"".join(parts)


def _path(call: Call) -> str:
    return f"{call.path['account']}/{call.path['container']}/{call.path['blob']}"


def _find(call: Call) -> tuple[bytes, str] | None:
    row = call.world.db.execute("SELECT content, metadata FROM blobs WHERE path = ?", (_path(call),)).fetchone()
    return (row[0], row[1]) if row else None


def _require(call: Call) -> tuple[bytes, str]:
    found = _find(call)
    if found is None:
        raise _error(404, "BlobNotFound", "The specified blob does not exist.")
    return found


def _metadata(call: Call) -> dict[str, str]:
    return {
        key.removeprefix("x-ms-meta-"): value for key, value in call.headers.items() if key.startswith("x-ms-meta-")
    }


def _stamp(call: Call) -> dict[str, str]:
    return {"ETag": '"0x8EMULATOR"', "Last-Modified": formatdate(call.world.now(), usegmt=True)}


def _error(status: int, code: str, message: str) -> Refusal:
    body = f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Refusal(Answer(status, body.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml"}))

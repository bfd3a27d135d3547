"""Blobs: whole blobs, blocks, metadata, properties, leases, lists.

A blob is stored in parts of 4 MiB, so that a request needs no more memory than it sends or reads.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import NoReturn
from xml.etree import ElementTree as ET

from deploy.emulator.storage import conditions, containers, errors, lease_headers, leases
from deploy.emulator.storage.conditions import Version
from deploy.emulator.storage.leases import Lease
from deploy.emulator.wire.call import Call
from deploy.emulator.wire.responses import Answer
from deploy.emulator.world.store import World

_PART = 4 << 20
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PROPERTIES = ("Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control")
"""The properties that a request can set with the header `x-ms-blob-<name>`."""


@dataclass(frozen=True)
class Blob:
    """A blob without its content. `path` is account, container and name."""

    path: str
    size: int
    version: Version
    metadata: dict[str, str]
    properties: dict[str, str]
    lease: Lease | None


def put(call: Call) -> Answer:
    """PUT a blob, one of its blocks, or the list of its blocks."""
    containers.require(call)
    path, what, found, now = _path(call), call.query.get("comp", ""), _find(call), call.world.unscaled_now()
    if what not in ("", "block", "blocklist"):
        not_emulated(call)
    lease = found.lease if found else None
    lease_headers.check(lease, call.headers, now, write=True)
    if what == "block":
        if "blockid" not in call.query:
            raise errors.refusal("MissingRequiredQueryParameter")
        call.world.db.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (path, call.query["blockid"], call.raw))
        return Answer(201)
    if found and call.headers.get("if-none-match") == "*":
        raise errors.refusal("BlobAlreadyExists")
    conditions.check(call.headers, found.version if found else None, read=False)
    size = _join_blocks(call, path) if what == "blocklist" else _store(call, path)
    version, lease = conditions.new_version(call.world), leases.after_write(lease, now)
    _save(call.world, Blob(path, size, version, containers.metadata(call), _properties(call), lease))
    return Answer(201, headers=version.headers)


def set_metadata(call: Call) -> Answer:
    """PUT the metadata of a blob; replaces all."""
    return _change(call, replace(_require(call), metadata=containers.metadata(call)))


def set_properties(call: Call) -> Answer:
    """PUT the properties of a blob, such as its content type; those that are not sent are cleared."""
    return _change(call, replace(_require(call), properties=_properties(call)))


def lease(call: Call) -> Answer:
    """PUT a lease call."""
    found, now = _require(call), call.world.unscaled_now()
    conditions.check(call.headers, found.version, read=False)
    done, changed = lease_headers.change(found.lease, call.headers, now, "blob")
    _save(call.world, replace(found, lease=changed))
    return lease_headers.answer(done, changed, found.version, now)


def get(call: Call) -> Answer:
    """GET a blob or a range of it."""
    blob, headers = _describe(call)
    found = _RANGE.fullmatch(call.headers.get("x-ms-range", call.headers.get("range", "")))
    if found is None:
        return Answer(200, _slice(call, 0, blob.size), headers)
    start = int(found[1])
    end = min(int(found[2] or blob.size), blob.size - 1)
    if start >= blob.size or end < start:
        raise errors.refusal("InvalidRange", headers={"Content-Range": f"bytes */{blob.size}"})
    shown = {"Content-Range": f"bytes {start}-{end}/{blob.size}"}
    return Answer(206, _slice(call, start, end + 1), headers | shown)


def head(call: Call) -> Answer:
    """HEAD a blob: its size and metadata."""
    blob, headers = _describe(call)
    return Answer(200, b"", headers | {"Content-Length": str(blob.size)})


def not_emulated(call: Call) -> NoReturn:  # noqa: ARG001 - a handler
    """Any other operation: 400, with the note `not emulated` in the request log."""
    raise errors.refusal("UnsupportedQueryParameter", note="not emulated")


def delete(call: Call) -> Answer:
    """DELETE a blob."""
    if "comp" in call.query:
        not_emulated(call)
    found = _require(call)
    lease_headers.check(found.lease, call.headers, call.world.unscaled_now(), write=True)
    conditions.check(call.headers, found.version, read=False)
    for table in ("blobs", "parts", "blocks"):
        call.world.db.execute(f"DELETE FROM {table} WHERE path = ?", (found.path,))  # noqa: S608 - constant names
    return Answer(202)


def listing(call: Call) -> Answer:
    """GET the blobs of a container that begin with `prefix`; `include=metadata` adds their metadata."""
    containers.require(call)
    root, now = _path(call), call.world.unscaled_now()
    prefix = root + call.query.get("prefix", "")
    rows = call.world.db.execute(
        f"{_SELECT} WHERE substr(path, 1, ?) = ? ORDER BY path",
        (len(prefix), prefix),
    )
    document = ET.Element("EnumerationResults", ContainerName=call.route_params["container"])
    found = ET.SubElement(document, "Blobs")
    for blob in map(_blob, rows):
        entry = ET.SubElement(found, "Blob")
        ET.SubElement(entry, "Name").text = blob.path.removeprefix(root)
        lease = {f"Lease{name.title()}": value for name, value in leases.described(blob.lease, now).items()}
        shown = {"Last-Modified": blob.version.headers["Last-Modified"], "Etag": blob.version.etag}
        _add(entry, "Properties", {**shown, "Content-Length": str(blob.size), "BlobType": "BlockBlob", **lease})
        if "metadata" in call.query.get("include", ""):
            _add(entry, "Metadata", blob.metadata)
    ET.SubElement(document, "NextMarker")
    return Answer(
        200, b"<?xml version='1.0' encoding='utf-8'?>" + ET.tostring(document), {"Content-Type": "application/xml"}
    )


def _add(parent: ET.Element, name: str, values: dict[str, str]) -> None:
    element = ET.SubElement(parent, name)
    for key, value in values.items():
        ET.SubElement(element, key).text = value


def _change(call: Call, changed: Blob) -> Answer:
    """Save a blob with other metadata or properties, if its lease and the conditions of the request allow it."""
    now = call.world.unscaled_now()
    lease_headers.check(changed.lease, call.headers, now, write=True)
    conditions.check(call.headers, changed.version, read=False)
    version = conditions.new_version(call.world)
    _save(call.world, replace(changed, version=version, lease=leases.after_write(changed.lease, now)))
    return Answer(200, headers=version.headers)


def _describe(call: Call) -> tuple[Blob, dict[str, str]]:
    """The blob of a read, and the headers that describe it."""
    if "comp" in call.query:
        not_emulated(call)
    blob, now = _require(call), call.world.unscaled_now()
    lease_headers.check(blob.lease, call.headers, now, write=False)
    conditions.check(call.headers, blob.version, read=True)
    metadata = {f"x-ms-meta-{key}": value for key, value in blob.metadata.items()}
    kind = {"x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    return blob, {
        **kind, **blob.properties, **blob.version.headers, **lease_headers.describe(blob.lease, now), **metadata,
    }  # fmt: skip


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
            raise errors.refusal("InvalidBlockList")
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
    """The path of the blob that a request names, or of all blobs of its container."""
    names = call.route_params
    return f"{names['account'].lower()}/{names['container']}/{names.get('blob', '')}"


_SELECT = "SELECT path, size, etag, modified, metadata, properties, lease FROM blobs"


def _blob(row: tuple[str, int, str, float, str, str, str | None]) -> Blob:
    path, size, etag, modified, metadata, properties, lease = row
    found = Lease(**json.loads(lease)) if lease else None
    return Blob(path, size, Version(etag, modified), json.loads(metadata), json.loads(properties), found)


def _save(world: World, blob: Blob) -> None:
    lease = json.dumps(asdict(blob.lease)) if blob.lease else None
    texts = (json.dumps(blob.metadata), json.dumps(blob.properties), lease)
    world.db.execute(
        "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?)",
        (blob.path, blob.size, blob.version.etag, blob.version.modified, *texts),
    )


def _find(call: Call) -> Blob | None:
    row = call.world.db.execute(f"{_SELECT} WHERE path = ?", (_path(call),)).fetchone()
    return _blob(row) if row else None


def _require(call: Call) -> Blob:
    containers.require(call)
    found = _find(call)
    if found is None:
        raise errors.refusal("BlobNotFound")
    return found


def _properties(call: Call) -> dict[str, str]:
    named = {name: call.headers.get(f"x-ms-blob-{name.lower()}", "") for name in _PROPERTIES}
    return {name: value for name, value in named.items() if value}

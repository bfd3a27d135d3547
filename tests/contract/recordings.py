"""Recorded exchanges with Azure: read them, and compare an answer of the emulator with a recorded one, key by key.

Values that differ between any two subscriptions (ids, times, hosts, counters) are compared by their form.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.contract.openapi import FOLDER

RECORDINGS = Path(os.environ.get("AMLDEPLOY_RECORDINGS", FOLDER.parent / "recordings")) / "powershell"
KEPT = ("location", "azure-asyncoperation", "retry-after", "content-type")
"""The headers that the recordings keep, besides `x-ms-*`."""
_MASKED = ("REDACTED", "someone", "...")
"""What replaces keys, people and signatures in the recordings."""
_OPERATION = re.compile(r"/(mfeOperationsStatus|mfeOperationResults|workspaceOperationsStatus)/([^?]+)")
_FORMS = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<guid>"),
    (r"\b[0-9a-f]{32}\b", "<hex>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+", "<time>"),
    (r"\b[A-Z]+:\d{8}T\d{6}Z:", "<region>:<time>:"),
    (r"(?<=workspaceOperationsStatus/)[-\w]+", "<operation>"),
    (r"/(eastus|southeastasia)/(?=<guid>$)", "/<region>/"),
    (r"/providers/(?i:microsoft)\.(?i:keyvault|insights)/", "/providers/<provider>/"),
)


@dataclass(frozen=True)
class Recorded:
    """One exchange. `label`: year, file and number in the file."""

    label: str
    method: str
    path: str
    request: Any
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Difference:
    """One difference at a path such as `body/properties/tags`, with the word `missing` or `added` if only one has it.

    `recorded` and `emulated` are the two values.
    """

    label: str
    path: str
    recorded: str
    emulated: str

    def __str__(self) -> str:
        return f"{self.label}  {self.path}: recorded {self.recorded[:160]}, emulated {self.emulated[:160]}"


ABSENT = "nothing"


def read(file: Path) -> list[Recorded]:
    """The exchanges of a file, in order."""
    found = []
    for number, entry in enumerate(json.loads(file.read_text(encoding="utf-8"))["entries"]):
        asked, answer = entry["request"], entry["response"]
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        year = headers["x-ms-routing-request-id"].split(":")[1][:4]
        label = f"{year} {file.stem} {number}"
        found.append(
            Recorded(label, asked["method"], asked["path"], asked["body"], answer["status"], headers, answer["body"])
        )
    return found


def operations(headers: Mapping[str, str]) -> dict[str, str]:
    """Header -> id of the operation in it."""
    found = {name: _OPERATION.search(headers.get(name, "")) for name in ("azure-asyncoperation", "location")}
    return {name: match[2] for name, match in found.items() if match}


def differences(recorded: Recorded, status: int, headers: Mapping[str, str], content: bytes) -> Iterator[Difference]:
    """Status, kept headers and body of an answer, compared with the recorded ones."""
    kept = {name: value for name, value in headers.items() if name in KEPT or name.startswith("x-ms-")}
    body = json.loads(content) if content else None
    pairs = [
        *_compare("status", recorded.status, status),
        *_compare("header", dict(recorded.headers), kept),
        *_compare("body", recorded.body, body),
    ]
    for path, before, after in pairs:
        yield Difference(recorded.label, path, before, after)


def _compare(path: str, recorded: Any, emulated: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(recorded, dict) and isinstance(emulated, dict):
        yield from _compare_keys(path, recorded, emulated)
    elif isinstance(recorded, list) and isinstance(emulated, list):
        yield from _compare_keys(path, _keyed(recorded), _keyed(emulated))
    elif path.endswith("/content"):
        yield from _compare_keys(path, _lines(recorded), _lines(emulated))
    elif isinstance(recorded, str) and isinstance(emulated, str):
        if (recorded not in _MASKED or not emulated) and _form(path, recorded) != _form(path, emulated):
            yield path, recorded, emulated
    elif type(recorded) is not type(emulated) or (recorded != emulated and not path.endswith("TimeUtc")):
        yield path, json.dumps(recorded), json.dumps(emulated)


def _compare_keys(
    path: str, recorded: Mapping[str, Any], emulated: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys((*recorded, *emulated)):
        if name not in emulated:
            yield f"{path}/{name} missing", json.dumps(recorded[name]), ABSENT
        elif name not in recorded:
            yield f"{path}/{name} added", ABSENT, json.dumps(emulated[name])
        else:
            yield from _compare(f"{path}/{name}", recorded[name], emulated[name])


def _keyed(items: list[Any]) -> dict[str, Any]:
    """The items of a list by what identifies them; by position where nothing does."""
    return {_key(item) or str(number): item for number, item in enumerate(items)}


def _key(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    name = item.get("name")
    if isinstance(name, dict):  # of usages and quotas: a family has several rows
        return f"{name['value']} {'.'.join(item['type'].split('/')[1:])}"
    return str(name or " ".join(str(item[key]) for key in ("osType", "vmTier") if key in item))


def _lines(log: str) -> dict[str, str]:
    """The lines of a container log; after the heading of the container's own output only the number of the first."""
    head, _, own = log.partition("Container logs:\n")
    return {**{str(at): line for at, line in enumerate(head.splitlines())}, "own": "lines" if own else ""}


def _form(path: str, text: str) -> Any:
    if "ratelimit-remaining" in path:
        return text.isdigit()
    text = re.sub(r"https://(management\.azure\.com|127\.0\.0\.1(:\d+)?)(?=/subscriptions)", "<arm>", text)
    address, _, query = text.partition("?")
    for pattern, form in _FORMS:
        address = re.sub(pattern, form, address)
    # Signatures of operation URLs and their times differ; their names are compared.
    words = {name: value if name in ("api-version", "type") else "" for name, value in parse_qsl(query)}
    return (address, words) if query and text.startswith("<arm>") else address

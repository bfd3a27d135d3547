"""The probe that fits every endpoint: send a body, expect a status, and JSON where JSON is promised.

It does not judge what the answer says; a model's own type of probe does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.outcome import Evidence
from deploy.probes.answers import decoded, excerpt, expect_status, kind
from deploy.probes.samples import read


def request(probe: Mapping[str, Any], folder: Path) -> bytes:
    """The bytes of the `body` file, which must be JSON; an empty object when the probe names none."""
    name = probe.get("body")
    if not name:
        return b"{}"
    body = read(folder, name)
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DeployError(
            "make the probe's request", f"'{name}' is not JSON ({error})", "Mend the file", code="AML411"
        ) from None
    return body


def check(probe: Mapping[str, Any], folder: Path, status: int, body: bytes) -> Evidence:  # noqa: ARG001 - one shape for all
    """The status must be the expected one, and a body that begins like an object or a list must be one."""
    expect_status(probe, status, body)
    data = {"type": "http", "status": status, "bytes": len(body)}
    if body.lstrip()[:1] in (b"{", b"["):
        what = f"{kind(decoded(body))} in JSON"
        return Evidence(f"HTTP {status} with {what}, {len(body)} bytes", data, {"answer.json": body})
    what = excerpt(body[:4000].decode("utf-8", "replace")) if body.strip() else "an empty body"
    return Evidence(f"HTTP {status} with {what}", data)

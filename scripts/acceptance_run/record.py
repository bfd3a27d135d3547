"""`amldeploy`, with each HTTP exchange of the process appended to a recording.

    python -m scripts.acceptance_run.record WORDS ...

The variable ACCEPTANCE_RECORDING has the settings as JSON: `file`, `salt`, `endpoint`. Recorded are requests to the
Resource Manager, to scoring URIs and to blob storage, those of the SDKs included: all send through
`requests.Session.send`. Sign-ins are not recorded, nor are the headers that contain credentials.

A line of the recording is {"started", "request": {method, path, headers, body}, "response": {status, headers, body}}.
`path` has the form of the emulator's: a scoring URI is /inference/REGION/ENDPOINT/score, a blob is
/ACCOUNT.blob.core.windows.net/CONTAINER/BLOB. A body is JSON, a text, or null.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPResponse

from scripts.acceptance_run.clean import Cleaner

Json = Any
VARIABLE = "ACCEPTANCE_RECORDING"
LARGEST = 32 * 2**20
"""Bytes of a recording; later exchanges are left out."""
LARGEST_BODY = 4 * 2**20
"""Bytes of a body; a larger one is left out."""
_SCORING = re.compile(r"([\w-]+)\.(\w+)\.inference\.ml\.azure\.\w+(?::\d+)?")
_BLOB = re.compile(r"(\w+)\.blob\.core\.[\w.]+")
_EMULATED = re.compile(r"/subscriptions/|/inference/|/\w+\.blob\.core\.windows\.net/")
_HEADERS = re.compile(
    r"(?i)location|azure-asyncoperation|retry-after(-ms)?|content-type|x-request-id|if-(none-)?match"
    r"|(x-ms|azureml|ms-azureml)-.*"
)
_LEFT_OUT = re.compile(r"(?i)x-ms-(date|client-request-id|return-client-request-id|copy-source.*|encryption-key.*)")


def path_of(url: str) -> str | None:
    """Path and query of a URL in the form of the emulator's; None for a request that is not recorded, such as one for a
    lock: a replay is faster than the run, so its leases end at other requests.
    """
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if "/amldeploy/locks/" in target or "/containers/amldeploy-lock-" in target:
        return None
    if parts.hostname == "127.0.0.1":
        return target if _EMULATED.match(target) else None
    if parts.netloc.startswith("management."):
        return target if target.startswith("/subscriptions") else None
    if found := _SCORING.fullmatch(parts.netloc):
        return f"/inference/{found[2]}/{found[1]}{target}"
    found = _BLOB.fullmatch(parts.netloc)
    return f"/{found[1]}.blob.core.windows.net{target}" if found else None


def kept_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """The headers that are recorded, without those that differ in every request."""
    return {
        name: str(value.decode("latin-1") if isinstance(value, bytes) else value)
        for name, value in headers.items()
        if _HEADERS.fullmatch(name) and not _LEFT_OUT.fullmatch(name)
    }


def body_of(content: Any, kind: str) -> Json:
    """A body as JSON or text; {"bytes": number} for one that is neither, or too large; None without one."""
    data = content.encode() if isinstance(content, str) else content
    if hasattr(data, "seek") and hasattr(data, "read"):
        data.seek(0)
        data = data.read(LARGEST_BODY + 1)
    if not data:
        return None
    if not isinstance(data, bytes | bytearray) or len(data) > LARGEST_BODY:
        return {"bytes": len(data) if isinstance(data, bytes | bytearray) else None}
    try:
        text = data.decode()
        return json.loads(text) if "json" in kind.lower() else text
    except (ValueError, RecursionError):
        return {"bytes": len(data)}


def read_ahead(response: requests.Response) -> bytes:
    """The body of a response that the caller reads as a stream; the caller can still read it."""
    content: bytes = response.raw.read(decode_content=False)
    headers, status = response.raw.headers, response.raw.status
    response.raw = HTTPResponse(io.BytesIO(content), headers, status, preload_content=False)
    return content


class Recorder:
    """Appends exchanges to a recording. It never raises: a run in Azure does not fail because of its recording."""

    def __init__(self, settings: Mapping[str, Json]) -> None:
        self._file = Path(settings["file"])
        self._cleaner = Cleaner(bytes.fromhex(settings["salt"]), settings["endpoint"])

    def install(self) -> None:
        """Record everything that this process sends from now on."""
        send = requests.Session.send

        def recorded(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            started = time.time()
            response = send(session, request, **options)
            if (path := path_of(str(request.url))) is not None:
                content = read_ahead(response) if options.get("stream") else response.content
                self.add(started, path, request, response, content)
            return response

        requests.Session.send = recorded  # type: ignore[assignment,method-assign]

    def add(
        self, started: float, path: str, request: requests.PreparedRequest, response: requests.Response, content: bytes
    ) -> None:
        """Write one exchange, cleaned."""
        try:
            _, _, credential = str(request.headers.get("Authorization") or "").partition(" ")
            self._cleaner.learn_secret(credential)
            line = self._cleaner.exchange(_entry(started, path, request, response, content))
        except Exception as error:  # noqa: BLE001 - see the class; the recording contains that one is missing
            line = {"started": started, "missing": type(error).__name__}
        self._append((json.dumps(line, ensure_ascii=False) + "\n").encode())

    def _append(self, line: bytes) -> None:
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "ab") as file:
                if file.tell() + len(line) <= LARGEST:
                    file.write(line)
        except OSError:
            pass


def _entry(
    started: float, path: str, request: requests.PreparedRequest, response: requests.Response, content: bytes
) -> dict[str, Json]:
    asked, answered = kept_headers(request.headers), kept_headers(response.headers)
    return {
        "started": started,
        "request": {
            "method": str(request.method), "path": path, "headers": asked,
            "body": body_of(request.body, str(request.headers.get("Content-Type") or "")),
        },
        "response": {
            "status": response.status_code, "headers": answered,
            "body": body_of(content, str(response.headers.get("Content-Type") or "")),
        },
    }  # fmt: skip


def main() -> None:
    """Record, and run `amldeploy` with the words of the command line. Also `delete-endpoint -e ENVIRONMENT NAME`."""
    Recorder(json.loads(os.environ.pop(VARIABLE))).install()
    if sys.argv[1:3] == ["delete-endpoint", "-e"]:
        from scripts.acceptance_run.delete import delete_endpoint

        sys.exit(delete_endpoint(Path(), *sys.argv[3:5]))
    from deploy.cli import main as amldeploy

    sys.argv[0] = "amldeploy"
    amldeploy()


if __name__ == "__main__":
    main()

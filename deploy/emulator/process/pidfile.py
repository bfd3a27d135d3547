"""The record of the server of a state folder (`emulator.json`). It counts only while that server answers."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAME = "emulator.json"
CLOUD = "AmlEmulator"


@dataclass(frozen=True)
class Running:
    """A running emulator: its URL, its identity endpoint, the file of its certificate authority, its process id."""

    url: str
    identity_url: str
    ca: str
    pid: int

    def variables(self) -> dict[str, str]:
        """The environment variables that point any program that uses the Azure SDKs at this emulator."""
        return {
            "ARM_CLOUD_METADATA_URL": f"{self.url}/metadata/endpoints",
            "AZUREML_CURRENT_CLOUD": CLOUD,
            "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{self.url}/",
            "REQUESTS_CA_BUNDLE": self.ca,
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": "amldeploy-emulator",
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "AZURE_CLIENT_ID": "",  # a value set for Azure would request an identity that this world does not have
            "NO_PROXY": "127.0.0.1,localhost",
        }


def find(state: Path) -> Running | None:
    """The running server of a state folder. A stale or unreadable record is removed."""
    try:
        content = (state / NAME).read_bytes()
    except OSError:
        return None
    running = _parse(content)
    if running is not None and _is_alive(running):
        return running
    _remove(state, lambda now: now == content)
    return None


def remove(state: Path, running: Running) -> None:
    """Remove a server's record."""
    _remove(state, lambda now: _parse(now) == running)


def is_recorded(state: Path, running: Running) -> bool:
    """Whether the record is that of this server, running or not."""
    try:
        return _parse((state / NAME).read_bytes()) == running
    except OSError:
        return False


def has_unreadable_record(state: Path) -> bool:
    """Whether the record cannot be read. It counts as none, and `find` removes it."""
    try:
        return _parse((state / NAME).read_bytes()) is None
    except OSError:
        return False


def _remove(state: Path, fits: Callable[[bytes], bool]) -> None:
    """Remove the record, unless another server has written its own meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        if fits((state / NAME).read_bytes()):
            (state / NAME).unlink()


def _parse(text: bytes) -> Running | None:
    try:
        content = json.loads(text)
        running = Running(content["url"], content["identity_url"], content["ca"], content["pid"])
        texts = (running.url, running.identity_url, running.ca)
        if all(isinstance(word, str) for word in texts) and isinstance(running.pid, int):
            return running
    except (ValueError, KeyError, TypeError):
        pass
    return None


def running_here(port: int, identity_port: int, ca: str) -> Running:
    """The record of a server in this process."""
    return Running(f"https://127.0.0.1:{port}", f"http://127.0.0.1:{identity_port}/msi/token", ca, os.getpid())


def write(state: Path, running: Running) -> bool:
    """Write the record of a server; False when another running server was first."""
    content = {
        "pid": running.pid, "port": int(running.url.rpartition(":")[2]), "url": running.url,
        "identity_url": running.identity_url, "ca": running.ca, "started": time.time(),
    }  # fmt: skip
    handle, draft = tempfile.mkstemp(dir=state)
    with os.fdopen(handle, "w") as stream:
        json.dump(content, stream)
    try:
        for _ in range(2):
            with contextlib.suppress(FileExistsError):
                os.link(draft, state / NAME)
                return True
            if find(state) is not None:  # otherwise the record was stale and is gone now
                return False
        return False
    finally:
        Path(draft).unlink()


def _is_alive(running: Running) -> bool:
    import http.client
    import socket
    import ssl
    from urllib.parse import urlsplit

    address = urlsplit(running.url)
    host, port = str(address.hostname), int(address.port or 443)
    try:
        context = ssl.create_default_context(cafile=running.ca)
        # Wrapped before it connects: otherwise a peer that dies in between leaves an open socket.
        with context.wrap_socket(socket.socket(), server_hostname=host) as secure:
            secure.settimeout(5)
            secure.connect((host, port))
            connection = http.client.HTTPSConnection(host, port)
            connection.sock = secure
            connection.request("GET", "/emulator/status")
            return bool(json.loads(connection.getresponse().read()).get("pid") == running.pid)
    except (OSError, ValueError, http.client.HTTPException):
        return False

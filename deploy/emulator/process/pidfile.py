"""The record of the server of a state folder (`emulator.json`). It counts only while that server answers."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.emulator.control import token
from deploy.emulator.process import trust

NAME = "emulator.json"
CLOUD = "AmlEmulator"


@dataclass(frozen=True)
class Running:
    """A running emulator: its URL, its identity endpoint, the file of its certificate authority, its process id.

    `token` is a secret: requests to the control API need it. `stops_after`: seconds without a request after which it
    ends by itself, 0 for never; `version`: of the amldeploy that started it.
    """

    url: str
    identity_url: str
    ca: str
    pid: int
    token: str = field(repr=False)
    stops_after: float = field(default=0.0, compare=False)
    version: str = field(default="", compare=False)

    @property
    def control_headers(self) -> dict[str, str]:
        """The headers of a request to the control API."""
        return token.headers(self.token)

    def variables(self) -> dict[str, str]:
        """The environment variables that point any program that uses the Azure SDKs at this emulator.

        The program trusts no other host then, and its connections do not load hundreds of certificates.
        """
        direct = ",".join(dict.fromkeys([*_hosts(os.environ), "127.0.0.1", "localhost"]))
        return {
            "ARM_CLOUD_METADATA_URL": f"{self.url}/metadata/endpoints",
            "AZUREML_CURRENT_CLOUD": CLOUD,
            "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{self.url}/",
            "REQUESTS_CA_BUNDLE": self.ca,
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": "amldeploy-emulator",
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "AZURE_CLIENT_ID": "",  # a value set for Azure would request an identity that this world does not have
            "NO_PROXY": direct,
            "no_proxy": direct,
            token.VARIABLE: self.token,
        }

    def shell_variables(self) -> dict[str, str]:
        """The variables for a shell, whose other programs keep working: they also trust what the shell trusts."""
        bundle = str(trust.bundle(Path(self.ca)))
        return {**self.variables(), "REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}


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


def recorded(state: Path) -> Running | None:
    """The record as it is, whether or not that server answers."""
    try:
        return _parse((state / NAME).read_bytes())
    except OSError:
        return None


def keep(state: Path, running: Running) -> Running:
    """Change a server that ends by itself to one that runs until it is stopped."""
    kept = replace(running, stops_after=0.0)
    draft = _draft(state, kept)
    if recorded(state) == running:
        draft.replace(state / NAME)
    else:
        draft.unlink()
    return kept


def remove(state: Path, running: Running) -> None:
    """Remove a server's record."""
    _remove(state, lambda now: _parse(now) == running)


def is_recorded(state: Path, running: Running) -> bool:
    """Whether the record is that of this server, running or not."""
    return recorded(state) == running


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
        running = Running(
            content["url"], content["identity_url"], content["ca"], content["pid"], content["token"],
            float(content.get("stops_after", 0.0)), str(content.get("version", "")),
        )  # fmt: skip
        texts = (running.url, running.identity_url, running.ca, running.token)
        if all(isinstance(word, str) for word in texts) and isinstance(running.pid, int):
            return running
    except (ValueError, KeyError, TypeError):
        pass
    return None


def running_here(port: int, identity_port: int, ca: str, control_token: str, stops_after: float = 0.0) -> Running:
    """The record of a server in this process."""
    identity_url = f"http://127.0.0.1:{identity_port}/msi/token"
    url = f"https://127.0.0.1:{port}"
    return Running(url, identity_url, ca, os.getpid(), control_token, stops_after, own_version())


def own_version() -> str:
    """The version of the installed amldeploy; empty if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("amldeploy")
    except PackageNotFoundError:
        return ""


def write(state: Path, running: Running) -> bool:
    """Write the record of a server; False when another running server was first."""
    draft = _draft(state, running)
    try:
        for _ in range(2):
            with contextlib.suppress(FileExistsError):
                os.link(draft, state / NAME)
                return True
            if find(state) is not None:  # otherwise the record was stale and is gone now
                return False
        return False
    finally:
        draft.unlink()


def _draft(state: Path, running: Running) -> Path:
    """A new file with the content of the record, only for its owner."""
    content = {
        "pid": running.pid, "port": int(running.url.rpartition(":")[2]), "url": running.url,
        "identity_url": running.identity_url, "ca": running.ca, "token": running.token, "started": time.time(),
        "stops_after": running.stops_after, "version": running.version,
    }  # fmt: skip
    handle, draft = tempfile.mkstemp(dir=state)
    with os.fdopen(handle, "w") as stream:
        json.dump(content, stream)
    return Path(draft)


def _hosts(environment: Mapping[str, str]) -> Iterator[str]:
    """The hosts that the shell reaches without its proxy. Programs read one of the two variables, or both."""
    for name in ("no_proxy", "NO_PROXY"):
        yield from filter(None, map(str.strip, environment.get(name, "").split(",")))


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
            connection = http.client.HTTPSConnection(
                host, port, context=context
            )  # another would load the system's bundle
            connection.sock = secure
            connection.request("GET", "/emulator/status", headers=running.control_headers)
            return bool(json.loads(connection.getresponse().read()).get("pid") == running.pid)
    except (OSError, ValueError, http.client.HTTPException):
        return False

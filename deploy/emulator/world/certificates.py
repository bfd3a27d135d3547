"""TLS certificates of the loopback server, created once per state folder, so that clients can keep trusting them.

The private key of the certificate authority is discarded after it has signed the server certificate.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """`ca` is the certificate authority for clients; `server` has the certificate chain and its key (mode 0600)."""

    ca: Path
    server: Path


def prepare(state: Path) -> Certificates:
    """The certificates of a state folder, created if missing. Safe with several processes at once."""
    folder = state / "tls"
    found = Certificates(folder / "ca.pem", folder / "server.pem")
    if not found.server.exists():
        state.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="tls-", dir=state))
        _create(draft)
        try:
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft)
            if not found.server.exists():
                raise
    return found


def _create(folder: Path) -> None:
    import trustme

    authority = trustme.CA(organization_name="amldeploy emulator")
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    private_file(folder / "server.pem", leaf.private_key_and_cert_chain_pem.bytes)


def private_file(path: Path, create: Callable[[], bytes]) -> bytes:
    """The content of a file with mode 0600; `create` returns the content of a missing one. Atomic."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)  # mkstemp creates it with mode 0600
        with os.fdopen(handle, "wb") as stream:
            stream.write(create())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; use its content
        finally:
            Path(draft).unlink()
    return path.read_bytes()

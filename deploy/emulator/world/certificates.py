"""TLS certificates of the loopback server, created once per state folder, so that clients can keep trusting them.

The private key of the certificate authority is discarded after it has signed the server certificate.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.emulator.world import private_files


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
        draft = Path(tempfile.mkdtemp(prefix="tls-", dir=private_files.folder(state)))
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
    private_files.read_or_create(folder / "server.pem", leaf.private_key_and_cert_chain_pem.bytes)

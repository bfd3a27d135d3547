"""The certificates that the programs of a shell trust: our authority, beside those that the shell trusts already.

The variables SSL_CERT_FILE and REQUESTS_CA_BUNDLE replace what a program trusts, so that a file with our authority
alone would cut off az, pip and curl from all other hosts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from deploy.emulator.world import private_files

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""The names that OpenSSL reads in a folder of certificates."""


def bundle(ca: Path) -> Path:
    """The file with all of them, beside `ca`; written again when one of its sources has changed.

    Its first line is a digest of the sources, so that an unchanged bundle costs no reading of them.
    """
    path = ca.with_name("bundle.pem")
    sources = list(dict.fromkeys((ca, *_sources(os.environ))))
    stamp = f"# amldeploy {_digest(source for source in sources if source != path)}\n"
    if _first_line(path) != stamp:
        bodies = dict.fromkeys(body for source in sources for body in _bodies(source))
        texts = (f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n" for body in bodies)
        private_files.replace(path, (stamp + "".join(texts)).encode())
    return path


def _sources(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files of certificates of the shell (for example of a company's proxy), of the system, and of certifi."""
    yield from (Path(environment[name]) for name in VARIABLES if environment.get(name))
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        yield Path(paths.cafile)
    if paths.capath:
        yield from sorted(file for file in Path(paths.capath).iterdir() if _HASHED.fullmatch(file.name))
    with contextlib.suppress(ImportError):
        import certifi

        yield Path(certifi.where())


def _digest(sources: Iterable[Path]) -> str:
    """A text that changes when one of the files does."""
    found = []
    for source in sources:
        with contextlib.suppress(OSError):
            status = source.stat()
            found.append((str(source), status.st_mtime_ns, status.st_size))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="latin-1") as stream:
            return stream.readline(200)
    except OSError:
        return ""


def _bodies(source: Path) -> Iterator[str]:
    """The base64 of each certificate in a file, in lines of 64 characters; none if the file cannot be read."""
    try:
        text = source.read_text(encoding="latin-1")
    except OSError:
        return
    for found in _CERTIFICATE.findall(text):
        body = "".join(found.split())
        yield "\n".join(body[at : at + 64] for at in range(0, len(body), 64))

"""The certificates that the programs of a shell trust."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import certifi
import pytest
import trustme

from deploy.emulator.process import trust


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our authority, in a shell that trusts only what the system and certifi trust."""
    for name in trust.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "system"))
    (tmp_path / "system").mkdir()
    return _authority(tmp_path / "tls" / "ca.pem")


def _authority(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def _trusted(file: Path) -> set[bytes]:
    """What a program trusts that reads the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    return set(context.get_ca_certs(binary_form=True))


def test_the_bundle_has_our_authority_beside_the_public_ones(ca: Path) -> None:
    """Without them az, pip and curl would refuse every other host."""
    bundle = trust.bundle(ca)
    assert bundle == ca.with_name("bundle.pem")
    assert _trusted(ca) | _trusted(Path(certifi.where())) <= _trusted(bundle)


def test_no_certificate_is_in_it_twice(ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its sources write it."""
    body = base64.b64encode(next(iter(_trusted(ca)))).decode()
    again = tmp_path / "again.pem"
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    again.write_text(f"# in one line, with the line ends of Windows\r\n{begin}\r\n{body}\r\n{end}\r\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(again))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    text = trust.bundle(ca).read_text()
    assert text.count("BEGIN CERTIFICATE") == len(_trusted(ca.with_name("bundle.pem"))) > 1


@pytest.mark.parametrize("name", trust.VARIABLES)
def test_what_the_shell_trusts_stays_trusted(
    ca: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of a company has its own authority. It is still there after a second `emulator env` in the shell."""
    company = _authority(tmp_path / "company.pem")
    monkeypatch.setenv(name, str(company))
    bundle = trust.bundle(ca)
    assert _trusted(company) <= _trusted(bundle)
    for each in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(each, str(bundle))
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    assert _trusted(company) <= _trusted(trust.bundle(ca))


def test_the_system_s_folder_is_read_as_openssl_reads_it(ca: Path, tmp_path: Path) -> None:
    """Files named by a hash; others are not trusted."""
    known, unknown = _authority(tmp_path / "system" / "0a1b2c3d.0"), _authority(tmp_path / "system" / "other.txt")
    found = _trusted(trust.bundle(ca))
    assert _trusted(known) <= found
    assert not _trusted(unknown) & found


def test_the_bundle_is_written_again_when_a_source_changes(ca: Path, tmp_path: Path) -> None:
    """The authority, a root, or the shell; otherwise it stays as it is."""
    bundle = trust.bundle(ca)
    before = (bundle.stat().st_mtime_ns, bundle.stat().st_ino)
    assert (trust.bundle(ca).stat().st_mtime_ns, bundle.stat().st_ino) == before
    ours = _trusted(ca)
    ca.unlink()
    _authority(ca)
    assert not ours & _trusted(trust.bundle(ca))
    assert _trusted(ca) <= _trusted(bundle)
    root = _authority(tmp_path / "system" / "0a1b2c3d.0")
    assert _trusted(root) <= _trusted(trust.bundle(ca))
    gone = _trusted(root)
    root.unlink()
    assert not gone & _trusted(trust.bundle(ca))
    bundle.unlink()
    assert trust.bundle(ca).exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\n", b"\0" * 1000, None])
def test_a_file_without_certificates_adds_none(
    ca: Path, tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that does not exist."""
    plain = _trusted(trust.bundle(ca))
    if content is not None:
        (tmp_path / "odd.pem").write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "odd.pem"))
    assert _trusted(trust.bundle(ca)) == plain

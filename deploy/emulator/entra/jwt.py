"""RSA keys and the JSON Web Tokens that they sign (RS256): made when first needed, kept where only the owner reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.emulator.world.certificates import private_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey


class Signer:
    """One key with its name (`kid`). Tokens that were found good are remembered."""

    def __init__(self, file: Path, kid: str) -> None:
        self.kid = kid
        self._file = file
        self._key: RSAPrivateKey | None = None
        self._good: dict[str, dict[str, Any]] = {}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT with these claims."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        head = f"{_encode({'typ': 'JWT', 'alg': 'RS256', 'kid': self.kid})}.{_encode(claims)}"
        return f"{head}.{_text(self._load().sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that we signed; None for any other text. Expiry is the caller's to judge."""
        if token not in self._good:
            claims = _verified(token, self._load().public_key())
            if claims is None:
                return None
            if len(self._good) > 1000:
                self._good.clear()
            self._good[token] = claims
        return self._good[token]

    def key_set(self) -> dict[str, Any]:
        """The public key as a JWKS document."""
        numbers = self._load().public_key().public_numbers()
        size = {name: _text(value.to_bytes((value.bit_length() + 7) // 8)) for name, value in
                (("n", numbers.n), ("e", numbers.e))}  # fmt: skip
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, **size}]}

    def _load(self) -> RSAPrivateKey:
        if self._key is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

            def create() -> bytes:
                return generate_private_key(65537, 2048).private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )

            key = serialization.load_pem_private_key(private_file(self._file, create), None)
            if not isinstance(key, RSAPrivateKey):
                raise RuntimeError(f"cannot use {self._file}: it holds no RSA key. Delete it.")
            self._key = key
        return self._key


def verified(token: str, key_set: Mapping[str, Any]) -> dict[str, Any] | None:
    """The claims of a token signed by one of the RSA keys of a JWKS document; None otherwise."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    for key in key_set.get("keys", []):
        try:
            n, e = (int.from_bytes(_bytes(key[part])) for part in ("n", "e"))
            claims = _verified(token, RSAPublicNumbers(e, n).public_key())
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if claims is not None:
            return claims
    return None


def unverified(token: str) -> dict[str, Any] | None:
    """What a token says of itself; None when it is no token."""
    try:
        found = json.loads(_bytes(token.split(".")[1]))
    except (ValueError, IndexError):
        return None
    return found if isinstance(found, dict) and token.count(".") == 2 else None


def _verified(token: str, key: RSAPublicKey) -> dict[str, Any] | None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        head, _, signature = token.rpartition(".")
        key.verify(_bytes(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return None
    return unverified(token)


def _encode(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))

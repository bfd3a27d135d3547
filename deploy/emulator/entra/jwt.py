"""RSA keys and the JSON Web Tokens signed with them (RS256). A key is created at first use, with mode 0600."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.emulator.world.private_files import read_or_create

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_NO_CLAIM_CHECKS = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
"""PyJWT checks the signature only. The caller checks the claims, because Azure's error names the wrong claim."""
_CACHE_SIZE = 1000


class Signer:
    """One private key and its key id (`kid`). Verified tokens are cached."""

    def __init__(self, file: Path, kid: str) -> None:
        self.kid = kid
        self._file = file
        self._key: RSAPrivateKey | None = None
        self._verified: dict[str, dict[str, Any]] = {}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT with these claims."""
        import jwt

        return jwt.encode(dict(claims), self._load(), "RS256", {"kid": self.kid})

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that this key signed; None for any other text. Does not check `exp`."""
        if token not in self._verified:
            claims = _decode(token, self._load().public_key())
            if claims is None:
                return None
            if len(self._verified) >= _CACHE_SIZE:
                self._verified.clear()
            self._verified[token] = claims
        return self._verified[token]

    def key_set(self) -> dict[str, Any]:
        """The public key as a JWKS document."""
        from jwt.algorithms import RSAAlgorithm

        key = RSAAlgorithm.to_jwk(self._load().public_key(), as_dict=True)
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": key["n"], "e": key["e"]}]}

    def _load(self) -> RSAPrivateKey:
        if self._key is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

            def create() -> bytes:
                return generate_private_key(65537, 2048).private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )

            # The file is ours. To test the primes again would take longer than a request, at each start.
            key = serialization.load_pem_private_key(
                read_or_create(self._file, create), None, unsafe_skip_rsa_key_validation=True
            )
            if not isinstance(key, RSAPrivateKey):
                raise RuntimeError(f"cannot use {self._file}: it contains no RSA key. Delete it.")
            self._key = key
        return self._key


def verified(token: str, key_set: Mapping[str, Any]) -> dict[str, Any] | None:
    """The claims of a token signed by one of the RSA keys of a JWKS document; None otherwise. Does not check `exp`."""
    import jwt

    for key in key_set.get("keys", []):
        try:
            public = jwt.PyJWK(key, "RS256").key
        except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
            continue
        if (claims := _decode(token, public)) is not None:
            return claims
    return None


def unverified(token: str) -> dict[str, Any] | None:
    """The claims of a token without any check; None if it is not a JWT."""
    return _decode(token, None)


def _decode(token: str, key: RSAPublicKey | None) -> dict[str, Any] | None:
    import jwt

    options: Any = {**_NO_CLAIM_CHECKS, "verify_signature": key is not None}
    try:
        return jwt.decode(token, key or "", ["RS256"], options)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None

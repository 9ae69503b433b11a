"""Tokens for tests, signed by keys that are made once."""

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SECRET = "a shared secret of more than 32 bytes"
CLAIMS = {"user": "alice", "team": "blue"}


def signed(key: Any = SECRET, algorithm: str = "HS256", *, headers: dict[str, Any] | None = None, **claims: Any) -> bytes:
    """Good for an hour unless it says otherwise; a claim of None is left out."""
    said = {**CLAIMS, "exp": int(time.time()) + 3600, **claims}
    payload = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, headers).encode()


def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    return _rsa_key(number)


@cache
def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def row(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """A public key as it stands in a set."""
    kinds = {rsa.RSAPublicKey: RSAAlgorithm, ec.EllipticCurvePublicKey: ECAlgorithm, ed25519.Ed25519PublicKey: OKPAlgorithm}
    public = key.public_key()
    algorithm: Any = next(algorithm for kind, algorithm in kinds.items() if isinstance(public, kind))
    return {**json.loads(algorithm.to_jwk(public)), "kid": kid, **more}


def key_set(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(rows)}).encode()

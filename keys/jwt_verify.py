"""Is a signed token genuine and still good? Which algorithms are taken follows from the kind of key, never from the token. No Django."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from keys.authenticate import Refusal
from keys.jwt_claims import invalid

MAX_BYTES = 16 * 1024
LEEWAY_S = 30
# RFC 7518: a secret is at least as long as the hash. A shorter one can be guessed from a single token.
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
SMALLEST_RSA_BITS = 2048
OF_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
SIGNING_KEYS = frozenset({"RSA", "EC", "OKP"})
# What the parsers of headers, claims and numbers raise for bytes that nobody would sign in earnest.
UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

EXPIRED = (
    "The signed token has expired. Your side. Get a new one from where yours comes from; Claude Code's apiKeyHelper does so by itself."
)
REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ImmatureSignatureError, "is not valid yet"),
    (jwt.MissingRequiredClaimError, "lacks exp, iss or aud"),
    (jwt.InvalidAudienceError, "is meant for somebody else (aud)"),
    (jwt.InvalidIssuerError, "comes from elsewhere (iss)"),
    (jwt.InvalidAlgorithmError, "is signed by an algorithm that does not go with the key"),
    (jwt.InvalidSignatureError, "is not signed with the key that is set here"),
)


class WrongKey(ValueError):
    """A key or a set of keys that cannot be used; the text says why, without the key."""


class KeyUnknown(Exception):
    """The token names a key (`kid`) that is not in the set: perhaps a new one."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    kid: str
    algorithms: tuple[str, ...]
    key: Any


@dataclass(frozen=True, slots=True)
class Trust:
    """`issuers` and `audiences` are looked at where there are any."""

    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    leeway_s: int = LEEWAY_S


def looks_signed(token: bytes) -> bool:
    """Three parts of base64url, the first a JSON object: what no virtual key is."""
    return token[:2] == b"ey" and token.count(b".") == 2 and len(token) <= MAX_BYTES


# ── keys ──────────────────────────────────────────────────────────────────────
def of_secret(secret: str) -> VerifyingKey:
    size = len(secret.encode())
    algorithms = tuple(name for name, least in SECRET_BYTES.items() if size >= least)
    if not algorithms:
        raise WrongKey(f"it has {size} bytes, so it can be guessed from one token; {SECRET_BYTES['HS256']} random bytes or more are needed")
    return VerifyingKey("", algorithms, secret)


def of_pem(text: str) -> VerifyingKey:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm, InvalidKey) as error:
        raise WrongKey("it is no public key in PEM (-----BEGIN PUBLIC KEY-----)") from error
    return VerifyingKey("", _algorithms(key), key)


def of_jwks(document: bytes) -> tuple[VerifyingKey, ...]:
    """The signing keys of a set; others in it are passed over. A secret has no place in a set that anybody can fetch."""
    try:
        rows = json.loads(document)["keys"]
    except (*UNREADABLE, KeyError) as error:
        raise WrongKey("it is no set of keys") from error
    read = [_of_row(row) for row in rows] if isinstance(rows, list) else []
    found = tuple(key for key in read if key)
    if not found:
        raise WrongKey("it holds no key that signatures can be checked with")
    return found


def _of_row(row: Any) -> VerifyingKey | None:
    if not isinstance(row, Mapping) or row.get("kty") not in SIGNING_KEYS or row.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict({name: value for name, value in row.items() if name != "d"}).key
        algorithms = _algorithms(key)
    except (*UNREADABLE, KeyError, UnsupportedAlgorithm, InvalidKey):
        return None
    named = row.get("alg")
    kept = algorithms if named is None else tuple(name for name in algorithms if name == named)
    return VerifyingKey(str(row.get("kid") or ""), kept, key) if kept else None


def _algorithms(key: object) -> tuple[str, ...]:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SMALLEST_RSA_BITS:
            raise WrongKey(f"it has {key.key_size} bits; {SMALLEST_RSA_BITS} or more are needed")
        return OF_RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in OF_CURVE:
        return (OF_CURVE[key.curve.name],)
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return ("EdDSA",)
    raise WrongKey("it is neither RSA nor an elliptic curve's that tokens are signed with")


# ── tokens ────────────────────────────────────────────────────────────────────
def verified(token: bytes, keys: Iterable[VerifyingKey], trust: Trust) -> dict[str, Any]:
    """The claims of a genuine token. Raises Refusal, or KeyUnknown for one whose key is not among these."""
    text = token.decode("latin-1")
    try:
        header = jwt.get_unverified_header(text)
    except UNREADABLE as error:
        raise invalid("cannot be read") from error
    key = _key_of(header, keys)
    try:
        return _claims(text, key, trust)
    except jwt.ExpiredSignatureError as error:
        raise Refusal("token_expired", EXPIRED) from error
    except jwt.PyJWTError as error:
        raise invalid(next((told for kind, told in REASONS if isinstance(error, kind)), "cannot be read")) from error
    except UNREADABLE as error:
        raise invalid("cannot be read") from error


def _key_of(header: Mapping[str, Any], keys: Iterable[VerifyingKey]) -> VerifyingKey:
    """By name where both sides have one; without, only where a single key can have signed."""
    kid, algorithm = header.get("kid"), header.get("alg")
    known = tuple(keys)
    fitting = [key for key in known if not key.kid or not kid or key.kid == kid]
    if not fitting:
        raise KeyUnknown
    able = [key for key in fitting if algorithm in key.algorithms]
    if not able:
        raise invalid("is signed by an algorithm that does not go with the key")
    if len(able) > 1:
        raise invalid("does not say with which of several keys it is signed (kid)")
    return able[0]


def _claims(text: str, key: VerifyingKey, trust: Trust) -> dict[str, Any]:
    required = ["exp", *(["iss"] if trust.issuers else []), *(["aud"] if trust.audiences else [])]
    claims: dict[str, Any] = jwt.decode(
        text,
        key.key,
        algorithms=list(key.algorithms),
        audience=list(trust.audiences) or None,
        issuer=list(trust.issuers) or None,
        leeway=trust.leeway_s,
        options={"require": required, "verify_aud": bool(trust.audiences), "verify_iss": bool(trust.issuers)},
    )
    return claims

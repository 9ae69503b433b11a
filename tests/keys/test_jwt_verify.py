"""Genuine tokens pass, and of the others none: R103's bad tokens, for each kind of key."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.authenticate import Refusal
from keys.jwt_verify import MAX_BYTES, KeyUnknown, Trust, VerifyingKey, WrongKey, looks_signed, of_jwks, of_pem, of_secret, verified
from tests.keys.signed import SECRET, ec_key, ed_key, key_set, pem, row, rsa_key, signed

SHARED = (of_secret(SECRET),)
OPEN = Trust(leeway_s=0)
STRICT = Trust(("https://idp.example",), ("tallygate",), leeway_s=0)
GOOD: dict[str, Any] = {"iss": "https://idp.example", "aud": "tallygate"}
quick = settings(derandomize=True, deadline=None, database=None)


def of_rsa(*rows: dict[str, Any]) -> tuple[VerifyingKey, ...]:
    return of_jwks(key_set(*(rows or (row(rsa_key(), "one"),))))


def part(value: object) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def forged(header: object, claims: object, secret: bytes = b"") -> bytes:
    """A token put together by hand, signed by HMAC, or not at all."""
    text = part(header) + b"." + part(claims)
    return text + b"." + (part(hmac.new(secret, text, hashlib.sha256).digest()) if secret else b"")


def refused(token: bytes, keys: tuple[VerifyingKey, ...] = SHARED, trust: Trust = OPEN) -> str:
    with pytest.raises(Refusal) as caught:
        verified(token, keys, trust)
    assert token.decode("latin-1") not in caught.value.message
    return caught.value.code


def soon() -> int:
    """Read when tests are collected, and still to come when the last of them runs."""
    return int(time.time()) + 86_400


@pytest.mark.parametrize("algorithm", ["HS256"])
def test_token_of_the_shared_secret_is_genuine(algorithm: str) -> None:
    assert verified(signed(algorithm=algorithm), SHARED, OPEN)["user"] == "alice"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_long_secret_signs_with_longer_hashes_too(algorithm: str) -> None:
    secret = "s" * 64
    assert verified(signed(secret, algorithm), (of_secret(secret),), OPEN)["team"] == "blue"


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_token_of_an_rsa_key_in_the_set_is_genuine(algorithm: str) -> None:
    token = signed(rsa_key(), algorithm, headers={"kid": "one"}, **GOOD)
    assert verified(token, of_rsa(), STRICT)["user"] == "alice"
    assert verified(token, (of_pem(pem(rsa_key())),), STRICT)["user"] == "alice"


@pytest.mark.parametrize(("key", "algorithm"), [(ec_key(), "ES256"), (ed_key(), "EdDSA")])
def test_token_of_a_curve_in_the_set_is_genuine(key: Any, algorithm: str) -> None:
    keys = of_rsa(row(rsa_key(), "one"), row(key, "two"))
    assert verified(signed(key, algorithm, headers={"kid": "two"}), keys, OPEN)["user"] == "alice"


@pytest.mark.parametrize("claims", [{"aud": ["other", "tallygate"]}, {"nbf": int(time.time()) - 5}, {"iat": int(time.time()) - 5}])
def test_unusual_but_good_claims_pass(claims: dict[str, Any]) -> None:
    assert verified(signed(**{**GOOD, **claims}), SHARED, STRICT)["team"] == "blue"


@pytest.mark.parametrize("claims", [
    {"iss": "https://other.example"}, {"iss": None}, {"iss": "https://idp.example/"}, {"iss": ["https://idp.example"]},
    {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": "tallygate-2"}, {"aud": {"tallygate": 1}},
    {"exp": None}, {"exp": "soon"}, {"exp": float("inf")}, {"exp": float("nan")}, {"exp": [1]},
    {"nbf": soon()}, {"nbf": "later"}, {"iat": soon()},
])  # fmt: skip
def test_claims_that_do_not_hold_are_refused(claims: dict[str, Any]) -> None:
    """R103: by whichever key they are signed."""
    assert refused(signed(**{**GOOD, **claims}), trust=STRICT) == "token_invalid"


@pytest.mark.parametrize("exp", [0, 1, -5, True, int(time.time()) - 1], ids=["start", "one", "before", "true", "now"])
def test_token_whose_time_is_over_is_told_so(exp: int) -> None:
    assert refused(signed(exp=exp)) == "token_expired"


def test_clocks_may_differ_a_little() -> None:
    token = signed(exp=int(time.time()) - 10)
    assert verified(token, SHARED, Trust())["user"] == "alice"
    assert refused(signed(exp=int(time.time()) - 40), trust=Trust()) == "token_expired"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "HS256", "hs256", "ES256", "RS1", ["RS256"], 5])
def test_token_does_not_choose_its_algorithm(algorithm: object) -> None:
    """R103: no `none`, and no HMAC over the public key."""
    claims = {"user": "alice", "team": "blue", "exp": soon()}
    header = {"alg": algorithm, "typ": "JWT", "kid": "one"}
    public = pem(rsa_key()).encode()
    for secret in (b"", public, public.strip(), key_set(row(rsa_key(), "one"))):
        assert refused(forged(header, claims, secret), of_rsa()) == "token_invalid"
        assert refused(forged(header, claims, secret), (of_pem(pem(rsa_key())),)) == "token_invalid"


def test_public_algorithms_do_not_pass_where_a_secret_is_set() -> None:
    assert refused(signed(rsa_key(), "RS256")) == "token_invalid"
    assert refused(signed("s" * 64, "HS512"), (of_secret("s" * 40),)) == "token_invalid"


def test_key_that_the_token_brings_along_counts_for_nothing() -> None:
    stranger = rsa_key(1)
    headers = {"kid": "one", "jwk": row(stranger, "one"), "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert"}
    assert refused(signed(stranger, "RS256", headers=headers), of_rsa()) == "token_invalid"


def test_changed_claims_or_signature_are_refused() -> None:
    head, claims, signature = signed().split(b".")
    other = part({"user": "root", "team": "blue", "exp": soon()})
    assert refused(b".".join([head, other, signature])) == "token_invalid"
    assert refused(b".".join([head, claims, b""])) == "token_invalid"
    assert refused(b".".join([head, claims, part(b"\0" * 32)])) == "token_invalid"


def test_name_of_a_key_that_is_not_there_is_told_apart() -> None:
    with pytest.raises(KeyUnknown):
        verified(signed(rsa_key(1), "RS256", headers={"kid": "two"}), of_rsa(), OPEN)


def test_token_without_a_name_for_its_key_needs_a_single_key() -> None:
    token = signed(rsa_key(), "RS256")
    assert verified(token, of_rsa(), OPEN)["user"] == "alice"
    assert refused(token, of_rsa(row(rsa_key(), "one"), row(rsa_key(1), "two"))) == "token_invalid"


def test_key_signs_only_with_the_algorithm_that_its_set_names() -> None:
    keys = of_rsa(row(rsa_key(), "one", alg="RS256"))
    assert refused(signed(rsa_key(), "PS256", headers={"kid": "one"}), keys) == "token_invalid"


@pytest.mark.parametrize("unfit", [
    {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "one"},
    {"kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "one"},
    {**row(rsa_key(), "one"), "use": "enc"},
    {**row(rsa_key(), "one"), "alg": "HS256"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {}, [], None, "key",
])  # fmt: skip
def test_unfit_key_of_a_set_is_passed_over(unfit: Any) -> None:
    assert [key.kid for key in of_rsa(unfit, row(rsa_key(), "two"))] == ["two"]
    with pytest.raises(WrongKey):
        of_jwks(key_set(unfit))


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b"null", b'{"keys": {}}', b'{"keys": []}', b"<html>", b"[" * 100_000, b"\xff"])
def test_what_is_no_set_of_keys_is_refused(document: bytes) -> None:
    with pytest.raises(WrongKey):
        of_jwks(document)


@pytest.mark.parametrize("secret", ["", "short", "x" * 31])
def test_secret_that_can_be_guessed_is_not_taken(secret: str) -> None:
    """R105."""
    with pytest.raises(WrongKey):
        of_secret(secret)


ODD = [
    b"..", b"ey..", b"eyJ.a.b", b"ey" + b"A" * 200, forged([], {}), forged({"alg": "HS256"}, b"\xff", SECRET.encode()),
    forged({"alg": "HS256"}, b"[" * 5000, SECRET.encode()), forged(b"[" * 5000, {}), forged({"alg": "HS256"}, [1], SECRET.encode()),
    forged({"alg": "HS256", "crit": ["x"]}, {"exp": soon()}, SECRET.encode()),
    forged({"alg": "HS256", "b64": False}, {"exp": soon()}, SECRET.encode()), "ey\u00e9.a.b".encode(), b"ey\0.a.b",
    forged({"alg": "HS256"}, b'{"exp": 1e400}', SECRET.encode()),
]  # fmt: skip


@pytest.mark.parametrize("token", ODD)
def test_odd_bytes_are_refused_and_nothing_else(token: bytes) -> None:
    assert refused(token) == "token_invalid"


@quick
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_but_a_token_open_the_door(head: bytes, claims: bytes, signature: bytes) -> None:
    with pytest.raises(Refusal):
        verified(b".".join([part(head), part(claims), part(signature)]), SHARED, OPEN)


@pytest.mark.parametrize(("token", "looks"), [
    (signed(), True), (b"sk-alice", False), (b"sk-a.b.c", False), (b"", False), (b"eyJ.x", False),
    (b"ey" + b"x" * MAX_BYTES + b"..", False),
])  # fmt: skip
def test_what_looks_like_a_signed_token(token: bytes, looks: bool) -> None:
    assert looks_signed(token) is looks

"""A header that opens: which may be one, and when it does."""

import hashlib
from ipaddress import ip_network

import pytest

from keys.authenticate import CREDENTIAL_HEADERS, Refusal, check
from keys.loading import load_keys
from keys.required_headers import WrongHeader, columns, header_line, required_header
from keys.snapshot import Caller, RequiredHeader
from routing.providers.base import FORWARDED
from tests.factories import make_key
from tests.keys.test_loading import MASTER, NOW

SECRET = "a-secret-of-the-runners"
HEADER = required_header("X-Runner-Secret", SECRET)
RIGHT = {b"x-runner-secret": SECRET.encode()}
OFFICE = (ip_network("192.0.2.0/24"),)


def test_only_the_hash_of_the_value_is_kept() -> None:
    assert (
        HEADER
        == RequiredHeader(b"x-runner-secret", hashlib.sha256(SECRET.encode()).hexdigest())
        == header_line(f"X-Runner-Secret: {SECRET}")
    )
    assert SECRET not in repr(HEADER)


@pytest.mark.parametrize("name", [
    "", "x y", "x:y", "x\ny", "\u00e9", "-x", "x" * 101, "Anthropic-Version", "X-LiteLLM-Tags", "x-claude-code-session-id", "cookie",
    "X-Forwarded-For", "content-length", "x-amz-date", *sorted(name.decode() for name in {*CREDENTIAL_HEADERS, *FORWARDED}),
])  # fmt: skip
def test_header_that_means_something_else_cannot_guard(name: str) -> None:
    """It would go to a provider, or stand on record."""
    with pytest.raises(WrongHeader):
        required_header(name, SECRET)


@pytest.mark.parametrize("value", ["", "short", " " * 20, "x" * 513, "gr\u00fc\u00dfe-an-alle", "two\nlines-of-it"])
def test_value_that_cannot_be_a_secret_is_told_without_it(value: str) -> None:
    with pytest.raises(WrongHeader) as caught:
        required_header("X-Runner-Secret", value)
    assert value.strip() == "" or value not in str(caught.value)


def test_known_value_stays_with_its_name_only() -> None:
    known = ("x-runner-secret", "hash")
    assert columns("X-Runner-Secret", "", known) == {"required_header": "x-runner-secret", "required_header_hash": "hash"}
    assert columns("", "", known) == {"required_header": "", "required_header_hash": ""}
    for name, value in (("X-Other", ""), ("", SECRET)):
        with pytest.raises(WrongHeader):
            columns(name, value, known)


@pytest.mark.parametrize(("networks", "headers", "ip"), [
    ((), RIGHT, "203.0.113.9"), (OFFICE, RIGHT, "203.0.113.9"), (OFFICE, {}, "192.0.2.7"),
    (OFFICE, {b"x-runner-secret": b"no"}, "192.0.2.7"),
])  # fmt: skip
def test_address_or_header_opens(networks: tuple[object, ...], headers: dict[bytes, bytes], ip: str) -> None:
    check(Caller("1", "ci", networks=networks, required_header=HEADER), ip, 0.0, headers)  # type: ignore[arg-type]  # networks as the table has them


@pytest.mark.parametrize("networks", [(), OFFICE])
@pytest.mark.parametrize("headers", [
    {}, {b"x-runner-secret": b""}, {b"x-runner-secret": SECRET.encode() + b"x"}, {b"x-runner-secret": SECRET[:-1].encode()},
    {b"x-runner-secret": HEADER.digest.encode()}, {b"x-other": SECRET.encode()}, {b"x-runner-secret": b"\xff\0"},
])  # fmt: skip
def test_neither_address_nor_header_is_refused(networks: tuple[object, ...], headers: dict[bytes, bytes]) -> None:
    caller = Caller("1", "ci", networks=networks, required_header=HEADER)  # type: ignore[arg-type]  # networks as the table has them
    with pytest.raises(Refusal) as caught:
        check(caller, "203.0.113.9", 0.0, headers)
    assert caught.value.code == "header_required"
    assert "x-runner-secret" in caught.value.message and SECRET not in caught.value.message


@pytest.mark.django_db
def test_header_of_a_key_is_the_callers() -> None:
    key, _ = make_key(**columns("X-Runner-Secret", SECRET))
    assert load_keys(MASTER, NOW).callers[key.token_hash].required_header == HEADER

"""The door's decision on plain data: which token counts, whom it stands for, and why not."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.trail import SYSTEM
from keys.actions import block_key, change_key, revoke_key, rotate_key
from keys.authenticate import CREDENTIAL_HEADERS, MAX_TOKEN_BYTES, Refusal, bare, check, client_ip, identify, inside, tokens
from keys.loading import load_keys
from keys.models import VirtualKey
from keys.snapshot import Caller, KeySnapshot, ModelList
from tests.factories import make_key, make_organisation, make_team, make_user

MASTER = "sk-master-of-all"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALICE = Caller(key_id="1", key_name="alice")
KEYS = KeySnapshot({hashlib.sha256(b"sk-alice").hexdigest(): ALICE})
quick = settings(derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize(("value", "token"), [
    (b"Bearer sk-x", b"sk-x"),
    (b"bearer  sk-x ", b"sk-x"),
    (b"BEARER sk-x", b"sk-x"),
    (b" sk-x ", b"sk-x"),
    (b"Bearer", b"Bearer"),
    (b"Bearersk-x", b"Bearersk-x"),
    (b"Basic sk-x", b"Basic sk-x"),
    (b"", b""),
])  # fmt: skip
def test_scheme_is_taken_off(value: bytes, token: bytes) -> None:
    assert bare(value) == token


def test_tokens_come_in_the_documented_order() -> None:
    headers = {name: name for name in reversed(CREDENTIAL_HEADERS)} | {b"own": b"first", b"cookie": b"never"}
    assert tokens(headers, b"own") == [b"first", *CREDENTIAL_HEADERS]
    assert tokens(headers) == list(CREDENTIAL_HEADERS)


@pytest.mark.parametrize("found", [[b"sk-alice"], [b"sk-other", b"sk-alice"], [b"", b"x" * (MAX_TOKEN_BYTES + 1), b"sk-alice"]])
def test_first_known_token_wins(found: list[bytes]) -> None:
    assert identify(found, KEYS) is ALICE


ODD = [
    b"",
    b"\0",
    b"sk-alice\0",
    b"\0sk-alice",
    b"' OR 1=1 --",
    b"x" * 1_000_000,
    "schl\u00fcssel".encode(),
    b"\xff",
    b"SK-ALICE",
    *map(str.encode, KEYS.callers),
]


@pytest.mark.parametrize("token", ODD)
def test_anything_else_is_unknown(token: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        identify([token], KEYS)
    assert caught.value.code == "key_invalid"
    assert "sk-alice" not in caught.value.message


def test_no_token_at_all_is_missing() -> None:
    with pytest.raises(Refusal) as caught:
        identify([], KEYS)
    assert caught.value.code == "key_missing"


@quick
@given(st.binary(max_size=100))
def test_no_bytes_but_the_token_open_the_door(token: bytes) -> None:
    with pytest.raises(Refusal):
        identify([token + b"!"], KEYS)


@pytest.mark.parametrize(("changes", "code"), [
    ({"blocked": "Team Blue"}, "key_blocked"),
    ({"expires_at": 99.0}, "key_expired"),
    ({"expires_at": 100.0}, "key_expired"),
    ({"networks": (ip_network("10.0.0.0/8"),)}, "ip_not_allowed"),
])  # fmt: skip
def test_unfit_caller_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(Caller("1", "alice", **changes), "192.0.2.1", 100.0)  # type: ignore[arg-type]  # the table names real fields
    assert caught.value.code == code


@pytest.mark.parametrize("changes", [{}, {"expires_at": 100.001}, {"networks": (ip_network("192.0.2.0/24"),)}])
def test_fit_caller_passes(changes: dict[str, object]) -> None:
    check(Caller("1", "alice", **changes), "192.0.2.1", 100.0)  # type: ignore[arg-type]  # the table names real fields


INSIDE = [
    ("10.1.2.3", "10.0.0.0/8", True),
    ("::ffff:10.1.2.3", "10.0.0.0/8", True),
    ("10.1.2.3", "::ffff:10.0.0.0/104", True),
    ("::ffff:10.1.2.3", "::ffff:10.0.0.0/104", True),
    ("11.1.2.3", "::ffff:10.0.0.0/104", False),
    ("2001:db8::1", "2001:db8::/32", True),
    ("2001:db9::1", "2001:db8::/32", False),
    ("::1", "127.0.0.0/8", False),
    ("10.1.2.3", "::/0", True),
    ("", "0.0.0.0/0", False),
    ("nonsense", "0.0.0.0/0", False),
    ("10.1.2.3:80", "10.0.0.0/8", False),
    ("010.1.2.3", "10.0.0.0/8", False),
]


@pytest.mark.parametrize(("ip", "network", "is_inside"), INSIDE)
def test_address_in_a_network(ip: str, network: str, is_inside: bool) -> None:
    assert inside(ip, (ip_network("203.0.113.0/24"), ip_network(network))) is is_inside


PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(("peer", "forwarded", "address"), [
    ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
    ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
    ("10.0.0.1", "1.1.1.1,203.0.113.9 , 10.0.0.2", "203.0.113.9"),
    ("fd00::1", "203.0.113.9", "203.0.113.9"),
    ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.1"),
    ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
    ("", "203.0.113.9", ""),
])  # fmt: skip
def test_client_is_the_last_hop_that_is_no_proxy_of_ours(peer: str, forwarded: str, address: str) -> None:
    assert client_ip(peer, forwarded, PROXIES) == address
    assert client_ip(peer, forwarded, ()) == peer


@quick
@given(st.text(max_size=40))
def test_what_a_client_adds_on_the_left_changes_nothing(forged: str) -> None:
    assert client_ip("10.0.0.1", f"{forged},203.0.113.9", PROXIES) == "203.0.113.9"


# ── from rows ─────────────────────────────────────────────────────────────────
def found(token: str, now: datetime = NOW) -> Caller:
    """Whom a token stands for once everything is loaded; raises Refusal."""
    caller = identify([token.encode()], load_keys(MASTER, now))
    check(caller, "192.0.2.1", now.timestamp())
    return caller


@pytest.mark.django_db
def test_issued_key_and_master_key_are_known() -> None:
    team = make_team("Search", organisation=make_organisation(), cost_centre="CC-1", tags=["prod"])
    key, token = make_key(team=team, user=make_user(), tags=["own"])
    caller = found(token)
    assert (caller.key_id, caller.team_name, caller.cost_centre, caller.tags) == (key.id, "Search", "CC-1", ("own", "prod"))
    assert found(MASTER).is_master


@pytest.mark.django_db
def test_old_token_works_until_its_overlap_ends() -> None:
    key, old = make_key()
    new = rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=1), now=NOW)
    assert found(old, NOW + timedelta(minutes=59)).key_id == found(new).key_id == key.id
    snapshot = load_keys(MASTER, NOW)
    with pytest.raises(Refusal) as caught:
        check(identify([old.encode()], snapshot), "", (NOW + timedelta(hours=1)).timestamp())
    assert caught.value.code == "key_expired"
    with pytest.raises(Refusal) as caught:
        found(old, NOW + timedelta(hours=1))
    assert caught.value.code == "key_invalid"


@pytest.mark.django_db
def test_old_token_without_overlap_stops_at_once() -> None:
    key, old = make_key()
    rotate_key(key, actor=SYSTEM)
    with pytest.raises(Refusal):
        found(old)


@pytest.mark.django_db
@pytest.mark.parametrize(("end", "code"), [(revoke_key, "key_invalid"), (block_key, "key_blocked")])
def test_end_of_a_key_ends_its_old_token_too(end: Callable[..., VirtualKey], code: str) -> None:
    key, old = make_key()
    rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=1), now=NOW)
    key.refresh_from_db()
    end(key, actor=SYSTEM)
    with pytest.raises(Refusal) as caught:
        found(old)
    assert caught.value.code == code


@pytest.mark.django_db
def test_change_of_a_key_binds_both_its_tokens() -> None:
    key, old = make_key()
    new = rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=1), now=NOW)
    key.refresh_from_db()
    change_key(key, {"allowed_models": ["claude-haiku"], "expires_at": NOW + timedelta(minutes=5)}, actor=SYSTEM)
    for token in (old, new):
        assert not found(token).allows("claude-opus")
        with pytest.raises(Refusal):
            found(token, NOW + timedelta(minutes=5))


@pytest.mark.django_db
@pytest.mark.parametrize("blocked", ["user", "team", "organisation"])
def test_block_above_a_key_blocks_it(blocked: str) -> None:
    organisation = make_organisation()
    team = make_team(organisation=organisation)
    user = make_user()
    _, token = make_key(team=team, user=user)
    row = {"user": user, "team": team, "organisation": organisation}[blocked]
    type(row)._default_manager.filter(pk=row.pk).update(is_blocked=True)
    with pytest.raises(Refusal) as caught:
        found(token)
    assert caught.value.code == "key_blocked"


@pytest.mark.parametrize(("names", "model", "is_allowed"), [
    (["claude-a"], "claude-a", True),
    (["claude-a"], "claude-ab", False),
    (["claude-a"], "Claude-a", False),
    (["claude-*"], "claude-", True),
    (["claude-*"], "claud", False),
    (["*"], "anything", True),
    (["anthropic/*", "x"], "anthropic/y", True),
    ([], "x", False),
])  # fmt: skip
def test_model_list(names: list[str], model: str, is_allowed: bool) -> None:
    assert ModelList.of(names).allows(model) is is_allowed


def test_every_level_must_allow_a_model() -> None:
    caller = Caller("1", "a", model_lists=(ModelList.of(["claude-*"]), ModelList.of(["*-haiku", "claude-haiku"])))
    assert caller.allows("claude-haiku") and not caller.allows("claude-opus")

"""Who is let in: every place of a credential, every reason to refuse one, and the caller's address."""

import hashlib
from ipaddress import ip_network

import pytest

from proxy.limits import Limits
from tests.proxy.door import check_refusal, get, know, plane, send, summary
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import HEADERS, dial, read_to_end, request

OWN_HEADER = "x-corporate-key"
PLACES = [
    ("authorization", f"Bearer {ALICE}"),
    ("authorization", f"bearer   {ALICE}"),
    ("authorization", ALICE),
    ("x-api-key", ALICE),
    ("api-key", ALICE),
    ("x-goog-api-key", ALICE),
    ("x-litellm-api-key", ALICE),
    ("x-litellm-api-key", f"Bearer {ALICE}"),
    ("proxy-authorization", f"Bearer {ALICE}"),
    (OWN_HEADER, ALICE),
    (OWN_HEADER, f"Bearer {ALICE}"),
]
NAMES = sorted({name for name, _ in PLACES})
FOREIGN = "sk-foreign-canary-9"


@pytest.fixture
def rig(house: House, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = house.rig(limits)
    monkeypatch.setattr(plane(rig), "key_header", OWN_HEADER.encode())
    return rig


def sent_upstream(rig: Rig) -> str:
    return repr(rig.fake.seen[-1].headers)


@pytest.mark.parametrize(("name", "value"), PLACES)
def test_key_is_found_in_every_place_and_stays_here(rig: Rig, name: str, value: str) -> None:
    answer = send(rig, headers={name: value})
    assert answer.status_code == 200, answer.text
    assert ALICE not in sent_upstream(rig)
    assert summary(rig).key_name == "alice"


@pytest.mark.parametrize("name", NAMES)
def test_foreign_credentials_beside_a_good_one_are_ignored_and_stay_here(rig: Rig, name: str) -> None:
    headers = dict.fromkeys(NAMES, f"Bearer {FOREIGN}") | {name: ALICE, "cookie": f"session={FOREIGN}"}
    assert send(rig, headers=headers).status_code == 200
    assert FOREIGN not in sent_upstream(rig)


@pytest.mark.parametrize(
    ("first", "second"), [("x-litellm-api-key", "authorization"), ("authorization", "x-api-key"), (OWN_HEADER, "x-api-key")]
)
def test_first_known_key_in_the_documented_order_is_the_caller(rig: Rig, first: str, second: str) -> None:
    know(rig, "bob")
    assert send(rig, headers={second: "sk-bob", first: ALICE}).status_code == 200
    assert summary(rig).key_name == "alice"


ENDPOINTS = [("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models"), ("GET", "/v1/models/claude-sonnet")]
FAULTS: dict[str, tuple[dict[str, str], int, str]] = {
    "missing": ({}, 401, "key_missing"),
    "unknown": ({"x-api-key": "sk-nobody"}, 401, "key_invalid"),
    "blocked": ({"x-api-key": "sk-blocked"}, 403, "key_blocked"),
    "expired": ({"authorization": "Bearer sk-expired"}, 403, "key_expired"),
    "from elsewhere": ({"x-api-key": "sk-elsewhere"}, 403, "ip_not_allowed"),
}


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_unfit_key_is_refused_at_every_endpoint(rig: Rig, method: str, path: str, fault: str) -> None:
    know(rig, "blocked", blocked="Team Blue")
    know(rig, "expired", expires_at=1.0)
    know(rig, "elsewhere", networks=(ip_network("10.0.0.0/8"),))
    headers, status, code = FAULTS[fault]
    answer = send(rig, method=method, path=path, headers=headers)
    check_refusal(answer, status, code)
    assert answer.headers["x-should-retry"] == "false"
    assert not rig.fake.seen


@pytest.mark.parametrize("name", NAMES)
def test_restrictions_hold_whichever_header_carries_the_key(rig: Rig, name: str) -> None:
    know(rig, "blocked", blocked="Team Blue")
    check_refusal(send(rig, headers={name: "sk-blocked"}), 403, "key_blocked")


ODD_TOKENS = {
    "sql": b"' OR 1=1; DROP TABLE keys_virtualkey; --",
    "non-ascii": "schlüssel-世界".encode(),
    "latin-1": b"\xe9\xff",
    "long": b"9" * 1_000_000,
    "its hash": hashlib.sha256(ALICE.encode()).hexdigest().encode(),
    "prefix": ALICE[:-1].encode(),
    "longer": ALICE.encode() + b"x",
    "other case": ALICE.upper().encode(),
    "only a scheme": b"Bearer",
    "basic": b"Basic c2stYWxpY2U6",
}


@pytest.mark.parametrize("token", ODD_TOKENS.values(), ids=ODD_TOKENS)
def test_odd_token_is_unknown_and_is_not_told_again(rig: Rig, token: bytes) -> None:
    with dial(rig) as client:
        client.sendall(request(b"{}", "x-api-key: @", "connection: close").replace(b"@", token, 1))
        answer = read_to_end(client)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"x-tallygate-error-code: key_invalid" in answer
    assert token not in answer or token == b"Bearer"


# R48
def test_refusals_of_strangers_leave_no_record(rig: Rig) -> None:
    send(rig, headers={})
    send(rig, headers={"x-api-key": "sk-nobody"})
    send(rig)
    assert [entry.summary.key_name for entry in rig.gateway.closings()] == ["alice"]


@pytest.mark.parametrize("network", ["127.0.0.0/8", "127.0.0.1/32", "::ffff:127.0.0.1/128", "::ffff:0:0/96"])
def test_key_works_from_its_networks(rig: Rig, network: str) -> None:
    headers = know(rig, "local", networks=(ip_network("10.9.9.9/32"), ip_network(network)))
    assert send(rig, headers=headers).status_code == 200


CHAINS = [
    (["10.1.2.3"], 200),
    (["10.1.2.3, 203.0.113.9"], 403),
    (["203.0.113.9, 10.1.2.3"], 200),
    (["10.1.2.3, 203.0.113.9, 127.0.0.1"], 403),
    (["203.0.113.9", "127.0.0.1"], 403),
    (["203.0.113.9", "10.1.2.3"], 200),
    (["::ffff:10.1.2.3"], 200),
    (["10.1.2.3, nonsense"], 403),
    ([""], 403),
]


@pytest.mark.parametrize(("lines", "status"), CHAINS)
def test_forwarded_address_counts_from_a_trusted_proxy(rig: Rig, monkeypatch: pytest.MonkeyPatch, lines: list[str], status: int) -> None:
    monkeypatch.setattr(plane(rig), "trusted_proxies", (ip_network("127.0.0.0/8"),))
    headers = know(rig, "inside", networks=(ip_network("10.0.0.0/8"),))
    assert send(rig, headers=[*headers.items(), *(("x-forwarded-for", line) for line in lines)]).status_code == status


@pytest.mark.parametrize("trusted", ["10.0.0.0/8", "0.0.0.0/32"])
def test_forwarded_address_of_anybody_else_is_ignored(rig: Rig, monkeypatch: pytest.MonkeyPatch, trusted: str) -> None:
    monkeypatch.setattr(plane(rig), "trusted_proxies", (ip_network(trusted),))
    headers = know(rig, "inside", networks=(ip_network("10.0.0.0/8"),))
    check_refusal(send(rig, headers={**headers, "x-forwarded-for": "10.1.2.3"}), 403, "ip_not_allowed")
    assert summary(rig).client_ip == "127.0.0.1"


def test_record_names_the_forwarded_address(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane(rig), "trusted_proxies", (ip_network("127.0.0.0/8"),))
    send(rig, headers={**HEADERS, "x-forwarded-for": "198.51.100.7"})
    assert summary(rig).client_ip == "198.51.100.7"


def test_two_keys_with_one_ending_are_two_callers(rig: Rig) -> None:
    know(rig, "alice2")
    assert get(rig, "/v1/models", {"authorization": "Bearer sk-alice2"}).status_code == 200
    check_refusal(send(rig, headers={"x-api-key": "sk-alice3"}), 401, "key_invalid")

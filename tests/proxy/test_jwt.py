"""Signed tokens at the public door: who comes in by them, what they cost at the second call, and what becomes of the provider of keys."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import OperationalError

from keys.authenticate import Refusal
from keys.jwt_claims import ClaimNames, Identity
from keys.jwt_verify import Trust, of_secret
from keys.snapshot import Caller, Directory, Limit, ModelList
from proxy import jwt_callers, refresh
from proxy.jwt_callers import Admission, SignedTokens
from proxy.jwt_keys import Keys, NotFetched, fetch
from proxy.limits import Limits
from tests.fakes.serving import Receive, Scope, Send, serve_in_thread
from tests.keys.signed import SECRET, key_set, row, rsa_key, signed
from tests.proxy.door import check_refusal, get, plane, send
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import HEADERS, MODEL
from tests.proxy.test_refresh import load

PERSON = Caller("", "", user_id="alice", user_name="Alice A.")
TEAM = Caller("", "", team_id="blue", team_name="Blue", cost_centre="CC-1")


@dataclass
class Town:
    """Those whom the gateway knows, and how often somebody was added."""

    rig: Rig
    people: dict[str, Caller] = field(default_factory=lambda: {"alice": PERSON})
    teams: dict[str, Caller] = field(default_factory=lambda: {"blue": TEAM})
    added: list[tuple[str, str]] = field(default_factory=list)
    trouble: Exception | None = None

    def tell(self) -> None:
        """As the refresher does after a change."""
        known, directory = plane(self.rig), Directory(dict(self.people), dict(self.teams))
        known.snapshot = replace(known.snapshot, keys=replace(known.snapshot.keys, directory=directory))

    def admit(self, who: Identity, team_id: str) -> None:
        if self.trouble:
            raise self.trouble
        self.added.append((who.user, team_id))
        self.people[who.user] = Caller("", "", user_id=who.user, user_name=who.user)
        self.tell()

    def takes(self, keys: Keys, **admission: Any) -> None:
        plane(self.rig).signed_tokens = SignedTokens(keys, Trust(), ClaimNames(), Admission(self.admit, **admission))


@pytest.fixture
def town(house: House, limits: Limits) -> Iterator[Town]:
    town = Town(house.rig(limits))
    town.tell()
    town.takes(Keys((of_secret(SECRET),)))
    yield town
    plane(town.rig).signed_tokens = None


def bearing(token: bytes) -> dict[str, str]:
    return {"authorization": f"Bearer {token.decode()}", "anthropic-version": "2023-06-01"}


def refusal(town: Town, status: int, code: str, token: bytes) -> None:
    check_refusal(send(town.rig, headers=bearing(token)), status, code, "gateway" if status >= 500 else "client")


# ── who comes in ──────────────────────────────────────────────────────────────
def test_token_calls_as_its_person_in_its_team(town: Town) -> None:
    assert send(town.rig, headers=bearing(signed())).status_code == 200
    (entry,) = town.rig.gateway.closings()
    told = entry.summary
    assert (told.user_id, told.team_id, told.cost_centre, told.key_id) == ("alice", "blue", "CC-1", "jwt:alice:blue")
    assert told.key_name == "token of Alice A. in Blue"


def test_token_of_claude_codes_helper_goes_no_further(town: Town) -> None:
    """apiKeyHelper: one value in both headers, in Proxy-Authorization too with older versions."""
    token = signed().decode()
    headers = {**bearing(signed()), "x-api-key": token, "authorization": f"Bearer {token}", "proxy-authorization": f"Bearer {token}"}
    for _ in range(2):
        assert send(town.rig, headers=headers).status_code == 200
    seen = repr([(one.headers, one.body) for one in town.rig.fake.seen])
    assert token not in seen and token.split(".")[2] not in seen
    assert token not in repr(town.rig.gateway.lines("c"))


def test_helpers_new_token_goes_on_under_the_same_name(town: Town) -> None:
    for minutes in (60, 120):
        assert send(town.rig, headers=bearing(signed(exp=int(time.time()) + minutes * 60))).status_code == 200
    assert {entry.summary.key_id for entry in town.rig.gateway.closings(2)} == {"jwt:alice:blue"}


@pytest.mark.parametrize("name", ["x-litellm-api-key", "api-key", "x-goog-api-key", "x-api-key", "proxy-authorization"])
def test_token_may_stand_wherever_a_key_may(town: Town, name: str) -> None:
    assert send(town.rig, headers={name: signed().decode()}).status_code == 200


def test_models_list_is_for_tokens_too(town: Town) -> None:
    assert get(town.rig, "/v1/models", headers=bearing(signed())).status_code == 200
    check_refusal(get(town.rig, "/v1/models", headers=bearing(signed(exp=1))), 401, "token_expired")


@pytest.mark.parametrize(("token", "code"), [
    (signed(exp=1), "token_expired"), (signed(exp=None), "token_invalid"), (signed("x" * 40), "token_invalid"),
    (signed(user=None), "token_invalid"), (b"ey.a.b", "token_invalid"), (b"sk-a.b.c", "key_invalid"),
    (b"ey" + b"A" * 17_000 + b".a.b", "key_invalid"),
])  # fmt: skip
def test_bad_token_is_401_so_that_the_helper_runs_again(town: Town, token: bytes, code: str) -> None:
    refusal(town, 401, code, token)
    assert not town.added and not town.rig.fake.seen


def test_unknown_team_is_403(town: Town) -> None:
    refusal(town, 403, "team_unknown", signed(team="red"))
    refusal(town, 403, "team_unknown", signed(team=None))
    assert town.added == []


def test_somebody_new_is_added_once(town: Town) -> None:
    calls = [threading.Thread(target=send, args=(town.rig,), kwargs={"headers": bearing(signed(user="new"))}) for _ in range(4)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert {entry.summary.user_id for entry in town.rig.gateway.closings(4)} == {"new"}
    assert town.added == [("new", "blue")]


def test_nobody_new_comes_in_where_the_operator_says_so(town: Town) -> None:
    town.takes(Keys((of_secret(SECRET),)), makes_people=False)
    refusal(town, 403, "user_unknown", signed(user="new"))
    town.takes(Keys((of_secret(SECRET),)), email_domain="example.com")
    refusal(town, 403, "user_unknown", signed(user="eve@example.com.evil.org"))
    assert send(town.rig, headers=bearing(signed(user="bob@example.com"))).status_code == 200
    assert town.added == [("bob@example.com", "blue")]


def test_nobody_is_added_to_a_blocked_team(town: Town) -> None:
    town.teams["blue"] = replace(TEAM, blocked="Team Blue")
    town.tell()
    refusal(town, 403, "key_blocked", signed(user="new"))
    assert town.added == []


@pytest.mark.parametrize(("trouble", "status", "code"), [
    (OperationalError("away"), 503, "people_unavailable"), (Refusal("user_unknown", "No. Your side."), 403, "user_unknown"),
])  # fmt: skip
def test_somebody_new_who_cannot_be_added_is_told(town: Town, trouble: Exception, status: int, code: str) -> None:
    town.trouble = trouble
    refusal(town, status, code, signed(user="new"))
    assert send(town.rig, headers=bearing(signed())).status_code == 200


# ── what they may do ──────────────────────────────────────────────────────────
@pytest.mark.parametrize(("people", "teams", "code"), [
    ({"alice": replace(PERSON, blocked="User Alice")}, {"blue": TEAM}, "key_blocked"),
    ({"alice": PERSON}, {"blue": replace(TEAM, blocked="Team Blue")}, "key_blocked"),
    ({"alice": PERSON}, {"blue": replace(TEAM, model_lists=(ModelList.of(["claude-haiku"]),))}, "model_not_allowed"),
    ({"alice": PERSON}, {"blue": replace(TEAM, networks=(ip_network("10.0.0.0/8"),))}, "ip_not_allowed"),
    ({"alice": PERSON}, {}, "team_unknown"),
])  # fmt: skip
def test_change_binds_a_token_that_was_good_a_moment_ago(
    town: Town, people: dict[str, Caller], teams: dict[str, Caller], code: str
) -> None:
    """R96: what is kept of a token says only whom it names."""
    token = signed()
    assert send(town.rig, headers=bearing(token)).status_code == 200
    town.people, town.teams = people, teams
    town.tell()
    refusal(town, 403, code, token)


def test_models_claim_closes_what_the_team_may_use(town: Town) -> None:
    refusal(town, 403, "model_not_allowed", signed(models=["claude-haiku"]))
    assert send(town.rig, headers=bearing(signed(models=[MODEL]))).status_code == 200


def test_limits_of_the_person_hold(town: Town) -> None:
    town.people["alice"] = replace(PERSON, limits=Limit.of("user", "alice", {"rpm": 1}))
    town.tell()
    assert send(town.rig, headers=bearing(signed())).status_code == 200
    refusal(town, 429, "rate_limited", signed(sub="another token of hers"))


# ── what it costs ─────────────────────────────────────────────────────────────
def test_second_call_looks_at_no_signature(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed()
    assert send(town.rig, headers=bearing(token)).status_code == 200
    monkeypatch.setattr(jwt_callers, "verified", None)
    assert send(town.rig, headers=bearing(token)).status_code == 200


def test_key_is_never_looked_at_as_a_token(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt_callers, "looks_signed", None)
    assert send(town.rig, headers=HEADERS).status_code == 200
    assert send(town.rig, headers={**bearing(signed()), "x-api-key": ALICE}).status_code == 200
    assert {entry.summary.user_name for entry in town.rig.gateway.closings(2)} == {"alice"}


def test_without_settings_a_token_is_an_unknown_key(town: Town) -> None:
    plane(town.rig).signed_tokens = None
    refusal(town, 401, "key_invalid", signed())


def test_kept_tokens_are_bounded_and_end_with_their_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt_callers, "MAX_KEPT", 2)
    tokens = [signed(jti=str(number)) for number in range(3)]
    for token in tokens:
        assert send(town.rig, headers=bearing(token)).status_code == 200
    signed_tokens = plane(town.rig).signed_tokens
    assert signed_tokens is not None
    kept = signed_tokens._kept
    assert list(kept) == [hashlib.sha256(token).hexdigest() for token in tokens[1:]]
    monkeypatch.setattr(jwt_callers, "verified", lambda *_: (_ for _ in ()).throw(Refusal("token_expired", "Over. Your side.")))
    kept[hashlib.sha256(tokens[2]).hexdigest()].ends_at = 0.0
    refusal(town, 401, "token_expired", tokens[2])


# ── keys of an identity provider ──────────────────────────────────────────────
@dataclass
class Idp:
    body: bytes = b""
    status: int = 200
    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        self.asked += 1
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"location", b"http://127.0.0.1:1/")]})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def idp() -> Idp:
    return Idp(key_set(row(rsa_key(), "one")))


@pytest.fixture
def idp_url(idp: Idp) -> Iterator[str]:
    with serve_in_thread(idp) as url:
        yield f"{url}/keys?version=2"


def by_idp(number: int = 0, kid: str = "one", **claims: Any) -> bytes:
    return signed(rsa_key(number), "RS256", headers={"kid": kid}, **claims)


def test_keys_are_fetched_once(town: Town, idp: Idp, idp_url: str) -> None:
    town.takes(Keys(urls=(idp_url,)))
    for number in range(3):
        assert send(town.rig, headers=bearing(by_idp(jti=str(number)))).status_code == 200
    refusal(town, 401, "token_invalid", signed())
    assert idp.asked == 1


def test_new_key_is_fetched_when_a_token_names_it(town: Town, idp: Idp, idp_url: str) -> None:
    town.takes(Keys(urls=(idp_url,), apart_s=0))
    assert send(town.rig, headers=bearing(by_idp())).status_code == 200
    idp.body = key_set(row(rsa_key(1), "two"))
    assert send(town.rig, headers=bearing(by_idp(1, "two"))).status_code == 200
    assert idp.asked == 2
    refusal(town, 401, "token_invalid", by_idp())


def test_made_up_names_of_keys_do_not_make_us_ask_again_and_again(town: Town, idp: Idp, idp_url: str) -> None:
    town.takes(Keys(urls=(idp_url,)))
    for number in range(5):
        refusal(town, 401, "token_invalid", by_idp(1, f"made-up-{number}"))
    assert idp.asked == 1


@pytest.mark.parametrize(("status", "body"), [(500, b""), (302, b""), (200, b"<html>"), (200, b"{}"), (200, b"x" * 300_000)])
def test_last_good_keys_hold_while_nobody_gives_new_ones(town: Town, idp: Idp, idp_url: str, status: int, body: bytes) -> None:
    town.takes(Keys(urls=(idp_url,), apart_s=0, ttl_s=0))
    assert send(town.rig, headers=bearing(by_idp())).status_code == 200
    idp.status, idp.body = status, body
    refusal(town, 401, "token_invalid", by_idp(1, "two"))
    assert send(town.rig, headers=bearing(by_idp(jti="other"))).status_code == 200


def test_keys_that_never_came_are_our_fault(town: Town) -> None:
    town.takes(Keys(urls=("http://127.0.0.1:1/keys",)))
    refusal(town, 503, "token_keys_unavailable", by_idp())
    assert send(town.rig, headers=HEADERS).status_code == 200


@pytest.mark.parametrize("url", [
    "http://169.254.169.254/keys", "http://metadata.google.internal/keys", "file:///etc/passwd", "ftp://idp.example/keys", "idp.example",
    "http://user:password@idp.example/keys",
])  # fmt: skip
def test_keys_are_not_fetched_from_just_anywhere(url: str) -> None:
    with pytest.raises(NotFetched):
        fetch(url)


def test_redirect_is_not_followed(idp: Idp, idp_url: str) -> None:
    idp.status = 302
    with pytest.raises(NotFetched, match="302"):
        fetch(idp_url)


# ── people and teams in force ─────────────────────────────────────────────────
def test_people_are_loaded_where_tokens_are_taken(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    known = plane(town.rig)
    before, directory = known.snapshot, Directory(teams={"red": TEAM})
    loaded = {"keys": before.keys, "directory": directory, "prices": before.prices, "budgets": before.budgets, "routes": before.routes}
    for name, part in loaded.items():
        monkeypatch.setattr(refresh, f"load_{name}", lambda *_, part=part: part)
    monkeypatch.setattr("audit.trail.version", lambda: before.version + 1)
    asyncio.run(load(known))
    assert known.snapshot.keys.directory is directory
    known.signed_tokens = None
    asyncio.run(load(known))
    assert known.snapshot.keys is before.keys

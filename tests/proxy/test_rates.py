"""Rate limits as a caller meets them: what a refusal says, and what the headers of an answer tell."""

import asyncio
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from billing.rates import Exceeded, Rates, Slot
from billing.usage import Usage
from keys.snapshot import Caller, Limit
from proxy import rates
from proxy.errors import ClientError
from proxy.exchange import Exchange
from routing.dialects.base import Ask
from routing.snapshot import RouteSnapshot

ALICE = Caller("key-1", "laptop", user_id="u-1", user_name="Alice", team_id="t-1", team_name="Search")
ASK = Ask({}, "claude-opus-5", is_stream=False, max_tokens=10, size=100)


@dataclass
class Door:
    """The walk's third step, with calls to one model."""

    limits: tuple[Limit, ...] = ()
    model_limits: tuple[Limit, ...] = ()
    of_route: tuple[Limit, ...] = ()
    rates: Rates = field(default_factory=Rates)

    def enter(self, tokens: int = 0) -> Slot:
        caller = replace(ALICE, limits=self.limits, model_limits=self.model_limits)
        exchange = cast("Exchange", SimpleNamespace(caller=caller, plane=SimpleNamespace(rates=self.rates)))
        return asyncio.run(rates.enter(exchange, ASK, RouteSnapshot("claude-*", (), limits=self.of_route), tokens))

    def refuse(self, tokens: int = 0) -> ClientError:
        with pytest.raises(ClientError) as caught:
            self.enter(tokens)
        return caught.value


def one(kind: str, scope: str, size: int = 1, model: str = "") -> tuple[Limit, ...]:
    name = {"key": "key-1", "user": "u-1", "team": "t-1", "model": "claude-*"}[scope]
    return (Limit(kind, scope, name, model, size),)  # type: ignore[arg-type]  # tests name kinds and scopes as texts


@pytest.mark.parametrize(("door", "said"), [
    (Door(one("rpm", "key")), "The rate limit of key laptop is reached: 1 of 1 requests a minute used."),
    (Door(one("rpm", "user")), "The rate limit of user Alice is reached: 1 of 1 requests a minute used."),
    (Door(one("parallel", "team")), "The rate limit of team Search is reached: 1 of 1 calls at once under way."),
    (Door(of_route=one("rpm", "model")), "The rate limit of model claude-* is reached: 1 of 1 requests a minute used."),
    (
        Door(model_limits=one("tpm", "team", 50, "claude-opus*")),
        "The rate limit of team Search for claude-opus* is reached: 40 of 50 tokens a minute used, and this call may need 40.",
    ),
])  # fmt: skip
def test_refusal_names_the_limit_its_size_and_what_is_used(door: Door, said: str) -> None:
    door.enter(tokens=40)
    error = door.refuse(tokens=40)
    assert error.message.startswith(f"{said} Your side. Try again in {error.retry_after_s} s")
    assert (error.status, error.code, error.client_may_retry) == (429, "rate_limited", True)


def test_refusal_says_when_to_come_back() -> None:
    door = Door(one("rpm", "key"))
    door.enter()
    headers = dict(door.refuse().headers())
    assert re.fullmatch(rb"60|59", headers[b"retry-after"])
    assert headers[b"x-should-retry"] == b"true"


def test_limit_of_nothing_is_not_worth_trying_again() -> None:
    error = Door(one("rpm", "team", 0)).refuse()
    assert error.message == "No requests a minute are allowed to team Search. Your side. Ask for the limit to be raised."
    assert (error.retry_after_s, error.client_may_retry) == (None, False)


def test_call_that_finds_nothing_at_hand_asks_the_others() -> None:
    class Shared(Rates):
        async def ask(self, limits: object, tokens: int, now: float) -> Slot | Exceeded:
            return Slot([], now)

        def enter(self, limits: object, tokens: int, now: float) -> Slot | Exceeded:
            return Exceeded(one("rpm", "key")[0], 1, 1, 1, may_ask=True)

    assert Door(rates=Shared()).enter().is_open


def test_headers_tell_the_tightest_limits() -> None:
    door = Door(one("rpm", "key", 10) + one("rpm", "team", 5) + one("tpm", "user", 9000))
    fields = dict(rates.headers(door.enter(tokens=400)))
    assert fields.pop(b"anthropic-ratelimit-requests-reset") == fields.pop(b"anthropic-ratelimit-tokens-reset")
    assert fields == {
        b"anthropic-ratelimit-requests-limit": b"5",
        b"anthropic-ratelimit-requests-remaining": b"4",
        b"anthropic-ratelimit-tokens-limit": b"9000",
        b"anthropic-ratelimit-tokens-remaining": b"8600",
    }


def test_reset_is_a_moment_within_the_next_minute() -> None:
    fields = dict(rates.headers(Door(one("rpm", "key", 10)).enter()))
    reset = datetime.fromisoformat(fields[b"anthropic-ratelimit-requests-reset"].decode())
    assert reset - datetime.now(UTC) <= timedelta(seconds=60)
    assert reset.tzinfo == UTC


def test_caller_without_such_limits_is_told_nothing() -> None:
    assert rates.headers(Door(one("parallel", "key", 100)).enter()) == []


@pytest.mark.parametrize(("usage", "tokens"), [
    (Usage(input_tokens=3, output_tokens=40, thinking_tokens=30), 43),
    (Usage(input_tokens=3, cache_read_tokens=90_000, cache_write_5m_tokens=20, cache_write_1h_tokens=7, output_tokens=1), 31),
    (Usage(output_tokens=5, iterations=(Usage(input_tokens=1, output_tokens=2), Usage(cache_read_tokens=9, output_tokens=4))), 7),
    (Usage(), 0),
])  # fmt: skip
def test_tokens_that_count_are_all_but_those_read_from_the_cache(usage: Usage, tokens: int) -> None:
    assert rates.tokens_of(usage) == tokens

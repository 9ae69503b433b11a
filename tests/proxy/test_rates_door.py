"""Rate limits at the public door: who is let in, what a refusal costs, and when a place comes back."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.budget_book import BudgetRow
from keys.snapshot import Limit
from proxy.limits import Limits
from routing.snapshot import RouteTable
from tests.fakes.script import Gate
from tests.proxy.door import check_refusal, know, plane, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import WHOLE, Player, call, playing, read_until, wait_for

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


def limit(rig: Rig, **sizes: int) -> dict[str, str]:
    """Alice's key with these limits."""
    return know(rig, "alice", limits=Limit.of("key", "key-alice", sizes))  # type: ignore[arg-type]  # tests name kinds as keywords


def statuses(rig: Rig, number: int, **fields: Any) -> list[int]:
    return [send(rig, **fields).status_code for _ in range(number)]


def wait_until_nothing_is_under_way(rig: Rig) -> None:
    rig.gateway.closings(1)
    wait_for(lambda: not plane(rig).live)


def test_requests_beyond_the_limit_are_refused_before_the_provider_is_asked(rig: Rig) -> None:
    limit(rig, rpm=2)
    assert statuses(rig, 2) == [200, 200]
    refused = send(rig)
    error = check_refusal(refused, 429, "rate_limited")
    assert (error["type"], refused.headers["x-should-retry"]) == ("rate_limit_error", "true")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert len(rig.fake.seen) == 2


def test_answers_tell_the_callers_own_limits_and_not_the_accounts(rig: Rig) -> None:
    limit(rig, rpm=5, tpm=100_000)
    headers = send(rig, model="fake-secrets").headers
    assert (headers["anthropic-ratelimit-requests-limit"], headers["anthropic-ratelimit-requests-remaining"]) == ("5", "4")
    assert headers["anthropic-ratelimit-tokens-limit"] == "100000"
    assert "anthropic-ratelimit-unified-status" not in headers


def test_tokens_are_counted_as_used_and_not_as_reserved(rig: Rig) -> None:
    limit(rig, tpm=1200)
    assert statuses(rig, 5, max_tokens=100) == [200] * 5
    remaining = send(rig, max_tokens=100).headers["anthropic-ratelimit-tokens-remaining"]
    assert int(remaining) > 0


def test_counting_tokens_is_outside_the_limits(rig: Rig) -> None:
    limit(rig, rpm=1)
    assert statuses(rig, 3, path="/v1/messages/count_tokens") == [200] * 3
    assert statuses(rig, 2) == [200, 429]


def test_call_that_a_budget_refuses_counts_under_no_limit(rig: Rig) -> None:
    limit(rig, rpm=1)
    rig.gateway.budget(BudgetRow(1, "key", "key-alice", 0, "", "UTC", EPOCH))
    assert statuses(rig, 3) == [429] * 3
    rig.gateway.budget()
    assert statuses(rig, 2) == [200, 429]


def test_place_comes_back_when_the_call_has_ended(rig: Rig) -> None:
    limit(rig, parallel=1)
    gate = Gate()
    with playing(rig, Player(WHOLE, hold=gate, hold_after=2)) as model, call(rig, model=model, stream=True) as client:
        read_until(client, WHOLE[1])
        check_refusal(send(rig), 429, "rate_limited")
        gate.open()
        read_until(client, b"message_stop")
    wait_until_nothing_is_under_way(rig)
    assert send(rig).status_code == 200


def test_place_comes_back_when_the_caller_leaves(rig: Rig) -> None:
    limit(rig, parallel=1)
    with call(rig, model="fake-slow", stream=True) as client:
        read_until(client, b"message_start")
    wait_until_nothing_is_under_way(rig)
    assert send(rig).status_code == 200


def test_limit_of_a_model_holds_for_all_its_callers(rig: Rig) -> None:
    route = plane(rig).snapshot.routes.find("claude-opus-5-5")
    assert route is not None
    limited = replace(route, limits=Limit.of("model", "claude-*", {"rpm": 1}))
    plane(rig).snapshot = replace(plane(rig).snapshot, routes=RouteTable.of([limited]))
    bob = know(rig, "bob")
    assert send(rig).status_code == 200
    assert "model claude-*" in check_refusal(send(rig, headers=bob), 429, "rate_limited")["message"]

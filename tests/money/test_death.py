"""What a dead gateway held comes back, what it spent stays counted, and nobody else is kept waiting for good."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.answers import OUTPUT_NANO
from tests.chaos.scopes import Cast, Key, Limit
from tests.chaos.town import ALONE, LEASE_S, Town, call, code, streaming, town
from tests.chaos.verdict import strangers
from tests.gateway_project.running import Serving, until

BOB = Key("bob", "blue")
# Room for the first grant of one stream and not for another.
ROOM = 5000 * OUTPUT_NANO
TICK_S = 10.0


@contextmanager
def held(server: Serving) -> Iterator[None]:
    """A stream under way that holds most of the budget; it lasts longer than a test waits for it."""
    with streaming(server, BOB, "chaos-endless") as pieces:
        assert "message_start" in next(pieces)
        yield


def asks_much(server: Serving) -> str:
    return code(call(server, BOB, max_tokens=4000))


# R7
def test_money_held_by_a_killed_server_is_there_after_its_restart() -> None:
    with town("sqlite", Cast((BOB,), (Limit("key", "bob", ROOM),))) as place:
        first = place.serve(ALONE)
        with held(first):
            assert asks_much(first) == "budget_held"
            first.kill()
        with place.serving(ALONE) as (second,):
            assert asks_much(second) == "200"
        assert place.disorder() == []


@pytest.fixture
def two_servers() -> Iterator[Town]:
    with town("postgres", Cast((BOB,), (Limit("key", "bob", ROOM),))) as place:
        yield place


# R7
@pytest.mark.services
def test_money_held_by_a_killed_server_comes_to_its_sibling_within_the_lease(two_servers: Town) -> None:
    first = two_servers.serve(ALONE)
    with two_servers.serving(ALONE) as (second,):
        with held(first):
            assert asks_much(second) == "budget_held"
            first.kill()
        until(lambda: asks_much(second) == "200", LEASE_S + TICK_S)
    assert two_servers.disorder() == []


# R7 R5: what stood in for the lost machine is taken back
@pytest.mark.services
def test_money_of_a_lost_machine_is_counted_until_its_journal_is_back(two_servers: Town) -> None:
    elsewhere = two_servers.home.parent / "elsewhere"
    lost = two_servers.serve(ALONE, home=elsewhere)
    with two_servers.serving(ALONE) as (left,):
        with held(lost):
            lost.kill()
        until(two_servers.reap, LEASE_S + TICK_S)
        assert asks_much(left) == "200"
        two_servers.serve(ALONE, home=elsewhere).stop()
    assert (strangers(two_servers.book()), two_servers.disorder()) == (0, [])


# R27: a server that stood still for longer than its lease finds out before it spends
@pytest.mark.services
def test_server_that_stood_still_for_longer_than_its_lease_starts_over(two_servers: Town) -> None:
    with two_servers.serving(ALONE, count=2) as (still, awake):
        assert code(call(still, BOB)) == "200"
        still.send(signal.SIGSTOP)
        until(two_servers.reap, LEASE_S + TICK_S)
        still.send(signal.SIGCONT)
        still.hear("starts over")
        until(lambda: [code(call(one, BOB)) for one in (still, awake)] == ["200", "200"])
        until(lambda: not strangers(two_servers.book()))
    assert two_servers.disorder() == []

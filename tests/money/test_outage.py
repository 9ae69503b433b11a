"""Stores that stop, are cut off, or come back empty: budgets stay closed or exact, and what was earned meanwhile is not lost."""

from collections.abc import Iterator

import pytest

from tests.chaos.answers import OUTPUT_NANO
from tests.chaos.scopes import Cast, Key, Limit
from tests.chaos.town import ALONE, Town, call, code, streaming, town
from tests.gateway_project.running import until
from tests.money.services import Stores, own_stores
from tests.money.storm import storm

pytestmark = pytest.mark.services

# Two seconds are promised; a busy machine is given some more.
SOON_S = 6.0
ONE = 40 * OUTPUT_NANO
BOB, CAROL, FREE = Key("bob", "blue"), Key("carol", "green"), Key("free", "green")
CAST = Cast((BOB, CAROL, FREE), (Limit("key", "bob", 10**12), Limit("key", "carol", ONE)))
QUICK = {"model": "chaos-quick", "max_tokens": 1000, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def stores() -> Iterator[Stores]:
    with own_stores() as found:
        yield found


@pytest.fixture
def place(stores: Stores) -> Iterator[Town]:
    with town("postgres", CAST, database_url=stores.database_url, redis_url=stores.redis_url) as built:
        yield built


# R37
def test_frozen_database_closes_hard_budgets_and_nothing_else(place: Town, stores: Stores) -> None:
    with place.serving(ALONE) as (server,):
        stores.postgres.freeze()
        refused = call(server, BOB, timeout_s=SOON_S)
        assert (refused.status_code, code(refused)) == (503, "budget_unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert code(call(server, FREE)) == "200"
        stores.postgres.thaw()
        until(lambda: code(call(server, BOB)) == "200")
    assert place.disorder() == []


# R37
def test_killed_database_closes_hard_budgets_until_it_is_back(place: Town, stores: Stores) -> None:
    with place.serving(ALONE) as (server,):
        stores.postgres.kill()
        assert [code(call(server, key, timeout_s=SOON_S)) for key in (BOB, FREE)] == ["budget_unavailable", "200"]
        stores.postgres.start()
        until(lambda: code(call(server, BOB, timeout_s=SOON_S)) == "200")
        until(stores.postgres_is_up)
    assert place.disorder() == []


# R38
def test_call_that_ends_without_a_database_is_posted_once_when_it_is_back(place: Town, stores: Stores) -> None:
    server = place.serve(ALONE)
    with streaming(server, BOB, "chaos-slow") as pieces:
        assert "message_start" in next(pieces)
        stores.postgres.freeze()
        assert "message_stop" in "".join(pieces)
    until(lambda: any(b"\nc req_" in path.read_bytes() for path in place.home.glob("journal/*/*.log")))
    server.kill()
    stores.postgres.thaw()
    with place.serving(ALONE) as (again,):
        assert code(call(again, BOB)) == "200"
    assert ([line.kind for line in place.book().lines], place.disorder()) == (["base", "base"], [])


# R39 R3
@pytest.mark.parametrize("trouble", ["frozen", "flushed", "restarted empty"])
def test_redis_in_trouble_has_no_effect_on_money(place: Town, stores: Stores, trouble: str) -> None:
    troubles = {"frozen": stores.redis.freeze, "flushed": stores.flush_redis, "restarted empty": stores.redis.restart}
    with place.serving(ALONE, count=3) as servers:
        assert code(call(servers[0], BOB)) == "200"
        troubles[trouble]()
        ended = storm([server.url for server in servers], CAROL.token, 100, QUICK)
        stores.redis.thaw()
        until(stores.redis_is_up)
    assert (ended, len(place.billed())) == ({"200": 1, "budget_exceeded": 99}, 2)
    assert place.disorder() == []

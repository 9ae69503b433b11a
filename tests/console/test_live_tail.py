"""Reading finished calls: each once, long ones when they end, only what the pages count."""

import time

import pytest

from audit.models import RequestRecord
from console.live.board import Try
from console.live.tail import Tail
from tests.console.live_rows import ended
from tests.console.rows import OVERLOADED, attempt

pytestmark = pytest.mark.django_db


def ids(tail: Tail, now: float) -> list[str]:
    return [call.id for call in tail.read(now)]


def test_fresh_start_reads_the_half_hour() -> None:
    ended(1700.0, id="req_old")
    ended(1.0, id="req_new")
    assert set(ids(Tail(), time.time())) == {"req_old", "req_new"}


def test_call_is_read_once() -> None:
    tail, now = Tail(), time.time()
    ended(1.0, id="req_first")
    assert ids(tail, now) == ["req_first"]
    ended(1.0, id="req_second")
    assert ids(tail, now + 1) == ["req_second"]
    assert [ids(tail, now + later) for later in (2, 12, 61, 130)] == [[], [], [], []]


@pytest.mark.parametrize(("lasted_s", "later_s"), [(60, 10), (600, 60)])
def test_long_call_is_found_when_it_has_ended(lasted_s: int, later_s: int) -> None:
    tail, now = Tail(), time.time()
    tail.read(now)
    ended(0.0, id="req_long", duration_ms=lasted_s * 1000.0)
    assert ids(tail, now + 1) == []
    [call] = tail.read(now + later_s)
    assert (call.id, call.total_ms) == ("req_long", lasted_s * 1000.0)
    assert call.ended_s == pytest.approx(now, abs=5)


def test_token_counts_are_not_counted() -> None:
    ended(1.0, endpoint="/v1/messages/count_tokens", nano=0)
    assert Tail().read(time.time()) == []


def test_what_retention_deleted_is_forgotten() -> None:
    tail, now = Tail(), time.time()
    ended(1.0, id="req_gone")
    tail.read(now)
    RequestRecord.objects.all().delete()
    tail.read(now + 61)
    assert tail.calls == {}


def test_failed_attempt_speaks_against_its_deployment_and_not_against_the_call() -> None:
    ended(1.0, attempts=[OVERLOADED, attempt(id="a-2", deployment="bedrock-1", started_ms=700.0, first_byte_ms=1200.0)])
    [call] = Tail().read(time.time())
    assert (call.side, call.tries) == ("", (Try("anthropic-1", True, None), Try("bedrock-1", False, 500.0)))


@pytest.mark.parametrize(
    ("values", "side"),
    [
        ({"outcome": "refused", "status": 429, "error_source": "client", "error_code": "rate_limited"}, "client"),
        ({"outcome": "failed", "status": 529, "error_source": "provider", "attempts": [OVERLOADED]}, "provider"),
        ({"outcome": "failed", "status": 503, "error_source": "gateway", "error_code": "draining"}, "gateway"),
        ({"outcome": "failed", "status": 500}, "gateway"),
        ({"outcome": "client_left"}, ""),
    ],
)
def test_failure_is_on_the_side_that_its_page_names(values: dict[str, object], side: str) -> None:
    ended(1.0, **values)
    [call] = Tail().read(time.time())
    assert call.side == side

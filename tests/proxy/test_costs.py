"""What a call costs, on record: usage by kind, lines that add up, and nothing where nothing was bought."""

from dataclasses import replace
from typing import Any

import pytest

from billing.snapshot import Price, PriceBook, Rates
from proxy.limits import Limits
from tests.fakes.script import CACHED_USAGE, ITERATED_USAGE, Answer, refusal
from tests.proxy.door import alias, dead_route, plane, send, summary
from tests.proxy.house import House
from tests.proxy.rig import Rig

SONNET = Price("list-1", (Rates(3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000),))
OPUS = Price("list-1", (Rates(5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000),))
BOOK = PriceBook({("anthropic", "claude-played"): (SONNET,), ("anthropic", "claude-opus-5-5"): (OPUS,)})
WAYS = [{"stream": True}, {}]
CACHED_LINES = [
    ("input", 40, 3_300_000, 132_000, ""),
    ("cache_read", 5000, 330_000, 1_650_000, ""),
    ("cache_write_5m", 100, 4_125_000, 412_500, ""),
    ("cache_write_1h", 200, 6_600_000, 1_320_000, ""),
    ("output", 60, 16_500_000, 990_000, ""),
    ("web_search", 2, 10_000_000_000, 20_000_000, ""),
]
ITERATED_LINES = [
    ("input", 100, 3_000_000, 300_000, ""),
    ("output", 30, 15_000_000, 450_000, ""),
    ("input", 700, 5_000_000, 3_500_000, "claude-opus-5-5"),
    ("output", 90, 25_000_000, 2_250_000, "claude-opus-5-5"),
]


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    rig = house.rig(limits)
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=BOOK)
    return rig


def bought(rig: Rig, answer: Answer, way: dict[str, Any], model: str = "claude-played") -> list[tuple[str, int, int, int, str]]:
    rig.fake.script(answer)
    assert send(rig, model=model, **way).status_code == 200
    return [(line.kind, line.count, line.unit_pico, line.amount_nano, line.model) for line in summary(rig).price_lines]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_packed", [False, True])
def test_cached_usage_is_priced_kind_by_kind(rig: Rig, way: dict[str, Any], is_packed: bool) -> None:
    assert bought(rig, Answer(usage=CACHED_USAGE, gzip=is_packed), way) == CACHED_LINES
    record = summary(rig)
    assert record.cost_nano == sum(line[3] for line in CACHED_LINES)
    assert (record.input_tokens, record.cache_read_tokens, record.cache_write_5m_tokens, record.cache_write_1h_tokens) == (
        40,
        5000,
        100,
        200,
    )
    assert (record.output_tokens, record.thinking_tokens, record.web_searches, record.is_estimated) == (60, 20, 2, False)


@pytest.mark.parametrize("way", WAYS)
def test_iterations_are_priced_each_at_its_model(rig: Rig, way: dict[str, Any]) -> None:
    assert bought(rig, Answer(usage=ITERATED_USAGE), way) == ITERATED_LINES
    assert summary(rig).cost_nano == 6_500_000


@pytest.mark.parametrize("way", WAYS)
def test_posting_is_the_cost_on_record(rig: Rig, way: dict[str, Any]) -> None:
    bought(rig, Answer(usage=CACHED_USAGE), way)
    (entry,) = rig.gateway.closings()
    (posting,) = entry.postings
    assert (posting.amount_nano, posting.is_unpriced, posting.is_estimated) == (entry.summary.cost_nano, False, False)
    assert (posting.attempt_id, posting.provider, posting.model, posting.price_version) == (
        f"{entry.summary.id}.1",
        "anthropic",
        "claude-played",
        "list-1+us",
    )
    assert entry.summary.attempts[0].cost_nano == entry.summary.cost_nano


# R14
@pytest.mark.parametrize("way", WAYS)
def test_model_without_a_price_is_flagged_and_costs_nothing_known(rig: Rig, way: dict[str, Any]) -> None:
    assert bought(rig, Answer(), way, model="claude-unheard-of") == []
    (entry,) = rig.gateway.closings()
    assert (entry.summary.cost_nano, entry.summary.is_unpriced, entry.summary.attempts[0].cost_nano) == (None, True, None)
    assert [(posting.amount_nano, posting.is_unpriced) for posting in entry.postings] == [(0, True)]


def test_iteration_at_a_model_without_a_price_is_flagged(rig: Rig) -> None:
    usage = {
        **ITERATED_USAGE,
        "iterations": [*ITERATED_USAGE["iterations"], {"model": "claude-unheard-of", "input_tokens": 1, "output_tokens": 1}],
    }
    assert bought(rig, Answer(usage=usage), {}) == ITERATED_LINES
    assert (summary(rig).cost_nano, summary(rig).is_unpriced) == (None, True)


def test_price_of_the_model_asked_upstream_counts(rig: Rig) -> None:
    assert bought(rig, Answer(usage=CACHED_USAGE), {}, model=alias(rig, model="claude-played")) == CACHED_LINES


def test_counting_tokens_posts_nothing(rig: Rig) -> None:
    assert send(rig, path="/v1/messages/count_tokens").json()["input_tokens"] > 0
    (entry,) = rig.gateway.closings()
    assert (entry.postings, entry.windows, entry.summary.cost_nano, entry.summary.is_estimated) == ([], [], 0, False)
    assert (entry.summary.endpoint, entry.summary.outcome) == ("count_tokens", "ok")
    assert rig.gateway.lines("o") == []


# R12
@pytest.mark.parametrize("fields", [{"max_tokens": -1}, {"model": "gpt-6"}, {"stream": 1}])
def test_refused_call_is_on_record_and_costs_nothing(rig: Rig, fields: dict[str, Any]) -> None:
    answer = send(rig, **fields)
    (entry,) = rig.gateway.closings()
    assert (entry.summary.id, entry.summary.outcome, entry.summary.status) == (answer.headers["request-id"], "refused", answer.status_code)
    assert (entry.summary.cost_nano, entry.postings, entry.summary.attempts) == (0, [], [])
    assert entry.summary.error_code == answer.headers["x-tallygate-error-code"]


# R12
@pytest.mark.parametrize("way", WAYS)
def test_call_that_reached_nobody_costs_nothing(rig: Rig, way: dict[str, Any]) -> None:
    assert send(rig, model=dead_route(rig), **way).status_code == 502
    (entry,) = rig.gateway.closings()
    assert (entry.postings, entry.summary.cost_nano, entry.summary.outcome) == ([], 0, "failed")


@pytest.mark.parametrize("way", WAYS)
def test_refused_attempt_costs_nothing_and_the_next_one_its_price(rig: Rig, way: dict[str, Any]) -> None:
    rig.gateway.route("claude-two", replace(rig.deployment, model="claude-opus-5-5"), replace(rig.deployment, model="claude-played"))
    rig.fake.script(refusal(529), Answer(usage=ITERATED_USAGE))
    assert send(rig, model="claude-two", **way).status_code == 200
    (entry,) = rig.gateway.closings()
    assert [(posting.attempt_id[-2:], posting.amount_nano) for posting in entry.postings] == [(".2", 6_500_000)]
    assert entry.summary.cost_nano == 6_500_000


HOSTILE = [
    "{" + '"a":' + "[" * 5000,
    "{" * 3000,
    '{"session_id":5}',
    '{"session_id":"' + "s" * 5000 + '"}',
    "\x00",
    "{",
    '{"session_id":"\\ud800"}',
    "[" * 9000,
]


@pytest.mark.parametrize("user_id", HOSTILE)
def test_no_metadata_saves_a_call_from_its_bill(rig: Rig, user_id: str) -> None:
    assert send(rig, model="claude-played", metadata={"user_id": user_id}).status_code == 200
    (entry,) = rig.gateway.closings()
    assert entry.postings[0].amount_nano > 0
    assert max(len(entry.summary.end_user), len(entry.summary.session_id)) <= 200

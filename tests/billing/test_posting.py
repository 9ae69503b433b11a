"""What a call's summary says is what its rows say, column by column, and nothing is posted twice."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from audit.batch_sql import ROWS_PER_INSERT
from audit.models import RequestRecord, RollUp
from audit.requests import AttemptNote, LineNote, RequestSummary
from billing.bank import Moved
from billing.journal import Entry, Posting
from billing.models import Budget, LedgerEntry, Window
from billing.posting import post, settled, tidied
from tests.billing.lines import AT, closing

pytestmark = pytest.mark.django_db

NOTE = AttemptNote(
    id="req_1.1",
    deployment="sonnet",
    provider="demo",
    model="demo-sonnet",
    started_ms=0.25,
    first_byte_ms=12.5,
    duration_ms=99.5,
    status=529,
    outcome="retried",
    error_code="overloaded",
    error_message='"so\\ \N{SNOWMAN}"',
    upstream_request_id="up_1",
    cost_nano=7,
)
TEXTS = (
    "endpoint", "outcome", "error_source", "error_code", "error_message", "organisation_id", "team_id", "team_name", "user_id", "user_name",
    "key_id", "key_name", "cost_centre", "end_user", "session_id", "agent_id", "client", "client_ip", "route", "provider", "deployment_id",
    "deployment_name", "served_model", "upstream_request_id", "stop_reason",
)  # fmt: skip
NUMBERS = (
    "status", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "thinking_tokens",
    "web_searches", "cost_nano", "request_bytes", "response_bytes",
)  # fmt: skip
FILLED: dict[str, Any] = {
    "id": "req_1",
    "received_at": AT,
    "first_byte_ms": 12.125,
    "duration_ms": 1234.5,
    "gateway_ms": 0.0625,
    "is_stream": True,
    "is_unpriced": True,
    "is_estimated": True,
    "tags": ["ci", "größe", '"'],
    "attempts": [NOTE],
    "price_lines": [LineNote("input", 10, 3_000_000, 30_000, "demo-sonnet")],
    "tools": ["Bash", "%s"],
    **{name: f"ü{number:02d}" for number, name in enumerate(TEXTS)},
    **{name: 101 + number for number, name in enumerate(NUMBERS)},
}


def test_every_column_of_a_record_has_its_field_in_the_summary() -> None:
    columns = [field.column or "" for field in RequestRecord._meta.concrete_fields]
    assert sorted(columns) == sorted(RequestSummary.__struct_fields__) == sorted(FILLED)


def test_every_column_of_a_record_is_what_the_summary_says() -> None:
    post([Entry(RequestSummary(**FILLED))], "base")
    expected = msgspec.to_builtins(FILLED) | {"received_at": datetime.fromtimestamp(AT, UTC)}
    assert RequestRecord.objects.values().get() == expected


def test_record_of_a_call_that_did_nothing_has_the_columns_own_defaults() -> None:
    post([Entry(RequestSummary(id="req_1", received_at=AT))], "base")
    fresh = RequestRecord(id="req_1", received_at=datetime.fromtimestamp(AT, UTC))
    found = RequestRecord.objects.get()
    assert [getattr(found, field.attname) for field in found._meta.concrete_fields] == [
        getattr(fresh, field.attname) for field in fresh._meta.concrete_fields
    ]


def test_every_column_of_a_ledger_entry_is_what_call_and_posting_say() -> None:
    one = Posting("req_1.7", AT, -42, True, True, "bedrock", "demo-haiku", "own:3")
    post([Entry(RequestSummary(**FILLED), [one])], "reap")
    found = LedgerEntry.objects.values().get()
    told = {name: FILLED[name] for name in ("organisation_id", "team_id", "user_id", "key_id", "cost_centre", "route", "tags", "end_user")}
    of_posting: dict[str, object] = {
        "note": "",
        "budget_id": None,
        "attempt_id": "req_1.7",
        "amount_nano": -42,
        "is_unpriced": True,
        "is_estimated": True,
        "provider": "bedrock",
    }
    of_posting |= {"model": "demo-haiku", "price_version": "own:3", "at": datetime.fromtimestamp(AT, UTC)}
    assert found == told | of_posting | {"id": found["id"], "kind": "reap", "request_id": "req_1"}


@pytest.mark.parametrize("kinds", [("base", "reap"), ("reap", "base"), ("base", "base")])
def test_attempt_has_one_entry_whatever_is_posted_later(kinds: tuple[str, str]) -> None:
    budget = Budget.objects.create(scope="global", amount_nano=10**12)
    for amount, kind in zip((30, 40), kinds, strict=True):
        post([closing("req_1", [amount], [(budget.pk, AT)])], kind)
    assert list(LedgerEntry.objects.values_list("kind", "amount_nano")) == [(kinds[0], 30)]
    assert (Window.objects.get().posted_nano, RequestRecord.objects.get().cost_nano) == (30, 30)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_batch_that_fails_at_its_end_has_written_nothing() -> None:
    def fail(_: list[Moved]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        post([closing("req_1", [1]), closing("req_2", [2])], "base", tell=fail)
    assert (RequestRecord.objects.count(), LedgerEntry.objects.count()) == (0, 0)


@pytest.mark.services
def test_of_a_batch_that_is_partly_posted_the_rest_is() -> None:
    post([closing("req_2", [2])], "base")
    post([closing(f"req_{number}", [number]) for number in (1, 2, 3, 3)], "base")
    assert dict(LedgerEntry.objects.values_list("request_id", "amount_nano")) == {"req_1": 1, "req_2": 2, "req_3": 3}
    assert (RequestRecord.objects.count(), LedgerEntry.objects.count()) == (3, 3)
    assert sum(RollUp.objects.values_list("calls", flat=True)) == 3


def test_call_counts_in_each_of_its_windows_and_calls_share_them() -> None:
    budgets = [Budget.objects.create(scope="team", scope_id="team-1", amount_nano=1, period=period) for period in ("day", "month")]
    windows = [(budget.pk, AT - 60) for budget in budgets]
    post([closing("req_1", [1, 2], windows), closing("req_2", [4], windows[:1]), closing("req_3", [8])], "base")
    assert dict(Window.objects.values_list("budget", "posted_nano")) == {budgets[0].pk: 7, budgets[1].pk: 3}


def test_call_that_cost_nothing_opens_no_window() -> None:
    budget = Budget.objects.create(scope="global", amount_nano=1)
    post([closing("req_1", [0], [(budget.pk, AT)])], "base")
    assert (LedgerEntry.objects.count(), Window.objects.count()) == (1, 0)


def test_windows_of_a_removed_budget_are_not_made_again() -> None:
    kept, removed = (Budget.objects.create(scope="global", amount_nano=1, period=period) for period in ("day", "week"))
    windows = [(kept.pk, AT), (removed.pk, AT)]
    post([closing("req_1", [5], windows)], "base")
    removed.delete()
    post([closing("req_2", [6], windows)], "base")
    assert Window.objects.values_list("budget", "posted_nano").get() == (kept.pk, 11)
    assert LedgerEntry.objects.count() == 2


def test_nothing_to_post_is_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        post([], "base")


@pytest.mark.parametrize("at", [1e12, 1e18, 1e300, -1e18])
def test_time_that_no_calendar_has_is_refused_as_the_lines_own_fault(at: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        post([closing("req_1", [5], at=at)], "base")
    assert not RequestRecord.objects.exists()


def test_settled_calls_are_those_with_a_record() -> None:
    numbers = range(2 * ROWS_PER_INSERT + 1)
    post([closing(f"req_{number}", [1]) for number in numbers], "base")
    assert settled([f"req_{number}" for number in numbers] + ["req_x"]) == {f"req_{number}" for number in numbers}


def test_tidy_copy_fits_every_column_and_keeps_the_money() -> None:
    entry = closing("req_1", [30], [(7, AT)])
    entry.summary.error_message = "a\0" + "x" * 5000
    entry.summary.tags = ["a\0b"]
    entry.summary.attempts[0].error_message = "\0"
    entry.postings[0].model = "m" * 300
    tidy = tidied(entry)
    summary, [one] = tidy.summary, tidy.postings
    assert (len(summary.error_message), summary.tags, summary.attempts[0].error_message) == (1000, ["ab"], "")
    assert (len(one.model), one.amount_nano, one.attempt_id, tidy.windows) == (200, 30, "req_1.1", [(7, AT)])
    assert (entry.summary.tags, len(entry.postings[0].model)) == (["a\0b"], 300)


def test_tidy_copy_of_a_tidy_entry_is_equal() -> None:
    assert tidied(closing("req_1", [30, 12], [(7, AT)])) == closing("req_1", [30, 12], [(7, AT)])

"""Roll-ups are what records and ledger say, in whatever batches and however often calls are posted; made anew they are the same."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, transaction
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import RequestRecord, RollUp, TagRollUp
from audit.rollups import BOUNDS_MS, OTHER_TAG, TAGS_PER_HOUR
from billing import posting
from billing.journal import Entry
from billing.ledger import prove
from billing.models import LedgerEntry
from billing.posting import post
from billing.rollup_posting import post_adjustments
from billing.rollup_rebuild import rebuild
from tests.billing.lines import closing
from tests.threads import at_once

START = datetime(2026, 3, 14, 15, 0, tzinfo=UTC)
AT = START.timestamp()
# The last rounds up to a quarter's start when it is stored.
MOMENTS = st.sampled_from([AT, AT + 0.000001, AT + 899.999999, AT + 900, AT + 3600, AT + 9000 - 2.4e-7])
CALLS = st.fixed_dictionaries(
    {
        "received_at": MOMENTS,
        "key_id": st.sampled_from(["key-1", "key-2"]),
        "provider": st.sampled_from(["demo", "bedrock"]),
        "client": st.sampled_from(["", "curl"]),
        "endpoint": st.sampled_from(["messages", "messages", "count_tokens"]),
        "outcome": st.sampled_from(["ok", "failed"]),
        "status": st.sampled_from([0, 200, 529]),
        "tags": st.lists(st.sampled_from(["a", "b", OTHER_TAG]), max_size=3),
        "is_unpriced": st.booleans(),
        "is_estimated": st.booleans(),
        "input_tokens": st.integers(0, 10**9),
        "cache_write_1h_tokens": st.integers(0, 10**9),
        "output_tokens": st.integers(0, 10**9),
        "duration_ms": st.floats(0, 10**6),
        "first_byte_ms": st.none() | st.floats(0, 10**6),
    }
)
# Five calls, that come again and differ then: the first that is posted is the one.
ENTRIES = st.tuples(st.integers(0, 4), st.lists(st.integers(0, 10**12), max_size=3), CALLS)
BATCHES = st.lists(st.lists(ENTRIES, max_size=6), max_size=5)


NUMBERS = count(1)


def entry(number: int, amounts: list[int], values: dict[str, Any]) -> Entry:
    made = closing(f"req_{number}", amounts, at=values["received_at"])
    for name, value in values.items():
        setattr(made.summary, name, value)
    for place, one in enumerate(made.postings):
        one.provider = ["demo", "bedrock"][place % 2]
    made.summary.cost_nano = None
    made.summary.is_unpriced = True
    return made


def rows() -> list[dict[str, Any]]:
    """All roll-ups but for their ids, in an order of their own."""
    found = [*RollUp.objects.values(), *TagRollUp.objects.values()]
    return sorted(({name: value for name, value in row.items() if name != "id"} for row in found), key=repr)


def total(name: str) -> int:
    return int(RollUp.objects.aggregate(total=Sum(name, default=0))["total"])


@pytest.mark.django_db
@settings(max_examples=80, deadline=None)
@given(batches=BATCHES)
def test_posting_and_making_anew_come_to_the_same(batches: list[list[tuple[int, list[int], dict[str, Any]]]]) -> None:
    with transaction.atomic():
        for batch in batches:
            post([entry(*one) for one in batch], "base")
        posted = rows()
        assert prove() == []
        rebuild()
        assert rows() == posted
        RollUp.objects.all().delete()
        TagRollUp.objects.all().delete()
        rebuild()
        assert rows() == posted
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_batch_posted_twice_counts_once() -> None:
    batch = [closing("req_1", [30, 12]), closing("req_2", [5])]
    post(batch, "base")
    once = rows()
    post([*batch, *batch], "base")
    post(batch, "reap")
    assert rows() == once
    assert (total("calls"), total("cost_nano")) == (2, 47)


@pytest.mark.django_db
def test_attempt_that_becomes_known_later_brings_its_money_alone() -> None:
    post([closing("req_1", [30])], "base")
    late = closing("req_1", [30, 12])
    late.summary.client, late.summary.status = "somebody else", 529
    post([late], "base")
    assert (total("calls"), total("cost_nano")) == (1, 42)
    assert set(RollUp.objects.values_list("client", "status_class")) == {("", "2xx")}


@pytest.mark.django_db
def test_batch_that_is_not_posted_counts_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "post_windows", mock.Mock(side_effect=OperationalError("away")))
    with pytest.raises(OperationalError):
        post([closing("req_1", [30])], "base")
    assert rows() == []


@pytest.mark.django_db
def test_waits_are_added_place_by_place() -> None:
    for number, took_ms in enumerate([10.0, 75.0, 80.0, 10.0**7]):
        one = closing(f"req_{number}", [])
        one.summary.duration_ms, one.summary.first_byte_ms = took_ms, None
        post([one], "base")
    row = RollUp.objects.get()
    assert row.waits == [1, 2, *[0] * (len(BOUNDS_MS) - 2), 1]
    assert (row.first_waits, row.duration_ms) == ([0] * (len(BOUNDS_MS) + 1), 10_000_165)


@pytest.mark.django_db
def test_adjustment_counts_in_the_quarter_of_its_own_time() -> None:
    post([closing("req_1", [30], at=AT)], "base")
    LedgerEntry.objects.create(attempt_id="req_1.1", kind="adjust", request_id="req_1", at=START.replace(hour=20), amount_nano=-7)
    post_adjustments(list(LedgerEntry.objects.filter(kind="adjust")))
    assert dict(RollUp.objects.filter(cost_nano__gt=-30).order_by().values_list("starts_at").annotate(Sum("cost_nano"))) == {
        START: 30,
        START.replace(hour=20): -7,
    }
    posted = rows()
    rebuild()
    assert rows() == posted


@pytest.mark.django_db
def test_what_stands_in_for_a_lost_share_is_nobodys_spend() -> None:
    stand_in = LedgerEntry.objects.create(attempt_id="lost:1", kind="reap", request_id="gone", at=START, amount_nano=40, budget_id=7)
    post_adjustments([stand_in])
    rebuild()
    assert (rows(), prove()) == ([], [])


def with_tags(*tags: str, at: float = AT) -> Entry:
    made = closing(f"req_{next(NUMBERS)}", [1], at=at)
    made.summary.tags = list(tags)
    return made


@pytest.mark.django_db
def test_hour_names_so_many_tags_and_the_rest_is_other() -> None:
    for part in range(6):
        post([with_tags(f"tag-{part * 10 + number}", at=AT + part * 600) for number in range(10)], "base")
    post([with_tags("tag-3", "tag-55", "tag-56"), with_tags("tag-55", at=AT + 3600)], "base")
    this_hour = TagRollUp.objects.filter(starts_at__lt=START.replace(hour=16))
    assert len(set(this_hour.values_list("tag", flat=True))) == TAGS_PER_HOUR + 1
    assert this_hour.filter(tag=OTHER_TAG).aggregate(Sum("calls"), Sum("cost_nano")) == {"calls__sum": 11, "cost_nano__sum": 11}
    assert TagRollUp.objects.get(starts_at=START.replace(hour=16)).tag == "tag-55"
    posted = rows()
    rebuild()
    assert rows() == posted


@pytest.mark.django_db
def test_only_the_span_asked_for_is_made_anew() -> None:
    post([closing(f"req_{number}", [1], at=AT + number * 900) for number in range(4)], "base")
    RollUp.objects.all().delete()
    assert rebuild(START.replace(minute=20), START.replace(minute=45)) == 2
    assert sorted(set(RollUp.objects.values_list("starts_at", flat=True))) == [START.replace(minute=15), START.replace(minute=30)]


@pytest.mark.django_db
def test_roll_ups_of_nothing_go() -> None:
    post([closing("req_1", [1], at=AT)], "base")
    RequestRecord.objects.all().delete()
    LedgerEntry.objects.all().delete()
    assert (rebuild(), rows()) == (1, [])


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_many_drainers_at_once_add_up_while_roll_ups_are_made_anew() -> None:
    numbers = count(1)

    def work() -> None:
        name = next(numbers)
        for batch in range(10):
            tags = [f"tag-{name}-{batch}-{number % 2}" for number in range(20)]
            post([with_tags(tag, at=AT + number % 3 * 900) for number, tag in enumerate(tags)], "base")
            rebuild(START, START.replace(minute=15))

    at_once(4, work)
    assert (total("calls"), total("cost_nano"), prove()) == (800, 800, [])


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_hour_has_no_more_tags_when_drainers_of_different_keys_name_them_at_once() -> None:
    def work() -> None:
        batch = [with_tags(f"tag-{next(NUMBERS)}") for _ in range(TAGS_PER_HOUR - 10)]
        for one in batch:
            one.summary.key_id = one.summary.tags[0]
        post(batch, "base")

    at_once(4, work)
    assert len(set(TagRollUp.objects.values_list("tag", flat=True))) == TAGS_PER_HOUR + 1
    assert TagRollUp.objects.aggregate(Sum("calls")) == {"calls__sum": 4 * (TAGS_PER_HOUR - 10)}

"""Which records of a batch are new: each call is told once, whatever is repeated."""

import msgspec
import pytest

from audit.batch_sql import ROWS_PER_INSERT, moments
from audit.models import RequestRecord
from audit.requests import UNREAD, ReadSummary, RequestSummary
from billing.journal import Closing, Entry
from billing.record_posting import post_records
from tests.billing.lines import closing

pytestmark = pytest.mark.django_db


def new_of(*entries: Entry) -> set[str]:
    return post_records([msgspec.json.decode(msgspec.json.encode(entry), type=Closing).summary for entry in entries], moments())


def test_new_calls_are_told() -> None:
    assert new_of(closing("req_1", []), closing("req_2", [])) == {"req_1", "req_2"}


def test_call_that_is_there_is_left_as_it_is_and_not_told() -> None:
    new_of(closing("req_1", [7]))
    assert new_of(closing("req_1", [8]), closing("req_2", [9])) == {"req_2"}
    assert dict(RequestRecord.objects.values_list("pk", "cost_nano")) == {"req_1": 7, "req_2": 9}


def test_of_a_call_that_comes_twice_in_a_batch_the_first_is_kept() -> None:
    assert new_of(closing("req_1", [7]), closing("req_1", [8])) == {"req_1"}
    assert RequestRecord.objects.get().cost_nano == 7


def test_more_than_one_statement_takes_are_all_told() -> None:
    entries = [closing(f"req_{number}", []) for number in range(2 * ROWS_PER_INSERT + 1)]
    assert new_of(*entries) == {entry.summary.id for entry in entries}


def test_of_many_only_those_that_were_not_there_are_told() -> None:
    new_of(closing("req_60", []))
    entries = [closing(f"req_{number}", []) for number in range(2 * ROWS_PER_INSERT)]
    assert new_of(*entries) == {entry.summary.id for entry in entries} - {"req_60"}
    assert RequestRecord.objects.count() == 2 * ROWS_PER_INSERT


def test_nothing_to_write_is_no_call() -> None:
    assert new_of() == set()


def test_summary_is_read_in_the_order_in_which_it_is_written() -> None:
    assert ReadSummary.__struct_fields__ == RequestSummary.__struct_fields__
    assert set(UNREAD) < set(RequestSummary.__struct_fields__)


def test_record_of_an_earlier_release_gets_defaults_for_what_it_does_not_name() -> None:
    new_of(msgspec.convert([["req_1", 1.5]], Entry))
    assert RequestRecord.objects.values_list("attempts", "tags", "tools", "status").get() == ([], [], [], 0)

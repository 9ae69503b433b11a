"""Which records of a batch are new: each call is told once, whatever is repeated."""

import pytest

from audit.batch_sql import ROWS_PER_INSERT
from audit.models import RequestRecord
from billing.record_posting import post_records
from tests.billing.lines import closing

pytestmark = pytest.mark.django_db


def test_new_calls_are_told() -> None:
    assert post_records([closing("req_1", []), closing("req_2", [])]) == {"req_1", "req_2"}


def test_call_that_is_there_is_left_as_it_is_and_not_told() -> None:
    post_records([closing("req_1", [7])])
    assert post_records([closing("req_1", [8]), closing("req_2", [9])]) == {"req_2"}
    assert dict(RequestRecord.objects.values_list("pk", "cost_nano")) == {"req_1": 7, "req_2": 9}


def test_of_a_call_that_comes_twice_in_a_batch_the_first_is_kept() -> None:
    assert post_records([closing("req_1", [7]), closing("req_1", [8])]) == {"req_1"}
    assert RequestRecord.objects.get().cost_nano == 7


def test_more_than_one_statement_takes_are_all_told() -> None:
    entries = [closing(f"req_{number}", []) for number in range(2 * ROWS_PER_INSERT + 1)]
    assert post_records(entries) == {entry.summary.id for entry in entries}


def test_nothing_to_write_is_no_call() -> None:
    assert post_records([]) == set()

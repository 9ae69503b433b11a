"""What is read from a record's attempts: why each was made, what it cost, whose side its failure was on."""

from typing import Any

import pytest

from audit.models import RequestRecord
from console.attempts import Attempt, read_attempts, tally
from tests.console.rows import OVERLOADED, attempt


def read(*entries: dict[str, Any], **values: Any) -> list[Attempt]:
    return read_attempts(RequestRecord(route="claude-sonnet", attempts=list(entries), **values))


def failing(code: str, **values: Any) -> dict[str, Any]:
    return OVERLOADED | {"error_code": code} | values


@pytest.mark.parametrize(
    ("entries", "step", "told"),
    [
        ([attempt()], "first", "1 attempt"),
        ([OVERLOADED, attempt()], "retry", "2 attempts, 1 retry"),
        ([OVERLOADED, attempt(deployment="second")], "fallback", "2 attempts, 1 fallback"),
        ([OVERLOADED, failing("overloaded", deployment="second"), attempt()], "retry", "3 attempts, 1 fallback, 1 retry"),
        ([failing("thinking_refused"), attempt()], "rethought", "2 attempts, 1 retry"),
        ([failing("provider_connection_lost", status=0), attempt()], "reconnected", "2 attempts, 1 retry"),
        ([failing("overloaded", route="claude-sonnet"), attempt(route="claude-haiku")], "fallback", "2 attempts, 1 fallback"),
    ],
)
def test_why_the_last_attempt_was_made(entries: list[dict[str, Any]], step: str, told: str) -> None:
    attempts = read(*entries)
    assert (attempts[-1].step, tally(attempts)) == (step, told)


def test_public_name_is_told_where_it_is_another() -> None:
    assert [one.other_name for one in read(attempt(route="claude-sonnet"), attempt(route="claude-haiku"), attempt())] == [
        "",
        "claude-haiku",
        "",
    ]


def test_last_attempt_ended_as_its_record_says() -> None:
    values = {"error_source": "gateway", "error_code": "shutting_down", "error_message": "The gateway is stopping."}
    last = read(OVERLOADED, attempt(outcome="failed"), **values)[-1]
    assert (last.error_code, last.side, last.had_begun) == ("shutting_down", "gateway", True)


def test_own_words_of_a_provider_are_kept_apart_from_ours() -> None:
    texts = [failing("overloaded", error_message="theirs"), failing("address_refused", status=0, error_message="ours")]
    silent = failing("provider_timeout", status=0, error_message="ours")
    assert [(one.said, one.detail) for one in read(*texts, silent)] == [("theirs", ""), ("", "ours"), ("", "")]


@pytest.mark.parametrize(
    ("entry", "is_unpriced"), [(attempt(cost_nano=None), True), (attempt(cost_nano=0), False), (OVERLOADED | {"cost_nano": None}, False)]
)
def test_only_what_was_made_lacks_a_price(entry: dict[str, Any], is_unpriced: bool) -> None:
    assert read(entry, is_unpriced=True)[0].is_unpriced is is_unpriced


def test_time_to_the_first_byte_counts_from_the_attempts_own_start() -> None:
    assert read(attempt(started_ms=620.0, first_byte_ms=1200.0))[0].until_first_byte_ms == 580.0


@pytest.mark.parametrize("left_out", [None, "text", 5, ["a", 1]])
def test_list_of_what_was_left_out_may_be_anything(left_out: object) -> None:
    assert all(isinstance(name, str) for name in read(attempt(left_out=left_out))[0].left_out)

"""One request in full: what it cost and why, what happened and whose side it was on."""

import re

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from tests.console.rows import OVERLOADED, PRICE_LINES, as_admin, attempt, served

pytestmark = pytest.mark.django_db


def page(**values: object) -> str:
    record = served(**values)  # type: ignore[arg-type]  # columns of many types
    return as_admin().get(f"/requests/{record.id}/").content.decode()


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.replace("</p>", " "))).replace("&#x27;", "'")


@pytest.mark.parametrize("request_id", ["req_missing", "%00", "%3Cscript%3E"])
def test_unknown_request_is_not_found(request_id: str) -> None:
    response = as_admin().get(f"/requests/{request_id}/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_price_lines_add_up_to_the_cost() -> None:
    html = page(price_lines=PRICE_LINES, attempts=[attempt()])
    amounts = re.findall(r'<td class="r p2">([\d.]+)</td>', html)
    assert amounts == ["0.0036120", "0.0105975", "0.0132540", "0.0285600", "0.0560235"]
    assert "<dt>Cost</dt><dd>$0.0560</dd>" in html
    assert "do not add up" not in html


def test_lines_that_miss_the_cost_are_reported() -> None:
    assert "The lines do not add up" in page(price_lines=PRICE_LINES[:2])


def test_every_nano_of_a_line_is_shown() -> None:
    line = {"kind": "input", "count": 1, "unit_pico": 1_000, "amount_nano": 1, "model": "m"}
    assert '<td class="r p2">0.000000001</td>' in page(price_lines=[line], nano=1)


def test_recovered_request_tells_who_failed() -> None:
    second = attempt(deployment="bedrock-us-east-1", provider="bedrock", started_ms=620.0, first_byte_ms=1200.0)
    html = page(attempts=[OVERLOADED, second], price_lines=PRICE_LINES)
    assert "anthropic-1 answered 529. Provider's side. Sent to bedrock-us-east-1 instead" in text_of(html)
    assert html.count('class="fail"') == html.count('class="first"') == 1
    assert 'class="r quiet p3">not billed</td>' in html


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"outcome": "refused", "status": 429, "error_source": "client", "error_code": "budget_exceeded", "error_message": "Used up."},
            "Refused (429 budget_exceeded). Client's side. Raise the budget, or wait for its reset. The caller was told: Used up.",
        ),
        (
            {"outcome": "failed", "status": 529, "error_source": "provider", "attempts": [OVERLOADED]},
            "anthropic-1 answered 529. Provider's side. Send it again",
        ),
        (
            {"outcome": "failed", "status": 500, "error_source": "gateway", "error_code": "internal"},
            "Failed (500 internal). Gateway's side. Look for this request id in the gateway's log.",
        ),
        ({"outcome": "client_left"}, "The client left before the end. What was answered until then is charged. Client's side."),
        ({"outcome": "truncated", "error_source": "provider"}, "The answer stopped before its end. Provider's side."),
        ({"outcome": "interrupted", "error_source": "gateway"}, "The answer was broken off after it had begun. Gateway's side."),
        ({"outcome": "failed", "error_source": ""}, "Failed (200). Whose side is not known."),
    ],
)
def test_problem_says_what_happened_whose_side_and_what_to_do(values: dict[str, object], sentence: str) -> None:
    assert sentence in text_of(page(**values))


def test_request_without_price_shows_no_zero() -> None:
    html = page(is_unpriced=True, cost_nano=None, nano=0)
    assert '<dt>Cost</dt><dd><span class="state warn">unpriced</span></dd>' in html
    assert "This request is in no sum." in html


def test_facts_and_tools_are_shown() -> None:
    html = page(tools=["Read", "Bash", "Read"], tags=["nightly"], client_ip="10.4.0.17", cost_centre="CC-4711", gateway_ms=0.42)
    text = text_of(html)
    for fact in ("Read&nbsp;×2", "Bash", "nightly", "10.4.0.17", "CC-4711", "0.4 ms"):
        assert fact in text


def test_typed_and_foreign_texts_are_inert() -> None:
    evil = "<script>alert('\u202e')</script>"
    broken = attempt(deployment=evil, error_message=evil, error_code=evil, status=0, outcome="failed", first_byte_ms=None)
    names = dict.fromkeys(["key_name", "team_name", "user_name", "client", "session_id", "route", "served_model", "error_message"], evil)
    html = page(**names, outcome="failed", error_source="provider", attempts=[broken], tags=[evil], tools=[evil])
    assert "<script>" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize("attempts", [[], [{}], ["text"], [{"started_ms": None, "duration_ms": None, "status": None}]])
def test_incomplete_attempts_do_not_break_the_page(attempts: list[object]) -> None:
    assert "Timeline" in page(attempts=attempts, price_lines=[{}, None], duration_ms=0)


def test_page_needs_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    record = served(attempts=[attempt()] * 5, price_lines=PRICE_LINES)
    client = as_admin()
    with django_assert_max_num_queries(3):
        client.get(f"/requests/{record.id}/")

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
    sentence = "anthropic-1 was overloaded (529). Provider's side. Sent to bedrock-us-east-1 after 620 ms; the caller saw one answer."
    assert f"{sentence} Nothing to do." in text_of(html)
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
            "anthropic-1 was overloaded (529). Provider's side. Send it again",
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


@pytest.mark.parametrize(
    ("status", "reason", "sentence"),
    [
        (400, "request_refused", "anthropic-1 refused the request (400). Client's side. Correct the request"),
        (
            401,
            "credential_refused",
            "anthropic-1 did not accept the key that the gateway has for it (401). Gateway's side. Test the credential",
        ),
        (404, "model_unknown", "anthropic-1 does not know the model (404). Gateway's side."),
        (429, "rate_limited", "anthropic-1 let no more calls through (429). Provider's side."),
        (418, "authentication_error", "anthropic-1 failed (authentication_error). Provider's side. Send it again"),
    ],
)
def test_refusal_of_a_provider_is_on_the_side_of_its_reason(status: int, reason: str, sentence: str) -> None:
    refused = attempt(status=status, outcome="failed", error_code=reason, cost_nano=None)
    text = text_of(page(outcome="failed", status=status, error_source="provider", attempts=[refused]))
    assert sentence in text


def test_what_must_be_mended_is_told_though_the_call_was_served() -> None:
    keyless = attempt(status=401, outcome="failed", error_code="credential_refused", first_byte_ms=None)
    text = text_of(page(attempts=[OVERLOADED, keyless, attempt(deployment="third", started_ms=12.0)]))
    assert "did not accept the key that the gateway has for it (401). Gateway's side. Sent to third after 12 ms" in text
    assert "Test the credential" in text and "gateway, recovered" in text


def test_call_that_every_attempt_failed_says_so() -> None:
    text = text_of(page(outcome="failed", status=529, error_source="provider", attempts=[OVERLOADED] * 3))
    assert "Provider's side. All 3 attempts failed. Send it again" in text
    assert "3 attempts, 2 retries" in text


def test_attempt_that_was_not_sent_is_not_blamed_for_what_the_caller_was_told() -> None:
    unsent = attempt(status=0, outcome="failed", error_code="not_served", error_message="a region is needed", first_byte_ms=None)
    text = text_of(page(outcome="failed", status=529, error_source="provider", error_code="provider_error", attempts=[OVERLOADED, unsent]))
    assert "anthropic-1 was overloaded (529). Provider's side." in text
    assert "The provider cannot be called as it is set up. Gateway's side. a region is needed" in text


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("overloaded_error", "anthropic-1 failed after its answer had begun (overloaded_error). Provider's side."),
        ("provider_timeout", "anthropic-1 did not answer in time. Provider's side."),
    ],
)
def test_answer_that_failed_in_its_middle_is_told_as_such(code: str, sentence: str) -> None:
    values = {"outcome": "failed", "error_source": "provider", "error_code": code, "error_message": "Overloaded."}
    assert sentence in text_of(page(**values, attempts=[attempt(outcome="failed")]))


def test_answer_that_was_cut_off_tells_why() -> None:
    values = {"outcome": "truncated", "error_source": "provider", "error_code": "provider_connection_lost"}
    text = text_of(page(**values, attempts=[attempt(outcome="truncated")]))
    assert "The answer stopped before its end. The connection to anthropic-1 broke. Provider's side. Send it again" in text


def test_every_attempt_is_shown_in_full() -> None:
    failed = attempt(**{**OVERLOADED, "upstream_request_id": "req_up_1", "error_message": "No room <b>", "route": "claude-sonnet"})
    second = attempt(
        deployment="haiku-2", route="claude-haiku", started_ms=620.0, upstream_request_id="req_up_2", left_out=["speed", "metadata"]
    )
    text = text_of(page(attempts=[failed, second]))
    for fact in ("first try", "costs nothing", "The provider was overloaded. Provider's side. In its words: No room &lt;b&gt;", "req_up_1"):
        assert fact in text
    for fact in ("fallback", "to claude-haiku", "Not sent to it: speed, metadata", "req_up_2", "$0.0560"):
        assert fact in text


def test_attempt_without_a_price_does_not_claim_to_cost_nothing() -> None:
    html = page(is_unpriced=True, cost_nano=None, nano=0, attempts=[OVERLOADED, attempt(cost_nano=None)])
    assert [html.count("costs nothing</span>"), html.count('<td class="r p2"><span class="state warn">unpriced')] == [1, 1]


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

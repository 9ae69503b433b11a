"""Which public names are tried next, for which failure; and what a provider's words mean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.failures import Reason, reason_of
from routing.fallbacks import MOST, Plan, names_after
from routing.snapshot import RouteSnapshot

quick = settings(derandomize=True, deadline=None, database=None)
ROUTE = RouteSnapshot("a", (), fallbacks=("b",), context_window_fallbacks=("long",), content_policy_fallbacks=("bold",))
PLAIN = RouteSnapshot("a", ())

TOO_LONG = [
    (400, "prompt is too long: 250000 tokens > 200000 maximum", ""),
    (400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", ""),
    (400, "This model's maximum context length is 128000 tokens.", ""),
    (400, "too big", "context_length_exceeded"),
    (400, "Input is too long for requested model.", "ValidationException"),
    (400, "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).", "INVALID_ARGUMENT"),
    (413, "Please reduce the length of the messages or completion.", ""),
    (400, "litellm.ContextWindowExceededError: too much", ""),
    (422, "Requested tokens exceed context window of 4096", ""),
]
REFUSED = [
    (400, "Output blocked by content filtering policy", ""),
    (400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "content_filter"),
    (400, "Your request was rejected by our safety system.", ""),
    (400, "no", "content_policy_violation"),
]
THINKING = [
    (400, "messages.1.content.0: Invalid `signature` in `thinking` block", ""),
    (400, "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation", ""),
]
PLAINLY = [
    (400, "messages: Field required", Reason.REQUEST_REFUSED),
    (400, "messages.1.role: Input should be 'user' or 'assistant'", Reason.REQUEST_REFUSED),
    (400, "Your credit balance is too low to access the Anthropic API.", Reason.CREDENTIAL_REFUSED),
    (401, "invalid x-api-key", Reason.CREDENTIAL_REFUSED),
    (402, "", Reason.CREDENTIAL_REFUSED),
    (403, "", Reason.CREDENTIAL_REFUSED),
    (404, "model: claude-none", Reason.MODEL_UNKNOWN),
    (408, "", Reason.PROVIDER_ERROR),
    (409, "", Reason.REQUEST_REFUSED),
    (413, "Request exceeds the maximum size", Reason.REQUEST_REFUSED),
    (424, "", Reason.PROVIDER_ERROR),
    (429, "prompt is too long", Reason.RATE_LIMITED),
    (500, "", Reason.PROVIDER_ERROR),
    (501, "", Reason.REQUEST_REFUSED),
    (503, "", Reason.OVERLOADED),
    (508, "", Reason.REQUEST_REFUSED),
    (529, "", Reason.OVERLOADED),
]


@pytest.mark.parametrize(("status", "message", "code"), TOO_LONG)
def test_words_for_a_prompt_that_is_too_long(status: int, message: str, code: str) -> None:
    assert reason_of(status, message, code) is Reason.PROMPT_TOO_LONG


@pytest.mark.parametrize(("status", "message", "code"), REFUSED)
def test_words_for_content_that_is_refused(status: int, message: str, code: str) -> None:
    assert reason_of(status, message, code) is Reason.CONTENT_REFUSED


@pytest.mark.parametrize(("status", "message", "code"), THINKING)
def test_words_for_thinking_of_another_account(status: int, message: str, code: str) -> None:
    assert reason_of(status, message, code) is Reason.THINKING_REFUSED


@pytest.mark.parametrize(("status", "message", "reason"), PLAINLY)
def test_other_refusals_by_status(status: int, message: str, reason: Reason) -> None:
    assert reason_of(status, message) is reason


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, ("b",)),
        (Reason.OVERLOADED, ("b",)),
        (Reason.CREDENTIAL_REFUSED, ("b",)),
        (Reason.MODEL_UNKNOWN, ("b",)),
        (Reason.PROMPT_TOO_LONG, ("long",)),
        (Reason.CONTENT_REFUSED, ("bold",)),
        (Reason.REQUEST_REFUSED, ()),
        (Reason.THINKING_REFUSED, ()),
    ],
)
def test_each_failure_has_its_list(reason: Reason | None, expected: tuple[str, ...]) -> None:
    assert names_after(ROUTE, reason, ("d",)) == expected


def test_default_is_for_routes_without_a_list_and_for_general_failures() -> None:
    assert names_after(PLAIN, Reason.OVERLOADED, ("d",)) == ("d",)
    assert names_after(PLAIN, Reason.PROMPT_TOO_LONG, ("d",)) == ()


def test_names_of_a_name_come_before_what_waits() -> None:
    plan = Plan("a")
    first = RouteSnapshot("a", (), fallbacks=("b", "c"))
    assert plan.next(first, None) == "b"
    assert plan.next(RouteSnapshot("b", (), fallbacks=("d", "a")), None) == "d"
    assert plan.next(PLAIN, None) == "c"
    assert plan.next(PLAIN, None) is None


def test_too_long_for_a_fallback_goes_on_with_what_waits() -> None:
    plan = Plan("a")
    assert plan.next(RouteSnapshot("a", (), fallbacks=("b", "c")), Reason.OVERLOADED) == "b"
    assert plan.next(RouteSnapshot("b", ()), Reason.PROMPT_TOO_LONG) == "c"


graphs = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=5))


@quick
@given(graphs, st.lists(st.sampled_from("abcdefgh"), max_size=3))
def test_however_lists_point_at_each_other_it_ends_and_tries_nothing_twice(graph: dict[str, list[str]], default: list[str]) -> None:
    plan, route, tried = Plan("a", tuple(default)), RouteSnapshot("a", (), fallbacks=tuple(graph.get("a", ()))), ["a"]
    while name := plan.next(route, None):
        tried.append(name)
        route = RouteSnapshot(name, (), fallbacks=tuple(graph.get(name, ())))
    assert len(tried) == len(set(tried)) <= MOST + 1

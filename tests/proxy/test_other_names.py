"""Fallbacks: a call goes to another public name when its own cannot serve it, held and priced like any attempt, and only where it may."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from billing.budget_book import BudgetRow
from keys.snapshot import ModelList
from proxy.limits import Limits
from routing.policy import Policy
from tests.fakes.provider import FakeProvider
from tests.fakes.script import TOO_LONG, Answer, refusal
from tests.fakes.serving import serve_in_thread
from tests.proxy.door import know, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.routes import asked, cool, deployment, put, route, served_by
from tests.proxy.talk import post

CHEAP, LONG, BOLD = "claude-haiku-4-5", "claude-sonnet-4-5-20250929", "claude-opus-5-5"
FILTERED = "Output blocked by content filtering policy"


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.fixture
def other() -> Iterator[tuple[FakeProvider, str]]:
    """A second provider, and its address."""
    fake = FakeProvider()
    with serve_in_thread(fake) as url:
        yield fake, url


def lead(rig: Rig, url: str, **lists: tuple[str, ...]) -> str:
    """A name with these lists; `cheap`, `long` and `bold` are served at the second provider."""
    models = {"cheap": CHEAP, "long": LONG, "bold": BOLD}
    others = [route(name, deployment(rig, name, base_url=url, model=model)) for name, model in models.items()]
    return put(rig, route("claude-main", deployment(rig, "main"), **lists), *others)


FAILURES = {
    "overloaded": (refusal(529), "fallbacks", "cheap"),
    "refused key": (refusal(401), "fallbacks", "cheap"),
    "unknown": (refusal(404), "fallbacks", "cheap"),
    "hung up": (Answer(fault="eof", fault_after=-1), "fallbacks", "cheap"),
    "too long": (refusal(400, TOO_LONG), "context_window_fallbacks", "long"),
    "content": (refusal(400, FILTERED), "content_policy_fallbacks", "bold"),
}


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(("failure", "kind", "name"), FAILURES.values(), ids=FAILURES)
def test_each_failure_leads_to_the_list_for_it(
    rig: Rig, other: tuple[FakeProvider, str], failure: Answer, kind: str, name: str, is_stream: bool
) -> None:
    rig.fake.script(failure)
    lists = {"fallbacks": ("cheap",), "context_window_fallbacks": ("long",), "content_policy_fallbacks": ("bold",)}
    answer = post(rig, model=lead(rig, other[1], **lists), stream=is_stream)
    assert (answer.status_code, answer.headers["x-tallygate-deployment"]) == (200, name)
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    entry = rig.gateway.closings()[0]
    assert (entry.summary.route, served_by(entry)) == ("claude-main", ["main", name])
    assert [note.route for note in entry.summary.attempts] == ["claude-main", name]
    assert entry.postings[-1].model == other[0].seen[-1].json()["model"]


@pytest.mark.parametrize(("failure", "kind", "name"), FAILURES.values(), ids=FAILURES)
def test_list_for_something_else_leads_nowhere(rig: Rig, other: tuple[FakeProvider, str], failure: Answer, kind: str, name: str) -> None:
    rig.fake.script(failure)
    lists = {"fallbacks": ("cheap",), "context_window_fallbacks": ("long",), "content_policy_fallbacks": ("bold",)}
    del lists[kind]
    answer = post(rig, model=lead(rig, other[1], **lists))
    assert answer.status_code == (failure.status if failure.fault is None else 502)
    assert asked(other[0]) == 0


def test_too_long_a_prompt_that_nobody_takes_is_told_in_the_providers_words(rig: Rig) -> None:
    rig.fake.script(refusal(400, TOO_LONG))
    answer = post(rig, model=put(rig, route("claude-main", deployment(rig, "main"), deployment(rig, "twin"))))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, TOO_LONG)
    assert asked(rig.fake) == 1


def test_default_is_for_names_without_a_list(rig: Rig, other: tuple[FakeProvider, str]) -> None:
    rig.fake.script(refusal(529))
    spare = route("spare", deployment(rig, "spare", base_url=other[1]))
    model = put(rig, route("claude-main", deployment(rig, "main")), spare, policy=Policy(default_fallbacks=("spare",)))
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "spare"


def test_name_that_the_caller_may_not_use_is_passed_over(rig: Rig, other: tuple[FakeProvider, str]) -> None:
    rig.fake.script(refusal(529))
    headers = know(rig, "alice", model_lists=(ModelList.of(["claude-main", "long"]),))
    answer = send(rig, headers=headers, model=lead(rig, other[1], fallbacks=("cheap", "nowhere", "long")))
    assert answer.headers["x-tallygate-deployment"] == "long"


def test_names_that_point_at_each_other_are_each_tried_once(rig: Rig) -> None:
    rig.fake.script(*[refusal(529)] * 10)
    names = ("one", "two", "three")
    routes = [route(name, deployment(rig, name), fallbacks=names) for name in names]
    assert post(rig, model=put(rig, *routes)).status_code == 529
    assert served_by(rig.gateway.closings()[0]) == ["one", "two", "three"]


def test_last_failure_is_told(rig: Rig, other: tuple[FakeProvider, str]) -> None:
    rig.fake.script(refusal(529))
    other[0].script(refusal(503, "still closed"))
    answer = post(rig, model=lead(rig, other[1], fallbacks=("cheap",)))
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "still closed")


def test_real_failure_is_told_rather_than_a_fallback_that_cannot_be_tried(rig: Rig) -> None:
    rig.fake.script(refusal(529, "Overloaded for now"))
    broken = route("broken", deployment(rig, "broken", problem="key lost"))
    answer = post(rig, model=put(rig, route("claude-main", deployment(rig, "main"), fallbacks=("broken",)), broken))
    assert (answer.status_code, answer.json()["error"]["message"]) == (529, "Overloaded for now")


def test_deployments_that_cool_down_are_put_off_where_there_are_other_names(rig: Rig, other: tuple[FakeProvider, str]) -> None:
    model = lead(rig, other[1], fallbacks=("cheap",))
    cool(rig, "main")
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "cheap"
    assert asked(rig.fake) == 0


def test_deployments_that_cool_down_are_better_than_none(rig: Rig, other: tuple[FakeProvider, str]) -> None:
    other[0].script(refusal(529))
    model = lead(rig, other[1], fallbacks=("cheap",))
    cool(rig, "main")
    answer = post(rig, model=model)
    assert (answer.status_code, answer.headers["x-tallygate-deployment"]) == (200, "main")
    assert served_by(rig.gateway.closings()[0]) == ["cheap", "main"]


# R11
def test_caller_is_told_of_its_budget_when_a_dearer_fallback_does_not_fit(rig: Rig, other: tuple[FakeProvider, str]) -> None:
    rig.fake.script(refusal(529))
    dear = route("bold", deployment(rig, "bold", base_url=other[1], model=BOLD))
    model = put(rig, route("claude-main", deployment(rig, "main", model=CHEAP), fallbacks=("bold",)), dear)
    rig.gateway.budget(BudgetRow(1, "key", "key-alice", 2_000_000, "", "UTC", datetime(2026, 1, 1, tzinfo=UTC), "strict"))
    answer = post(rig, model=model, max_tokens=100)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (429, "budget_exceeded")
    assert (asked(rig.fake), asked(other[0])) == (1, 0)

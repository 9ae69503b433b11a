"""LiteLLM's scripts against /user, /team and /tag/daily/activity."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from console.management.activity import DAYS_PER_PAGE
from tests.console.spend_rows import NOON, NOVEMBER, Cast, spent

pytestmark = pytest.mark.django_db
METRICS = {
    "spend": Decimal("1.000000301"), "prompt_tokens": 34, "completion_tokens": 26, "cache_read_input_tokens": 10,
    "cache_creation_input_tokens": 4, "total_tokens": 60, "successful_requests": 1, "failed_requests": 1, "api_requests": 2,
}  # fmt: skip
BREAKDOWNS = {"models", "model_groups", "providers", "api_keys", "entities", "mcp_servers", "endpoints"}


@pytest.fixture
def cast() -> Cast:
    return Cast()


def activity(cast: Cast, of: str, asked: str = "", who: str = "master") -> Any:
    return json.loads(cast.get(f"/{of}/daily/activity?{NOVEMBER}{asked}", who).content, parse_float=Decimal)


@pytest.mark.parametrize("of", ["user", "team"])
def test_newest_day_comes_first_with_all_its_metrics(cast: Cast, of: str) -> None:
    told = activity(cast, of)
    assert [row["date"] for row in told["results"]] == ["2026-11-20", "2026-11-19"]
    assert told["results"][0]["metrics"] == METRICS
    assert set(told["results"][0]["breakdown"]) == BREAKDOWNS
    assert (told["metadata"]["total_spend"], told["metadata"]["total_api_requests"]) == (Decimal("1.000000321"), 3)
    assert {name: told["metadata"][name] for name in ("page", "total_pages", "has_more")} == {
        "page": 1,
        "total_pages": 1,
        "has_more": False,
    }


def test_breakdown_names_models_providers_keys_and_teams(cast: Cast) -> None:
    parts = activity(cast, "team")["results"][0]["breakdown"]
    assert parts["models"]["opus"]["metrics"] == parts["providers"]["anthropic"]["metrics"] == METRICS
    of_key = parts["api_keys"][cast.alice.token_hash]
    assert (of_key["metrics"]["spend"], of_key["metadata"]["key_alias"]) == (Decimal("1.000000001"), "alice's key")
    team = parts["entities"][cast.search.pk]
    assert team["metadata"] == {"team_alias": "Search"}
    assert team["api_key_breakdown"] == {cast.alice.token_hash: of_key}


def test_breakdown_of_people_names_them(cast: Cast) -> None:
    parts = activity(cast, "user")["results"][0]["breakdown"]
    assert set(parts["entities"]) == {cast.alice.user_id, cast.charlie.user_id}


@pytest.mark.parametrize(("asked", "calls"), [("&model=haiku", 1), ("&user_id={bob}", 1), ("&api_key={token}", 1), ("&model=none", 0)])
def test_activity_is_narrowed(cast: Cast, asked: str, calls: int) -> None:
    told = activity(cast, "user", asked.format(bob=cast.bob.user_id, token=cast.bob.token_hash))
    assert told["metadata"]["total_api_requests"] == calls


def test_several_teams_are_named_with_commas(cast: Cast) -> None:
    both = activity(cast, "team", f"&team_ids={cast.search.pk},{cast.sales.pk}")
    assert both["metadata"]["total_api_requests"] == 3
    assert activity(cast, "team", f"&team_ids={cast.sales.pk}")["metadata"]["total_api_requests"] == 1


def test_days_come_in_pages(cast: Cast) -> None:
    first, second = activity(cast, "user", "&page_size=1"), activity(cast, "user", "&page_size=1&page=2")
    assert [row["date"] for row in first["results"] + second["results"]] == ["2026-11-20", "2026-11-19"]
    assert (first["metadata"]["has_more"], second["metadata"]["has_more"], second["metadata"]["total_pages"]) == (True, False, 2)
    assert first["metadata"]["total_spend"] == second["metadata"]["total_spend"]


def test_page_has_a_month_at_most(cast: Cast) -> None:
    for number in range(DAYS_PER_PAGE + 1):
        spent(cast.bob, 1, at=datetime(2026, 1 + number // 28, 1 + number % 28, tzinfo=UTC))
    answer = cast.get("/user/daily/activity?start_date=2026-01-01&end_date=2026-03-30&page_size=1000").json()
    assert (len(answer["results"]), answer["metadata"]["has_more"]) == (DAYS_PER_PAGE, True)


def test_days_are_cut_in_the_zone_asked_for(cast: Cast) -> None:
    spent(cast.bob, 7, at=NOON.replace(day=10, hour=16), route="night")
    told = activity(cast, "user", "&model=night&timezone=-540")
    assert [row["date"] for row in told["results"]] == ["2026-11-11"]
    assert told["results"][0]["breakdown"]["models"]["night"]["metrics"]["spend"] == Decimal("7E-9")


def test_tags_are_told_by_day_and_what_is_not_counted_by_tag_is_null(cast: Cast) -> None:
    told = activity(cast, "tag", "&tags=nightly")
    [day] = told["results"]
    assert (day["metrics"]["spend"], day["metrics"]["api_requests"], day["metrics"]["failed_requests"]) == (Decimal("1.000000301"), 2, None)
    assert set(day["breakdown"]["entities"]) == {"nightly"}
    assert (told["metadata"]["total_spend"], told["metadata"]["total_failed_requests"]) == (Decimal("1.000000301"), None)


def test_manager_sees_the_tags_of_their_team(cast: Cast) -> None:
    told = activity(cast, "tag", who="alice")
    assert told["metadata"]["total_spend"] == Decimal("1.000000021")

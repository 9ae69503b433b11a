"""LiteLLM's rows → ours, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.openings import anchor_of
from billing.periods import window
from gateway_project.litellm_import.mapping import mapped
from gateway_project.litellm_import.wanted import KEY, MEMBER, ORGANISATION, PERSON, TAG, TEAM, Mapped, Names, Taken, Wanted
from keys.secrets import hash_token
from tests.gateway_project.litellm_rows import HASH, NOW, RESET, TOKEN, litellm_rows, source_of

USD = 10**9
MASTER = "sk-the-master-key-of-ours"


def taken(keys: dict[str, str] | None = None, organisations: dict[str, str] | None = None) -> Taken:
    return Taken(Names(dict(keys or {})), Names(dict(organisations or {})), Names({}), Names({}), master_hash=hash_token(MASTER))


def of(kind: str, rows: list[dict[str, Any]], **others: list[dict[str, Any]]) -> Mapped:
    return mapped(source_of(litellm_rows() | {kind: rows} | others), taken(), NOW)


def key(**values: Any) -> dict[str, Any]:
    return litellm_rows()["keys"][0] | values


def only(found: Mapped, kind: str) -> Wanted:
    [one] = found.of(kind)
    return one


def reasons(found: Mapped) -> str:
    return " | ".join(f"{one.kind} {one.name}: {one.reason}" for one in found.refused)


def notes(found: Mapped) -> str:
    return " | ".join(f"{one.kind} {one.name}: {one.reason}" for one in found.notes)


def test_key_keeps_hash_limits_models_tags_and_owners() -> None:
    one = only(mapped(source_of(litellm_rows()), taken(), NOW), KEY)
    assert (one.id, one.once["last_four"], one.values["name"]) == (HASH, "1234", "laptop")
    assert (one.values["team_id"], one.values["user_id"], one.values["rpm_limit"]) == ("team-1", "bob", 20)
    assert (one.values["tags"], one.values["model_limits"]) == (["ci"], {"claude-opus": {"rpm": 5}})
    assert one.values["metadata"] == {}
    [terms] = one.terms
    assert (terms.amount_nano, terms.period, terms.spent_nano) == (20 * USD, "30d", 4_200_000_000)


def test_secret_itself_in_a_very_old_row_is_hashed() -> None:
    assert only(of("keys", [key(token=TOKEN)]), KEY).id == HASH


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"token": "nonsense"}, "no SHA-256"),
        ({"token": hash_token(MASTER)}, "the master key"),
        ({"team_id": "gone"}, "its team 'gone' is not there"),
        ({"organization_id": "gone"}, "its organisation 'gone' is not there"),
        ({"allowed_routes": ["management_routes"]}, "may call only management_routes"),
        ({"max_budget": "NaN"}, "max_budget"),
    ],
)
def test_key_that_would_be_wider_or_unclear_here_is_refused(values: dict[str, Any], reason: str) -> None:
    found = of("keys", [key(**values)])
    assert reason in reasons(found)
    assert found.of(KEY) == []


def test_key_narrowed_to_model_calls_is_taken() -> None:
    assert only(of("keys", [key(allowed_routes=["llm_api_routes"])]), KEY).values["extra"] == {"allowed_routes": ["llm_api_routes"]}


def test_sessions_of_their_pages_are_no_keys() -> None:
    found = of("keys", [key(team_id="litellm-dashboard")])
    assert (found.of(KEY), found.refused) == ([], [])


def test_key_of_the_master_key_belongs_to_nobody() -> None:
    one = only(of("keys", [key(user_id="default_user_id")]), KEY)
    assert one.values["user_id"] is None


def test_second_key_of_one_alias_is_renamed_and_told() -> None:
    second = hash_token("sk-another-one")
    found = of("keys", [key(), key(token=second)])
    assert [one.values["name"] for one in found.of(KEY)] == ["laptop", f"laptop ({second[:8]})"]
    assert "is another key's" in notes(found)


def test_alias_that_a_key_here_has_stays_with_it() -> None:
    names = taken(keys={"laptop": "of-ours"}, organisations={"Acme": "ours"})
    found = mapped(source_of(litellm_rows()), names, NOW)
    assert only(found, KEY).values["name"] == f"laptop ({HASH[:8]})"
    assert only(found, ORGANISATION).values["name"] == "Acme (org-1)"


def test_team_has_managers_members_tags_and_no_secret_of_a_logging_service() -> None:
    found = mapped(source_of(litellm_rows()), taken(), NOW)
    assert [(one.id, one.values["role"]) for one in found.of(MEMBER)] == [("team-1/alice", "manager"), ("team-1/bob", "member")]
    team = only(found, TEAM)
    assert (team.values["tags"], team.values["metadata"]) == (["search"], {"cost_center": "4711"})
    assert team.values["cost_centre"] == "4711"
    assert "metadata.logging is left out" in notes(found)
    assert "hidden" not in repr(found)


def test_members_of_older_versions_stand_in_two_lists() -> None:
    team = {"team_id": "old", "admins": ["alice"], "members": ["alice", "carol"]}
    found = of("teams", [team], members=[], keys=[])
    assert [(one.id, one.values["role"]) for one in found.of(MEMBER)] == [("old/alice", "manager"), ("old/carol", "member")]
    assert "carol" in [one.id for one in found.of(PERSON)]


def test_model_aliases_of_a_team_are_kept_and_told() -> None:
    found = of("teams", [litellm_rows()["teams"][0] | {"model_id": 3}], aliases=[{"id": 3, "aliases": {"fast": "claude-haiku"}}])
    assert only(found, TEAM).values["metadata"]["model_aliases"] == {"fast": "claude-haiku"}
    assert "its model aliases are kept" in notes(found)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("proxy_admin", "admin"), ("proxy_admin_viewer", "finance"), ("internal_user", "member"), ("internal_user_viewer", "viewer"),
     (None, "member"), ("something new", "viewer")],
)  # fmt: skip
def test_roles_of_people(theirs: str | None, ours: str) -> None:
    person = of("people", [{"user_id": "bob", "user_role": theirs}]).of(PERSON)[0]
    assert person.values["role"] == ours


def test_second_person_with_one_address_is_made_without_it() -> None:
    twice = [{"user_id": "a", "user_email": "Both@example.com"}, {"user_id": "b", "user_email": "both@example.com"}]
    people = of("people", twice).of(PERSON)
    assert [one.values["email"] for one in people][:2] == ["Both@example.com", ""]


def test_spend_of_a_period_that_is_over_is_not_carried() -> None:
    [terms] = only(of("keys", [key(budget_reset_at=datetime(2026, 3, 18, 11))]), KEY).terms
    assert terms.spent_nano == 0


def test_terms_of_a_plan_hold_where_the_row_has_none() -> None:
    one = only(of("keys", [key(max_budget=None, rpm_limit=None, budget_id="plan-1")]), KEY)
    [terms] = one.terms
    assert (terms.amount_nano, terms.plan, one.values["rpm_limit"]) == (50 * USD, "plan-1", 60)


def test_soft_budget_of_a_plan_stands_beside_the_own_one() -> None:
    plans = [{"budget_id": "plan-1", "soft_budget": 5.0}]
    terms = only(of("keys", [key(budget_id="plan-1")], plans=plans), KEY).terms
    assert [(one.amount_nano, one.is_soft, one.plan) for one in terms] == [(20 * USD, False, ""), (5 * USD, True, "plan-1")]


def test_budgets_by_model_and_further_windows_become_budgets() -> None:
    row = key(
        model_max_budget={"claude-opus": {"budget_limit": 5, "time_period": "1d"}},
        budget_limits=[{"max_budget": 3, "budget_duration": "1d"}],
    )
    terms = only(of("keys", [row]), KEY).terms
    told = [(one.model, one.amount_nano // USD, one.period, one.spent_nano) for one in terms[1:]]
    assert told == [("claude-opus", 5, "1d", 0), ("", 3, "1d", 0)]


def test_period_that_means_nothing_here_never_begins_anew() -> None:
    found = of("keys", [key(budget_duration="fortnightly")])
    assert only(found, KEY).terms[0].period == ""
    assert "'fortnightly' means nothing here" in notes(found)


def test_id_that_is_too_long_is_refused() -> None:
    found = of("tags", [{"tag_name": "x" * 201}])
    assert found.of(TAG) == []
    assert "201 characters" in reasons(found)


@pytest.mark.parametrize(
    ("period", "resets_at"),
    [("30d", datetime(2026, 4, 1, tzinfo=UTC)), ("7d", datetime(2026, 3, 20, tzinfo=UTC)), ("1mo", datetime(2026, 3, 31, tzinfo=UTC)),
     ("1d", datetime(2026, 3, 18, 12, 0, 1, tzinfo=UTC))],
)  # fmt: skip
def test_window_ends_when_litellm_would_have_reset_it(period: str, resets_at: datetime) -> None:
    anchor = anchor_of(period, resets_at, NOW)
    assert anchor <= NOW
    assert window(period, anchor, NOW)[1] == resets_at


def test_reset_that_is_overdue_goes_on_in_its_rhythm() -> None:
    anchor = anchor_of("7d", NOW - timedelta(days=8), NOW)
    assert window("7d", anchor, NOW) == (NOW - timedelta(days=1), NOW + timedelta(days=6))


def test_without_a_reset_the_period_begins_now() -> None:
    assert anchor_of("30d", None, NOW) == anchor_of("", RESET.replace(tzinfo=UTC), NOW) == NOW

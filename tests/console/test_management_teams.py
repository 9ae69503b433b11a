"""LiteLLM's scripts against /team/…."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from billing.models import Budget, LedgerEntry, Window
from keys.models import Membership, Team, User, VirtualKey
from tests.factories import make_key, make_organisation, make_team, make_user

pytestmark = pytest.mark.django_db
BLUE: dict[str, Any] = {
    "team_id": "blue", "team_alias": "Blue", "max_budget": 100.5, "soft_budget": 80, "budget_duration": "30d", "models": ["claude-opus"],
    "tpm_limit": 1000, "rpm_limit": 10, "metadata": {"a": 1}, "model_max_budget": {"claude-opus": {"budget_limit": 5, "time_period": "1d"}},
    "model_rpm_limit": {"claude-opus": 3}, "blocked": False,
}  # fmt: skip
LITELLMS_FIELDS = """
    team_alias team_id organization_id admins members members_with_roles metadata tpm_limit rpm_limit max_budget budget_duration models
    blocked spend max_parallel_requests budget_reset_at model_id litellm_model_table updated_at created_at
"""


def post(client: Client, path: str, body: object) -> Any:
    headers = {"x-api-key": settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/team/{path}", json.dumps(body), content_type="application/json", headers=headers)


def get(client: Client, path: str) -> Any:
    return client.get(f"/team/{path}", headers={"x-api-key": settings.TALLYGATE_MASTER_KEY}).json()


def add(client: Client, user_id: str = "bob", **values: Any) -> Any:
    return post(client, "member_add", {"team_id": "blue", "member": {"role": "user", "user_id": user_id}} | values).json()


@pytest.fixture
def blue(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = post(client, "new", BLUE).json()
    return told


def test_new_team_is_told_with_all_of_litellms_fields(blue: dict[str, Any]) -> None:
    assert set(LITELLMS_FIELDS.split()) <= set(blue)
    assert {name: blue[name] for name in BLUE} == BLUE
    assert (blue["spend"], blue["budget_reset_at"][:2]) == (0, "20")
    assert Budget.objects.filter(scope="team", scope_id="blue").count() == 3


def test_team_without_an_id_gets_one(client: Client) -> None:
    told = post(client, "new", {"team_alias": "Blue"}).json()
    assert Team.objects.get().pk == told["team_id"]


def test_taken_id_is_refused(client: Client, blue: dict[str, Any]) -> None:
    assert post(client, "new", {"team_id": "blue"}).json()["error"]["param"] == "team_id"


def test_members_named_with_a_new_team_are_its_members(client: Client) -> None:
    members = [{"role": "admin", "user_id": "alice"}, {"role": "user", "user_email": "bob@corp.example"}]
    told = post(client, "new", {"team_alias": "Blue", "members_with_roles": members}).json()
    assert [(one["role"], one["user_email"]) for one in told["members_with_roles"]] == [("admin", None), ("user", "bob@corp.example")]


def test_update_changes_what_was_sent_and_null_takes_away(client: Client, blue: dict[str, Any]) -> None:
    body = {"team_id": "blue", "max_budget": 50, "rpm_limit": None, "soft_budget": None}
    told = post(client, "update", body).json()
    data = told["data"]
    assert told["team_id"] == "blue"
    assert (data["max_budget"], data["rpm_limit"], data["soft_budget"], data["tpm_limit"]) == (50, None, None, 1000)
    assert (data["team_alias"], data["budget_reset_at"]) == ("Blue", blue["budget_reset_at"])


def test_team_moves_to_an_organisation(client: Client, blue: dict[str, Any]) -> None:
    acme = make_organisation()
    told = post(client, "update", {"team_id": "blue", "organization_id": acme.pk}).json()["data"]
    assert told["organization_id"] == acme.pk


def test_fields_we_do_not_act_on_are_named(client: Client) -> None:
    answer = post(client, "new", {"team_alias": "x", "guardrails": ["y"], "team_member_budget": 5})
    assert answer["x-tallygate-ignored-fields"] == "guardrails, team_member_budget"


def test_team_is_blocked_and_unblocked(client: Client, blue: dict[str, Any]) -> None:
    assert post(client, "block", {"team_id": "blue"}).json()["blocked"] is True
    assert post(client, "unblock", {"team_id": "blue"}).json()["blocked"] is False
    assert set(AuditEvent.objects.values_list("event", flat=True)) >= {"team.blocked", "team.unblocked"}


def test_info_has_keys_and_memberships(client: Client, blue: dict[str, Any]) -> None:
    key, token = make_key(team=Team.objects.get())
    add(client, max_budget_in_team=7)
    told = get(client, "info?team_id=blue")
    assert (told["team_id"], told["team_info"]["team_alias"], told["keys"][0]["token"]) == ("blue", "Blue", key.token_hash)
    assert told["team_memberships"][0]["litellm_budget_table"]["max_budget"] == 7
    assert token not in json.dumps(told)


def test_spend_is_the_windows_or_the_ledgers(client: Client, blue: dict[str, Any]) -> None:
    Window.objects.filter(budget__model="", budget__mode="hard").update(posted_nano=2_500_000_000)
    assert get(client, "info?team_id=blue")["team_info"]["spend"] == 2.5
    Budget.objects.all().delete()
    LedgerEntry.objects.create(
        attempt_id="1", kind="base", request_id="r", at=timezone.now(), amount_nano=123_000_000, team_id="blue", provider="demo", model="m"
    )
    assert get(client, "info?team_id=blue")["team_info"]["spend"] == 0.123


def test_deleted_team_takes_keys_members_and_budgets_along(client: Client, blue: dict[str, Any]) -> None:
    make_key(team=Team.objects.get())
    add(client, max_budget_in_team=7)
    assert post(client, "delete", {"team_ids": ["blue"]}).json()[0]["team_id"] == "blue"
    assert [model.objects.count() for model in (Team, VirtualKey, Membership, Budget)] == [0, 0, 0, 0]


def test_one_unknown_team_and_none_is_deleted(client: Client, blue: dict[str, Any]) -> None:
    assert post(client, "delete", {"team_ids": ["blue", "nobody"]}).status_code == 404
    assert Team.objects.exists()


def test_teams_are_listed_for_a_member_and_an_organisation(client: Client, blue: dict[str, Any]) -> None:
    acme = make_organisation()
    make_team("Red", organisation=acme)
    add(client)
    assert [row["team_alias"] for row in get(client, "list")] == ["Blue", "Red"]
    assert [row["team_alias"] for row in get(client, "list?user_id=bob")] == ["Blue"]
    assert [row["team_alias"] for row in get(client, f"list?organization_id={acme.pk}")] == ["Red"]


def test_any_number_of_teams_costs_the_same_few_queries(client: Client) -> None:
    counts = []
    for more in (range(2), range(2, 10)):
        for number in more:
            post(client, "new", BLUE | {"team_id": f"t{number}", "members_with_roles": [{"user_id": "bob"}]})
            make_key(f"k{number}", team=Team.objects.get(pk=f"t{number}"))
        with CaptureQueriesContext(connection) as queries:
            assert len(get(client, "list")) == more.stop
        counts.append(len(queries))
    assert counts[0] == counts[1]


# ── members ───────────────────────────────────────────────────────────────────
def test_member_is_added_with_a_budget(client: Client, blue: dict[str, Any]) -> None:
    told = add(client, max_budget_in_team=7.5, budget_duration="30d")
    budget = Budget.objects.get(scope="member")
    assert (budget.scope_id, budget.amount_nano, budget.period) == ("blue/bob", 7_500_000_000, "30d")
    assert (told["team_id"], told["updated_users"][0]["user_id"]) == ("blue", "bob")
    assert told["updated_team_memberships"][0]["litellm_budget_table"]["max_budget"] == 7.5


def test_several_members_are_added_at_once_or_none(client: Client, blue: dict[str, Any]) -> None:
    make_user("carol")
    members = [{"role": "admin", "user_email": "Carol@example.com"}, {"role": "user", "user_id": "bob"}]
    told = post(client, "member_add", {"team_id": "blue", "member": members}).json()
    assert [one["role"] for one in told["members_with_roles"]] == ["admin", "user"]
    again = post(client, "member_add", {"team_id": "blue", "member": [{"user_id": "dave"}, {"user_id": "bob"}]})
    assert (again.status_code, again.json()["error"]["type"]) == (400, "team_member_already_in_team")
    assert not User.objects.filter(pk="dave").exists()


def test_members_budget_and_role_are_changed(client: Client, blue: dict[str, Any]) -> None:
    add(client, max_budget_in_team=7)
    told = post(client, "member_update", {"team_id": "blue", "user_id": "bob", "max_budget_in_team": 9, "role": "admin"}).json()
    assert (told["max_budget_in_team"], told["user_id"], Membership.objects.get().role) == (9, "bob", "manager")
    told = post(client, "member_update", {"team_id": "blue", "user_id": "bob", "max_budget_in_team": None}).json()
    assert (told["max_budget_in_team"], Budget.objects.filter(scope="member").exists()) == (None, False)


def test_member_who_leaves_takes_the_budget_along(client: Client, blue: dict[str, Any]) -> None:
    add(client, max_budget_in_team=7)
    told = post(client, "member_delete", {"team_id": "blue", "user_id": "bob"}).json()
    assert told["members_with_roles"] == []
    assert not Budget.objects.filter(scope="member").exists()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("member_delete", {"team_id": "blue", "user_id": "nobody"}, 400),
        ("member_delete", {"team_id": "blue"}, 400),
        ("member_update", {"team_id": "nobody", "user_id": "x"}, 404),
        ("member_add", {"team_id": "blue", "member": {"role": "user"}}, 400),
        ("member_add", {"team_id": "blue", "member": {"role": "king", "user_id": "x"}}, 400),
        ("member_add", {"team_id": "blue", "member": {"user_id": "x"}, "max_budget_in_team": -1}, 422),
        ("update", {"team_id": "nobody"}, 404),
        ("update", {}, 400),
        ("update", {"team_id": "blue", "max_budget": 1, "budget_duration": "1M"}, 400),
        ("block", {"team_id": "nobody"}, 404),
    ],
)
def test_wrong_body_is_refused_and_changes_nothing(
    client: Client, blue: dict[str, Any], path: str, body: dict[str, Any], status: int
) -> None:
    before = AuditEvent.objects.count()
    assert post(client, path, body).status_code == status
    assert AuditEvent.objects.count() == before

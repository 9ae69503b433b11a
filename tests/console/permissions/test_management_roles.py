"""What people may do with their own keys at the management API beyond the table of permissions: what is given, forged and told."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget
from keys.access import reach_of
from keys.actions import change_team, rotate_key
from keys.models import Membership, Team, User, VirtualKey
from tests.console.permissions.cast import Cast
from tests.factories import make_key, make_user


@pytest.mark.parametrize(("role", "keeps_keys"), [("member", True), ("viewer", False), ("finance", False), ("admin", True)])
def test_viewers_and_finance_keep_no_keys(cast: Cast, role: str, keeps_keys: bool) -> None:
    reach = reach_of(make_user("somebody", role))
    assert (reach.keeps_keys, reach.managed) == (keeps_keys, frozenset())


def post(cast: Cast, role: str, path: str, **body: Any) -> Any:
    return Client().post(path, json.dumps(body), content_type="application/json", headers={"x-api-key": cast.tokens[role]})


def get(cast: Cast, role: str, path: str, **query: str) -> Any:
    return Client().get(path, query, headers={"x-api-key": cast.tokens[role]})


def limit_team(cast: Cast, dollars: int) -> None:
    set_budget(Budget.Scope.TEAM, cast.names["search"], BudgetTerms(dollars * 10**9, "30d"), actor=SYSTEM)


# ── giving ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("asked", "status"), [({"max_budget": 100}, 200), ({"max_budget": 101}, 403), ({}, 200)])
def test_managers_keys_have_no_budget_above_their_teams(cast: Cast, asked: dict[str, Any], status: int) -> None:
    limit_team(cast, 100)
    assert post(cast, "manager", "/key/generate", team_id=cast.names["search"], **asked).status_code == status
    assert post(cast, "manager", "/key/update", key=cast.names["bobs"], **asked).status_code == status


@pytest.mark.parametrize(
    ("models", "status"), [(["haiku-5"], 200), ([], 200), (["all-team-models"], 200), (["haiku*"], 200), (["opus"], 403), (["*"], 403)]
)
def test_managers_keys_name_models_of_their_team(cast: Cast, models: list[str], status: int) -> None:
    change_team(Team.objects.get(pk=cast.names["search"]), {"allowed_models": ["haiku*"]}, actor=SYSTEM)
    assert post(cast, "manager", "/key/generate", team_id=cast.names["search"], models=models).status_code == status


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        ({"rpm_limit": 5}, {"rpm_limit": 5}, 200),
        ({"rpm_limit": 5}, {"rpm_limit": 6}, 403),
        ({"rpm_limit": 5}, {}, 403),
        ({"allowed_ips": ["127.0.0.0/8"]}, {"allowed_ips": ["127.0.0.1"]}, 200),
        ({"allowed_ips": ["127.0.0.0/8"]}, {"allowed_ips": ["10.0.0.1"]}, 403),
        ({"allowed_models": ["haiku*"]}, {"models": ["haiku-5"]}, 200),
        ({"allowed_models": ["haiku*"]}, {}, 403),
        ({"model_limits": {"opus": {"tpm": 9}}}, {"model_tpm_limit": {"opus": 9}}, 200),
        ({"model_limits": {"opus": {"tpm": 9}}}, {"model_tpm_limit": {"opus": 10}}, 403),
    ],
)
@pytest.mark.parametrize("role", ["member", "manager", "admin"])
def test_nobody_gives_more_than_the_key_that_asks(cast: Cast, role: str, own: dict[str, Any], asked: dict[str, Any], status: int) -> None:
    cast.put_key("limited", user=User.objects.get(pk=cast.names[role]), **own)
    assert post(cast, "limited", "/key/generate", team_id=cast.names["search"], **asked).status_code == status


def test_key_with_a_budget_issues_none_without(cast: Cast) -> None:
    set_budget(Budget.Scope.KEY, cast.names["member_own"], BudgetTerms(5 * 10**9, "30d"), actor=SYSTEM)
    answers = [
        post(cast, "member", "/key/generate", team_id=cast.names["search"], **money)
        for money in ({}, {"max_budget": 5, "budget_duration": "1d"}, {"max_budget": 6}, {"max_budget": 5, "budget_duration": "30d"})
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 200]


def test_refused_change_leaves_nothing_behind(cast: Cast) -> None:
    before = (AuditEvent.objects.count(), VirtualKey.objects.count(), Budget.objects.count(), User.objects.count())
    cast.put_key("limited", user=User.objects.get(pk=cast.names["manager"]), rpm_limit=5)
    assert post(cast, "limited", "/key/generate", team_id=cast.names["search"], max_budget=5).status_code == 403
    assert post(cast, "limited", "/key/generate", team_id=cast.names["search"], user_id="invented").status_code == 403
    after = (AuditEvent.objects.count(), VirtualKey.objects.count(), Budget.objects.count(), User.objects.count())
    assert after == (before[0] + 1, before[1] + 1, *before[2:])


@pytest.mark.parametrize("asked", [{"rpm_limit": 9}, {"rpm_limit": None}, {"models": []}, {"max_budget": None}, {"duration": "-1"}])
def test_nobody_unbinds_their_own_key(cast: Cast, asked: dict[str, Any]) -> None:
    team, manager = Team.objects.get(pk=cast.names["search"]), User.objects.get(pk=cast.names["manager"])
    cast.put_key("bound", team=team, user=manager, rpm_limit=5, allowed_models=["haiku"])
    set_budget(Budget.Scope.KEY, cast.names["bound"], BudgetTerms(10**9), actor=SYSTEM)
    post(cast, "manager", "/key/update", key=cast.names["bound"], duration="30d")
    assert post(cast, "bound", "/key/update", key=cast.names["bound"], **asked).status_code == 403


def test_limited_key_takes_no_secret_of_a_stronger_one(cast: Cast) -> None:
    cast.put_key("limited", user=User.objects.get(pk=cast.names["member"]), rpm_limit=5)
    assert post(cast, "limited", "/key/regenerate", key=cast.names["member_own"]).status_code == 403
    assert post(cast, "limited", "/key/regenerate", key=cast.names["limited"]).status_code == 200


def test_secret_that_was_rotated_away_makes_no_new_one(cast: Cast) -> None:
    key = VirtualKey.objects.get(pk=cast.names["member_own"])
    rotate_key(key, actor=SYSTEM, overlap=timedelta(days=1))
    assert get(cast, "member", "/key/info").status_code == 200
    assert post(cast, "member", "/key/regenerate", key=key.pk).status_code == 403


# ── keys of a team ────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", ["admin", "outsider", "leader", "finance"])
def test_key_of_a_team_reaches_no_further_than_the_team(cast: Cast, role: str) -> None:
    team, person = Team.objects.get(pk=cast.names["search"]), User.objects.get(pk=cast.names[role])
    _, cast.tokens["planted"] = make_key("planted", team=team, user=person)
    assert get(cast, "planted", "/user/list").status_code == 403
    assert get(cast, "planted", "/team/info", team_id=cast.names["sales"]).status_code == 403
    assert post(cast, "planted", "/key/regenerate", key=cast.names[f"{role}_own"]).status_code == 403
    assert post(cast, "planted", "/key/generate", team_id=cast.names["sales"]).status_code == 403
    assert cast.names[f"{role}_own"] not in str(get(cast, "planted", "/key/list").json())


def test_new_key_of_a_team_key_lies_in_the_same_team(cast: Cast) -> None:
    told = post(cast, "bobs", "/key/generate").json()
    assert (told["team_id"], told["user_id"]) == (cast.names["search"], cast.names["member"])


# ── forging ───────────────────────────────────────────────────────────────────
FORGED = [
    {"user_id": "admin"}, {"team_id": "sales"}, {"organization_id": "globex"}, {"spend": -5}, {"created_by": "x"},
    {"user_role": "proxy_admin"}, {"metadata": {"user_role": "proxy_admin"}}, {"allowed_routes": ["/*"]},
    {"key_type": "management"}, {"permissions": {"all": True}},
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED, ids=str)
@pytest.mark.parametrize("path", ["/key/generate", "/key/update", "/key/regenerate"])
def test_forged_fields_move_and_promote_nothing(cast: Cast, path: str, forged: dict[str, Any]) -> None:
    asked = {name: cast.names.get(str(value), value) for name, value in forged.items()}
    named = {"team_id": cast.names["search"]} if path == "/key/generate" else {"key": cast.names["bobs"]}
    post(cast, "manager", path, **(named | asked))
    keys = VirtualKey.objects.filter(team_id=cast.names["search"])
    assert {key.user_id for key in keys} <= {None, cast.names["member"]}
    assert {key.organisation_id for key in keys} <= {None, cast.names["acme"]}
    assert VirtualKey.objects.filter(team_id=cast.names["sales"]).count() == 1
    assert not VirtualKey.objects.filter(created_by="x").exists()
    assert User.objects.filter(role=User.Role.ADMIN).count() == 1


@pytest.mark.parametrize("forged", [{"rpm_limit": 5}, {"max_budget": 5}, {"blocked": False}, {"metadata": {"a": 1}}, {"tags": ["x"]}])
def test_member_changes_nothing_but_the_secret(cast: Cast, forged: dict[str, Any]) -> None:
    post(cast, "member", "/key/block", key=cast.names["bobs"])
    assert post(cast, "member", "/key/regenerate", key=cast.names["bobs"], **forged).status_code == 403
    assert VirtualKey.objects.get(pk=cast.names["bobs"]).is_blocked


def test_what_is_sent_without_a_change_is_no_forgery(cast: Cast) -> None:
    same: dict[str, Any] = {"user_id": cast.names["member"], "team_id": cast.names["search"], "rpm_limit": None, "models": []}
    assert post(cast, "member", "/key/regenerate", key=cast.names["bobs"], **same).status_code == 200


@pytest.mark.parametrize("forged", [{"metadata": {"cost_center": "CC-9"}}, {"budget_id": "plan"}, {"user_id": "nobody-known"}])
def test_member_names_neither_cost_centre_nor_plan_nor_others(cast: Cast, forged: dict[str, Any]) -> None:
    assert post(cast, "member", "/key/generate", team_id=cast.names["search"], **forged).status_code == 403


@pytest.mark.parametrize(
    "forged",
    [{"max_budget": 101}, {"max_budget": None}, {"rpm_limit": 6}, {"rpm_limit": None}, {"models": []}, {"tags": ["x"]}, {"soft_budget": 1}],
)
def test_manager_raises_nothing_of_the_team(cast: Cast, forged: dict[str, Any]) -> None:
    limit_team(cast, 100)
    change_team(Team.objects.get(pk=cast.names["search"]), {"rpm_limit": 5, "allowed_models": ["haiku"]}, actor=SYSTEM)
    assert post(cast, "manager", "/team/update", team_id=cast.names["search"], **forged).status_code == 403
    lower = {"max_budget": 99, "rpm_limit": 4, "models": ["haiku"], "team_alias": "Renamed", "metadata": {"a": 1}}
    assert post(cast, "manager", "/team/update", team_id=cast.names["search"], **lower).status_code == 200


def test_manager_gives_members_no_more_than_the_team_has_and_themselves_nothing(cast: Cast) -> None:
    limit_team(cast, 100)
    asked = {"team_id": cast.names["search"], "user_id": cast.names["member"]}
    assert post(cast, "manager", "/team/member_update", max_budget_in_team=101, **asked).status_code == 403
    assert post(cast, "manager", "/team/member_update", max_budget_in_team=50, **asked).status_code == 200
    asked["user_id"] = cast.names["manager"]
    assert post(cast, "master", "/team/member_update", max_budget_in_team=5, **asked).status_code == 200
    assert post(cast, "manager", "/team/member_update", max_budget_in_team=6, **asked).status_code == 403
    assert post(cast, "manager", "/team/member_update", max_budget_in_team=None, **asked).status_code == 403


# ── telling ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("path", ["/key/block", "/key/regenerate", "/key/update", "/key/unblock"])
def test_key_of_others_and_key_of_nobody_are_told_alike(cast: Cast, path: str) -> None:
    answers = [post(cast, "member", path, key=name) for name in (cast.names["charlies"], "no-such-key")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].content == answers[1].content


def test_team_of_others_and_team_of_nobody_are_told_alike(cast: Cast) -> None:
    answers = [get(cast, "manager", "/team/info", team_id=name) for name in (cast.names["sales"], "no-such-team")]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("role", "seen"),
    [("member", 2), ("manager", 3), ("leader", 3), ("outsider", 2), ("finance", 1), ("viewer", 1), ("teams", 1), ("admin", 10)],
)
def test_lists_and_counts_hold_what_the_asker_may_see(cast: Cast, role: str, seen: int) -> None:
    told = get(cast, role, "/key/list", size="100").json()
    assert (len(told["keys"]), told["total_count"]) == (seen, seen)
    assert get(cast, role, "/key/aliases").json()["total_count"] == seen
    assert get(cast, role, "/key/list", user_id="", team_id="").json()["total_count"] == seen


@pytest.mark.parametrize(("role", "teams"), [("member", 1), ("leader", 1), ("finance", 2), ("newcomer", 0), ("master", 2), ("teams", 0)])
def test_teams_are_listed_to_those_who_belong_to_them(cast: Cast, role: str, teams: int) -> None:
    cast.give("newcomer", User.objects.get(pk=cast.names["newcomer"]))
    assert len(get(cast, role, "/team/list").json()) == teams


def test_member_sees_of_the_team_only_own_keys_and_own_money(cast: Cast) -> None:
    told = get(cast, "member", "/team/info", team_id=cast.names["search"]).json()
    assert {row["user_id"] for row in told["keys"]} == {row["user_id"] for row in told["team_memberships"]} == {cast.names["member"]}
    told = get(cast, "finance", "/team/info", team_id=cast.names["search"]).json()
    assert (told["keys"], len(told["team_memberships"])) == ([], 3)


def test_any_holder_reads_about_the_own_key_by_its_secret(cast: Cast) -> None:
    told = get(cast, "teams", "/key/info", key=cast.tokens["teams"]).json()
    assert (told["key"], told["info"]["key_alias"]) == (cast.names["teams"], "teams")
    assert get(cast, "teams", "/key/info").json() == told
    assert get(cast, "teams", "/key/info", key=cast.tokens["bobs"]).status_code == 403


def test_who_is_no_longer_manager_manages_no_more(cast: Cast) -> None:
    Membership.objects.filter(user_id=cast.names["manager"]).update(role=Membership.Role.MEMBER)
    assert post(cast, "manager", "/key/block", key=cast.names["bobs"]).status_code == 403


def test_plan_of_terms_is_measured_by_what_comes_of_it(cast: Cast) -> None:
    limit_team(cast, 1)
    assert post(cast, "manager", "/key/update", key=cast.names["bobs"], budget_id="plan").status_code == 200
    post(cast, "master", "/budget/new", budget_id="larger", max_budget=2)
    assert post(cast, "manager", "/key/update", key=cast.names["bobs"], budget_id="larger").status_code == 403

"""LiteLLM's scripts against /user/…."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import Budget, LedgerEntry
from keys.actions import add_member, block_key, change_user, known_user, revoke_key, rotate_key
from keys.models import Membership, User, VirtualKey
from keys.secrets import hash_token
from tests.factories import make_admin, make_key, make_organisation, make_team, make_user

pytestmark = pytest.mark.django_db
BOB: dict[str, Any] = {
    "user_id": "bob", "user_email": "bob@corp.example", "user_alias": "Bob Baker", "user_role": "internal_user_viewer", "max_budget": 20.5,
    "budget_duration": "30d", "tpm_limit": 1000, "rpm_limit": 10, "max_parallel_requests": 2, "metadata": {"a": 1}, "blocked": False,
    "soft_budget": 10, "model_max_budget": {"claude-opus": {"budget_limit": 5, "time_period": "1d"}},
}  # fmt: skip
FAR = timezone.now() + timedelta(days=30)
LITELLMS_FIELDS = """
    user_id user_email user_alias user_role teams models max_budget spend budget_duration budget_reset_at tpm_limit rpm_limit
    max_parallel_requests metadata model_max_budget organization_memberships sso_user_id created_at updated_at
"""


def post(client: Client, path: str, body: object, token: str = "") -> Any:
    headers = {"x-api-key": token or settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/user/{path}", json.dumps(body), content_type="application/json", headers=headers)


def get(client: Client, path: str, token: str = "", **headers: str) -> Any:
    return client.get(f"/user/{path}", headers={"authorization": f"Bearer {token or settings.TALLYGATE_MASTER_KEY}"} | headers)


def ids(client: Client, query: str = "") -> list[str]:
    return [row["user_id"] for row in get(client, f"list?{query}").json()["users"]]


@pytest.fixture
def bob(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = post(client, "new", BOB).json()
    return told


# ── making ────────────────────────────────────────────────────────────────────
def test_new_user_is_told_with_all_of_litellms_fields(bob: dict[str, Any]) -> None:
    assert set(LITELLMS_FIELDS.split()) <= set(bob)
    assert {name: bob[name] for name in BOB} == BOB
    person = User.objects.get(pk="bob")
    assert (person.role, person.is_staff, person.has_usable_password(), person.username) == ("viewer", False, False, "bob@corp.example")
    assert Budget.objects.filter(scope="user", scope_id="bob").count() == 3


def test_key_is_made_along_and_belongs_to_the_person(client: Client) -> None:
    answer = post(client, "new", {"user_id": "bob", "key_alias": "laptop", "duration": "30d", "models": ["claude-haiku"]})
    told, key = answer.json(), VirtualKey.objects.get()
    assert key.token_hash == told["token"] == hash_token(told["key"])
    assert (key.user_id, key.name, key.allowed_models, told["expires"][:2]) == ("bob", "laptop", ["claude-haiku"], "20")
    assert (answer["Cache-Control"], answer["x-tallygate-ignored-fields"]) == ("no-store", "models")


def test_no_key_is_made_when_none_is_wanted(client: Client) -> None:
    answer = post(client, "new", {"auto_create_key": False, "key_alias": "x"})
    assert (answer.json()["key"], VirtualKey.objects.exists()) == ("", False)
    assert answer["x-tallygate-ignored-fields"] == "key_alias"


def test_person_without_an_id_gets_one(client: Client) -> None:
    assert post(client, "new", {}).json()["user_id"] == User.objects.get().pk


def test_id_of_another_system_is_taken_as_it_is_and_can_be_changed(client: Client) -> None:
    assert post(client, "new", {"user_id": "corp|bob smith", "auto_create_key": False}).status_code == 200
    known_user("corp|eve smith", actor=SYSTEM)
    assert post(client, "update", {"user_id": "corp|eve smith", "rpm_limit": 5}).json()["data"]["rpm_limit"] == 5


def test_person_joins_the_teams_named_and_that_of_the_key(client: Client) -> None:
    blue, red, green = make_team("Blue"), make_team("Red"), make_team("Green")
    place = {"team_id": red.pk, "user_role": "admin", "max_budget_in_team": 7}
    told = post(client, "new", {"user_id": "bob", "teams": [blue.pk, place], "team_id": green.pk}).json()
    assert told["teams"] == [blue.pk, red.pk, green.pk]
    assert (told["team_id"], Membership.objects.get(team=red).role) == (green.pk, "manager")
    assert Budget.objects.get().scope_id == f"{red.pk}/bob"


@pytest.mark.parametrize(
    ("theirs", "ours"), [("proxy_admin", "admin"), ("proxy_admin_viewer", "finance"), ("internal_user", "member"), (None, "member")]
)
def test_roles_are_those_that_litellm_names(client: Client, theirs: str | None, ours: str) -> None:
    post(client, "new", {"user_id": "bob", "user_role": theirs})
    bob = User.objects.get(pk="bob")
    assert (bob.role, bob.is_superuser) == (ours, ours == "admin")


def test_json_body_sent_as_a_form_is_read(client: Client) -> None:
    headers = {"x-api-key": settings.TALLYGATE_MASTER_KEY}
    answer = client.post("/user/new", '{"user_id": "bob"}', content_type="application/x-www-form-urlencoded", headers=headers)
    assert answer.json()["user_id"] == "bob"


def test_forged_fields_change_nothing_and_are_named(client: Client) -> None:
    forged = {"is_superuser": True, "role": "admin", "password": "x", "permissions": {"a": 1}, "spend": 5}
    answer = post(client, "new", {"user_id": "bob"} | forged)
    bob = User.objects.get(pk="bob")
    assert (bob.role, bob.is_superuser, bob.has_usable_password()) == ("member", False, False)
    assert answer["x-tallygate-ignored-fields"] == "is_superuser, password, permissions, role, spend"


# ── changing ──────────────────────────────────────────────────────────────────
def test_update_changes_what_was_sent_and_null_takes_away(client: Client, bob: dict[str, Any]) -> None:
    body = {"user_id": "bob", "max_budget": 50, "rpm_limit": None, "user_alias": None, "user_role": "internal_user", "soft_budget": None}
    told = post(client, "update", body).json()
    data = told["data"]
    assert (told["user_id"], data["max_budget"], data["rpm_limit"], data["user_alias"]) == ("bob", 50, None, None)
    assert (data["user_role"], data["soft_budget"], data["tpm_limit"], data["user_email"]) == (
        "internal_user",
        None,
        1000,
        BOB["user_email"],
    )


def test_person_is_found_by_address_and_blocked(client: Client, bob: dict[str, Any]) -> None:
    told = post(client, "update", {"user_email": "BOB@corp.example", "blocked": True, "teams": ["x"]})
    data = told.json()["data"]
    assert (data["blocked"], data["user_email"], told["x-tallygate-ignored-fields"]) == (True, BOB["user_email"], "teams")
    assert get(client, "info", bob["key"]).status_code == 401


def test_last_administrator_stays(client: Client) -> None:
    root = make_admin()
    answer = post(client, "update", {"user_id": root.pk, "user_role": "internal_user"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "user_role")
    assert post(client, "delete", {"user_ids": [root.pk]}).status_code == 400


def test_deleted_person_takes_keys_places_and_budgets_along(client: Client, bob: dict[str, Any]) -> None:
    team = make_team()
    add_member(Membership(team=team, user=User.objects.get(pk="bob")), actor=SYSTEM)
    assert post(client, "delete", {"user_ids": ["bob", "bob"]}).json() == 1
    assert [model.objects.count() for model in (User, VirtualKey, Membership, Budget)] == [0, 0, 0, 0]
    assert set(AuditEvent.objects.values_list("event", flat=True)) >= {"user.deleted", "key.deleted", "member.removed", "budget.removed"}


def test_one_unknown_person_and_none_is_deleted(client: Client, bob: dict[str, Any]) -> None:
    assert post(client, "delete", {"user_ids": ["bob", "nobody"]}).status_code == 404
    assert User.objects.filter(pk="bob").exists()


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("new", {"user_id": "bob"}, 400, "user_id"),
        ("new", {"user_email": "Bob@corp.example"}, 400, "user_email"),
        ("new", {"user_email": "no address"}, 400, "user_email"),
        ("new", {"user_role": "admin"}, 400, "user_role"),
        ("new", {"teams": ["nowhere"]}, 404, "team_id"),
        ("new", {"key_alias": "taken"}, 400, "key_alias"),
        ("new", {"duration": "soon"}, 400, "duration"),
        ("new", {"max_budget": 1, "budget_duration": "1M"}, 400, "budget_duration"),
        ("update", {"user_id": "nobody"}, 404, "user_id"),
        ("update", {}, 400, "user_id"),
        ("update", {"user_id": "bob", "user_email": "carol@example.com"}, 400, "user_email"),
        ("delete", {"user_ids": []}, 400, "user_ids"),
    ],
)
def test_wrong_body_is_refused_and_changes_nothing(
    client: Client, bob: dict[str, Any], path: str, body: dict[str, Any], status: int, param: str
) -> None:
    make_user("carol")
    make_key("taken")
    before = AuditEvent.objects.count()
    answer = post(client, path, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("body", [{"max_budget": -1}, {"user_id": "x" * 65}, {"rpm_limit": 2**40}, {"teams": [{"max_budget_in_team": 1}]}])
def test_impossible_value_is_422(client: Client, body: dict[str, Any]) -> None:
    assert (post(client, "new", body).status_code, User.objects.exists()) == (422, False)


# ── reading ───────────────────────────────────────────────────────────────────
def test_info_has_keys_and_teams_without_secrets(client: Client, bob: dict[str, Any]) -> None:
    team = make_team("Blue")
    add_member(Membership(team=team, user=User.objects.get(pk="bob")), actor=SYSTEM)
    answer = get(client, "info?user_id=bob")
    told = answer.json()
    assert (told["user_id"], told["user_info"]["user_alias"], told["user_info"]["key_count"]) == ("bob", "Bob Baker", 1)
    assert (told["keys"][0]["token"], told["teams"][0]["team_alias"]) == (bob["token"], "Blue")
    assert bob["key"] not in answer.content.decode()
    assert "password" not in answer.content.decode()


def test_spend_without_a_budget_is_the_ledgers(client: Client) -> None:
    make_user("bob")
    bob = User.objects.get()
    LedgerEntry.objects.create(
        attempt_id="1", kind="base", request_id="r", at=timezone.now(), amount_nano=123_000_000, user_id=bob.pk, provider="demo", model="m"
    )
    assert get(client, f"info?user_id={bob.pk}").json()["user_info"]["spend"] == 0.123


def test_unknown_person_is_404(client: Client) -> None:
    assert get(client, "info?user_id=nobody").status_code == 404


def test_master_key_is_nobody_and_sees_every_key_and_team(client: Client, bob: dict[str, Any]) -> None:
    make_team("Blue")
    told = get(client, "info").json()
    assert (told["user_id"], told["user_info"], len(told["keys"]), len(told["teams"])) == (None, None, 1, 1)


def test_people_are_listed_by_page(client: Client) -> None:
    for number in range(3):
        make_user(f"u{number}")
    told = get(client, "list?page=2&page_size=2&sort_by=user_email").json()
    assert {name: told[name] for name in ("total", "page", "page_size", "total_pages")} == {
        "total": 3, "page": 2, "page_size": 2, "total_pages": 2
    }  # fmt: skip
    assert [row["user_email"] for row in told["users"]] == ["u2@example.com"]


def test_people_are_listed_by_what_they_are(client: Client, bob: dict[str, Any]) -> None:
    carol, team = make_admin("carol"), make_team(organisation=make_organisation())
    add_member(Membership(team=team, user=carol), actor=SYSTEM)
    queries = [
        "role=proxy_admin", f"user_ids={carol.pk},nobody", "user_email=CAROL@", "search=carol", f"team={team.pk}",
        f"organization_ids={team.organisation_id}",
    ]  # fmt: skip
    assert [ids(client, query) for query in queries] == [[carol.pk]] * len(queries)
    assert ids(client, "search=baker") == ["bob"]
    assert ids(client) == [carol.pk, "bob"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("list?role=king", 400),
        ("list?sort_by=password", 400),
        ("list?page=0", 422),
        ("list?page_size=1000", 422),
        ("list?search=%00", 422),
        ("info?user_id=%00", 422),
    ],
)
def test_question_that_cannot_be_is_refused(client: Client, path: str, status: int) -> None:
    assert get(client, path).status_code == status


def test_any_number_of_people_costs_the_same_few_queries(client: Client) -> None:
    counts = []
    for more in (range(2), range(2, 10)):
        for number in more:
            post(client, "new", {"user_id": f"u{number}", "max_budget": 5})
        with CaptureQueriesContext(connection) as queries:
            assert len(ids(client)) == more.stop
        counts.append(len(queries))
    assert counts[0] == counts[1]


# ── who may ───────────────────────────────────────────────────────────────────
ADDRESSES: list[tuple[str, Any]] = [
    ("new", {"user_id": "eve"}), ("update", {"user_id": "bob", "rpm_limit": 99}), ("delete", {"user_ids": ["bob"]}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), ADDRESSES)
def test_administrators_key_changes_people_in_its_own_name(client: Client, bob: dict[str, Any], path: str, body: Any) -> None:
    root = make_admin()
    _, token = make_key("admin's", user=root)
    assert post(client, path, body, token).status_code == 200
    last = AuditEvent.objects.latest("id")
    assert (last.actor_kind, last.actor_id) == ("user", root.pk)


@pytest.mark.parametrize("role", ["viewer", "member", "finance"])
@pytest.mark.parametrize(("path", "body"), ADDRESSES)
def test_other_keys_change_nobody(client: Client, bob: dict[str, Any], path: str, body: Any, role: str) -> None:
    _, token = make_key("other", user=make_user("mallory", role))
    before = AuditEvent.objects.count()
    assert post(client, path, body, token).status_code == 403
    assert get(client, "list", token).status_code == 403
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize(
    "forged", [{"user_role": "proxy_admin"}, {"max_budget": 10**6}, {"metadata": {"role": "admin"}}, {"rpm_limit": None}]
)
def test_nobody_raises_themselves(client: Client, bob: dict[str, Any], forged: dict[str, Any]) -> None:
    assert post(client, "update", {"user_id": "bob"} | forged, bob["key"]).status_code == 403
    assert get(client, "info?user_id=bob").json()["user_info"]["user_role"] == "internal_user_viewer"


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        ({"allowed_models": ["haiku*"]}, {"models": ["haiku-5"]}, 200),
        ({"allowed_models": ["haiku*"]}, {"models": ["haiku-5", "opus"]}, 403),
        ({"allowed_models": ["haiku*"]}, {"models": ["*"]}, 403),
        ({"allowed_models": ["haiku*"]}, {}, 403),
        ({"allowed_models": ["haiku*"]}, {"auto_create_key": False}, 200),
        ({"allowed_models": ["haiku*"]}, {"models": ["haiku-5"], "user_role": "proxy_admin"}, 403),
        ({"expires_at": FAR}, {"duration": "1d"}, 200),
        ({"expires_at": FAR}, {"duration": "9999d"}, 403),
        ({"expires_at": FAR}, {}, 403),
        ({"allowed_ips": ["127.0.0.0/8"]}, {}, 403),
        ({"rpm_limit": 5}, {}, 403),
        ({}, {"user_role": "proxy_admin"}, 200),
    ],
)
def test_limited_key_hands_on_no_more_than_it_has(client: Client, own: dict[str, Any], asked: dict[str, Any], status: int) -> None:
    _, token = make_key("admin's", user=make_admin(), **own)
    assert post(client, "new", {"user_id": "eve"} | asked, token).status_code == status
    assert User.objects.filter(pk="eve").exists() == (status == 200)


def test_limited_key_makes_nobody_administrator_and_keeps_who_is(client: Client, bob: dict[str, Any]) -> None:
    root = make_admin()
    _, token = make_key("admin's", user=root, rpm_limit=5)
    assert post(client, "update", {"user_id": "bob", "user_role": "proxy_admin"}, token).status_code == 403
    assert post(client, "update", {"user_id": root.pk, "user_role": "proxy_admin", "tpm_limit": 9}, token).status_code == 200


def test_own_key_reads_its_own_person_only(client: Client, bob: dict[str, Any]) -> None:
    make_user("carol")
    assert [get(client, path, bob["key"]).json()["user_id"] for path in ("info", "info?user_id=bob")] == ["bob", "bob"]
    others = [get(client, f"info?user_id={name}", bob["key"]) for name in (User.objects.get(username="carol").pk, "nobody")]
    assert [answer.status_code for answer in others] == [403, 403]
    assert others[0].content == others[1].content


def test_administrators_key_reads_everybody_and_itself_without_a_name(client: Client, bob: dict[str, Any]) -> None:
    root = make_admin()
    _, token = make_key("admin's", user=root)
    assert [get(client, path, token).json()["user_id"] for path in ("info", "info?user_id=bob")] == [root.pk, "bob"]


def test_key_of_nobody_reads_nobody(client: Client, bob: dict[str, Any]) -> None:
    _, token = make_key("ci")
    assert [get(client, path, token).status_code for path in ("info", "info?user_id=bob")] == [403, 403]


@pytest.mark.parametrize(("path", "body"), ADDRESSES)
def test_no_key_and_unknown_key_are_401(client: Client, bob: dict[str, Any], path: str, body: Any) -> None:
    assert post(client, path, body, "sk-unknown").json()["error"]["type"] == "token_not_found_in_db"
    answer = client.post(f"/user/{path}", json.dumps(body), content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "auth_error")


def test_session_of_an_administrator_does_not_count(client: Client) -> None:
    client.force_login(make_admin())
    assert client.get("/user/list").status_code == 401


def test_former_administrators_key_is_out_at_once(client: Client) -> None:
    make_admin("other")
    root = make_admin()
    _, token = make_key("admin's", user=root)
    assert get(client, "list", token).status_code == 200
    change_user(root, {"role": "member"}, actor=SYSTEM)
    assert get(client, "list", token).status_code == 403


def test_key_that_is_blocked_revoked_or_expired_is_refused(client: Client) -> None:
    keys = [make_key(name, user=make_admin(name), expires_at=None) for name in ("blocked", "revoked")]
    block_key(keys[0][0], actor=SYSTEM)
    revoke_key(keys[1][0], actor=SYSTEM)
    past = make_key("past", user=make_admin("past"), expires_at=timezone.now() - timedelta(days=1))
    answers = [get(client, "list", token) for _, token in (*keys, past)]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert [answer.json()["error"]["type"] for answer in answers] == ["auth_error", "token_not_found_in_db", "expired_key"]


def test_key_bound_to_a_network_is_refused_elsewhere(client: Client) -> None:
    _, token = make_key("office", user=make_admin(), allowed_ips=["10.0.0.0/8"])
    assert get(client, "list", token, **{"x-forwarded-for": "10.1.1.1"}).status_code == 403


def test_rotated_keys_old_secret_works_until_its_overlap_ends(client: Client) -> None:
    key, old = make_key("laptop", user=make_admin())
    new = rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=1))
    assert [get(client, "list", token).status_code for token in (old, new)] == [200, 200]
    VirtualKey.objects.update(previous_valid_until=timezone.now() - timedelta(seconds=1))
    assert [get(client, "list", token).status_code for token in (old, new)] == [401, 200]

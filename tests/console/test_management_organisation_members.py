"""LiteLLM's scripts against /organization/member_…, and who belongs to what at /organization/info and /user/info."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import LedgerEntry
from keys.actions import add_member
from keys.models import Membership, Organisation, OrganisationMembership, User
from tests.factories import make_admin, make_key, make_organisation, make_team, make_user

pytestmark = pytest.mark.django_db
VERBS = {"member_add": "POST", "member_update": "PATCH", "member_delete": "DELETE"}
LITELLMS_FIELDS = "user_id organization_id user_role spend budget_id created_at updated_at user litellm_budget_table"


def ask(client: Client, path: str, body: object, secret: str = "") -> Any:
    headers = {"x-api-key": secret or settings.TALLYGATE_MASTER_KEY}
    return client.generic(VERBS[path], f"/organization/{path}", json.dumps(body), content_type="application/json", headers=headers)


def get(client: Client, path: str) -> Any:
    return client.get(f"/{path}", headers={"x-api-key": settings.TALLYGATE_MASTER_KEY}).json()


def events() -> list[str]:
    return [event.event for event in AuditEvent.objects.filter(event__startswith="organisation_member").order_by("pk")]


@pytest.fixture
def acme() -> str:
    return str(make_organisation().pk)


@pytest.fixture
def bob(client: Client, acme: str) -> User:
    bob = make_user("bob")
    ask(client, "member_add", {"organization_id": acme, "member": {"role": "org_admin", "user_id": bob.pk}})
    return bob


def test_added_member_is_told_with_all_of_litellms_fields(client: Client, acme: str) -> None:
    bob = make_user("bob")
    told = ask(client, "member_add", {"organization_id": acme, "member": {"role": "org_admin", "user_id": bob.pk}}).json()
    [row], [person] = told["updated_organization_memberships"], told["updated_users"]
    assert set(LITELLMS_FIELDS.split()) <= set(row)
    assert (row["user_id"], row["organization_id"], row["user_role"], row["spend"]) == (bob.pk, acme, "org_admin", 0)
    assert (told["organization_id"], person["user_id"], person["organization_memberships"]) == (acme, bob.pk, [row])
    assert OrganisationMembership.objects.get().role == "manager"


@pytest.mark.parametrize(("theirs", "ours"), [("org_admin", "manager"), ("internal_user", "member"), ("internal_user_viewer", "viewer")])
def test_roles_are_those_that_litellm_names(client: Client, acme: str, theirs: str, ours: str) -> None:
    ask(client, "member_add", {"organization_id": acme, "member": {"role": theirs, "user_id": "bob"}})
    assert OrganisationMembership.objects.get().role == ours
    assert get(client, f"organization/info?organization_id={acme}")["members"][0]["user_role"] == theirs


def test_several_are_added_and_the_unknown_are_made_without_a_way_in(client: Client, acme: str) -> None:
    members = [{"user_id": "bob"}, {"user_email": "carol@corp.example", "role": "internal_user_viewer"}]
    told = ask(client, "member_add", {"organization_id": acme, "member": members}).json()
    assert [row["user_role"] for row in told["updated_organization_memberships"]] == ["internal_user", "internal_user_viewer"]
    assert [user.has_usable_password() for user in User.objects.all()] == [False, False]


def test_budget_in_the_organisation_is_named_as_without_effect(client: Client, acme: str) -> None:
    body = {"organization_id": acme, "member": {"user_id": "bob"}, "max_budget_in_organization": 5}
    assert ask(client, "member_add", body)["x-tallygate-ignored-fields"] == "max_budget_in_organization"
    body = {"organization_id": acme, "user_id": "bob", "max_budget_in_organization": 5}
    assert ask(client, "member_update", body)["x-tallygate-ignored-fields"] == "max_budget_in_organization"


def test_role_changes_and_the_member_leaves(client: Client, acme: str, bob: User) -> None:
    changed = ask(client, "member_update", {"organization_id": acme, "user_email": "BOB@example.com", "role": "internal_user"}).json()
    assert changed["user_role"] == "internal_user"
    assert ask(client, "member_delete", {"organization_id": acme, "user_id": bob.pk}).json() == changed
    assert not OrganisationMembership.objects.exists()
    assert events() == ["organisation_member.added", "organisation_member.changed", "organisation_member.removed"]


def test_members_and_what_they_spent_there_are_on_both_pages(client: Client, acme: str, bob: User) -> None:
    LedgerEntry.objects.create(
        attempt_id="a", kind="base", request_id="r", at=timezone.now(), amount_nano=10**9, organisation_id=acme, user_id=bob.pk
    )
    [row] = get(client, f"organization/info?organization_id={acme}")["members"]
    assert (row["spend"], row["user_email"], row["user"]["user_id"]) == (1, "bob@example.com", bob.pk)
    assert get(client, f"user/info?user_id={bob.pk}")["user_info"]["organization_memberships"] == [row]


def test_people_are_listed_by_the_organisations_they_are_in(client: Client, acme: str, bob: User) -> None:
    carol, team = make_user("carol"), make_team(organisation=Organisation.objects.get())
    make_user("dave")
    add_member(Membership(team=team, user=carol), actor=SYSTEM)
    told = get(client, f"user/list?organization_ids={acme}&sort_by=user_email")
    assert [row["user_id"] for row in told["users"]] == [bob.pk, carol.pk]


def test_memberships_end_with_the_person_and_with_the_organisation(client: Client, acme: str, bob: User) -> None:
    ask(client, "member_add", {"organization_id": acme, "member": {"user_id": "carol"}})
    headers = {"x-api-key": settings.TALLYGATE_MASTER_KEY}
    client.post("/user/delete", json.dumps({"user_ids": [bob.pk]}), content_type="application/json", headers=headers)
    client.delete("/organization/delete", json.dumps({"organization_ids": [acme]}), content_type="application/json", headers=headers)
    assert (OrganisationMembership.objects.count(), User.objects.count()) == (0, 1)
    assert events()[-2:] == ["organisation_member.removed", "organisation_member.removed"]


@pytest.mark.parametrize(
    ("path", "more", "status"),
    [
        ("member_add", {"member": {"user_id": "{bob}"}}, 400),
        ("member_add", {"member": [{"user_id": "carol"}, {"user_id": "dave", "role": "proxy_admin"}]}, 400),
        ("member_add", {"member": {"role": "org_admin"}}, 400),
        ("member_add", {"member": []}, 400),
        ("member_add", {}, 422),
        ("member_add", {"member": {"user_id": "carol"}, "organization_id": "none"}, 404),
        ("member_update", {"user_id": "{bob}", "role": "admin"}, 400),
        ("member_update", {"user_id": "carol", "role": "org_admin"}, 404),
        ("member_update", {}, 400),
        ("member_delete", {"user_id": "carol"}, 404),
        ("member_delete", {"user_id": "{bob}", "organization_id": "none"}, 404),
    ],
)
def test_wrong_body_is_refused_and_changes_nothing(
    client: Client, acme: str, bob: User, path: str, more: dict[str, Any], status: int
) -> None:
    body = json.loads(json.dumps({"organization_id": acme} | more).replace("{bob}", bob.pk))
    before = AuditEvent.objects.count()
    assert ask(client, path, body).status_code == status
    assert (OrganisationMembership.objects.get().role, AuditEvent.objects.count(), User.objects.count()) == ("manager", before, 1)


@pytest.mark.parametrize("forged", ["id", "created_at", "user", "spend", "user_role"])
def test_forged_fields_change_nothing_and_are_named(client: Client, acme: str, bob: User, forged: str) -> None:
    [before] = get(client, f"organization/info?organization_id={acme}")["members"]
    answer = ask(client, "member_update", {"organization_id": acme, "user_id": bob.pk, forged: "forged"})
    assert (answer["x-tallygate-ignored-fields"], answer.json()) == (forged, before | {"extra": {forged: "forged"}})


def test_any_number_of_members_costs_the_same_few_queries(client: Client, acme: str) -> None:
    counts = []
    for more in (range(2), range(2, 10)):
        ask(client, "member_add", {"organization_id": acme, "member": [{"user_id": f"u{number}"} for number in more]})
        with CaptureQueriesContext(connection) as queries:
            assert len(get(client, f"organization/info?organization_id={acme}")["members"]) == more.stop
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", VERBS)
def test_administrator_acts_with_a_key_of_their_own(client: Client, acme: str, bob: User, path: str) -> None:
    root = make_admin()
    body = {"organization_id": acme, "user_id": bob.pk, "role": "internal_user", "member": {"user_id": "carol"}}
    assert ask(client, path, body, make_key(user=root)[1]).status_code == 200
    assert AuditEvent.objects.latest("pk").actor_id == root.pk


@pytest.mark.parametrize("role", ["viewer", "member", "finance"])
@pytest.mark.parametrize("path", VERBS)
def test_other_keys_and_sessions_change_nothing(client: Client, acme: str, bob: User, path: str, role: str) -> None:
    client.force_login(make_admin())
    token = make_key(user=make_user("mallory", role))[1]
    body = {"organization_id": acme, "user_id": bob.pk, "role": "internal_user", "member": {"user_id": "mallory"}}
    before = AuditEvent.objects.count()
    assert [ask(client, path, body, secret).status_code for secret in (token, "sk-wrong")] == [403, 401]
    assert AuditEvent.objects.count() == before

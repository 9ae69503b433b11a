"""Every admin page opens, every way of writing leaves an audit event, and no secret is shown twice."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent, DayRollUp, DayTagRollUp, DayZone, Outbox, RequestBody, RequestRecord, RollUp, TagRollUp
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget, BudgetPlan, FrozenLine, FrozenMonth, Instance, LedgerEntry, Price, Share, Window
from billing.plans import make_plan
from keys.actions import add_member
from keys.models import EndUser, Membership, Organisation, OrganisationMembership, Tag, Team, User, VirtualKey
from keys.people_actions import create_tag, known_end_user
from keys.secrets import hash_token
from routing.credentials import resolve
from routing.diagnosis import SENTENCES
from routing.models import Credential, Deployment, Origin, Route, RouteTarget, RoutingPolicy
from tests.console.admin_pages import inline, last_event, page
from tests.factories import (
    PASSWORD,
    PROVIDER_KEY,
    make_admin,
    make_credential,
    make_deployment,
    make_key,
    make_organisation,
    make_route,
    make_team,
    make_user,
)

pytestmark = pytest.mark.django_db(databases="__all__")
EDITABLE = [Team, User, Organisation, EndUser, Tag, VirtualKey, Budget, BudgetPlan, Price, Credential, Deployment, Route, RoutingPolicy]
READ_ONLY = [AuditEvent, RequestRecord, LedgerEntry, Outbox, RollUp, TagRollUp, RequestBody, Window, Share, Instance, FrozenMonth]
TAKEN_AWAY = [SocialAccount, Authenticator, UserSession]
# What no operator has business with: parts of another row's page, sums of rows that have one, or Django's and allauth's own bookkeeping.
ELSEWHERE = {Membership, OrganisationMembership, RouteTarget, FrozenLine, DayRollUp, DayTagRollUp, DayZone, ContentType, Permission, Group,
             Session, LogEntry, EmailAddress, EmailConfirmation, SocialApp, SocialToken}  # fmt: skip


@pytest.fixture
def web() -> Client:
    client = Client()
    client.force_login(make_admin())
    return client


def issue(web: Client, **values: str) -> Any:
    return web.post(page(VirtualKey, "add"), {"name": "laptop", "budget_period": "", "metadata": "{}"} | values)


def token_in(html: str) -> str:
    return str(re.findall(r"sk-[\w-]{40,}", html)[0])


def one_of_each() -> list[Any]:
    deployment = make_deployment()
    key, _ = make_key(team=make_team(), user=make_user())
    budget = set_budget("key", key.pk, BudgetTerms(10**9, "30d"), actor=SYSTEM)
    price = Price.objects.create(provider="anthropic", model="x", input_pico=1, output_pico=2)
    plan = make_plan(BudgetPlan(id="trial", amount_nano=10**9), actor=SYSTEM)
    return [
        key,
        key.team,
        key.user,
        make_organisation(),
        known_end_user("eve", actor=SYSTEM),
        create_tag(Tag(name="nightly"), actor=SYSTEM),
        budget,
        plan,
        price,
        make_credential(),
        deployment,
        make_route("claude", deployment),
    ]


def test_every_page_of_ours_opens(web: Client) -> None:
    for row in one_of_each():
        for address in (
            page(type(row), "changelist"),
            page(type(row), "change", row.pk),
            page(type(row), "add"),
            page(type(row), "delete", row.pk),
        ):
            assert web.get(address).status_code == 200, address


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_happened_can_only_be_read(web: Client, model: type[Any]) -> None:
    make_team()
    assert web.get(page(model, "changelist")).status_code == 200
    assert web.get(page(model, "add")).status_code == 403
    event = last_event()
    assert web.post(page(AuditEvent, "change", str(event.pk)), {"event": "x"}).status_code == 403
    assert web.post(page(AuditEvent, "delete", str(event.pk)), {"post": "yes"}).status_code == 403


def test_every_model_has_its_page_or_a_reason_for_none() -> None:
    ours = set(admin.site._registry)
    assert ours == {*EDITABLE, *READ_ONLY, *TAKEN_AWAY}
    assert {*apps.get_models()} - ours == ELSEWHERE


@pytest.mark.parametrize("role", [User.Role.MEMBER, User.Role.FINANCE, User.Role.VIEWER])
def test_only_administrators_enter(role: str) -> None:
    client = Client()
    client.force_login(make_user("bob", role))
    assert client.get(page(VirtualKey, "changelist")).status_code == 302
    assert client.post(page(VirtualKey, "add"), {"name": "mine"}).status_code == 302
    assert not VirtualKey.objects.exists()


# ── keys ──────────────────────────────────────────────────────────────────────
def test_issued_key_is_shown_on_the_answer_itself(web: Client) -> None:
    answer = issue(web, max_budget="20", budget_period="30d", allowed_models="claude-sonnet, claude-haiku", rpm_limit="100")
    token = token_in(answer.content.decode())
    key = VirtualKey.objects.get()
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)
    assert key.token_hash == hash_token(token)
    assert (key.allowed_models, key.rpm_limit) == (["claude-sonnet", "claude-haiku"], 100)
    assert Budget.objects.get(scope_id=key.pk).amount_nano == 20 * 10**9
    assert f"ANTHROPIC_AUTH_TOKEN={token}" in answer.content.decode()


def test_secret_is_on_no_later_page(web: Client) -> None:
    token = token_in(issue(web).content.decode())
    key = VirtualKey.objects.get()
    for address in ("/admin/", page(VirtualKey, "changelist"), page(VirtualKey, "change", key.pk), page(AuditEvent, "changelist"),
                    page(AuditEvent, "change", str(last_event().pk)), page(VirtualKey, "history", key.pk)):  # fmt: skip
        assert token not in web.get(address).content.decode(), address
    assert token not in str(dict(web.session.items()))
    assert not web.cookies.get("messages")


def test_forged_fields_of_a_key_are_ignored(web: Client) -> None:
    issue(web, id="f" * 64, token_hash="f" * 64, created_by="somebody", revoked_at="2020-01-01", is_blocked="on", extra='{"a": 1}')
    key = VirtualKey.objects.get()
    assert key.token_hash != "f" * 64
    assert key.created_by == User.objects.get(username="root").pk
    assert (key.revoked_at, key.is_blocked, key.extra) == (None, False, {})


@pytest.mark.parametrize(
    "wrong", [{"allowed_ips": "nonsense"}, {"max_budget": "-1"}, {"rpm_limit": "-1"}, {"metadata": "[1]"}, {"name": ""}]
)
def test_wrong_input_is_told_on_the_form(web: Client, wrong: dict[str, str]) -> None:
    answer = issue(web, **wrong)
    assert answer.context["adminform"].form.errors
    assert not VirtualKey.objects.exists()


def test_taken_name_is_told_on_the_form(web: Client) -> None:
    make_key("laptop")
    assert "name" in issue(web).context["adminform"].form.errors


def test_changed_key_leaves_an_event(web: Client) -> None:
    key, _ = make_key()
    web.post(page(VirtualKey, "change", key.pk), {"name": "desktop", "budget_period": "", "metadata": "{}"})
    assert last_event().event == "key.changed"
    assert last_event().actor_name == "root@example.com"
    assert VirtualKey.objects.get().name == "desktop"


def test_budget_of_a_key_is_set_and_taken_away_on_its_form(web: Client) -> None:
    key, _ = make_key()
    form = {"name": "laptop", "metadata": "{}"}
    web.post(page(VirtualKey, "change", key.pk), form | {"max_budget": "5", "budget_period": "month"})
    budget = Budget.objects.get()
    assert (budget.amount_nano, budget.period, last_event().event) == (5 * 10**9, "month", "budget.set")
    web.post(page(VirtualKey, "change", key.pk), form | {"max_budget": "", "budget_period": "month"})
    assert not Budget.objects.exists()
    assert last_event().event == "budget.removed"


def test_saving_an_unchanged_key_changes_nothing(web: Client) -> None:
    key, _ = make_key(metadata={"a": 1}, tags=["x", "y"], allowed_ips=["10.0.0.0/8"])
    set_budget("key", key.pk, BudgetTerms(123 * 10**7, "30d"), actor=SYSTEM)
    before = AuditEvent.objects.count()
    form = {
        "name": "laptop",
        "metadata": '{"a": 1}',
        "tags": "x, y",
        "allowed_ips": "10.0.0.0/8",
        "max_budget": "1.23",
        "budget_period": "30d",
    }
    assert web.post(page(VirtualKey, "change", key.pk), form).status_code == 302
    assert AuditEvent.objects.count() == before


def test_rotation_shows_the_new_secret_once(web: Client) -> None:
    key, old = make_key()
    address = reverse("admin:keys_virtualkey_rotate", args=[key.pk])
    assert web.get(address).status_code == 200
    answer = web.post(address, {"overlap": "24"})
    key.refresh_from_db()
    assert key.token_hash == hash_token(token_in(answer.content.decode()))
    assert (key.previous_hash, "no-store" in answer["Cache-Control"]) == (hash_token(old), True)


@pytest.mark.parametrize(("act", "state"), [("revoke", "revoked"), ("block", "blocked")])
def test_key_is_stopped_by_post_only(web: Client, act: str, state: str) -> None:
    key, _ = make_key()
    address = reverse(f"admin:keys_virtualkey_{act}", args=[key.pk])
    web.get(address)
    assert AuditEvent.objects.filter(event=f"key.{state}").count() == 0
    web.post(address)
    assert last_event().event == f"key.{state}"


def test_acting_without_a_csrf_token_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_admin())
    key, _ = make_key()
    assert client.post(reverse("admin:keys_virtualkey_revoke", args=[key.pk])).status_code == 403


@pytest.mark.parametrize(
    ("act", "event"),
    [("revoke_selected", "key.revoked"), ("block_selected", "key.blocked"), ("delete_selected", "key.deleted")],
)  # fmt: skip
def test_bulk_action_leaves_an_event_for_each_key(web: Client, act: str, event: str) -> None:
    keys = [make_key(name)[0] for name in ("one", "two")]
    web.post(page(VirtualKey, "changelist"), {"action": act, "_selected_action": [key.pk for key in keys], "post": "yes"})
    assert AuditEvent.objects.filter(event=event).count() == 2


def test_deleted_key_takes_its_budget_along(web: Client) -> None:
    key, _ = make_key()
    set_budget("key", key.pk, BudgetTerms(10**9), actor=SYSTEM)
    web.post(page(VirtualKey, "delete", key.pk), {"post": "yes"})
    assert not VirtualKey.objects.exists()
    assert not Budget.objects.exists()
    assert last_event().event == "key.deleted"


def test_list_shows_state_team_end_and_budget(web: Client) -> None:
    key, _ = make_key(team=make_team("Search"))
    set_budget("key", key.pk, BudgetTerms(20 * 10**9, "30d"), actor=SYSTEM)
    html = web.get(page(VirtualKey, "changelist")).content.decode()
    for text in ("active", "Search", key.hint, "0% · $0.00 / $20.00 30d", "not before its reset"):
        assert text in html


# ── teams and people ──────────────────────────────────────────────────────────
def test_team_and_its_members_leave_events(web: Client) -> None:
    bob = make_user("bob")
    team_form = {"name": "Search", "metadata": "{}"}
    web.post(page(Team, "add"), team_form | inline("memberships", {"user": bob.pk, "role": "member"}))
    membership = Membership.objects.get()
    row = {"id": membership.pk, "team": membership.team_id, "user": bob.pk, "role": "manager"}
    web.post(page(Team, "change", membership.team_id), team_form | inline("memberships", row, initial=1))
    web.post(page(Team, "change", membership.team_id), team_form | inline("memberships", row | {"DELETE": "on"}, initial=1))
    assert [event.event for event in AuditEvent.objects.order_by("-id")[:4]] == [
        "member.removed",
        "member.changed",
        "member.added",
        "team.created",
    ]


def test_team_with_keys_is_not_deleted(web: Client) -> None:
    team = make_team()
    make_key(team=team)
    web.post(page(Team, "delete", team.pk), {"post": "yes"})
    web.post(page(Team, "changelist"), {"action": "delete_selected", "_selected_action": [team.pk], "post": "yes"})
    assert Team.objects.filter(pk=team.pk).exists()


def test_limits_of_a_team_and_its_models_are_on_the_form(web: Client) -> None:
    form = {"name": "Search", "metadata": "{}", "rpm_limit": "10", "model_limits": '{"claude-opus*": {"rpm": 1}}'} | inline("memberships")
    web.post(page(Team, "add"), form)
    assert (Team.objects.get().rpm_limit, Team.objects.get().model_limits) == (10, {"claude-opus*": {"rpm": 1}})
    wrong = form | {"name": "Other", "model_limits": '{"claude": 5}'}
    assert "model_limits" in web.post(page(Team, "add"), wrong).context["adminform"].form.errors


def test_member_who_leaves_takes_the_budget_along(web: Client) -> None:
    team, bob = make_team(), make_user("bob")
    membership = add_member(Membership(team=team, user=bob), actor=SYSTEM)
    set_budget("member", f"{team.pk}/{bob.pk}", BudgetTerms(1), actor=SYSTEM)
    row = {"id": membership.pk, "team": team.pk, "user": bob.pk, "role": "member", "DELETE": "on"}
    web.post(page(Team, "change", team.pk), {"name": "Search", "metadata": "{}"} | inline("memberships", row, initial=1))
    assert not Budget.objects.exists()


def test_person_is_made_with_role_and_password(web: Client) -> None:
    form = {
        "username": "carol",
        "role": "admin",
        "is_active": "on",
        "new_password": "a-fine-long-secret",
        "metadata": "{}",
        "is_superuser": "on",
    }
    web.post(page(User, "add"), form)
    carol = User.objects.get(username="carol")
    assert (carol.is_superuser, carol.check_password("a-fine-long-secret")) == (True, True)
    assert "a-fine-long-secret" not in str(list(AuditEvent.objects.values()))


def test_forged_superuser_flag_is_ignored(web: Client) -> None:
    web.post(
        page(User, "add"),
        {"username": "carol", "role": "member", "is_active": "on", "metadata": "{}", "is_superuser": "on", "is_staff": "on"},
    )
    carol = User.objects.get(username="carol")
    assert (carol.is_superuser, carol.is_staff) == (False, False)


def test_last_administrator_cannot_lose_the_role(web: Client) -> None:
    root = User.objects.get(username="root")
    answer = web.post(
        page(User, "change", root.pk), {"username": "root", "role": "member", "is_active": "on", "metadata": "{}"}, follow=True
    )
    assert "remain administrator" in answer.content.decode()
    root.refresh_from_db()
    assert root.role == User.Role.ADMIN


def test_organisation_leaves_events(web: Client) -> None:
    form = {"name": "Acme", "metadata": "{}"} | inline("memberships")
    web.post(page(Organisation, "add"), form)
    acme = Organisation.objects.get()
    web.post(page(Organisation, "change", acme.pk), form | {"name": "Acme Ltd"})
    web.post(page(Organisation, "delete", acme.pk), {"post": "yes"})
    told = [event.event for event in AuditEvent.objects.order_by("-id")[:3]]
    assert told == ["organisation.deleted", "organisation.changed", "organisation.created"]


# ── routing ───────────────────────────────────────────────────────────────────
def test_provider_key_goes_in_and_never_comes_out(web: Client) -> None:
    web.post(page(Credential, "add"), {"name": "main", "provider": "anthropic", "new_secret": PROVIDER_KEY})
    row = Credential.objects.get()
    assert resolve(row) == PROVIDER_KEY
    html = web.get(page(Credential, "change", row.pk)).content.decode()
    assert PROVIDER_KEY not in html
    assert row.secret not in html


def test_empty_secret_keeps_what_is(web: Client) -> None:
    row = make_credential()
    web.post(page(Credential, "change", row.pk), {"name": "renamed", "provider": "anthropic", "new_secret": "", "secret": "forged"})
    row.refresh_from_db()
    assert (row.name, resolve(row)) == ("renamed", PROVIDER_KEY)


@pytest.mark.parametrize("secret", ["", "env:PATH", "env:TALLYGATE_MASTER_KEY"])
def test_unusable_secret_is_told_on_the_form(web: Client, secret: str) -> None:
    answer = web.post(page(Credential, "add"), {"name": "main", "provider": "anthropic", "new_secret": secret})
    assert "new_secret" in answer.context["adminform"].form.errors


def deployment_form(**values: str) -> dict[str, str]:
    timeouts = {"connect_timeout_s": "5", "first_byte_timeout_s": "600", "idle_timeout_s": "120"}
    return {"name": "demo", "provider": "demo", "model": "demo-sonnet", "is_active": "on", **timeouts, **values}


def test_deployment_is_saved_and_tested(web: Client) -> None:
    answer = web.post(page(Deployment, "add"), deployment_form(routing_deployment_save_and_test="1"), follow=True)
    assert "demo: It answers. (" in answer.content.decode()
    assert [event.event for event in AuditEvent.objects.order_by("-id")[:2]] == ["deployment.tested", "deployment.created"]


def test_selected_deployments_are_tested(web: Client) -> None:
    row = make_deployment(model="demo-error-401")
    answer = web.post(page(Deployment, "changelist"), {"action": "test_selected", "_selected_action": [row.pk]}, follow=True)
    assert f"{SENTENCES['credential_refused']} (status 401, " in answer.content.decode()


def test_inside_address_is_told_on_the_form(web: Client) -> None:
    answer = web.post(page(Deployment, "add"), deployment_form(base_url="http://127.0.0.1:9000"))
    assert "base_url" in answer.context["adminform"].form.errors


def test_route_is_made_with_its_targets(web: Client) -> None:
    row = make_deployment()
    targets = inline("targets", {"deployment": row.pk, "order": "1", "weight": "2"})
    web.post(page(Route, "add"), {"name": "claude-sonnet", "is_active": "on"} | targets)
    route = Route.objects.get()
    assert [(target.deployment_id, target.weight) for target in route.targets.all()] == [(row.pk, 2)]
    assert [event.event for event in AuditEvent.objects.order_by("-id")[:2]] == ["route.changed", "route.created"]


def test_target_is_changed_and_taken_away(web: Client) -> None:
    row = make_deployment()
    route = make_route("claude-sonnet", row)
    form = {"name": "claude-sonnet", "is_active": "on"}
    target = {"id": route.targets.get().pk, "route": route.pk, "deployment": row.pk, "order": "1", "weight": "9"}
    web.post(page(Route, "change", route.pk), form | inline("targets", target, initial=1))
    assert route.targets.get().weight == 9
    target["id"] = route.targets.get().pk
    web.post(page(Route, "change", route.pk), form | inline("targets", target | {"DELETE": "on"}, initial=1))
    assert not route.targets.exists()
    assert last_event().after == {"targets": []}


@pytest.mark.parametrize("model", [Route, Deployment, Credential])
def test_rows_of_the_configuration_file_are_not_changed_here(web: Client, model: type[Any]) -> None:
    make_route("claude-sonnet", make_deployment(credential=make_credential()))
    model.objects.update(origin=Origin.FILE)
    row = model.objects.get()
    assert web.get(page(model, "change", row.pk)).status_code == 200
    assert web.post(page(model, "change", row.pk), {"name": "other"}).status_code == 403
    assert web.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_own_password_changed_on_the_account_page_leaves_an_event(web: Client) -> None:
    form = {"oldpassword": PASSWORD, "password1": "another-fine-secret", "password2": "another-fine-secret"}
    web.post(reverse("account_change_password"), form)
    assert (last_event().event, last_event().after) == ("user.changed", {"password": "changed"})
    assert User.objects.get(username="root").check_password("another-fine-secret")


# ── money ─────────────────────────────────────────────────────────────────────
def test_price_is_edited_in_dollars_per_million_tokens(web: Client) -> None:
    form = {
        "provider": "anthropic",
        "model": "claude-*",
        "starts_at_0": "2026-01-01",
        "starts_at_1": "00:00",
        "input_pico": "3",
        "output_pico": "15",
        "web_search_pico": "10",
    }
    web.post(page(Price, "add"), form)
    price = Price.objects.get()
    assert (price.input_pico, price.output_pico, price.web_search_pico) == (3_000_000, 15_000_000, 10_000_000_000)
    web.post(page(Price, "change", str(price.pk)), form | {"input_pico": "2.5"})
    web.post(page(Price, "delete", str(price.pk)), {"post": "yes"})
    assert [event.event for event in AuditEvent.objects.order_by("-id")[:3]] == ["price.removed", "price.set", "price.set"]

"""Admin pages of end users, tags and members of organisations: every way of writing leaves an audit event."""

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget
from keys.models import EndUser, Organisation, OrganisationMembership, Tag
from keys.people_actions import create_tag, known_end_user
from tests.console.admin_pages import inline, last_event, page
from tests.factories import make_admin, make_user

pytestmark = pytest.mark.django_db
EVE = {"id": "eve", "name": "Eve Ltd", "metadata": "{}"}
NIGHTLY = {"name": "nightly", "description": "Jobs", "allowed_models": "claude-haiku, claude-opus", "metadata": "{}"}


@pytest.fixture
def web() -> Client:
    client = Client()
    client.force_login(make_admin())
    return client


def newest(number: int) -> list[str]:
    return [event.event for event in AuditEvent.objects.order_by("-id")[:number]]


# ── end users ─────────────────────────────────────────────────────────────────
def test_end_user_is_made_changed_and_deleted_with_the_budget(web: Client) -> None:
    web.post(page(EndUser, "add"), EVE)
    set_budget("end_user", "eve", BudgetTerms(10**9), actor=SYSTEM)
    assert "$0.00 / $1.00" in web.get(page(EndUser, "changelist")).content.decode()
    web.post(page(EndUser, "change", "eve"), EVE | {"name": "Eve", "is_blocked": "on"})
    assert (EndUser.objects.get().name, EndUser.objects.get().is_blocked) == ("Eve", True)
    web.post(page(EndUser, "delete", "eve"), {"post": "yes"})
    assert (EndUser.objects.count(), Budget.objects.count()) == (0, 0)
    assert newest(5) == ["end_user.deleted", "budget.removed", "end_user.changed", "budget.set", "end_user.created"]
    assert last_event().actor_name == "root@example.com"


def test_name_in_calls_stays_what_it_was(web: Client) -> None:
    known_end_user("eve", actor=SYSTEM)
    web.post(page(EndUser, "change", "eve"), EVE | {"id": "adam"})
    assert [(row.pk, row.name) for row in EndUser.objects.all()] == [("eve", "Eve Ltd")]


def test_end_users_are_blocked_and_unblocked_together(web: Client) -> None:
    names = [known_end_user(name, actor=SYSTEM).pk for name in ("adam", "eve")]
    web.post(page(EndUser, "changelist"), {"action": "block_selected", "_selected_action": names})
    assert EndUser.objects.filter(is_blocked=True).count() == 2
    web.post(page(EndUser, "changelist"), {"action": "unblock_selected", "_selected_action": names})
    assert newest(4) == ["end_user.unblocked"] * 2 + ["end_user.blocked"] * 2


@pytest.mark.parametrize("wrong", [{"id": ""}, {"id": "a\nb"}, {"metadata": "[1]"}])
def test_wrong_end_user_is_told_on_the_form(web: Client, wrong: dict[str, str]) -> None:
    assert web.post(page(EndUser, "add"), EVE | wrong).context["adminform"].form.errors
    assert not EndUser.objects.exists()


# ── tags ──────────────────────────────────────────────────────────────────────
def test_tag_is_made_changed_and_deleted_with_the_budget(web: Client) -> None:
    web.post(page(Tag, "add"), NIGHTLY)
    set_budget("tag", "nightly", BudgetTerms(10**9), actor=SYSTEM)
    assert Tag.objects.get().allowed_models == ["claude-haiku", "claude-opus"]
    web.post(page(Tag, "change", "nightly"), NIGHTLY | {"name": "weekly", "description": "Night"})
    assert (Tag.objects.get().name, Tag.objects.get().description) == ("nightly", "Night")
    web.post(page(Tag, "delete", "nightly"), {"post": "yes"})
    assert (Tag.objects.count(), Budget.objects.count()) == (0, 0)
    assert newest(5) == ["tag.deleted", "budget.removed", "tag.changed", "budget.set", "tag.created"]


def test_selected_tags_leave_an_event_each(web: Client) -> None:
    names = [create_tag(Tag(name=name), actor=SYSTEM).pk for name in ("a", "b")]
    web.post(page(Tag, "changelist"), {"action": "delete_selected", "_selected_action": names, "post": "yes"})
    assert newest(2) == ["tag.deleted", "tag.deleted"]


# ── members of organisations ──────────────────────────────────────────────────
def test_members_of_an_organisation_leave_events(web: Client) -> None:
    bob, carol, form = make_user("bob"), make_user("carol"), {"name": "Acme", "metadata": "{}"}
    web.post(page(Organisation, "add"), form | inline("memberships", {"user": bob.pk, "role": "member"}))
    acme = Organisation.objects.get()
    row: dict[str, Any] = {"id": OrganisationMembership.objects.get().pk, "organisation": acme.pk, "user": bob.pk, "role": "manager"}
    web.post(page(Organisation, "change", acme.pk), form | inline("memberships", row, initial=1))
    web.post(page(Organisation, "change", acme.pk), form | inline("memberships", row | {"user": carol.pk}, initial=1))
    assert [(one.user_id, one.role) for one in OrganisationMembership.objects.all()] == [(carol.pk, "manager")]
    row |= {"id": OrganisationMembership.objects.get().pk, "user": carol.pk, "DELETE": "on"}
    web.post(page(Organisation, "change", acme.pk), form | inline("memberships", row, initial=1))
    kinds = ["removed", "added", "removed", "changed", "added"]
    assert newest(5) == [f"organisation_member.{kind}" for kind in kinds]

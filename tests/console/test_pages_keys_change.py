"""Changing and rotating a key on its page: what a form may change, and what stays as it was."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget
from billing.money import nano
from keys.models import VirtualKey
from keys.secrets import hash_token
from tests.console.key_page_rows import asked, signed_in
from tests.console.permissions.cast import Cast
from tests.factories import make_key, make_team

pytestmark = pytest.mark.django_db


def changed(cast: Cast, key_id: str, **values: Any) -> dict[str, Any]:
    return {**asked(cast, expires="keep"), **values}


def test_manager_changes_a_key_with_its_budget(cast: Cast) -> None:
    key_id = cast.names["bobs"]
    values = changed(cast, key_id, name="ci", scope="some", models="claude-*", max_budget="12.5", rpm_limit="60", tags="a, b", expires="7d")
    response = signed_in(cast, "manager").post(f"/keys/{key_id}/change/", values)
    key, budget = VirtualKey.objects.get(pk=key_id), Budget.objects.get(scope="key", scope_id=key_id)
    assert response.status_code == 302
    assert (key.name, key.allowed_models, key.rpm_limit, key.tags) == ("ci", ["claude-*"], 60, ["a", "b"])
    assert (budget.amount_nano, budget.period) == (nano(Decimal("12.5")), "month")
    assert key.expires_at
    assert timedelta(days=6) < key.expires_at - timezone.now() <= timedelta(days=7)


def test_form_sent_as_it_was_changes_nothing(cast: Cast) -> None:
    key, _ = make_key("laptop", allowed_models=["claude-sonnet"], expires_at=timezone.now() + timedelta(days=3), required_header="x-secret",
                      required_header_hash="f" * 64, rpm_limit=5, parallel_limit=2, tags=["a"], allowed_ips=["10.0.0.0/8"])  # fmt: skip
    set_budget(Budget.Scope.KEY, key.pk, BudgetTerms(nano("7.25"), "30d", time_zone="Asia/Tokyo"), actor=SYSTEM)
    client = signed_in(cast, "admin")
    form = client.get(f"/keys/{key.pk}/change/").context["form"]
    events = AuditEvent.objects.count()
    sent = {field.html_name: field.field.prepare_value(field.value()) for field in form}
    response = client.post(f"/keys/{key.pk}/change/", {name: value for name, value in sent.items() if value is not None})
    assert response.status_code == 302
    assert AuditEvent.objects.count() == events


def test_emptied_budget_is_taken_away(cast: Cast) -> None:
    key_id = cast.names["bobs"]
    set_budget(Budget.Scope.KEY, key_id, BudgetTerms(10**9, "month"), actor=SYSTEM)
    signed_in(cast, "manager").post(f"/keys/{key_id}/change/", changed(cast, key_id, max_budget=""))
    assert not Budget.objects.filter(scope="key", scope_id=key_id).exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "required"),
        ({"name": "charlies"}, "Another key is already named"),
        ({"max_budget": "-1"}, "greater than or equal"),
        ({"max_budget": "1", "period": "5 moons"}, "5 moons"),
        ({"rpm_limit": "many"}, "whole number"),
        ({"allowed_ips": "300.1.1.1"}, "neither an address"),
        ({"required_header": "Authorization", "required_header_value": "canary-value"}, "meaning of its own"),
        ({"scope": "some"}, "at least one model"),
        ({"scope": "all", "models": "claude-*"}, "count only with"),
        ({"expires_on": "2020-01-01"}, "over"),
        ({"expires": "soon"}, "no duration"),
        ({"max_budget": "5000"}, "above its team"),
    ],
)
def test_wrong_input_is_told_and_changes_nothing(cast: Cast, wrong: dict[str, str], told: str) -> None:
    key_id = cast.names["bobs"]
    set_budget(Budget.Scope.TEAM, cast.names["search"], BudgetTerms(10**9, "month"), actor=SYSTEM)
    before = VirtualKey.objects.filter(pk=key_id).values().get()
    response = signed_in(cast, "manager").post(f"/keys/{key_id}/change/", changed(cast, key_id) | wrong)
    assert response.status_code == 422
    assert told in response.content.decode()
    assert "canary-value" not in response.content.decode()
    assert VirtualKey.objects.filter(pk=key_id).values().get() == before
    assert not Budget.objects.filter(scope="key").exists()


def test_manager_gives_no_models_that_the_team_lacks(cast: Cast) -> None:
    team = make_team("Narrow", allowed_models=["claude-haiku"])
    key, _ = make_key("narrow", team=team)
    team.memberships.create(user_id=cast.names["manager"], role="manager")
    values = changed(cast, key.pk, name="narrow", scope="some", models="claude-opus")
    response = signed_in(cast, "manager").post(f"/keys/{key.pk}/change/", values)
    assert "may not use all of these models" in response.content.decode()
    assert VirtualKey.objects.get(pk=key.pk).allowed_models == []


# ── rotating ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", ["manager", "member"])
def test_rotation_shows_the_new_secret_once_and_keeps_the_old_for_its_overlap(cast: Cast, role: str) -> None:
    client, path, before = signed_in(cast, role), f"/keys/{cast.names['bobs']}", VirtualKey.objects.get(pk=cast.names["bobs"])
    response = client.post(f"{path}/rotate/", {"overlap": "24"})
    key, token = VirtualKey.objects.get(pk=before.pk), response.context["token"]
    assert hash_token(token) == key.token_hash != before.token_hash
    assert key.previous_hash == before.token_hash
    assert token in response.content.decode()
    assert response["Cache-Control"] == "no-store, private"
    assert token not in client.get(f"{path}/").content.decode()


@pytest.mark.parametrize("overlap", ["", "5", "-1", "999999"])
def test_rotation_with_another_overlap_is_refused(cast: Cast, overlap: str) -> None:
    key, _ = make_key("laptop")
    response = signed_in(cast, "admin").post(f"/keys/{key.pk}/rotate/", {"overlap": overlap})
    assert response.status_code == 422
    assert VirtualKey.objects.get(pk=key.pk).token_hash == key.token_hash


def test_rotating_a_revoked_key_is_refused(cast: Cast) -> None:
    client, (key, _) = signed_in(cast, "admin"), make_key("laptop")
    client.post(f"/keys/{key.pk}/revoke/")
    response = client.post(f"/keys/{key.pk}/rotate/", {"overlap": "0"})
    assert "revoked for good" in response.content.decode()

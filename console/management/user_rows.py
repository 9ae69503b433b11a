"""People as LiteLLM's rows, without password. Any number of people costs the same few queries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count

from billing.models import Budget
from console.management.fields import echoed
from console.management.organisation_member_rows import places_of
from console.management.terms import MoneyRows
from console.management.user_fields import ROLES
from console.management.wire import usd
from console.use_cases import spent_in_ledger
from keys.models import Membership, User, VirtualKey

THEIR_ROLES = {ours: theirs for theirs, ours in ROLES.items()}
# What LiteLLM's answer holds when nothing was sent.
UNUSED: dict[str, Any] = {
    "models": [], "team_id": None, "sso_user_id": None, "allowed_cache_controls": [], "model_spend": {},
}  # fmt: skip


def user_row(user: User, now: datetime) -> dict[str, Any]:
    return user_rows([user], now)[0]


def user_rows(users: Sequence[User], now: datetime) -> list[dict[str, Any]]:
    ids = [user.pk for user in users]
    moneys, totals = MoneyRows(Budget.Scope.USER, ids, now), spent_in_ledger("user_id", ids)
    places = places_of(ids)
    teams: dict[str, list[str]] = {}
    for user_id, team_id in Membership.objects.filter(user_id__in=ids).order_by("pk").values_list("user_id", "team_id"):
        teams.setdefault(user_id, []).append(team_id)
    live = VirtualKey.objects.filter(user_id__in=ids, revoked_at=None).order_by()
    counts = dict(live.values_list("user_id").annotate(Count("pk")))
    return [
        _row(user) | {"teams": teams.get(user.pk, []), "key_count": counts.get(user.pk, 0), "spend": usd(totals.get(user.pk, 0))}
        | {"organization_memberships": places.get(user.pk, [])} | moneys.row(user.pk)
        for user in users
    ]  # fmt: skip


def _row(user: User) -> dict[str, Any]:
    return echoed(UNUSED, user.extra) | {
        "user_id": user.pk,
        "user_email": user.email or None,
        "user_alias": user.get_full_name() or None,
        "user_role": THEIR_ROLES[User.Role(user.role)],
        "tpm_limit": user.tpm_limit,
        "rpm_limit": user.rpm_limit,
        "max_parallel_requests": user.parallel_limit,
        "metadata": user.metadata,
        "blocked": user.is_blocked or not user.is_active,
        "created_at": user.date_joined,
        "updated_at": user.date_joined,
    }

"""Teams and their members as LiteLLM's rows. Any number of teams costs the same few queries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum

from billing.models import Budget, LedgerEntry
from billing.scopes import member_id
from console.management.fields import echoed, limits_row
from console.management.key_rows import key_rows
from console.management.terms import MoneyRows
from console.management.wire import usd
from console.use_cases import spent_in_ledger
from keys.models import Membership, Team, VirtualKey

ROLES = {Membership.Role.MANAGER: "admin", Membership.Role.MEMBER: "user"}
UNUSED: dict[str, Any] = {"model_id": None, "litellm_model_table": None, "admins": [], "members": [], "team_member_permissions": None}
KEYS_SHOWN = 1000


def team_row(team: Team, now: datetime) -> dict[str, Any]:
    return team_rows([team], now)[0]


def team_rows(teams: Sequence[Team], now: datetime) -> list[dict[str, Any]]:
    ids = [team.pk for team in teams]
    moneys, totals = MoneyRows(Budget.Scope.TEAM, ids, now), spent_in_ledger("team_id", ids)
    members: dict[str, list[Membership]] = {}
    for membership in Membership.objects.filter(team_id__in=ids).select_related("user").order_by("pk"):
        members.setdefault(membership.team_id, []).append(membership)
    return [_row(team, members.get(team.pk, [])) | {"spend": usd(totals.get(team.pk, 0))} | moneys.row(team.pk) for team in teams]


def _row(team: Team, members: Sequence[Membership]) -> dict[str, Any]:
    return echoed(UNUSED, team.extra) | limits_row(team.model_limits) | {
        "team_id": team.pk,
        "team_alias": team.name,
        "organization_id": team.organisation_id,
        "members_with_roles": [
            {"user_id": member.user_id, "user_email": member.user.email or None, "role": ROLES[Membership.Role(member.role)]}
            for member in members
        ],
        "models": team.allowed_models,
        "tpm_limit": team.tpm_limit,
        "rpm_limit": team.rpm_limit,
        "max_parallel_requests": team.parallel_limit,
        "metadata": team.metadata,
        "tags": team.tags,
        "blocked": team.is_blocked,
        "created_at": team.created_at,
        "updated_at": team.created_at,
    }  # fmt: skip


def membership_rows(teams: Sequence[Team], now: datetime) -> dict[str, list[dict[str, Any]]]:
    """By team id."""
    ids = [team.pk for team in teams]
    members = list(Membership.objects.filter(team_id__in=ids).order_by("pk"))
    moneys = MoneyRows(Budget.Scope.MEMBER, [member_id(row.team_id, row.user_id) for row in members], now)
    entries = LedgerEntry.objects.filter(team_id__in=ids).exclude(user_id="").order_by().values_list("team_id", "user_id")
    totals = {(team_id, user_id): amount for team_id, user_id, amount in entries.annotate(Sum("amount_nano"))}
    found: dict[str, list[dict[str, Any]]] = {team_id: [] for team_id in ids}
    for row in members:
        money = moneys.row(member_id(row.team_id, row.user_id))
        # LiteLLM keeps a member's budget in a table of its own
        table = {name: money[name] for name in ("max_budget", "soft_budget", "budget_duration", "budget_reset_at", "budget_id")}
        found[row.team_id].append(
            echoed({}, row.extra)
            | {
                "user_id": row.user_id,
                "team_id": row.team_id,
                "budget_id": money["budget_id"],
                "spend": money.get("spend", usd(totals.get((row.team_id, row.user_id), 0))),
                "litellm_budget_table": table if money["budgets"] else None,
                "budgets": money["budgets"],
            }
        )
    return found


def keys_by_team(teams: Sequence[Team], now: datetime, seen: QuerySet[VirtualKey]) -> dict[str, list[dict[str, Any]]]:
    """The newest of the keys that the asker may see, of all the teams together, by team id."""
    keys = list(seen.filter(team__in=teams, revoked_at=None)[:KEYS_SHOWN])
    found: dict[str, list[dict[str, Any]]] = {team.pk: [] for team in teams}
    for key, row in zip(keys, key_rows(keys, now), strict=True):
        found[str(key.team_id)].append(row | {"token": key.token_hash})
    return found

"""Teams, their members and keys with their money, as the pages of teams and people show them: from roll-ups and standings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import SimpleNamespace

from django.db.models import Count, Q, QuerySet

from billing.models import Budget
from billing.scopes import member_id
from billing.standing_columns import Shown
from console.access import traffic
from console.budget_columns import attach_budgets
from console.figures import Source
from console.period import period
from keys.access import Reach
from keys.loading import EVERYTHING
from keys.models import Membership, Team, User, VirtualKey

KEYS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class TeamRow:
    """`spend_nano` is the whole team's for those who see its money, else the visitor's own in it."""

    team: Team
    members: int
    keys: int
    spend_nano: int
    is_whole: bool
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Money is None where it is not the visitor's to see."""

    membership: Membership
    spend_nano: int | None
    shown: Shown | None
    is_self: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    key: VirtualKey
    state: str
    spend_nano: int
    shown: Shown | None


def month_spend(column: str, seen: Q, now: datetime, zone: tzinfo) -> dict[str, int]:
    """What this month cost by `team_id`, `user_id` or `key_id`, of what may be `seen`."""
    month = period("month", now, zone)
    return {one: usage.cost_nano for (one,), usage in Source(seen, zone).sums((month.start, month.end), column)}


def sees_money_of(reach: Reach, team_id: str) -> bool:
    return reach.sees_money or reach.manages_team(team_id)


def allowed_names(names: list[str]) -> list[str]:
    """The models of a list; none where it does not restrict."""
    return [] if EVERYTHING & set(names) else names


def _shown(scope: str, ids: Iterable[str]) -> dict[str, Shown | None]:
    rows = [SimpleNamespace(pk=one, shown=None) for one in ids]
    attach_budgets(rows, scope)
    return {row.pk: row.shown for row in rows}


def team_rows(teams: Iterable[Team], reach: Reach, now: datetime, zone: tzinfo) -> list[TeamRow]:
    """Any number of teams costs the same few queries."""
    listed = list(teams)
    ids = [team.pk for team in listed]
    members = dict(Membership.objects.filter(team_id__in=ids).order_by().values_list("team_id").annotate(Count("pk")))
    live = _keys(reach).filter(team_id__in=ids, revoked_at=None).order_by()
    keys = dict(live.values_list("team_id").annotate(Count("pk")))
    spend, figures = month_spend("team_id", traffic(reach), now, zone), _shown(Budget.Scope.TEAM, ids)
    return [
        TeamRow(team, members.get(team.pk, 0), keys.get(team.pk, 0), spend.get(team.pk, 0), sees_money_of(reach, team.pk), figures[team.pk])
        for team in listed
    ]


def member_rows(team: Team, reach: Reach, now: datetime, zone: tzinfo) -> list[MemberRow]:
    """Members see each other, and of the money their own."""
    members = list(Membership.objects.filter(team=team).select_related("user").order_by("-role", "user__username"))
    spend = month_spend("user_id", traffic(reach) & Q(team_id=team.pk), now, zone)
    figures = _shown(Budget.Scope.MEMBER, [member_id(team.pk, one.user_id) for one in members])
    sees_all, rows = sees_money_of(reach, team.pk), []
    for one in members:
        is_self = one.user_id == reach.person_id
        nano, shown = spend.get(one.user_id, 0), figures[member_id(team.pk, one.user_id)]
        is_seen = sees_all or is_self
        rows.append(MemberRow(one, nano if is_seen else None, shown if is_seen else None, is_self))
    return rows


def key_rows(keys: Iterable[VirtualKey], reach: Reach, now: datetime, zone: tzinfo) -> list[KeyRow]:
    listed = list(keys)
    spend = month_spend("key_id", traffic(reach) & Q(key_id__in=[key.pk for key in listed]), now, zone)
    figures = _shown(Budget.Scope.KEY, [key.pk for key in listed])
    return [KeyRow(key, key.state(now), spend.get(key.pk, 0), figures[key.pk]) for key in listed]


def keys_of_team(team: Team, reach: Reach) -> list[VirtualKey]:
    """The newest of those that the visitor may see."""
    return list(_keys(reach).filter(team=team, revoked_at=None).select_related("user").order_by("-created_at")[:KEYS_SHOWN])


def _keys(reach: Reach) -> QuerySet[VirtualKey]:
    """Finance reads what keys cost, as everywhere, though it opens none of them."""
    return VirtualKey.objects.all() if reach.sees_money else reach.keys()


def people_spend(people: Iterable[User], now: datetime, zone: tzinfo) -> dict[str, int]:
    return month_spend("user_id", Q(user_id__in=[person.pk for person in people]), now, zone)

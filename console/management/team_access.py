"""Teams by those who do not see everything: which they may name, and whether what came of a change is theirs to give."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.trail import describe
from billing.models import Budget
from billing.scopes import member_id
from console.management.askers import Asker, forbidden
from console.management.grants import Grant, grant_of_member, grant_of_team, is_above, refuse
from console.management.team_fields import named_team
from console.management.team_rows import membership_rows
from console.use_cases import budgets_of
from keys.models import Membership, Team

NOT_YOURS = "this team is not known, or not yours."
# What managers change freely; of the rest nothing, or only downwards.
FREE = frozenset({"name", "metadata"})
DOWNWARDS = frozenset({"allowed_models", "rpm_limit", "tpm_limit", "parallel_limit", "model_limits"})


def managed_team(by: Asker, team_id: str | None) -> Team:
    """Who does not see everything learns the same of a team of others as of none."""
    if team_id and not by.reach.manages_team(team_id):
        raise forbidden(NOT_YOURS)
    return named_team(team_id)


def seen_team(by: Asker, team_id: str) -> Team:
    if team_id and not by.reach.sees_team(team_id):
        raise forbidden(NOT_YOURS)
    return named_team(team_id)


def refuse_others_person(by: Asker, user_id: str) -> None:
    if not by.reach.sees_person(user_id):
        raise forbidden("this person is not known, or in none of your teams.")


def seen_memberships(by: Asker, teams: Sequence[Team], now: datetime) -> dict[str, list[dict[str, Any]]]:
    """By team id. Members see what they spent themselves; managers and finance see everybody's."""
    found = membership_rows(teams, now)
    return {team_id: rows if by.reach.sees_money or by.reach.manages_team(team_id) else _own(by, rows) for team_id, rows in found.items()}


def _own(by: Asker, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["user_id"] == by.reach.person_id]


@dataclass(frozen=True, slots=True)
class TeamChange:
    """A change under way: what the team was."""

    by: Asker
    values: dict[str, Any]
    alerts: list[tuple[Any, ...]]
    grant: Grant

    @classmethod
    def of(cls, by: Asker, team: Team) -> "TeamChange":
        row = Team.objects.select_related("organisation").get(pk=team.pk)
        alerts = budgets_of(Budget.Scope.TEAM, team.pk).filter(mode=Budget.Mode.SOFT).values_list("model", "amount_nano", "period")
        return cls(by, describe(row), list(alerts), grant_of_team(row))

    def check(self, team: Team) -> None:
        """Managers neither raise nor move their own team."""
        if self.by.sees_all:
            return
        now = TeamChange.of(self.by, team)
        refuse(now.grant.beyond(self.grant), "this team")
        changed = {name for name, value in now.values.items() if value != self.values[name]}
        if changed - FREE - DOWNWARDS or now.alerts != self.alerts:
            raise forbidden("of their own team, managers change the name and the metadata, and lower its limits.")


@dataclass(frozen=True, slots=True)
class MemberMoney:
    """A member's budget under change: what it was."""

    by: Asker
    membership: Membership
    grant: Grant

    @classmethod
    def of(cls, by: Asker, membership: Membership) -> "MemberMoney":
        return cls(by, membership, grant_of_member(membership))

    @property
    def scope_id(self) -> str:
        return member_id(self.membership.team_id, self.membership.user_id)

    def check(self) -> None:
        """Managers give no more than their team has, and themselves no more than they had."""
        if self.by.sees_all:
            return
        now = grant_of_member(self.membership)
        if now != self.grant and is_above(now, grant_of_team(self.membership.team)):
            raise forbidden("the member's budget is above the team's.")
        if self.membership.user_id == self.by.reach.person_id:
            refuse(now.beyond(self.grant), "your own budget")

"""Teams and members by those who do not see everything, for pages and scripts alike: whether what came of a change is theirs to give.

What came of it is looked at inside its transaction: forged fields are refused by what they would change, not by being there.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from audit.trail import describe
from billing.models import Budget
from billing.scopes import member_id
from console.asker import Asker, Overreach
from console.grants import Grant, grant_of_member, grant_of_team, is_above, refuse
from console.use_cases import budgets_of
from keys.models import Membership, Team

# What managers change freely; of the rest nothing, or only downwards.
FREE = frozenset({"name", "metadata"})
DOWNWARDS = frozenset({"allowed_models", "rpm_limit", "tpm_limit", "parallel_limit", "model_limits"})


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
            raise Overreach(_("of their own team, managers change the name and the metadata, and lower its limits."))


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
            raise Overreach(_("the member's budget is above the team's."))
        if self.membership.user_id == self.by.reach.person_id:
            refuse(now.beyond(self.grant), "your own budget")

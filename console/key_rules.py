"""Keys by those who do not see everything, for pages and scripts alike: where theirs lie, and whether what came of it is theirs to give.

What came of a change is looked at inside its transaction: forged fields are refused by what they would change, not by being there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from audit.trail import SECRET_FIELDS, describe
from billing.models import Budget
from console.asker import Asker, Overreach
from console.grants import OWN, Grant, covers_names, grant_of_key, grant_of_team, is_above, own_grant, refuse
from console.use_cases import budgets_of
from keys.access import Reach
from keys.models import Team, VirtualKey

Allowed = Callable[[Reach, VirtualKey], bool]

OWNERS = ("team__organisation", "organisation", "user")
# What a new secret changes by itself.
OF_SECRET = SECRET_FIELDS | {"last_four", "previous_valid_until", "updated_at"}


# ── whose they are ────────────────────────────────────────────────────────────
def managed(reach: Reach, key: VirtualKey) -> bool:
    return reach.manages_key(key)


def kept(reach: Reach, key: VirtualKey) -> bool:
    return reach.manages_key(key) or reach.owns_key(key)


def seen(reach: Reach, key: VirtualKey) -> bool:
    return reach.keys().filter(pk=key.pk).exists()


# ── where a new one goes ──────────────────────────────────────────────────────
def owner_of_new(by: Asker, team_id: str | None, user_id: str | None) -> str | None:
    """Whose a new key in that team becomes: managers choose, others issue keys for themselves in the teams they joined."""
    reach = by.reach
    if reach.manages_team(team_id):
        return user_id
    if not reach.keeps_keys or team_id not in reach.joined:
        raise Overreach(_("a key is issued in a team of yours: name it, team_id."))
    if user_id not in (None, "", reach.person_id):
        raise Overreach(_("only managers issue keys for others."))
    return reach.person_id


# ── what came of it ───────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as it stands: what a change made of it is compared with what was."""

    values: dict[str, Any]
    budgets: list[tuple[Any, ...]]
    grant: Grant
    team: Team | None

    @classmethod
    def of(cls, key: VirtualKey) -> "KeyState":
        row = VirtualKey.objects.select_related(*OWNERS).get(pk=key.pk)
        values = {name: value for name, value in describe(row).items() if name not in OF_SECRET}
        values["required_header_hash"] = row.required_header_hash
        budgets = list(budgets_of(Budget.Scope.KEY, key.pk).values_list("model", "mode", "amount_nano", "period", "plan_id"))
        return cls(values, budgets, grant_of_key(row), row.team)

    def differing(self, before: "KeyState | None") -> frozenset[str]:
        """Names of what is not as it was; everything is new for a new key."""
        names = [*self.values, "budgets"]
        return frozenset(name for name in names if before is None or self._value(name) != before._value(name))

    def _value(self, name: str) -> Any:
        return self.budgets if name == "budgets" else self.values[name]


def check_issued(by: Asker, key: VirtualKey) -> None:
    """The new key does no more than the one that asked for it, and lies where the asker may put it."""
    if not by.gives_all:
        now = KeyState.of(key)
        refuse(now.grant.beyond(own_grant(by)), OWN)
        _check_terms(by, now, now.differing(None))


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A change under way: what the key was, and what the asking key grants, both read before, since they may be the same key."""

    by: Asker
    before: KeyState
    own: Grant

    @classmethod
    def of(cls, by: Asker, key: VirtualKey) -> "KeyChange":
        return cls(by, KeyState.of(key), own_grant(by))

    def check(self, key: VirtualKey, *, tells_secret: bool = False) -> None:
        """Only what differs is looked at; of a key whose new secret is told, all that it may do."""
        if self.by.gives_all:
            return
        now = KeyState.of(key)
        beyond, changed = now.grant.beyond(self.own), now.differing(self.before)
        refuse(beyond if tells_secret else beyond & now.grant.differing(self.before.grant), OWN)
        teams = (self.before.values["team_id"], now.values["team_id"])
        if changed and not all(self.by.reach.manages_team(team_id) for team_id in teams):
            raise Overreach(_("only managers and administrators change what a key may do."))
        _check_terms(self.by, now, changed)


def _check_terms(by: Asker, now: KeyState, changed: frozenset[str]) -> None:
    if by.sees_all or not changed:
        return
    team, values = now.team, now.values
    if team is None or team.pk not in by.reach.joined:
        raise Overreach(_("a key stays in a team of yours."))
    wrong = {
        "organisation_id": values["organisation_id"] not in (None, team.organisation_id) and _("a key belongs to its team's organization."),
        "user_id": not _belongs(by, values["user_id"], team) and _("this person is not a member of the team."),
        "team_id": not _belongs(by, values["user_id"], team) and _("this person is not a member of the team."),
        "cost_centre": values["cost_centre"] and not by.reach.manages_team(team.pk) and _("only managers name a cost centre."),
        "allowed_models": not covers_names(team.allowed_models, values["allowed_models"])
        and _("the team may not use all of these models."),
        "budgets": is_above(now.grant, grant_of_team(team)) and _("the key's budget is above its team's."),
    }
    for name in wrong.keys() & changed:
        if text := wrong[name]:
            raise Overreach(text)


def _belongs(by: Asker, user_id: str | None, team: Team) -> bool:
    return user_id in (None, by.reach.person_id) or team.memberships.filter(user_id=user_id).exists()

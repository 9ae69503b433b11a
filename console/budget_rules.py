"""Budgets by those who do not see everything: which they see, which they change, and whether what came of it is theirs to give."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.rows import ChangeRefused
from billing.actions import BudgetTerms, change_budget, clean_terms, same_kind, set_budget
from billing.models import Budget
from billing.scopes import member_id
from console.asker import Asker, Overreach
from console.key_rules import KeyChange
from console.team_rules import MemberMoney, TeamChange
from keys.access import Reach
from keys.models import Membership, Team, VirtualKey

# What managers give budgets to; a budget of a team itself they only lower.
FOR_MANAGERS = (Budget.Scope.KEY, Budget.Scope.MEMBER)
NOT_YOURS = gettext_lazy("This budget is not known, or not yours to change.")


# ── seeing ────────────────────────────────────────────────────────────────────
def seen_budgets(reach: Reach) -> QuerySet[Budget]:
    """All for administrators and finance; those of their teams, its members and keys for managers; everybody's own."""
    budgets = Budget.objects.select_related("plan")
    if reach.sees_money:
        return budgets
    keys = reach.keys().values_list("pk", flat=True)
    memberships = Membership.objects.filter(Q(team_id__in=reach.managed) | Q(user_id=reach.person_id))
    members = [member_id(team_id, user_id) for team_id, user_id in memberships.values_list("team_id", "user_id")]
    return budgets.filter(
        Q(scope=Budget.Scope.KEY, scope_id__in=keys)
        | Q(scope=Budget.Scope.MEMBER, scope_id__in=members)
        | Q(scope=Budget.Scope.TEAM, scope_id__in=reach.managed)
        | Q(scope=Budget.Scope.ORGANISATION, scope_id__in=reach.organisations)
        | Q(scope=Budget.Scope.USER, scope_id=reach.person_id)
    )


def of_team(team_id: str) -> Q:
    """The team's own, its members' and its keys'."""
    members = [member_id(team_id, user) for user in Membership.objects.filter(team_id=team_id).values_list("user_id", flat=True)]
    keys = VirtualKey.objects.filter(team_id=team_id).values_list("pk", flat=True)
    return (
        Q(scope=Budget.Scope.TEAM, scope_id=team_id)
        | Q(scope=Budget.Scope.MEMBER, scope_id__in=members)
        | Q(scope=Budget.Scope.KEY, scope_id__in=keys)
    )


def team_of(scope: str, scope_id: str) -> str | None:
    """The team whose managers have a say."""
    if scope == Budget.Scope.TEAM:
        return scope_id
    if scope == Budget.Scope.MEMBER:
        return scope_id.partition("/")[0]
    if scope == Budget.Scope.KEY:
        return VirtualKey.objects.filter(pk=scope_id).values_list("team_id", flat=True).first()
    return None


def changes(reach: Reach, budget: Budget) -> bool:
    return reach.is_admin or reach.manages_team(team_of(budget.scope, budget.scope_id))


def gives(reach: Reach) -> tuple[str, ...]:
    """The scopes for which somebody makes budgets."""
    if reach.is_admin:
        return tuple(Budget.Scope.values)
    return FOR_MANAGERS if reach.managed else ()


# ── changing ──────────────────────────────────────────────────────────────────
def change_by(by: Asker, budget: Budget, terms: BudgetTerms) -> Budget:
    with _within_reach(by, budget.scope, budget.scope_id):
        return change_budget(budget, terms, actor=by.actor)


def make_by(by: Asker, scope: str, scope_id: str, terms: BudgetTerms) -> Budget:
    """Refused where the scope has one of the same kind: that one is changed, and shows what it was."""
    if scope not in gives(by.reach):
        raise Overreach(_("managers make budgets for keys and members of their teams."))
    with _within_reach(by, scope, scope_id):
        if same_kind(scope, scope_id, clean_terms(terms)):
            raise ChangeRefused(_("There is a budget of the same period and model already. Change that one."), field="period")
        return set_budget(scope, scope_id, terms, actor=by.actor)


@contextmanager
def _within_reach(by: Asker, scope: str, scope_id: str) -> Iterator[None]:
    """A transaction that is undone when what came of it goes too far."""
    with transaction.atomic():
        check = _rule(by, scope, scope_id)
        yield
        check()


def _rule(by: Asker, scope: str, scope_id: str) -> Callable[[], None]:
    if by.sees_all:
        return lambda: None
    team_id = team_of(scope, scope_id)
    if team_id is None or not by.reach.manages_team(team_id):
        raise Overreach(NOT_YOURS)
    if scope == Budget.Scope.KEY:
        key = VirtualKey.objects.get(pk=scope_id)
        return partial(KeyChange.of(by, key).check, key)
    team = Team.objects.get(pk=team_id)
    if scope == Budget.Scope.TEAM:
        return partial(TeamChange.of(by, team).check, team)
    membership = Membership.objects.filter(team=team, user_id=scope_id.partition("/")[2]).first()
    if membership is None:
        raise Overreach(NOT_YOURS)
    return MemberMoney.of(by, membership).check

"""Verbs that span apps: a key, team or member together with its budgets. One transaction each, calling the apps' own verbs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from audit.trail import Actor
from billing.actions import BudgetTerms, change_budget, remove_budget, remove_budgets, set_budget
from billing.models import Budget, LedgerEntry
from billing.scopes import member_id
from keys.actions import KeySpec, change_key, delete_key, delete_organisation, delete_team, delete_user, issue_key, remove_member
from keys.models import EndUser, Membership, Organisation, Tag, Team, User, VirtualKey
from keys.people_actions import delete_end_user, delete_tag


@transaction.atomic
def issue_key_with_budget(
    spec: KeySpec, terms: Sequence[BudgetTerms] = (), *, actor: Actor, token: str | None = None
) -> tuple[VirtualKey, str]:
    key, token = issue_key(spec, actor=actor, token=token)
    for each in terms:
        set_budget(Budget.Scope.KEY, key.pk, each, actor=actor)
    return key, token


@transaction.atomic
def change_key_with_budget(key: VirtualKey, changes: Mapping[str, Any], terms: BudgetTerms | None, *, actor: Actor) -> VirtualKey:
    """`terms` are the amount and period that the key's main budget gets; None takes it away."""
    changed = change_key(key, changes, actor=actor)
    set_main_budget(Budget.Scope.KEY, key.pk, terms, actor=actor)
    return changed


@transaction.atomic
def set_main_budget(scope: str, scope_id: str, terms: BudgetTerms | None, *, actor: Actor) -> None:
    """Of a budget that there is, only amount and period change: mode, time zone and thresholds were chosen elsewhere."""
    known = main_budget(budgets_of(scope, scope_id))
    if terms is None:
        if known:
            remove_budget(known, actor=actor)
    elif known:
        kept = replace(BudgetTerms.of(known), amount_nano=terms.amount_nano, period=terms.period)
        change_budget(known, kept, actor=actor)
    else:
        set_budget(scope, scope_id, terms, actor=actor)


@transaction.atomic
def delete_key_with_budget(key: VirtualKey, *, actor: Actor) -> None:
    remove_budgets(Budget.Scope.KEY, key.pk, actor=actor)
    delete_key(key, actor=actor)


@transaction.atomic
def delete_team_with_budgets(team: Team, *, actor: Actor) -> None:
    """Refused while keys belong to the team."""
    for membership in team.memberships.all():
        remove_member_with_budget(membership, actor=actor)
    remove_budgets(Budget.Scope.TEAM, team.pk, actor=actor)
    delete_team(team, actor=actor)


@transaction.atomic
def remove_member_with_budget(membership: Membership, *, actor: Actor) -> None:
    remove_budgets(Budget.Scope.MEMBER, member_id(membership.team_id, membership.user_id), actor=actor)
    remove_member(membership, actor=actor)


@transaction.atomic
def delete_organisation_with_all(organisation: Organisation, *, actor: Actor) -> None:
    """Its teams and keys end with it, each with its budgets and its own event."""
    for key in VirtualKey.objects.filter(Q(organisation=organisation) | Q(team__organisation=organisation)):
        delete_key_with_budget(key, actor=actor)
    for team in organisation.teams.all():
        delete_team_with_budgets(team, actor=actor)
    delete_organisation_with_budgets(organisation, actor=actor)


@transaction.atomic
def delete_organisation_with_budgets(organisation: Organisation, *, actor: Actor) -> None:
    """Refused while teams or keys belong to it."""
    remove_budgets(Budget.Scope.ORGANISATION, organisation.pk, actor=actor)
    delete_organisation(organisation, actor=actor)


@transaction.atomic
def delete_user_with_all(user: User, *, actor: Actor) -> None:
    """Keys and memberships end with the person, each with its budgets and its own event. Refused for the last administrator."""
    for key in user.keys.all():
        delete_key_with_budget(key, actor=actor)
    delete_user_with_budgets(user, actor=actor)


@transaction.atomic
def delete_user_with_budgets(user: User, *, actor: Actor) -> None:
    """Refused while keys belong to the person, and for the last administrator."""
    for membership in user.memberships.all():
        remove_member_with_budget(membership, actor=actor)
    remove_budgets(Budget.Scope.USER, user.pk, actor=actor)
    delete_user(user, actor=actor)


@transaction.atomic
def delete_end_user_with_budgets(end_user: EndUser, *, actor: Actor) -> None:
    remove_budgets(Budget.Scope.END_USER, end_user.pk, actor=actor)
    delete_end_user(end_user, actor=actor)


@transaction.atomic
def delete_tag_with_budgets(tag: Tag, *, actor: Actor) -> None:
    remove_budgets(Budget.Scope.TAG, tag.pk, actor=actor)
    delete_tag(tag, actor=actor)


def budgets_of(scope: str, *scope_ids: str) -> QuerySet[Budget]:
    return Budget.objects.filter(scope=scope, scope_id__in=scope_ids).select_related("plan").order_by("id")


def main_budget(budgets: Iterable[Budget]) -> Budget | None:
    """The one that scripts and forms call the budget: it refuses, and counts every model."""
    return next((budget for budget in budgets if budget.mode != Budget.Mode.SOFT and not budget.model), None)


def spent_in_ledger(column: str, ids: Iterable[str]) -> dict[str, int]:
    """All that each key, team, organisation … (`key_id`, `team_id`, `organisation_id`, `end_user`) ever cost, in nano-USD."""
    rows = LedgerEntry.objects.filter(**{f"{column}__in": list(ids)}).order_by().values_list(column)
    return dict(rows.annotate(Sum("amount_nano")))

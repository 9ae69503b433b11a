"""Keys that people issue and change on our pages: the verbs, with the rules of who gives what looked at inside their transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from billing.actions import BudgetTerms
from billing.models import Budget
from console.asker import Asker
from console.grants import covers_names
from console.key_rules import KeyChange, check_issued, owner_of_new
from console.use_cases import issue_key_with_budget, set_main_budget
from keys.access import Reach
from keys.actions import KeySpec, change_key, rotate_key
from keys.models import Team, User, VirtualKey
from routing.models import Route

MOST_NAMED = 200


def may_issue(reach: Reach) -> bool:
    """Administrators, managers, and members for themselves in a team."""
    return reach.is_admin or bool(reach.managed) or (reach.keeps_keys and bool(reach.joined))


def models_to_give(by: Asker, teams: Iterable[Team]) -> list[str]:
    """Names of routes that somebody may put into a key: administrators all, others those that one of their teams may use."""
    known = list(Route.objects.filter(is_active=True).order_by("name").values_list("name", flat=True)[:MOST_NAMED])
    if by.sees_all:
        return known
    lists = [team.allowed_models for team in teams]
    return [name for name in known if any(covers_names(allowed, [name]) for allowed in lists)]


@sensitive_variables("token")
def issue_by(by: Asker, spec: KeySpec, terms: BudgetTerms | None) -> tuple[VirtualKey, str]:
    owner_id = owner_of_new(by, spec.team.pk if spec.team else None, spec.user.pk if spec.user else None)
    if owner_id and spec.user is None:
        spec = replace(spec, user=User.objects.get(pk=owner_id))
    with transaction.atomic():
        key, token = issue_key_with_budget(spec, [terms] if terms else [], actor=by.actor)
        check_issued(by, key)
    return key, token


def change_by(by: Asker, key: VirtualKey, changes: Mapping[str, Any]) -> VirtualKey:
    with transaction.atomic():
        change = KeyChange.of(by, key)
        changed = change_key(key, changes, actor=by.actor)
        change.check(changed)
    return changed


def change_with_budget_by(by: Asker, key: VirtualKey, changes: Mapping[str, Any], terms: BudgetTerms | None) -> VirtualKey:
    with transaction.atomic():
        change = KeyChange.of(by, key)
        changed = change_key(key, changes, actor=by.actor)
        set_main_budget(Budget.Scope.KEY, key.pk, terms, actor=by.actor)
        change.check(changed)
    return changed


@sensitive_variables("token")
def rotate_by(by: Asker, key: VirtualKey, overlap: timedelta) -> str:
    with transaction.atomic():
        change = KeyChange.of(by, key)
        token = rotate_key(key, actor=by.actor, overlap=overlap)
        change.check(key, tells_secret=True)
    return token

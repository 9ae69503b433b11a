"""Rows as people name them on the command line: by id, by name, a key by its secret too."""

from django.core.management.base import CommandError

from billing.models import Budget, BudgetPlan
from billing.scopes import member_id
from keys.models import Organisation, Team, User, VirtualKey
from keys.secrets import hash_token


def words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def team_named(name: str) -> Team:
    found = list(Team.objects.filter(pk=name) or Team.objects.filter(name=name)[:2])
    if len(found) != 1:
        raise CommandError(f"There is no team {name!r}." if not found else f"Several teams are named {name!r}; give the id.")
    return found[0]


def user_named(name: str) -> User:
    found = User.objects.filter(pk=name).first() or User.objects.filter(username=name).first() or User.objects.filter(email=name).first()
    if found is None:
        raise CommandError(f"There is no user {name!r}.")
    return found


def organisation_named(name: str) -> Organisation:
    found = Organisation.objects.filter(pk=name).first() or Organisation.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no organisation {name!r}.")
    return found


def key_named(name: str) -> VirtualKey:
    """A secret is looked up by its hash. Of several keys with one name the live one is meant."""
    wanted = hash_token(name) if name.startswith("sk-") else name
    found = VirtualKey.objects.named(wanted).order_by("-revoked_at").select_related("team", "user")
    key = found.filter(revoked_at=None).first() or found.first()
    if key is None:
        raise CommandError("There is no such key. `keys list` shows all.")
    return key


def plan_named(name: str) -> BudgetPlan:
    plan = BudgetPlan.objects.filter(pk=name).first()
    if plan is None:
        raise CommandError(f"There is no plan {name!r}. `budgets plans list` shows all.")
    return plan


def budget_numbered(number: int) -> Budget:
    budget = Budget.objects.select_related("plan").filter(pk=number).first()
    if budget is None:
        raise CommandError(f"There is no budget {number}. `budgets list` shows all.")
    return budget


def scope_id_of(scope: str, name: str) -> str:
    """The id of what a budget is for; a member is `team/user`."""
    if scope == Budget.Scope.MEMBER:
        team, _, user = name.rpartition("/")
        return member_id(team_named(team).pk, user_named(user).pk)
    if scope == Budget.Scope.KEY:
        return key_named(name).pk
    if scope == Budget.Scope.TEAM:
        return team_named(name).pk
    if scope == Budget.Scope.USER:
        return user_named(name).pk
    return organisation_named(name).pk if scope == Budget.Scope.ORGANISATION else name

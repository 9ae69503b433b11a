"""Whom a budget is for: whether there is such a scope, and what people call it."""

from collections.abc import Iterable
from typing import Any

from billing.models import Budget
from keys.models import Membership, Organisation, Team, User, VirtualKey

LONGEST_NAME = 200
# (scope, its id)
Scoped = tuple[str, str]
# Scopes that are rows, and those that calls bring along as text.
ROWS: dict[str, Any] = {
    Budget.Scope.KEY: VirtualKey,
    Budget.Scope.USER: User,
    Budget.Scope.TEAM: Team,
    Budget.Scope.ORGANISATION: Organisation,
}
TEXTS: dict[str, str] = {Budget.Scope.TAG: "tag", Budget.Scope.END_USER: "end user"}


def member_id(team_id: str, user_id: str) -> str:
    return f"{team_id}/{user_id}"


def problem_with(scope: str, scope_id: str) -> str:
    """Why no budget can be set for this; empty when one can."""
    if scope == Budget.Scope.GLOBAL:
        return "A budget for everyone names nobody." if scope_id else ""
    if scope in TEXTS:
        is_name = scope_id == scope_id.strip() and scope_id.isprintable() and 0 < len(scope_id) <= LONGEST_NAME
        return "" if is_name else f"Name the {TEXTS[scope]}: 1 to {LONGEST_NAME} characters."
    if scope == Budget.Scope.MEMBER:
        team_id, _, user_id = scope_id.partition("/")
        is_member = Membership.objects.filter(team_id=team_id, user_id=user_id).exists()
        return "" if is_member else f"There is no team member {scope_id!r}. Write the team's id, a slash and the user's id."
    if scope not in ROWS:
        return f"{scope!r} is no scope. There are: {', '.join(Budget.Scope.values)}."
    return "" if ROWS[scope]._default_manager.filter(pk=scope_id).exists() else f"There is no {scope} with id {scope_id!r}."


def names_of(scopes: Iterable[Scoped]) -> dict[Scoped, str]:
    """What people call them, with one query for each kind; a row that is gone has no name."""
    wanted: dict[str, set[str]] = {}
    for scope, scope_id in scopes:
        wanted.setdefault(scope, set()).add(scope_id)
    names = {(scope, scope_id): scope_id for scope in (*TEXTS, Budget.Scope.GLOBAL) for scope_id in wanted.get(scope, ())}
    for scope, model in ROWS.items():
        if ids := wanted.get(scope):
            names |= {(scope, row.pk): str(row) for row in model._default_manager.filter(pk__in=ids)}
    if members := wanted.get(Budget.Scope.MEMBER):
        teams = {member.partition("/")[0] for member in members}
        for row in Membership.objects.filter(team_id__in=teams).select_related("team", "user"):
            names[Budget.Scope.MEMBER, member_id(row.team_id, row.user_id)] = str(row)
    return names

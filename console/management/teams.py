"""/team/… at LiteLLM's paths, in LiteLLM's shapes."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from audit.trail import Actor
from billing.models import Budget
from console import use_cases
from console.asker import Asker
from console.management.askers import any_administrator, asker, asker_of
from console.management.auth import actor_by_key
from console.management.errors import Refused
from console.management.fields import Money, name_ignored
from console.management.team_access import managed_team, refuse_others_person, seen_memberships, seen_team
from console.management.team_fields import (
    AddMembers,
    MemberFields,
    MembersBudget,
    NamedMember,
    TeamFields,
    UpdateMember,
    changes_of,
    ignored_with,
    kept_of,
    named_membership,
    named_team,
    person_of,
    role_of,
)
from console.management.team_rows import keys_by_team, membership_rows, team_row, team_rows
from console.management.terms import set_money
from console.team_rules import MemberMoney, TeamChange
from keys.actions import add_member, add_team_models, change_member, change_team, create_team, remove_team_models
from keys.models import Membership, Team, new_id

router = Router(tags=["teams"], auth=any_administrator)


class NamedTeam(Schema):
    team_id: str


class NamedTeams(Schema):
    team_ids: list[str]


class NamedModels(Schema):
    team_id: str
    models: list[str]


@router.post("/team/new")
def new_team(request: HttpRequest, response: HttpResponse, asked: TeamFields) -> dict[str, Any]:
    actor = actor_by_key(request)
    team_id = asked.team_id or new_id()
    if Team.objects.filter(pk=team_id).exists():
        raise Refused(f"Team id = {team_id} already exists. Please use a different team id.", param="team_id")
    with transaction.atomic():
        team = create_team(Team(id=team_id, **{"name": team_id} | changes_of(asked)), actor=actor)
        for member in asked.members_with_roles or []:
            _add(team, member, actor, member.kept())
        set_money(Budget.Scope.TEAM, team.pk, asked, actor=actor)
    name_ignored(response, ignored_with(asked, asked.members_with_roles or []))
    return _row(team)


@router.post("/team/update", auth=asker)
def update_team(request: HttpRequest, response: HttpResponse, asked: TeamFields) -> dict[str, Any]:
    """Fields that are not sent stay as they are; null takes a value away. Managers give their team nothing that it has not."""
    by = asker_of(request)
    team = managed_team(by, asked.team_id)
    with transaction.atomic():
        change = TeamChange.of(by, team)
        change_team(team, changes_of(asked, team), actor=by.actor)
        set_money(Budget.Scope.TEAM, team.pk, asked, actor=by.actor)
        change.check(team)
    name_ignored(response, asked.ignored())
    return {"team_id": team.pk, "data": _row(team)}


@router.get("/team/info", auth=asker)
def team_info(request: HttpRequest, team_id: str) -> dict[str, Any]:
    """With the keys and the members' money that the asker may see."""
    by, now = asker_of(request), timezone.now()
    team = seen_team(by, team_id)
    return {
        "team_id": team.pk,
        "team_info": team_row(team, now),
        "keys": keys_by_team([team], now, by.reach.keys())[team.pk],
        "team_memberships": seen_memberships(by, [team], now)[team.pk],
    }


@router.get("/team/list", auth=asker)
def list_teams(request: HttpRequest, user_id: str = "", organization_id: str = "") -> list[dict[str, Any]]:
    by, now = asker_of(request), timezone.now()
    found = by.reach.teams()
    if user_id:
        refuse_others_person(by, user_id)
        found = found.filter(memberships__user_id=user_id)
    if organization_id:
        found = found.filter(organisation_id=organization_id)
    teams = list(found)
    keys, memberships = keys_by_team(teams, now, by.reach.keys()), seen_memberships(by, teams, now)
    rows = zip(teams, team_rows(teams, now), strict=True)
    return [row | {"keys": keys[team.pk], "team_memberships": memberships[team.pk]} for team, row in rows]


@router.post("/team/delete")
def delete_teams(request: HttpRequest, asked: NamedTeams) -> list[dict[str, Any]]:
    """All of them or none, with their keys."""
    teams, actor = [named_team(team_id) for team_id in dict.fromkeys(asked.team_ids)], actor_by_key(request)
    rows = team_rows(teams, timezone.now())
    with transaction.atomic():
        for team in teams:
            for key in team.keys.all():
                use_cases.delete_key_with_budget(key, actor=actor)
            use_cases.delete_team_with_budgets(team, actor=actor)
    return rows


@router.post("/team/block")
def block_team(request: HttpRequest, asked: NamedTeam) -> dict[str, Any]:
    return _row(change_team(named_team(asked.team_id), {"is_blocked": True}, actor=actor_by_key(request)))


@router.post("/team/unblock")
def unblock_team(request: HttpRequest, asked: NamedTeam) -> dict[str, Any]:
    return _row(change_team(named_team(asked.team_id), {"is_blocked": False}, actor=actor_by_key(request)))


@router.post("/team/model/add")
def add_models(request: HttpRequest, asked: NamedModels) -> dict[str, Any]:
    return _row(add_team_models(named_team(asked.team_id), asked.models, actor=actor_by_key(request)))


@router.post("/team/model/delete")
def delete_models(request: HttpRequest, asked: NamedModels) -> dict[str, Any]:
    return _row(remove_team_models(named_team(asked.team_id), asked.models, actor=actor_by_key(request)))


@router.get("/team/available")
def available_teams(request: HttpRequest) -> list[dict[str, Any]]:
    """Teams that people may join by themselves: there are none, managers add their members."""
    return []


# ── members ───────────────────────────────────────────────────────────────────
@router.post("/team/member_add", auth=asker)
def add_members(request: HttpRequest, response: HttpResponse, asked: AddMembers) -> dict[str, Any]:
    """All of them or none; each with the budget, if one is named."""
    by, now = asker_of(request), timezone.now()
    team = managed_team(by, asked.team_id)
    with transaction.atomic():
        added = [_add(team, member, by.actor, kept_of(asked, member)) for member in asked.members]
        for membership in added:
            _set_members_budget(membership, asked, by)
    people = {membership.user_id for membership in added}
    name_ignored(response, ignored_with(asked, asked.members))
    return _row(team) | {
        "updated_users": [_user_row(membership) for membership in added],
        "updated_team_memberships": [row for row in membership_rows([team], now)[team.pk] if row["user_id"] in people],
    }


@router.post("/team/member_delete", auth=asker)
def delete_member(request: HttpRequest, asked: NamedMember) -> dict[str, Any]:
    by = asker_of(request)
    team = managed_team(by, asked.team_id)
    use_cases.remove_member_with_budget(named_membership(team, asked.user_id, asked.user_email), actor=by.actor)
    return _row(team)


@router.post("/team/member_update", auth=asker)
def update_member(request: HttpRequest, response: HttpResponse, asked: UpdateMember) -> dict[str, Any]:
    by = asker_of(request)
    team = managed_team(by, asked.team_id)
    membership = named_membership(team, asked.user_id, asked.user_email)
    with transaction.atomic():
        kept = asked.kept(membership.extra)
        if asked.role is not None or kept:
            role = membership.role if asked.role is None else role_of(asked.role)
            membership = change_member(membership, role, actor=by.actor, kept=kept)
        _set_members_budget(membership, asked, by)
    name_ignored(response, asked.ignored())
    [row] = [row for row in membership_rows([team], timezone.now())[team.pk] if row["user_id"] == membership.user_id]
    table = row["litellm_budget_table"] or {}
    return {
        "team_id": team.pk,
        "user_id": membership.user_id,
        "user_email": membership.user.email or None,
        "max_budget_in_team": table.get("max_budget"),
        "budget_duration": table.get("budget_duration"),
    }


def _add(team: Team, asked: MemberFields, actor: Actor, kept: dict[str, Any]) -> Membership:
    role, person = role_of(asked.role), person_of(asked, actor=actor)
    if team.memberships.filter(user=person).exists():
        text = f"{person.email or person.pk} is a member of team {team} already."
        raise Refused(text, type="team_member_already_in_team", param="user_id")
    return add_member(Membership(team=team, user=person, role=role, **kept), actor=actor)


def _set_members_budget(membership: Membership, asked: MembersBudget, by: Asker) -> None:
    sent = {"max_budget_in_team": "max_budget", "budget_duration": "budget_duration"}
    money = {name: getattr(asked, theirs) for theirs, name in sent.items() if theirs in asked.model_fields_set}
    change = MemberMoney.of(by, membership)
    set_money(Budget.Scope.MEMBER, change.scope_id, Money(**money), actor=by.actor)
    change.check()


def _user_row(membership: Membership) -> dict[str, Any]:
    user = membership.user
    return {"user_id": user.pk, "user_email": user.email or None, "user_role": user.role}


def _row(team: Team) -> dict[str, Any]:
    team.refresh_from_db()
    return team_row(team, timezone.now())

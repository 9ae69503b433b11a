"""/user/… at LiteLLM's paths, in LiteLLM's shapes. Administrators change people; a person's own key reads who they are."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from billing.models import Budget
from billing.scopes import member_id
from console import use_cases
from console.asker import Asker
from console.grants import check_key, check_role
from console.management.askers import any_administrator, asker, asker_of
from console.management.errors import Refused, forbidden
from console.management.fields import Money, name_ignored
from console.management.key_fields import spec_of
from console.management.key_rows import key_row, key_rows
from console.management.team_fields import named_team
from console.management.team_fields import role_of as team_role_of
from console.management.team_rows import team_rows
from console.management.terms import set_money
from console.management.user_fields import NewUser, TeamPlace, Text, UserFields, changes_of, draft_of, named_user, role_of
from console.management.user_rows import user_row, user_rows
from keys.actions import add_member, change_user, create_user, issue_key
from keys.models import Membership, OrganisationMembership, User

router = Router(tags=["users"], auth=any_administrator)

LARGEST_PAGE = 100
KEYS_SHOWN = 1000
SORTED = {"user_id": "pk", "user_email": "email", "user_alias": "first_name", "user_role": "role", "created_at": "date_joined"}
# Of the key that is made along, what the answer tells besides the person.
KEYS_FIELDS = ("key_name", "key_alias", "expires", "team_id", "models")


class NamedUsers(Schema):
    user_ids: list[str]


class Listed(Schema):
    page: int = Field(1, ge=1, le=10**6)
    page_size: int = Field(25, ge=1, le=LARGEST_PAGE)
    role: Text = ""
    user_ids: Text = ""
    user_email: Text = ""
    search: Text = ""
    team: Text = ""
    organization_ids: Text = ""
    sso_user_ids: Text = ""
    sort_by: Text = ""
    sort_order: str = "asc"


@router.post("/user/new")
def new_user(request: HttpRequest, response: HttpResponse, asked: NewUser) -> dict[str, Any]:
    """Makes a person and, unless told otherwise, a key, whose secret is in this answer and nowhere else."""
    by, draft = asker_of(request), draft_of(asked)
    check_role(by, draft.role)
    with transaction.atomic():
        person = create_user(draft, actor=by.actor)
        for place in asked.places():
            _join(place, person, by)
        set_money(Budget.Scope.USER, person.pk, asked, actor=by.actor)
        made = _first_key(asked, person, by) if asked.makes_key else {"key": "", "expires": None}
    name_ignored(response, asked.ignored())
    response["Cache-Control"] = "no-store"
    return _row(person) | made


@router.post("/user/update")
def update_user(request: HttpRequest, response: HttpResponse, asked: UserFields) -> dict[str, Any]:
    """Fields that are not sent stay as they are; null takes a value away."""
    by, person = asker_of(request), named_user(asked.user_id, asked.user_email)
    changes = changes_of(asked, person)
    if changes.get("role", person.role) != person.role:
        check_role(by, changes["role"])
    with transaction.atomic():
        change_user(person, changes, actor=by.actor)
        set_money(Budget.Scope.USER, person.pk, asked, actor=by.actor)
    name_ignored(response, asked.ignored())
    return {"user_id": person.pk, "data": _row(person)}


@router.post("/user/delete")
def delete_users(request: HttpRequest, asked: NamedUsers) -> int:
    """All of them or none, with their keys. Answers how many."""
    if not asked.user_ids:
        raise Refused("Name the people: user_ids.", param="user_ids")
    people, actor = [named_user(user_id) for user_id in dict.fromkeys(asked.user_ids)], asker_of(request).actor
    with transaction.atomic():
        for person in people:
            use_cases.delete_user_with_all(person, actor=actor)
    return len(people)


@router.get("/user/info", auth=asker)
def user_info(request: HttpRequest, response: HttpResponse, user_id: Text = "") -> dict[str, Any]:
    """A person with keys and teams; without a name, whoever asks. The master key is nobody: it is told everybody's keys and teams."""
    person, now = _asked_for(asker_of(request), user_id), timezone.now()
    reach = asker_of(request).reach
    keys, teams = reach.keys().filter(revoked_at=None), reach.teams()
    if person:
        keys, teams = keys.filter(user=person), teams.filter(memberships__user=person)
    shown = list(keys[:KEYS_SHOWN])
    response["Cache-Control"] = "no-store"
    return {
        "user_id": person.pk if person else None,
        "user_info": user_row(person, now) if person else None,
        "keys": [row | {"token": key.token_hash} for key, row in zip(shown, key_rows(shown, now), strict=True)],
        "teams": team_rows(list(teams[:KEYS_SHOWN]), now),
    }


@router.get("/user/list")
def list_users(request: HttpRequest, response: HttpResponse, asked: Query[Listed]) -> dict[str, Any]:
    people = _matching(asked)
    total = people.count()
    shown = list(people[(asked.page - 1) * asked.page_size : asked.page * asked.page_size])
    name_ignored(response, {"sso_user_ids": asked.sso_user_ids} if asked.sso_user_ids else {})
    return {
        "users": user_rows(shown, timezone.now()), "total": total, "page": asked.page, "page_size": asked.page_size,
        "total_pages": -(-total // asked.page_size),
    }  # fmt: skip


def _join(place: TeamPlace, person: User, by: Asker) -> None:
    team = named_team(place.team_id)
    add_member(Membership(team=team, user=person, role=team_role_of(place.user_role)), actor=by.actor)
    if place.max_budget_in_team is not None:
        money = Money(max_budget=place.max_budget_in_team)
        set_money(Budget.Scope.MEMBER, member_id(team.pk, person.pk), money, actor=by.actor)


def _first_key(asked: NewUser, person: User, by: Asker) -> dict[str, Any]:
    now = timezone.now()
    spec = spec_of(asked.keys_fields(person), by.actor, now)
    check_key(by, spec)
    key, token = issue_key(spec, actor=by.actor)
    row = key_row(key, now)
    return {name: row[name] for name in KEYS_FIELDS} | {"key": token, "token": key.token_hash, "token_id": key.token_hash}


def _asked_for(by: Asker, user_id: str) -> User | None:
    """Others learn the same of a person they may not see as of one that there is not."""
    if by.sees_all:
        return named_user(user_id) if user_id else by.person
    if by.person is None:
        raise forbidden("this key belongs to nobody, so it has no /user/info.")
    if user_id not in ("", by.person.pk):
        raise forbidden("a key reads only its own person's /user/info.")
    return by.person


def _matching(asked: Listed) -> QuerySet[User]:
    people = User.objects.all()
    if asked.role:
        people = people.filter(role=role_of(asked.role))
    if asked.user_ids:
        people = people.filter(pk__in=asked.user_ids.split(","))
    if asked.user_email:
        people = people.filter(email__icontains=asked.user_email)
    if asked.search:
        words = {f"{name}__icontains": asked.search for name in ("id", "email", "first_name", "last_name")}
        people = people.filter(Q(*words.items(), _connector=Q.OR))
    if asked.team:
        people = people.filter(pk__in=Membership.objects.filter(team_id=asked.team).values("user_id"))
    if asked.organization_ids:
        named = asked.organization_ids.split(",")
        in_teams = Membership.objects.filter(team__organisation_id__in=named).values("user_id")
        inside = OrganisationMembership.objects.filter(organisation_id__in=named).values("user_id")
        people = people.filter(Q(pk__in=in_teams) | Q(pk__in=inside))
    if asked.sort_by and asked.sort_by not in SORTED:
        raise Refused(f"sort_by is one of {', '.join(SORTED)}.", param="sort_by")
    order = ("-" if asked.sort_order == "desc" else "") + SORTED[asked.sort_by] if asked.sort_by else "-date_joined"
    return people.order_by(order, "pk")


def _row(person: User) -> dict[str, Any]:
    person.refresh_from_db()
    return user_row(person, timezone.now())

"""The cast and its routes as rows, each with its audit event. Ids come from names, so that every seeding has the same; secrets never do."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password

from audit.many_rows import add_rows
from audit.trail import COMMAND_LINE
from gateway_project.demo_seed.cast import ADMIN, END_USERS, HOUSES, KEYS, NORDWIND, PEOPLE, ROOM, ROOMS, TAGS, VIEWER, DemoKey, Person
from gateway_project.demo_seed.routes import CREDENTIALS, NAMES, PLACES, Name, Place
from keys.actions import create_organisation
from keys.models import EndUser, Membership, Organisation, OrganisationMembership, Tag, Team, User, VirtualKey
from keys.people_actions import add_organisation_member
from keys.secrets import hash_token, last_four, make_token
from routing.actions import Target, create_credential, create_deployment, create_route
from routing.models import Credential, Deployment, Route

BORN_DAYS_AGO = 92


@dataclass(frozen=True, slots=True)
class Made:
    """What the traffic needs of the rows. `token` opens the key that people may try; it exists nowhere else."""

    keys: dict[str, str]
    deployments: dict[str, str]
    token: str = field(repr=False)


def make_cast(now: datetime, password: str) -> Made:
    """Inside a transaction. The people all have that password."""
    born = now - timedelta(days=BORN_DAYS_AGO)
    houses = {one.id: create_organisation(Organisation(id=one.id, name=one.name, created_at=born), actor=COMMAND_LINE) for one in HOUSES}
    teams = {
        room.id: Team(
            id=room.id,
            name=room.name,
            organisation=houses[room.house],
            cost_centre=room.cost_centre,
            tags=list(room.tags),
            created_at=born,
        )
        for room in ROOMS
    }
    add_rows(list(teams.values()), event="team.created", actor=COMMAND_LINE)
    people = _people(born, make_password(password))
    _places(people, teams)
    add_rows([Tag(name=name, description=text, created_at=born) for name, text in TAGS.items()], event="tag.created", actor=COMMAND_LINE)
    customers = [EndUser(id=name, name=f"Customer {name[-4:]}", created_at=born) for name in END_USERS]
    add_rows(customers, event="end_user.created", actor=COMMAND_LINE)
    ids, token = _keys(now, teams, people)
    return Made(ids, _routes(born), token)


def _people(born: datetime, password: str) -> dict[str, User]:
    people = {one.id: _person(one, born, password) for one in PEOPLE}
    add_rows(list(people.values()), event="user.created", actor=COMMAND_LINE)
    return people


def _person(one: Person, born: datetime, password: str) -> User:
    is_admin = one.role == ADMIN
    return User(
        id=one.id,
        username=one.email.partition("@")[0],
        email=one.email,
        first_name=one.name[0],
        last_name=one.name[1],
        role=one.role,
        password=password,
        is_staff=is_admin,
        is_superuser=is_admin,
        date_joined=born,
    )


def _places(people: dict[str, User], teams: dict[str, Team]) -> None:
    rows = [Membership(team=teams[room], user=people[one.id], role=role) for one in PEOPLE for room, role in one.places]
    add_rows(rows, event="member.added", actor=COMMAND_LINE)
    for one in PEOPLE:
        if one.role == VIEWER:
            place = OrganisationMembership(organisation_id=NORDWIND, user=people[one.id], role=VIEWER)
            add_organisation_member(place, actor=COMMAND_LINE)


def _keys(now: datetime, teams: dict[str, Team], people: dict[str, User]) -> tuple[dict[str, str], str]:
    """A key's id outlives its token, so it may come from the name; the token is as secret as any."""
    tokens = {one.name: make_token() for one in KEYS}
    rows = [_key(one, now, tokens[one.name]) for one in KEYS]
    for one, row in zip(KEYS, rows, strict=True):
        row.team, row.user = teams[one.room], people.get(one.person)
    add_rows(rows, event="key.issued", actor=COMMAND_LINE)
    return {row.name: row.pk for row in rows}, tokens[KEYS[0].name]


def _key(one: DemoKey, now: datetime, token: str) -> VirtualKey:
    return VirtualKey(
        id=hash_token(f"tallygate demo: {one.name}"),
        token_hash=hash_token(token),
        last_four=last_four(token),
        name=one.name,
        allowed_models=list(one.allowed),
        expires_at=None if one.expires_in_days is None else now + timedelta(days=one.expires_in_days),
        is_blocked=one.is_blocked,
        revoked_at=None if one.revoked_days_ago is None else now - timedelta(days=one.revoked_days_ago),
        rpm_limit=one.rpm_limit,
        cost_centre=ROOM[one.room].cost_centre,
        tags=list(one.tags),
        created_at=now - timedelta(days=BORN_DAYS_AGO - 20),
        created_by=one.person or "demo-marta",
    )


def _routes(born: datetime) -> dict[str, str]:
    """Names that are there already, from the environment or a file, stay as they are. Returns the deployments' ids by name."""
    credentials = {provider: _credential(provider, *told) for provider, told in CREDENTIALS.items()}
    places = {place.name: _deployment(place, credentials[place.provider], born) for place in PLACES.values()}
    for name in NAMES:
        if not Route.objects.filter(name=name.name).exists():
            _route(name, places, born)
    return {name: row.pk for name, row in places.items()}


def _credential(provider: str, name: str, reference: str) -> Credential:
    known = Credential.objects.filter(name=name).first()
    return known or create_credential(Credential(name=name, provider=provider), reference, actor=COMMAND_LINE)


def _deployment(place: Place, credential: Credential, born: datetime) -> Deployment:
    known = Deployment.objects.filter(name=place.name).first()
    row = Deployment(
        id=f"demo-{place.name}",
        name=place.name,
        provider=place.provider,
        model=place.model,
        region=place.region,
        project=place.project,
        credential=credential,
        created_at=born,
    )
    return known or create_deployment(row, actor=COMMAND_LINE)


def _route(name: Name, places: dict[str, Deployment], born: datetime) -> None:
    """The built-in demo comes last: what has no key is passed over, so it answers for all of them."""
    known = Deployment.objects.filter(name=name.demo_model).first()
    demo = known or create_deployment(Deployment(name=name.demo_model, provider="demo", model=name.demo_model), actor=COMMAND_LINE)
    served = [Target(places[place.name], order) for order, place in enumerate(name.served, 1)]
    row = Route(id=f"demo-{name.name}", name=name.name, description=name.description, created_at=born)
    create_route(row, [*served, Target(demo, len(served) + 1)], actor=COMMAND_LINE)

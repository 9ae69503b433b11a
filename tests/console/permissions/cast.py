"""The people and things of the permission tests: Alice manages Search, Bob is in it, Charlie is in Sales of another organisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from audit.trail import SYSTEM
from billing.models import BudgetPlan
from billing.plans import make_plan
from keys.actions import add_member
from keys.models import EndUser, Membership, OrganisationMembership, Tag, Team, User
from tests.factories import make_admin, make_credential, make_deployment, make_key, make_organisation, make_team, make_user

MEMBER, MANAGER = Membership.Role.MEMBER, Membership.Role.MANAGER
TOKENS = {"nobody": "", "unknown": "sk-unknown-key", "master": settings.TALLYGATE_MASTER_KEY}


@dataclass
class Cast:
    """`names` are what paths and bodies of the table may name, `tokens` the key that each role asks with."""

    names: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=lambda: dict(TOKENS))

    def place(self, person: User, team: Team, role: str = MEMBER) -> None:
        add_member(Membership(team=team, user=person, role=role), actor=SYSTEM)

    def give(self, role: str, person: User) -> User:
        """A personal key: with a key of a team one reaches no further than that team."""
        key, self.tokens[role] = make_key(f"{role}'s own", user=person)
        self.names[f"{role}_own"] = key.pk
        self.names[role] = person.pk
        return person

    def put_key(self, name: str, **values: Any) -> None:
        key, self.tokens[name] = make_key(name, **values)
        self.names[name] = key.pk


def make_cast() -> Cast:
    cast = Cast()
    acme, globex = make_organisation("Acme"), make_organisation("Globex")
    search, sales = make_team("Search", organisation=acme), make_team("Sales", organisation=globex)
    people = {role: cast.give(role, make_user(role)) for role in ("member", "outsider", "manager", "leader")}
    cast.give("viewer", make_user("viewer", User.Role.VIEWER))
    cast.give("finance", make_user("finance", User.Role.FINANCE))
    cast.give("admin", make_admin())
    for person, team, role in (("member", search, MEMBER), ("manager", search, MANAGER), ("outsider", sales, MEMBER)):
        cast.place(people[person], team, role)
    cast.place(User.objects.get(username="viewer"), search)
    OrganisationMembership.objects.create(organisation=acme, user=people["leader"], role=OrganisationMembership.Role.MANAGER)
    newcomer = make_user("newcomer")
    cast.put_key("bobs", user=people["member"], team=search)
    cast.put_key("teams", team=search)
    cast.put_key("charlies", user=people["outsider"], team=sales)
    cast.names |= {"search": search.pk, "sales": sales.pk, "acme": acme.pk, "globex": globex.pk, "newcomer": newcomer.pk}
    cast.names |= {"plan": make_plan(BudgetPlan(id="plan", amount_nano=10**9), actor=SYSTEM).pk, "model": make_deployment().pk}
    cast.names |= {"customer": EndUser.objects.create(id="customer").pk, "tag": Tag.objects.create(name="tag").pk}
    cast.names["credential"] = make_credential("credential").name
    return cast


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)

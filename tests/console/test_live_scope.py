"""Whose traffic a board shows: exactly that which the other pages show of the records."""

import pytest

from audit.models import RequestRecord
from audit.trail import SYSTEM
from console.access import traffic
from console.live.scope import is_seen, scope_of
from keys.access import Reach, reach_of
from keys.actions import add_member
from keys.models import Membership, User
from tests.console.rows import served
from tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db
Calls = set[tuple[str, str]]


@pytest.fixture
def people() -> dict[str, User]:
    search, sales = make_team("Search"), make_team("Sales")
    found = {name: make_user(name, role) for name, role in (("ada", "admin"), ("fin", "finance"), ("vic", "viewer"))}
    found |= {name: make_user(name) for name in ("mia", "bob", "eve")}
    add_member(Membership(team=search, user=found["mia"], role=Membership.Role.MANAGER), actor=SYSTEM)
    add_member(Membership(team=search, user=found["bob"], role=Membership.Role.MEMBER), actor=SYSTEM)
    for team in (search.pk, sales.pk, ""):
        for person in ("", *(one.pk for one in found.values())):
            served(team_id=team, user_id=person)
    return found


def of_rows(reach: Reach) -> Calls:
    return set(RequestRecord.objects.filter(traffic(reach)).values_list("team_id", "user_id"))


def of_calls(scope: Reach) -> Calls:
    return {pair for pair in RequestRecord.objects.values_list("team_id", "user_id") if is_seen(scope, *pair)}


@pytest.mark.parametrize(("name", "number"), [("ada", 21), ("fin", 21), ("vic", 3), ("mia", 9), ("bob", 3), ("eve", 3)])
def test_person_sees_on_the_live_page_what_they_see_elsewhere(people: dict[str, User], name: str, number: int) -> None:
    reach = reach_of(people[name])
    seen = of_rows(reach)
    assert len(seen) == number
    assert of_rows(scope_of(reach)) == of_calls(scope_of(reach)) == seen


def test_nobody_sees_nothing(people: dict[str, User]) -> None:
    assert of_calls(scope_of(Reach())) == of_rows(Reach()) == set()


def test_those_who_see_the_same_share_the_work(people: dict[str, User]) -> None:
    other = make_user("second", "admin")
    assert scope_of(reach_of(other)) == scope_of(reach_of(people["ada"]))
    assert scope_of(reach_of(people["bob"])) != scope_of(reach_of(people["eve"]))

"""People: for administrators and finance; roles and blocking for administrators alone."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import AuditEvent
from billing.money import NANO
from keys.models import User, VirtualKey
from tests.console.permissions.cast import Cast
from tests.console.spend_rows import spent
from tests.factories import make_user

OTHERS = ("manager", "leader", "member", "viewer", "outsider", "newcomer")


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username={"admin": "root"}.get(username, username)))
    return client


def text_of(username: str, path: str = "/people/") -> str:
    return client_of(username).get(path).content.decode()


def names(query: str = "") -> list[str]:
    found = re.findall(r'class="p1"><a href="/people/[^"]+/"><bdi>([^<@]+)', text_of("admin", f"/people/{query}"))
    return [name for name in found if name]


@pytest.mark.parametrize("who", ["admin", "finance"])
def test_administrators_and_finance_see_everybody(cast: Cast, who: str) -> None:
    text = text_of(who)
    assert [name in text for name in ("root@example.com", *(f"{name}@example.com" for name in OTHERS))] == [True] * 7
    assert client_of(who).get(f"/people/{cast.names['member']}/").status_code == 200


@pytest.mark.parametrize("who", OTHERS)
def test_others_see_nobody(cast: Cast, who: str) -> None:
    client = client_of(who)
    assert [client.get(path).status_code for path in ("/people/", f"/people/{cast.names['member']}/")] == [403, 403]
    assert "/people/" not in client.get("/teams/").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?role=finance", ["finance"]),
        ("?q=MANAG", ["manager"]),
        ("?state=blocked", ["viewer"]),
        ("?q=nobody", []),
        ("?role=x&state=y&page=0&q=%00", ["finance", "leader", "manager", "member", "newcomer", "outsider", "root", "viewer"]),
    ],
)
def test_filter_of_the_url(cast: Cast, query: str, found: list[str]) -> None:
    User.objects.filter(username="viewer").update(is_blocked=True)
    assert names(query) == found


def test_spend_is_this_months_of_the_ledger(cast: Cast) -> None:
    spent(VirtualKey.objects.get(pk=cast.names["bobs"]), 7 * NANO, at=timezone.now())
    assert '<td class="r p2">$7<span class="cents">.00</span></td>' in text_of("finance")


def test_many_people_need_no_more_queries(cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(20):
        make_user(f"person-{number}")
    client = client_of("admin")
    with django_assert_max_num_queries(10):
        client.get("/people/")


@pytest.mark.parametrize("who", ["admin", "finance", *OTHERS])
def test_only_administrators_change_roles_and_block(cast: Cast, who: str) -> None:
    path = f"/people/{cast.names['newcomer']}"
    client = client_of(who)
    client.post(f"{path}/role/", {"role": "finance"})
    client.post(f"{path}/block/", {"blocked": "yes"})
    person = User.objects.get(username="newcomer")
    assert (person.role, person.is_blocked) == (("finance", True) if who == "admin" else ("member", False))


def test_role_is_in_the_audit_trail(cast: Cast) -> None:
    client_of("admin").post(f"/people/{cast.names['newcomer']}/role/", {"role": "finance"})
    event = AuditEvent.objects.order_by("-id")[0]
    assert (event.event, event.actor_name, event.after) == ("user.changed", "root@example.com", {"role": "finance"})


def test_last_administrator_stays_one(cast: Cast) -> None:
    text = client_of("admin").post(f"/people/{cast.names['admin']}/role/", {"role": "member"}, follow=True).content.decode()
    assert "Somebody must remain administrator." in text
    assert User.objects.get(username="root").role == "admin"


@pytest.mark.parametrize("role", ["owner", "", "admin\x00"])
def test_unknown_role_changes_nothing(cast: Cast, role: str) -> None:
    before = AuditEvent.objects.count()
    client_of("admin").post(f"/people/{cast.names['newcomer']}/role/", {"role": role})
    assert AuditEvent.objects.count() == before


def test_names_with_markup_are_inert(cast: Cast) -> None:
    evil = "<script>alert('\u202e')</script>"
    User.objects.filter(username="newcomer").update(first_name=evil, email=evil)
    text = text_of("admin") + text_of("admin", f"/people/{cast.names['newcomer']}/")
    assert "<script>" not in text
    assert "\u202e" not in text


def test_unknown_person_is_not_found(cast: Cast) -> None:
    assert client_of("admin").get("/people/nobody/").status_code == 404

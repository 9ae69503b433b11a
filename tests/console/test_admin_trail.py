"""The whole admin: every way to change a row leaves an audit event of who did it, and no secret; only administrators have any."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from audit.models import AuditEvent
from keys.models import User
from tests.console.admin_pages import page
from tests.console.admin_ways import FORMS, MAKE, SECRET, Way, undone, ways
from tests.factories import PROVIDER_KEY, make_admin, make_user

pytestmark = pytest.mark.django_db
MODELS = list(admin.site._registry)
# What an event of this way is about, where it is not the row itself.
ABOUT = {
    "test_selected": "deployment",
    "sign_out_selected": "usersession",
    "Membership": "membership",
    "OrganisationMembership": "organisationmembership",
    "RouteTarget": "route",
}


@pytest.fixture
def root() -> User:
    return make_admin()


@pytest.fixture
def web(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def visitor(role: str) -> Client:
    """Without a role, somebody who is not signed in."""
    client = Client()
    if role:
        client.force_login(make_user("bob", role))
    return client


def told_of(way: Way, web: Client) -> list[AuditEvent]:
    row = way.prepared()
    known = AuditEvent.objects.count()
    assert way.taken(web, row).status_code in {200, 302}, way
    return list(AuditEvent.objects.order_by("id")[known:])


# R118
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_way_to_change_a_row_leaves_an_event_of_who_did_it(web: Client, root: User, model: type[Any]) -> None:
    for way in ways(model):
        with undone():
            told = told_of(way, web)
            assert ABOUT.get(way.name, model._meta.model_name) in {event.object_type for event in told}, way
            assert {event.actor_id for event in told} == {root.pk}, way
            kept = str([(event.before, event.after, event.object_name) for event in told])
            assert SECRET not in kept and PROVIDER_KEY not in kept, way


def test_every_page_that_changes_something_is_walked() -> None:
    found = list(ways())
    assert {way.model for way in found} == set(MAKE)
    assert {way.model for way in found if way.kind == "change"} == set(FORMS)
    assert len(found) >= 60


# R118
def test_nothing_is_changed_where_its_event_cannot_be_written(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ways():
        with undone(), monkeypatch.context() as broken:
            row = way.prepared()
            before = list(way.model.objects.order_by("pk").values())
            broken.setattr(AuditEvent, "save", _unwritable)
            with pytest.raises(OSError, match="disk full"):
                way.taken(web, row)
            assert list(way.model.objects.order_by("pk").values()) == before, way


def _unwritable(*_args: object, **_options: object) -> None:
    raise OSError("disk full")


# R116
@pytest.mark.parametrize("role", [User.Role.VIEWER, User.Role.MEMBER, User.Role.FINANCE])
def test_nobody_else_has_any_way(role: str) -> None:
    client = visitor(role)
    for way in ways():
        with undone():
            row = way.prepared()
            known = AuditEvent.objects.count()
            way.taken(client, row)
            assert AuditEvent.objects.count() == known, way
            assert way.kind == "add" or type(row).objects.filter(pk=row.pk).exists(), way


# R116
@pytest.mark.parametrize("role", ["", User.Role.VIEWER, User.Role.MEMBER, User.Role.FINANCE])
@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model.__name__)
def test_no_page_opens_for_others(role: str, model: type[Any]) -> None:
    client = visitor(role)
    for address in (page(model, "changelist"), page(model, "add"), page(model, "change", "1"), page(model, "delete", "1")):
        for ask in (client.get, client.post):
            answer = ask(address)
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/"), address


def test_blocked_administrator_has_no_entry(web: Client, root: User) -> None:
    User.objects.filter(pk=root.pk).update(is_blocked=True)
    assert web.get("/admin/")["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", ["", User.Role.MEMBER])
def test_the_admin_has_no_sign_in_of_its_own(role: str) -> None:
    client = visitor(role)
    answer = client.get("/admin/login/", follow=True)
    assert b'name="username"' not in answer.content
    assert client.post("/admin/login/", {"username": "root", "password": "x"}).status_code in {302, 403}

"""Lists of the admin: as many queries for many rows as for few, and none that reads a table of millions."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent, Outbox, RequestBody, RequestRecord, RollUp, TagRollUp
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import BudgetPlan, Instance, LedgerEntry, Price, Share, Window
from billing.plans import make_plan
from keys.actions import add_member
from keys.models import Membership, OrganisationMembership, Tag
from keys.people_actions import add_organisation_member, create_tag, known_end_user
from tests.console.admin_pages import page
from tests.console.admin_ways import a_session
from tests.console.rows import as_admin, served
from tests.factories import make_credential, make_deployment, make_key, make_organisation, make_route, make_team, make_user

pytestmark = pytest.mark.django_db(databases="__all__")
MILLIONS = [AuditEvent, RequestRecord, LedgerEntry, RollUp, TagRollUp, RequestBody, Window, Share]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def people(number: int) -> None:
    user, acme = make_user(f"u{number}"), make_organisation(f"o{number}")
    team = make_team(f"t{number}", organisation=acme)
    make_key(f"k{number}", team=team, user=user)
    add_member(Membership(team=team, user=user), actor=SYSTEM)
    add_organisation_member(OrganisationMembership(organisation=acme, user=user), actor=SYSTEM)
    a_session(user, f"s{number}")
    known_end_user(f"e{number}", actor=SYSTEM)
    create_tag(Tag(name=f"g{number}"), actor=SYSTEM)
    for scope, row in (("team", team), ("user", user), ("organisation", acme)):
        budget = set_budget(scope, row.pk, BudgetTerms(10**9, "30d"), actor=SYSTEM)
    instance = Instance.objects.create(id=f"i{number}", started_at=NOON, beat_at=NOON)
    Share.objects.create(window=budget.windows.get(), instance=instance)


def traffic(number: int) -> None:
    deployment = make_deployment(f"d{number}", credential=make_credential(f"c{number}"))
    make_route(f"r{number}", deployment, make_deployment(f"x{number}"))
    make_plan(BudgetPlan(id=f"p{number}", amount_nano=1), actor=SYSTEM)
    Price.objects.create(provider="anthropic", model=f"m{number}", input_pico=1, output_pico=1)
    served(route=f"r{number}")
    Outbox.objects.create(once_key=str(number), kind="budget", created_at=NOON)
    TagRollUp.objects.create(starts_at=NOON + timedelta(minutes=15 * number), tag="x")
    RequestBody.objects.create(request_id=str(number), stored_at=NOON, request=b"", response=b"")


def queries(web: Client, model: type[Any]) -> list[str]:
    """In every database: kept bodies have one of their own beside SQLite's."""
    with ExitStack() as stack:
        told = [stack.enter_context(CaptureQueriesContext(one)) for one in connections.all()]
        assert web.get(page(model, "changelist")).status_code == 200
    return [query["sql"] for queries in told for query in queries]


def test_no_list_asks_more_for_more_rows() -> None:
    web = as_admin()
    for number in range(3):
        people(number)
        traffic(number)
    few = {model.__name__: len(queries(web, model)) for model in admin.site._registry}
    for number in range(3, 9):
        people(number)
        traffic(number)
    assert {model.__name__: len(queries(web, model)) for model in admin.site._registry} == few


@pytest.mark.parametrize("model", MILLIONS, ids=lambda model: model.__name__)
def test_list_of_millions_is_neither_counted_nor_searched_for_its_values(model: type[Any]) -> None:
    told = queries(as_admin(), model)
    counts = [sql for sql in told if "COUNT(" in sql]
    assert counts and all("LIMIT 10000" in sql for sql in counts)
    assert not [sql for sql in told if "DISTINCT" in sql]


def test_record_is_found_by_its_whole_id_and_by_its_times() -> None:
    web, known, old = as_admin(), served(), served(at=NOON - timedelta(days=90))
    assert known.id in web.get(page(RequestRecord, "changelist"), {"q": known.id}).content.decode()
    times = {"received_at_from_0": "2026-01-01", "received_at_to_0": "2026-09-30", "received_at_to_1": "12:00:00"}
    found = web.get(page(RequestRecord, "changelist"), times)
    assert (old.id in found.content.decode(), known.id in found.content.decode()) == (True, False)


@pytest.mark.parametrize(("told", "shown"), [({"outcome": "refused"}, False), ({"outcome": "ok"}, True), ({"outcome": "neither"}, False)])
def test_records_are_narrowed_by_how_they_ended(told: dict[str, str], shown: bool) -> None:
    known = served()
    assert (known.id in as_admin().get(page(RequestRecord, "changelist"), told).content.decode()) is shown


def test_kept_body_is_listed_and_not_shown() -> None:
    RequestBody.objects.create(request_id="req_1", stored_at=NOON, request=b"body-canary", response=b"body-canary")
    for address in (page(RequestBody, "changelist"), page(RequestBody, "change", "req_1")):
        answer = as_admin_of(address)
        assert (b"req_1" in answer, b"body-canary" in answer) == (True, False)


def as_admin_of(address: str) -> bytes:
    client = Client()
    client.force_login(make_user(f"root{len(address)}", "admin"))
    return client.get(address).content

"""Audit: who changed what, for administrators alone; filters, pages, differences, files, the check of the chain."""

import csv
import re
from datetime import timedelta
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import AuditEvent
from audit.trail import SYSTEM, Actor
from keys.actions import change_team, change_user, delete_team
from keys.models import Team, User
from routing.actions import change_credential
from routing.models import Credential
from tests.console.permissions.cast import Cast
from tests.factories import PROVIDER_KEY, make_credential, make_team

OTHERS = ("finance", "manager", "leader", "member", "viewer", "outsider", "newcomer")
PATHS = ("/audit/", "/audit/audit.csv", "/audit/audit.xlsx")
EVIL = "<script>alert('\u202e')</script>"
JONAS = Actor("user", id="u-7", name="Jonas", ip="192.0.2.7", reason="asked for by finance")


def client_of(role: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username={"admin": "root"}.get(role, role)))
    return client


def text_of(path: str = "/audit/") -> str:
    response = client_of("admin").get(path)
    assert response.status_code == 200
    return response.content.decode()


def listed(query: str) -> list[int]:
    return [int(number) for number in re.findall(r'<th scope="row"[^>]*><a href="/audit/(\d+)/"', text_of(f"/audit/{query}"))]


def newest() -> AuditEvent:
    return AuditEvent.objects.order_by("-pk")[0]


def renamed(cast: Cast, name: str = "Find") -> AuditEvent:
    change_team(Team.objects.get(pk=cast.names["search"]), {"name": name}, actor=JONAS)
    return newest()


# ── who sees it ───────────────────────────────────────────────────────────────
def test_administrators_see_it_and_find_it_in_the_menu(cast: Cast) -> None:
    assert '<li><a href="/audit/"' in client_of("admin").get("/").content.decode()
    assert [client_of("admin").get(path).status_code for path in PATHS] == [200, 200, 200]


@pytest.mark.parametrize("role", OTHERS)
def test_others_see_nothing_of_it(cast: Cast, role: str) -> None:
    event, client = renamed(cast), client_of(role)
    assert [client.get(path).status_code for path in (*PATHS, f"/audit/{event.pk}/", "/audit/0/")] == [403] * 5
    assert client.post("/audit/check/").status_code == 403
    assert '"/audit/"' not in client.get("/").content.decode()
    assert newest() == event


def test_blocked_administrator_sees_nothing(cast: Cast) -> None:
    client = client_of("admin")
    User.objects.update(is_blocked=True)
    assert {client.get(path).status_code for path in PATHS} <= {302, 403}


# ── the list ──────────────────────────────────────────────────────────────────
def test_event_is_told_with_who_what_from_where_and_why(cast: Cast) -> None:
    renamed(cast)
    line = text_of().split("<tbody>")[1].split("</tr>")[0]
    for told in ("Jonas", "changed team", f'href="/teams/{cast.names["search"]}/"', "192.0.2.7", "asked for by finance"):
        assert told in line
    assert re.search(r"<del><bdi>Search</bdi></del>.*<bdi>Find</bdi>", line)


@pytest.mark.parametrize(
    "query",
    [
        "?actor=Jonas", "?actor=u-7", "?action=team.changed", "?q=192.0.2.7", "?q=find", "?kind=team&action=team.changed&period=today",
        "?kind=team&q=find&period=nonsense&before=x&action=team.changed",
    ],
)  # fmt: skip
def test_filter_of_the_url_finds_it(cast: Cast, query: str) -> None:
    event = renamed(cast)
    assert listed(query) == [event.pk]


@pytest.mark.parametrize(
    "query", ["?actor=nobody", "?action=route.deleted", "?kind=price", "?id=x", "?q=%25", "?period=2020-01", "?kind=user&before=1"]
)
def test_filter_of_the_url_leaves_it_out(cast: Cast, query: str) -> None:
    renamed(cast)
    assert listed(query) == []
    assert "No event matches" in text_of(f"/audit/{query}")


def test_values_without_a_meaning_are_as_if_they_were_not_there(cast: Cast) -> None:
    assert listed("?action=x&kind=y&before=-1&period=&q=%00") == listed("")


def test_all_events_of_one_thing_are_found_whatever_their_age(cast: Cast) -> None:
    event = renamed(cast)
    AuditEvent.objects.update(at=timezone.now() - timedelta(days=400))
    assert listed("") == []
    found = listed(f"?kind=team&id={cast.names['search']}")
    assert found[0] == event.pk
    assert len(found) == 2


def test_next_page_begins_behind_the_last_event_and_nothing_is_told_twice(cast: Cast) -> None:
    for number in range(60):
        make_team(f"team {number}")
    first = listed("?action=team.created")
    make_team("meanwhile")
    [older] = re.findall(r'href="\?([^"]+)" rel="next"', text_of("/audit/?action=team.created"))[:1]
    assert len(first) == 50
    second = listed(f"?action=team.created&before={first[-1]}")
    assert "before=" in older
    assert second == list(AuditEvent.objects.filter(event="team.created", pk__lt=first[-1]).order_by("-pk").values_list("pk", flat=True))


def test_many_events_need_no_more_queries(cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(30):
        make_team(f"team {number}")
    client = client_of("admin")
    with django_assert_max_num_queries(22):
        client.get("/audit/")


# ── one event ─────────────────────────────────────────────────────────────────
def test_page_of_an_event_tells_each_field_and_that_its_hash_holds(cast: Cast) -> None:
    event = renamed(cast)
    text = text_of(f"/audit/{event.pk}/")
    assert re.search(r'<th scope="row" class="mono">name</th><td><del><bdi>Search</bdi></del></td><td><bdi>Find</bdi></td>', text)
    assert event.hash in text
    assert text.count('class="state ok"') == 2


def test_event_that_was_changed_later_is_marked(cast: Cast) -> None:
    event = renamed(cast)
    AuditEvent.objects.filter(pk=event.pk).update(actor_name="Mallory")
    assert "changed after it was written" in text_of(f"/audit/{event.pk}/")


def test_thing_that_is_gone_has_no_link_and_all_that_it_was(cast: Cast) -> None:
    team = make_team("Short-lived")
    delete_team(team, actor=SYSTEM)
    text = text_of(f"/audit/{newest().pk}/")
    assert f'href="/teams/{team.pk}/"' not in text
    assert "What it was" in text


def test_event_that_never_was_is_not_found(cast: Cast) -> None:
    client = client_of("admin")
    assert [client.get(f"/audit/{number}/").status_code for number in ("0", "9" * 30)] == [404, 404]


def test_secret_is_told_as_changed_and_nothing_else(cast: Cast) -> None:
    credential: Credential = make_credential("fresh")
    change_credential(credential, {"secret": "sk-ant-another-canary"}, actor=SYSTEM)
    text = text_of() + text_of(f"/audit/{newest().pk}/") + client_of("admin").get("/audit/audit.csv").content.decode()
    assert "changed" in text
    assert not re.search(f"canary|{PROVIDER_KEY}|fernet:", text)


def test_secret_that_got_into_the_trail_does_not_get_out(cast: Cast) -> None:
    event = renamed(cast)
    AuditEvent.objects.filter(pk=event.pk).update(after={"secret": "sk-canary", "password": "canary"})
    text = text_of() + text_of(f"/audit/{event.pk}/") + client_of("admin").get("/audit/audit.csv").content.decode()
    assert "canary" not in text


def test_names_with_markup_are_inert(cast: Cast) -> None:
    event = renamed(cast, EVIL)
    change_user(User.objects.get(username="newcomer"), {"first_name": EVIL}, actor=Actor("user", name=EVIL, reason=EVIL))
    text = text_of() + text_of(f"/audit/{event.pk}/") + text_of(f"/audit/{newest().pk}/") + text_of("/audit/?actor=%3Cscript%3E")
    assert "<script>" not in text
    assert "\u202e" not in text


# ── files ─────────────────────────────────────────────────────────────────────
def rows(query: str = "") -> list[dict[str, str]]:
    response = client_of("admin").get(f"/audit/audit.csv{query}")
    return list(csv.DictReader(StringIO(response.content.decode("utf-8-sig"))))


def test_file_holds_all_that_was_asked_for_and_not_one_page(cast: Cast) -> None:
    for number in range(60):
        make_team(f"team {number}")
    found = rows("?action=team.created&before=5")
    assert [int(row["number"]) for row in rows("?action=team.created")] == list(
        AuditEvent.objects.filter(event="team.created").order_by("-pk").values_list("pk", flat=True)
    )
    assert all(int(row["number"]) < 5 for row in found)


def test_names_in_files_are_no_formulas(cast: Cast) -> None:
    renamed(cast, "=HYPERLINK(1)")
    assert rows("?action=team.changed")[0]["object_name"] == "'=HYPERLINK(1)"
    book = ZipFile(BytesIO(client_of("admin").get("/audit/audit.xlsx").content))
    assert "<f>" not in book.read("xl/worksheets/sheet1.xml").decode()


# ── the chain ─────────────────────────────────────────────────────────────────
def test_check_says_how_far_the_chain_was_verified_and_by_whom(cast: Cast) -> None:
    assert "The chain has not been checked yet." in text_of()
    last = newest().pk
    client_of("admin").post("/audit/check/")
    assert re.search(rf"Chain verified up to event {last:,}\.</strong> root@example.com checked it", text_of())
    assert newest().event == "audit.checked"


def test_check_says_where_the_chain_breaks(cast: Cast) -> None:
    event = renamed(cast)
    AuditEvent.objects.filter(pk=event.pk).update(object_name="Another")
    client_of("admin").post("/audit/check/")
    text = text_of()
    assert f"The chain breaks at event {event.pk:,}." in text
    assert f'<a href="/audit/{event.pk}/">Look at it</a>' in text


def test_check_reads_only_so_many_events_at_once_and_goes_on(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.chain.AT_ONCE", 1)
    monkeypatch.setattr("audit.chain.COUNTED", 2)
    monkeypatch.setattr("console.pages.audit.COUNTED", 2)
    first = AuditEvent.objects.order_by("pk")[0].pk
    for press in (1, 2):
        client_of("admin").post("/audit/check/")
        assert f"Chain verified up to event {first + 10 * press - 1:,}." in text_of()
    assert "More than 2 events are newer." in text_of()


def test_check_is_not_made_by_a_link(cast: Cast) -> None:
    assert client_of("admin").get("/audit/check/").status_code == 405

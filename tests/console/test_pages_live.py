"""The Live page as the server paints it: the figures of known calls, each visitor's own traffic, names that stay inert."""

import json
import re
import time

import pytest
from django.test import Client

from audit.trail import SYSTEM
from console.live.hub import Hub
from console.live.reports import Cooling, Report
from keys.actions import add_member
from keys.models import Membership, User
from routing.models import Deployment
from tests.console.live_rows import ended
from tests.console.rows import as_admin, attempt
from tests.factories import make_deployment, make_team, make_user

pytestmark = pytest.mark.django_db
EVIL = "<img src=x onerror=alert(1)>"


def shown(client: Client) -> str:
    return client.get("/live/").content.decode()


def as_person(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def number(text: str, label: str) -> str:
    """A number of the strip with what stands below it."""
    found = re.search(rf'<dt>{label}</dt><dd class="num">(.*?)</dd><dd class="delta">(.*?)</dd>', text)
    assert found
    return " / ".join(re.sub(r"<[^>]+>", "", part) for part in found.groups())


# ── figures ───────────────────────────────────────────────────────────────────
def test_figures_are_those_of_the_calls() -> None:
    for wait in (100.0, 200.0, 400.0, 9000.0):
        ended(20.0, first_byte_ms=wait, duration_ms=wait * 2)
    ended(20.0, outcome="refused", status=429, error_source="client", error_code="rate_limited", first_byte_ms=None)
    text = shown(as_admin())
    assert number(text, "Requests per second") == "0.08 / 5 min ago 0.0"
    assert number(text, "Errors, 5 min") == "20.0% / 1 of 5 requests"
    assert number(text, "First token P50") == "200 ms / P99 9.03 s"
    assert number(text, "First token P95") == "9.03 s / last 5 min"
    assert number(text, "Total P95").startswith("18.")


def test_chart_and_list_of_failures_say_the_same() -> None:
    for _ in range(3):
        ended(100.0, outcome="failed", status=500, error_source="gateway", error_code="draining")
    text = shown(as_admin())
    assert text.count('<td class="r" data-v="3">3</td>') == 1
    assert re.search(r"gateway</span>.*?500.*?draining.*?>3<", text, re.DOTALL)


def test_calls_under_way_are_added_up_over_processes(live: Hub) -> None:
    mine = make_user("mia")
    live.desk.reports.hear(Report("one", {("", mine.pk): 2, ("t", "other"): 3}), time.time())
    live.desk.reports.hear(Report("two", {("", mine.pk): 4}), time.time())
    live.desk.reports.hear(Report("gone", {("", mine.pk): 100}), time.time() - 60)
    assert number(shown(as_admin()), "In flight") == "9 / limit 4,000"
    assert number(shown(as_person(mine)), "In flight") == "6 / "


def test_report_survives_its_way_through_the_channel() -> None:
    report = Report("one", {("search", "mia"): 2}, (Cooling("d1", "rate_limited", 12.5, False),))
    assert Report.read(json.loads(json.dumps(report.message()))) == report


def test_page_without_traffic_says_what_will_happen() -> None:
    text = shown(as_admin())
    assert "The next one appears here by itself" in text
    assert "Nothing failed in the last 30 minutes" in text
    assert "No deployment is set up yet" in text


# ── deployments ───────────────────────────────────────────────────────────────
def test_deployment_that_cools_down_says_when_it_is_tried_again(live: Hub) -> None:
    make_deployment("quiet")
    broken = make_deployment("broken")
    ended(20.0, attempts=[attempt(deployment="broken", outcome="failed", status=529, error_code="overloaded")])
    live.desk.reports.hear(Report("one", {}, (Cooling(broken.pk, "overloaded", 12.0, False),)), time.time())
    live.desk.reports.hear(Report("two"), time.time())
    text = shown(as_admin())
    assert "cools down, next try in 12.0 s" in text
    assert "in 1 of 2 processes" in text
    assert "1 deployment had no call" in text


@pytest.mark.parametrize(
    ("cooling", "words"), [((0.0, False), "the next call is a trial"), ((5.0, True), "one trial call is under way"), (None, "takes calls")]
)
def test_state_of_a_deployment_is_said_in_words(live: Hub, cooling: tuple[float, bool] | None, words: str) -> None:
    one = make_deployment("sonnet")
    ended(20.0, attempts=[attempt(deployment="sonnet")])
    told = (Cooling(one.pk, "overloaded", *cooling),) if cooling else ()
    live.desk.reports.hear(Report("one", {}, told), time.time())
    assert words in shown(as_admin())


def test_deployment_is_asked_for_once_however_many_calls() -> None:
    for name in ("a", "b"):
        make_deployment(name)
        ended(20.0, attempts=[attempt(deployment=name), attempt(deployment=name)])
    assert shown(as_admin()).count('<svg class="strip"') == Deployment.objects.count()


# ── whose traffic ─────────────────────────────────────────────────────────────
@pytest.fixture
def traffic() -> dict[str, User]:
    search = make_team("Search")
    people = {"admin": make_user("ada", "admin"), "finance": make_user("fin", "finance"), "viewer": make_user("vic", "viewer")}
    people |= {"manager": make_user("mia"), "member": make_user("bob")}
    add_member(Membership(team=search, user=people["manager"], role=Membership.Role.MANAGER), actor=SYSTEM)
    add_member(Membership(team=search, user=people["member"], role=Membership.Role.MEMBER), actor=SYSTEM)
    ended(20.0, id="req_of_bob", user_id=people["member"].pk, team_id=search.pk)
    ended(20.0, id="req_of_search", user_id="somebody", team_id=search.pk)
    ended(20.0, id="req_of_sales", user_id="somebody", team_id="sales", outcome="failed", status=500, error_code="secret_code")
    return people


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("admin", {"req_of_bob", "req_of_search", "req_of_sales"}),
        ("finance", {"req_of_bob", "req_of_search", "req_of_sales"}),
        ("manager", {"req_of_bob", "req_of_search"}),
        ("member", {"req_of_bob"}),
        ("viewer", set()),
    ],
)
def test_each_role_sees_its_own_traffic_in_list_and_figures(traffic: dict[str, User], role: str, seen: set[str]) -> None:
    text = shown(as_person(traffic[role]))
    assert set(re.findall(r'href="/requests/(\w+)/"', text)) == seen
    assert f" of {len(seen)} request" in number(text, "Errors, 5 min")
    assert ("secret_code" in text) == ("req_of_sales" in seen)
    assert ("one stroke a minute" in text) == (role == "admin")


def test_second_visitor_is_not_shown_the_first_ones_page(traffic: dict[str, User]) -> None:
    shown(as_person(traffic["admin"]))
    assert "req_of_sales" not in shown(as_person(traffic["manager"]))


# ── safety ────────────────────────────────────────────────────────────────────
def test_names_with_markup_are_inert() -> None:
    make_deployment(EVIL)
    ended(
        20.0, key_name=EVIL, user_name=EVIL, team_name=EVIL, route=EVIL, deployment_name=EVIL, outcome="failed", error_code=EVIL,
        attempts=[attempt(deployment=EVIL)],
    )  # fmt: skip
    text = shown(as_admin())
    assert "<img" not in text
    assert "&lt;img" in text


def test_policy_lets_the_page_connect_to_its_own_address_only() -> None:
    policy = as_admin().get("/live/")["Content-Security-Policy"]
    assert "connect-src 'self' ws://testserver wss://testserver;" in policy + ";"


def test_page_works_without_script() -> None:
    text = shown(as_admin())
    assert "<noscript>" in text
    assert text.index('data-part="numbers"') < text.index("</main>")

"""Home: the steps before the first request, this month's money after it."""

import re
import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import DayRollUp, RollUp
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Instance
from console.live.hub import Hub
from console.live.reports import Cooling, Report
from keys.actions import block_key
from keys.models import User
from tests.console.rows import MINUTE, as_admin, as_member, served
from tests.console.spend_rows import Cast, spent
from tests.factories import make_deployment, make_key, make_user

pytestmark = pytest.mark.django_db


def home() -> str:
    return as_admin().get("/").content.decode()


def test_first_run_gives_the_exact_steps() -> None:
    text = home()
    assert "Nothing has been counted yet" in text
    assert 'ANTHROPIC_BASE_URL=<span class="hl">http://testserver</span>' in text
    assert "--model demo" in text


def test_first_run_ticks_off_what_is_done() -> None:
    make_key("laptop")
    make_deployment("sonnet", provider="anthropic", model="claude-sonnet-4-5")
    text = home()
    assert "Key <span" in text
    assert text.count('<span class="badge ok">') == 2


def test_token_counts_do_not_end_the_first_run() -> None:
    served(endpoint="/v1/messages/count_tokens", nano=0)
    assert "Nothing has been counted yet" in home()


def test_month_and_today_are_the_ledgers() -> None:
    served(at=timezone.now(), nano=1_250_000_000)
    served(at=timezone.now(), nano=2_000_000_000)
    text = home()
    assert '$3<span class="cents">.25</span>' in text
    assert 'Today so far <strong class="strong">$3.25</strong> in 2 requests.' in text


def test_last_requests_are_newest_first() -> None:
    now = timezone.now()
    ids = [served(at=now - MINUTE * minutes).id for minutes in range(1, 11)]
    text = home()
    places = [text.index(one) for one in ids[:8]]
    assert places == sorted(places)
    assert ids[8] not in text


def test_many_rows_need_no_more_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    client = as_admin()
    for number in range(12):
        served(route=f"model-{number}")
    with django_assert_max_num_queries(14):
        client.get("/")


# ── whose home ────────────────────────────────────────────────────────────────
def home_of(who: str) -> str:
    client = Client()
    client.force_login(User.objects.get(username=who))
    return re.sub(r"\s+", " ", client.get("/").content.decode())


def people() -> Cast:
    """The cast, and what each of them spent today alone: its own calls have a day that never moves."""
    cast = Cast()
    RollUp.objects.all().delete()
    DayRollUp.objects.all().delete()
    now = timezone.now()
    for key, dollars in ((cast.alice, 3), (cast.bob, 5), (cast.charlie, 7)):
        spent(key, dollars * 1_000_000_000, at=now)
    return cast


@pytest.mark.parametrize(("who", "dollars"), [("bob", "5"), ("charlie", "7"), ("finance", "15"), ("root", "15")])
def test_month_is_the_visitors_own_or_everybodys(who: str, dollars: str) -> None:
    people()
    assert f'Today so far <strong class="strong">${dollars}.00</strong>' in home_of(who)


def test_member_sees_nobody_else() -> None:
    people()
    text = home_of("bob")
    assert "My spend in" in text
    assert not re.search("alice|charlie|Sales|My teams", text)


def test_manager_sees_what_the_teams_led_spent_and_no_other() -> None:
    cast = people()
    set_budget("team", cast.search.pk, BudgetTerms(amount_nano=1_000_000_000, period="month"), actor=SYSTEM)
    text = home_of("alice")
    assert re.search(rf'team={cast.search.pk}"><bdi>Search</bdi></a></th><td class="r strong p2">\$8<span', text)
    assert cast.sales.pk not in text


def test_keys_are_named_with_their_state() -> None:
    cast = people()
    block_key(cast.bob, actor=SYSTEM)
    make_key("old", user=User.objects.get(username="bob"), expires_at=timezone.now() - MINUTE)
    text = home_of("bob")
    assert re.findall(r"<bdi>(bob&#x27;s key|old)</bdi></a>.*?</svg>(\w+)</span>", text) == [
        ("bob&#x27;s key", "blocked"),
        ("old", "expired"),
    ]


def test_own_budget_is_drawn_as_a_tally() -> None:
    cast = people()
    set_budget("user", str(cast.bob.user_id), BudgetTerms(amount_nano=10_000_000_000, period="month"), actor=SYSTEM)
    set_budget("user", str(cast.charlie.user_id), BudgetTerms(amount_nano=77_000_000_000, period="month"), actor=SYSTEM)
    text = home_of("bob")
    assert text.count('preserveAspectRatio="none"><path') == 20
    assert "of $10.00, 50% used" in text
    assert "$77" not in text


def test_newcomer_learns_how_to_begin() -> None:
    make_user("newcomer")
    text = home_of("newcomer")
    assert "No request of yours has been counted yet" in text
    assert "ANTHROPIC_BASE_URL" in text
    assert "Add a provider" not in text


def test_forecast_needs_one_whole_day() -> None:
    served(at=timezone.now())
    assert "At this pace" not in home()


def test_forecast_is_told() -> None:
    now = timezone.now()
    for days in range(1, 8):
        served(at=now - timedelta(days=days))
    assert "At this pace" in home()


@pytest.mark.parametrize(
    ("cooling", "words"), [(0, "All deployments take calls"), (1, "<bdi>d0</bdi> cools down"), (2, "2 deployments cool down")]
)
def test_administrators_hear_of_deployments_that_cool_down(live: Hub, cooling: int, words: str) -> None:
    served()
    told = tuple(Cooling(make_deployment(f"d{number}").pk, "overloaded", 9.0, False) for number in range(cooling))
    live.desk.reports.hear(Report("one", {}, told), time.time())
    assert words in home()


def test_home_speaks_for_no_process_that_it_has_not_heard(live: Hub) -> None:
    served()
    for process in ("one", "two"):
        Instance.objects.create(id=process, started_at=timezone.now(), beat_at=timezone.now())
    live.desk.reports.hear(Report("one"), time.time())
    web = as_admin()
    assert "No deployment cools down in this process" in web.get("/").content.decode()
    live.desk.reports.hear(Report("two"), time.time())
    assert "All deployments take calls" in web.get("/").content.decode()


def test_others_hear_nothing_of_deployments(live: Hub) -> None:
    live.desk.reports.hear(Report("one"), time.time())
    assert "deployments" not in as_member().get("/").content.decode()

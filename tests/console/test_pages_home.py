"""Home: the steps before the first request, this month's money after it."""

import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from tests.console.rows import MINUTE, as_admin, served
from tests.factories import make_deployment, make_key

pytestmark = pytest.mark.django_db


def home() -> str:
    return as_admin().get("/").content.decode()


def test_first_run_gives_the_exact_steps() -> None:
    text = home()
    assert "Nothing has been counted yet" in text
    assert 'ANTHROPIC_BASE_URL=<span class="hl">http://127.0.0.1:4000</span>' in text
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
    with django_assert_max_num_queries(8):
        client.get("/")

"""Preferences: language, time zone and currency of whoever reads; kept for them alone, on pages and on nothing else."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.db.models import Sum
from django.test import Client
from pytest_django.fixtures import Settings

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from billing.models import LedgerEntry
from console.currencies import read_rates
from console.display import display
from keys.models import User
from keys.preferences import places, set_preferences
from tests.console.rows import PRICE_LINES, served
from tests.factories import make_user

NBSP = "\N{NO-BREAK SPACE}"
PAGES = ["/", "/spend/", "/requests/", "/requests/req_known/", "/budgets/", "/budgets/new/", "/keys/", "/keys/new/", "/teams/", "/people/"]
PAGES += ["/routes/", "/connect/", "/preferences/", "/chargeback/", "/sessions/", "/live/", "/audit/", "/settings/"]
READERS = [("ja", "Asia/Tokyo", "JPY"), ("de", "Europe/Berlin", "EUR")]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rates(settings: Settings) -> Iterator[None]:
    settings.TALLYGATE_CURRENCIES = read_rates("EUR=0.92,JPY=151.3,GBP=0.79")
    settings.TALLYGATE_CURRENCIES_AS_OF = datetime(2026, 11, 1, tzinfo=UTC).date()
    yield
    assert not display().has_converted


def reader(language: str = "", time_zone: str = "", currency: str = "", role: str = "admin") -> Client:
    person = make_user("mika", role)
    set_preferences(person, language=language, time_zone=time_zone, currency=currency)
    client = Client()
    client.force_login(person)
    return client


def text_of(client: Client, page: str) -> str:
    response = client.get(page)
    assert response.status_code == 200
    return unescape(response.content.decode())


def choose(client: Client, **chosen: str) -> int:
    return client.post("/preferences/", {"language": "", "time_zone": "", "currency": "", "theme": ""} | chosen).status_code


@pytest.mark.parametrize("role", User.Role.values)
def test_everybody_chooses_and_only_for_themselves(role: str) -> None:
    client, other = reader(role=role), make_user("other")
    assert choose(client, language="ja", time_zone="Asia/Tokyo", currency="JPY") == 302
    mika, other = User.objects.get(username="mika"), User.objects.get(pk=other.pk)
    assert (mika.language, mika.time_zone, mika.currency) == ("ja", "Asia/Tokyo", "JPY")
    assert (other.language, other.time_zone, other.currency) == ("", "", "")


def test_page_shows_what_is_chosen() -> None:
    text = text_of(reader("de", "Europe/Berlin", "EUR"), "/preferences/")
    assert re.search(r'<option value="de" selected>Deutsch<', text)
    assert re.search(r'<option value="EUR" selected>EUR \(1 USD = 0,92 EUR\)<', text)
    assert 'value="Europe/Berlin"' in text


def test_menu_of_the_account_leads_there() -> None:
    assert '<a class="own" href="/preferences/">' in text_of(reader(role="viewer"), "/spend/")


WRONG = [{"language": "fr"}, {"time_zone": "Mars/Olympus"}, {"time_zone": "../etc/passwd"}, {"currency": "XAU"}, {"currency": "USD"}]


@pytest.mark.parametrize("wrong", [*WRONG, {"theme": "neon"}])
def test_wrong_choice_is_told_and_changes_nothing(wrong: dict[str, str]) -> None:
    client = reader("de", "Europe/Berlin", "EUR")
    assert choose(client, **wrong) == 422
    person = User.objects.get(username="mika")
    assert (person.language, person.time_zone, person.currency) == ("de", "Europe/Berlin", "EUR")


@pytest.mark.parametrize("wrong", [{"language": "fr"}, {"time_zone": "Mars"}, {"currency": "XAU"}])
def test_verb_refuses_what_there_is_not(wrong: dict[str, str]) -> None:
    usual = {"language": "", "time_zone": "", "currency": ""}
    with pytest.raises(ChangeRefused) as refusal:
        set_preferences(make_user("mika"), **(usual | wrong))
    assert [refusal.value.field] == list(wrong)


def test_preferences_give_no_right_and_leave_no_trace_in_the_audit_trail() -> None:
    client = reader()
    before = AuditEvent.objects.count()
    choose(client, language="de")
    assert AuditEvent.objects.count() == before


def test_anonymous_visitor_signs_in_first() -> None:
    assert Client().get("/preferences/")["Location"].startswith("/accounts/login/?next=/preferences/")


def test_theme_is_kept_in_its_cookie() -> None:
    client = reader()
    choose(client, theme="dark")
    assert 'data-theme="dark"' in text_of(client, "/preferences/")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("language", "zone", "currency"), READERS)
def test_every_page_opens_in_a_readers_own_way(page: str, language: str, zone: str, currency: str) -> None:
    served(id="req_known")
    response = reader(language, zone, currency).get(page)
    assert response.status_code == 200
    assert response["Content-Language"] == language
    assert f'<html lang="{language}"' in response.content.decode()


# ── language ──────────────────────────────────────────────────────────────────
def test_own_language_wins_over_cookie_and_browser() -> None:
    client = reader("ja")
    client.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "de"
    assert '<html lang="ja"' in client.get("/spend/", headers={"accept-language": "de"}).content.decode()


def test_without_a_choice_the_browser_says_which_language() -> None:
    assert '<html lang="de"' in reader().get("/spend/", headers={"accept-language": "de-AT,en;q=0.5"}).content.decode()


def test_language_of_one_reader_is_not_the_next_ones() -> None:
    text_of(reader("ja", "Asia/Tokyo", "JPY"), "/spend/")
    assert '<html lang="en"' in Client().get("/accounts/login/").content.decode()


@pytest.mark.parametrize("headers", [{}, {"accept-language": "de"}])
def test_management_api_speaks_english_to_everybody(headers: dict[str, str]) -> None:
    for client in (reader("de"), Client()):
        assert client.get("/key/info", headers=headers)["Content-Language"] == "en"


def test_admin_speaks_the_readers_language() -> None:
    assert reader("de").get("/admin/")["Content-Language"] == "de"


@pytest.mark.parametrize("language", ["en", "ja", "de"])
def test_sign_in_page_is_switched_by_a_cookie(language: str) -> None:
    client = Client()
    response = client.post("/language/", {"language": language, "next": "/accounts/login/?next=/spend/"})
    assert response["Location"] == "/accounts/login/?next=/spend/"
    text = client.get("/accounts/login/").content.decode()
    assert f'<html lang="{language}"' in text
    assert re.search(rf'value="{language}" lang="{language}" aria-pressed="true"', text)


@pytest.mark.parametrize("language", ["fr", "", "../de", "de-AT"])
def test_language_that_is_not_ours_is_forgotten(language: str) -> None:
    client = Client()
    client.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "de"
    client.post("/language/", {"language": language})
    assert '<html lang="en"' in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", ""])
def test_language_leads_nowhere_else(target: str) -> None:
    assert Client().post("/language/", {"language": "de", "next": target})["Location"] == "/"


def test_language_is_not_set_by_a_link_nor_by_a_foreign_page() -> None:
    assert Client().get("/language/").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/language/", {"language": "de"}).status_code == 403


def test_chosen_language_is_that_of_the_sign_in_page_too() -> None:
    client = reader()
    choose(client, language="ja")
    client.post("/accounts/logout/")
    assert '<html lang="ja"' in client.get("/accounts/login/").content.decode()


# ── time zone ─────────────────────────────────────────────────────────────────
def test_times_are_told_in_the_readers_zone() -> None:
    served(id="req_known", at=datetime(2026, 11, 20, 18, 45, tzinfo=UTC))
    assert "21 Nov 2026, 00:15:00" in text_of(reader(time_zone="Asia/Kolkata"), "/requests/req_known/")


def test_zone_that_no_longer_exists_is_the_gateways(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    client = reader(time_zone="Europe/Berlin")
    User.objects.update(time_zone="Europe/Atlantis", language="tlh", currency="XAU")
    assert "Days are cut in Asia/Tokyo." in text_of(client, "/spend/")


def test_day_in_kolkata_is_the_ledgers_sum_between_its_midnights() -> None:
    midnight = datetime(2026, 11, 20, tzinfo=ZoneInfo("Asia/Kolkata"))
    for quarters in (-1, 0, 1, 50, 95, 96):
        served(at=midnight + timedelta(minutes=15 * quarters, seconds=1), nano=10**9 + quarters)
    text = text_of(reader(time_zone="Asia/Kolkata"), "/spend/?period=2026-11-20")
    within = LedgerEntry.objects.filter(at__gte=midnight, at__lt=midnight + timedelta(days=1)).aggregate(nano=Sum("amount_nano"))["nano"]
    assert within == 4 * 10**9 + 146
    bars = re.findall(r'<td class="r strong" data-v="([0-9.]+)">', text)
    assert sum(int(Decimal(bar) * 10**9) for bar in bars) == within
    assert "Days are cut in Asia/Kolkata." in text


def test_files_name_the_zone_and_stay_in_dollars() -> None:
    served(at=datetime(2026, 11, 20, 12, tzinfo=UTC), nano=56_023_500)
    client = reader(time_zone="Asia/Kathmandu", currency="JPY")
    head, line = client.get("/spend/spend.csv?period=2026-11-20").content.decode("utf-8-sig").splitlines()[:2]
    assert head.split(",")[1:5] == ["From", "To", "Time zone", "Spend (USD)"]
    assert line.split(",")[1:5] == ["2026-11-20", "2026-11-20", "Asia/Kathmandu", "0.056023500"]


def test_reports_are_cut_alike_for_everybody() -> None:
    answer = reader("de", "Asia/Tokyo", "JPY").get("/api/reports/spend/?format=json").json()
    assert (answer["time_zone"], answer["currency"]) == ("UTC", "USD")


@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_zones_of_places_are_suggested(name: str) -> None:
    assert f'<option value="{name}">' in text_of(reader(), "/preferences/")


def test_every_suggested_zone_fits_its_column() -> None:
    assert {"UTC", "Asia/Kolkata", "Europe/Berlin"} <= set(places())
    assert max(len(ZoneInfo(name).key) for name in places()) <= (User._meta.get_field("time_zone").max_length or 0)


# ── currency ──────────────────────────────────────────────────────────────────
def test_sums_are_shown_in_the_chosen_currency_with_the_dollars_in_their_title() -> None:
    served(nano=1_234_567_890_123)
    text = text_of(reader("de", currency="EUR"), "/spend/?period=7d")
    assert f'<span title="1.234,567890123{NBSP}$">1.135<span class="cents">,80</span>{NBSP}€</span>' in text


def test_yen_have_no_cents() -> None:
    served(nano=10 * 10**9)
    assert '<span title="$10.00">¥1,513</span>' in text_of(reader("ja", currency="JPY"), "/spend/?period=7d")


def test_page_says_at_which_rate_it_converted() -> None:
    served()
    text = text_of(reader(currency="EUR"), "/spend/?period=7d")
    assert "≈ Converted at 1 USD = 0.92 EUR (as of 1 Nov 2026). The ledger, prices and exports are in US dollars." in text


def test_preferences_show_how_times_and_sums_will_look() -> None:
    assert '<span title="$1,234.56">€1,135.80</span>' in text_of(reader(currency="EUR"), "/preferences/")


def test_rate_without_a_day_claims_none(settings: Settings) -> None:
    settings.TALLYGATE_CURRENCIES_AS_OF = None
    served()
    assert "1 USD = 0.92 EUR. The ledger" in text_of(reader(currency="EUR"), "/spend/?period=7d")


@pytest.mark.parametrize(("currency", "page"), [("", "/spend/?period=7d"), ("EUR", "/connect/")])
def test_page_without_converted_sums_names_no_rate(currency: str, page: str) -> None:
    served()
    assert "Converted at" not in text_of(reader(currency=currency), page)


def test_chart_is_drawn_in_the_chosen_currency() -> None:
    served(nano=3_500_000_001)
    text = text_of(reader("de", currency="EUR"), "/spend/?period=7d")
    assert f'data-unit="#{NBSP}€"' in text
    assert 'data-v="3.220000001"' in text


def test_request_shows_its_dollars_beside_and_its_price_lines_in_them() -> None:
    served(id="req_known", nano=56_023_500, price_lines=PRICE_LINES)
    text = text_of(reader(currency="JPY"), "/requests/req_known/")
    assert '<span title="$0.0560235">¥8.48</span><span class="sub">$0.0560235</span>' in text
    assert '<th scope="col" class="r">USD</th>' in text


def test_amounts_are_typed_in_dollars() -> None:
    text = text_of(reader(currency="EUR"), "/budgets/new/")
    assert "Amount in USD" in text
    assert '<div class="affix"><span>$</span>' in text


def test_currency_that_lost_its_rate_is_shown_in_dollars(settings: Settings) -> None:
    client = reader(currency="GBP")
    settings.TALLYGATE_CURRENCIES = {}
    served(nano=5 * 10**9)
    assert '$5<span class="cents">.00</span>' in text_of(client, "/spend/?period=7d")
    assert "TALLYGATE_CURRENCIES" in text_of(client, "/preferences/")

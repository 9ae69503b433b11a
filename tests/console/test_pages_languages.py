"""Pages in German and Japanese: their words, numbers and dates, and that no text of theirs passes the catalogue by."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from tests.console.rows import as_admin, served
from tests.factories import make_deployment, make_key, make_route, make_team, make_user
from tests.messages.pseudo import outside_of_brackets, put_between_brackets

pytestmark = pytest.mark.django_db(databases="__all__")

WHEN = datetime(2026, 11, 20, 12, 31, 8, tzinfo=UTC)
HEADINGS = [
    ("/", "Ausgaben im", "の支出"),
    ("/spend/", "<h1>Ausgaben</h1>", "<h1>支出</h1>"),
    ("/chargeback/", "Kostenverrechnung", "部門配賦"),
    ("/budgets/", "<h1>Budgets</h1>", "<h1>予算</h1>"),
    ("/keys/", "<h1>Schlüssel</h1>", "<h1>キー</h1>"),
    ("/teams/", "Teams &amp; Personen", "チームとユーザー"),
    ("/people/", "Personen", "ユーザー"),
    ("/routes/", "Modelle &amp; Routen", "モデルとルート"),
    ("/requests/", "<h1>Anfragen</h1>", "<h1>リクエスト</h1>"),
    ("/sessions/", "<h1>Sitzungen</h1>", "<h1>セッション</h1>"),
    ("/live/", "Live", "ライブ"),
    ("/connect/", "Einen Client verbinden", "クライアントを接続"),
    ("/audit/", "Protokoll", "監査"),
    ("/settings/", "Diagnose", "設定と診断"),
    ("/preferences/", "Anzeige", "表示設定"),
    ("/accounts/2fa/", "Authenticator-App", "認証アプリ"),
    ("/accounts/sessions/", "Die Browser, in denen Sie angemeldet sind.", "ログイン中のブラウザー"),
    ("/accounts/password/change/", "Aktuelles Passwort", "現在のパスワード"),
    ("/admin/", "Zugangsdaten", "認証情報"),
    ("/admin/keys/virtualkey/", "Status", "状態"),
    ("/admin/billing/price/add/", "USD je Million Tokens", "100万トークンあたりのUSD"),
    ("/nowhere/", "Unter dieser Adresse gibt es nichts", "このアドレスには何もありません"),
]
# Names of products and formats, and what the rows of the test are called.
NOT_TRANSLATED = {
    "Tallygate", "English", "Deutsch", "UTC", "USD", "CSV", "XLSX", "SDKs", "SDK", "MFA", "Python", "Django", "SQLite", "PostgreSQL",
    "REDIS", "URL", "Claude Code", "Cline", "AzureOpenAI", "boto", "GitHub Actions", "curl", "secrets", "env",
}  # fmt: skip
ROWS = {"req", "known", "Search", "laptop", "root", "example", "com", "anthropic", "claude-sonnet"}
ADMIN_LISTS = sorted(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry)


def texts(page: str, language: str) -> str:
    return as_admin(**{"accept-language": language}).get(page).content.decode()


@pytest.mark.parametrize(("page", "german", "japanese"), HEADINGS)
def test_page_speaks_the_readers_language(page: str, german: str, japanese: str) -> None:
    client = as_admin()
    served()
    for language, heading in (("de", german), ("ja", japanese)):
        text = client.get(page, headers={"accept-language": language}).content.decode()
        assert f'<html lang="{language}"' in text
        assert heading in text


@pytest.mark.parametrize(("language", "heading"), [("de", "Benutzername oder E-Mail"), ("ja", "ユーザー名またはメールアドレス")])
def test_sign_in_speaks_the_browsers_language(language: str, heading: str) -> None:
    text = Client(headers={"accept-language": language}).get("/accounts/login/").content.decode()
    assert f'<html lang="{language}"' in text
    assert heading in text


@pytest.mark.parametrize(
    ("language", "money", "when", "count"),
    [
        ("en", "$0.0560", "20 Nov 2026, 12:31:08", "44,180"),
        ("de", "0,0560\N{NO-BREAK SPACE}$", "20. Nov. 2026, 12:31:08", "44.180"),
        ("ja", "$0.0560", "2026年11月20日 12:31:08", "44,180"),
    ],
)
def test_numbers_and_dates_have_the_languages_form(language: str, money: str, when: str, count: str) -> None:
    served(id="req_known", at=WHEN)
    text = texts("/requests/req_known/", language)
    assert money in text
    assert when in text
    assert count in text


@pytest.mark.parametrize(
    "page", [*(page for page, _, _ in HEADINGS), *ADMIN_LISTS, "/requests/req_known/", "/keys/new/", "/accounts/login/"]
)
def test_every_text_of_a_page_goes_through_the_catalogue(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    served(id="req_known", at=WHEN)
    make_key(team=make_team(), token="sk-" + "0123456789" * 4)
    put_between_brackets(monkeypatch)
    assert outside_of_brackets(texts(page, "de"), NOT_TRANSLATED | ROWS) == set()


def of_each_kind() -> dict[str, str | int]:
    """Pages of single things, with the id of one."""
    team = make_team()
    key, _token = make_key(team=team, token="sk-" + "0123456789" * 4)
    budget = set_budget("team", team.pk, BudgetTerms(10**9, "month"), actor=SYSTEM)
    route = make_route("claude-sonnet", make_deployment("demo"))
    served(id="req_known", at=WHEN, team_id=team.pk, key_id=key.pk)
    event = AuditEvent.objects.latest("pk")
    keys = dict.fromkeys(("key", "key_change", "key_rotate", "key_revoke"), key.pk)
    return {**keys, "team": team.pk, "person": make_user("bob").pk, "model": route.pk, "budget": budget.pk, "audit_event": event.pk}


@pytest.mark.parametrize("name", ["key", "key_change", "key_rotate", "key_revoke", "team", "person", "model", "budget", "audit_event"])
def test_every_text_of_a_single_things_page_goes_through_the_catalogue(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse(name, args=[of_each_kind()[name]])
    put_between_brackets(monkeypatch)
    assert outside_of_brackets(texts(page, "de"), NOT_TRANSLATED | ROWS) == set()

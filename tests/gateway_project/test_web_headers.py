"""Headers of every kind of answer that a browser may get from Django's side."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from audit.models import AuditEvent
from console.pages import home
from keys.sso import login_link
from tests.console.rows import served
from tests.factories import PASSWORD, make_admin, make_key, make_team, make_user
from tests.gateway_project.web_addresses import addresses

pytestmark = pytest.mark.django_db(databases="__all__")
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STRICT = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
}
KINDS = {
    "page": ("/", 200), "page of figures": ("/spend/", 200), "spreadsheet": ("/spend/spend.csv", 200), "redirect": ("/ui", 302),
    "unknown": ("/nowhere/", 404), "wrong method": ("/theme/", 405), "form": ("/keys/new/", 200), "report": ("/api/reports/spend/", 200),
    "report as JSON": ("/api/reports/spend/?format=json", 200), "description": ("/api/openapi.json", 200), "docs": ("/api/docs", 200),
    "account": ("/accounts/2fa/", 200), "sessions": ("/accounts/sessions/", 200), "no key": ("/key/info", 401),
    "stylesheet": ("/static/tallygate.css", 200), "used link": ("/login/MQ/x-y/", 403),
}  # fmt: skip


def policy(answer: Any) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))


def as_admin() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(make_admin())
    return client


def check(answer: Any) -> None:
    assert {name: answer.get(name) for name in FIXED} == FIXED | {"Referrer-Policy": answer["Referrer-Policy"]}
    assert answer["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert "camera=()" in answer["Permissions-Policy"]
    assert "no-cache" in answer["Cache-Control"] or "no-store" in answer["Cache-Control"] or "max-age" in answer["Cache-Control"]


# R154
@pytest.mark.parametrize("kind", KINDS)
def test_answer_carries_every_header(kind: str) -> None:
    served()
    address, status = KINDS[kind]
    answer = as_admin().get(address)
    assert answer.status_code == status
    answer.close()
    check(answer)
    assert STRICT.items() <= policy(answer).items()


# R154
@pytest.mark.parametrize("address", ["/admin/", "/admin/keys/virtualkey/", "/admin/keys/team/add/"])
def test_admin_may_evaluate_and_style_and_nothing_more(address: str) -> None:
    answer = as_admin().get(address)
    check(answer)
    told = policy(answer)
    assert (told.pop("script-src"), told.pop("style-src")) == ("'self' 'unsafe-eval' 'unsafe-inline'", "'self' 'unsafe-inline'")
    assert {name: value for name, value in STRICT.items() if name in told}.items() <= told.items()
    assert "http" not in answer["Content-Security-Policy"]


# R154
def test_every_address_carries_them_whatever_it_answers_and_reading_changes_nothing() -> None:
    client, key = as_admin(), make_key()[0]
    known = changes()
    for address in dict.fromkeys(addresses()):
        answer = client.get(address.replace("/keys/1/", f"/keys/{key.pk}/").replace("/virtualkey/1/", f"/virtualkey/{key.pk}/"))
        check(answer)
        assert "unsafe" not in answer["Content-Security-Policy"] or address.startswith("/admin/"), address
    key.refresh_from_db()
    assert (changes(), key.is_blocked, key.revoked_at) == (known, False, None)


def changes() -> int:
    """All events but the one that tells of sign-in links that are none, of which there is one an hour."""
    return AuditEvent.objects.exclude(event="user.sign_in_failed").count()


# R152, R154
def test_failure_of_ours_carries_them_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client = as_admin()
    monkeypatch.setattr(home, "render", _failing)
    answer = client.get("/")
    assert answer.status_code == 500
    check(answer)
    assert b"canary" not in answer.content and b"Traceback" not in answer.content


def _failing(*_args: object, **_options: object) -> HttpResponse:
    raise RuntimeError("canary in an error")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "testserver@evil.example", "127.0.0.1:4000.evil.example"])
def test_foreign_host_is_refused_and_not_repeated(host: str) -> None:
    for address in ("/", "/accounts/login/", "/admin/", "/connect/"):
        answer = Client().get(address, headers={"host": host})
        assert (answer.status_code, b"evil" in answer.content) == (400, False)
        check(answer)


def test_forwarded_host_is_not_believed() -> None:
    answer = Client().get("/", headers={"x-forwarded-host": "evil.example", "x-host": "evil.example", "forwarded": "host=evil.example"})
    assert "evil" not in answer["Location"] + answer.content.decode()


def test_transport_security_goes_out_over_tls_only(rf: RequestFactory, settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    assert Client().get("/accounts/login/", secure=True)["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in Client().get("/accounts/login/")


# ── cookies and sessions ──────────────────────────────────────────────────────
def sign_in(client: Client, **more: str) -> Any:
    return client.post("/accounts/login/", {"login": "bob", "password": PASSWORD} | more)


# R154
def test_session_cookie_is_for_the_browser_alone(settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    make_user("bob")
    client = Client()
    client.get("/accounts/login/")
    cookies = sign_in(client).cookies | client.cookies
    session = cookies["sessionid"]
    assert (session["httponly"], session["secure"], session["samesite"], session["domain"]) == (True, True, "Lax", "")
    assert (cookies["csrftoken"]["secure"], cookies["csrftoken"]["samesite"]) == (True, "Lax")
    assert set(cookies) <= {"sessionid", "csrftoken", "messages"}


def test_session_that_somebody_planted_is_not_the_one_after_sign_in() -> None:
    make_user("bob")
    client = Client()
    client.cookies["sessionid"] = "planted" * 5
    sign_in(client)
    planted = client.session.session_key
    assert planted and not planted.startswith("planted")
    before = Client()
    before.get("/accounts/login/?next=/spend/")
    known = before.cookies["sessionid"].value if "sessionid" in before.cookies else ""
    sign_in(before)
    assert before.cookies["sessionid"].value != known


def test_link_gives_a_session_of_its_own() -> None:
    client = Client()
    client.force_login(make_user("bob"))
    known = client.cookies["sessionid"].value
    client.get(login_link(make_admin()).removeprefix("http://127.0.0.1:4000"))
    assert client.cookies["sessionid"].value != known


def test_session_is_dead_after_signing_out_and_after_a_new_password() -> None:
    person = make_user("bob")
    first, second = Client(), Client()
    sign_in(first)
    sign_in(second)
    copied = Client()
    copied.cookies["sessionid"] = first.cookies["sessionid"].value
    first.post("/accounts/logout/")
    assert copied.get("/").status_code == 302
    person.set_password("another-fine-secret")
    person.save()
    assert second.get("/").status_code == 302


# ── where one is led ──────────────────────────────────────────────────────────
FOREIGN = [
    "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example", "http:///evil.example",
    "javascript:alert(1)", "/\t/evil.example", "\t//evil.example", "https://testserver@evil.example", "//testserver.evil.example/",
]  # fmt: skip


@pytest.mark.parametrize("target", FOREIGN)
def test_nobody_is_led_elsewhere(target: str) -> None:
    make_user("bob")
    client = Client()
    told = [sign_in(client, next=target)["Location"], client.post("/theme/", {"theme": "dark", "next": target})["Location"]]
    told += [client.post("/accounts/logout/", {"next": target})["Location"]]
    assert [place for place in told if "evil" in place.split("?")[0] or not place.startswith("/") or place.startswith(("//", "/\\"))] == []


@pytest.mark.parametrize("target", ["/admin/logout/", "/admin/login/"])
def test_admin_leads_nowhere_else(target: str) -> None:
    client = as_admin()
    answer = client.get(target, {"next": "https://evil.example/"})
    assert "https://evil.example" not in answer.get("Location", "").split("?")[0]


# ── secrets ───────────────────────────────────────────────────────────────────
# R94
def test_issued_secret_is_in_no_cookie_session_message_or_later_page() -> None:
    client = as_admin()
    answer = client.post("/keys/new/", {"name": "laptop", "team": make_team().pk, "scope": "all"}, follow=True)
    key, token = make_key("desktop")
    rotated = client.post(f"/admin/keys/virtualkey/{key.pk}/rotate/", {"overlap": "0"})
    assert "no-store" in rotated["Cache-Control"] and token not in rotated.content.decode()
    told = [re.findall(r"sk-[\w-]{43}", page.content.decode()) for page in (answer, rotated)]
    assert all(told)
    kept = str(dict(client.session.items())) + str(client.cookies) + client.get("/keys/").content.decode()
    assert not [secret for secret in told[0] + told[1] if secret in kept]

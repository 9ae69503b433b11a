"""What all pages share: who may see them, the content policy, the theme, the way in."""

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory

from console.access import administrators, page
from keys.models import User
from tests.console.rows import as_admin, as_member, served
from tests.factories import make_user

PAGES = [
    "/",
    "/spend/",
    "/requests/",
    "/live/",
    "/sessions/",
    "/requests/req_known/",
    "/sessions/req_known/",
    "/chargeback/",
    "/audit/",
    "/preferences/",
]
OUR_ORIGINS = re.compile(r"^(/|#|\?|http://testserver(/|$))")
ADDRESS = re.compile(r"""(?:src|href|action)=["']([^"']*)["']|url\(([^)]*)\)|(?<!xmlns=")(https?://[^"'<\s]+)""")

pytestmark = pytest.mark.django_db


def known() -> None:
    served(id="req_known", session_id="s-known")


@pytest.mark.parametrize("page", PAGES)
def test_page_opens_for_an_administrator(page: str) -> None:
    known()
    response = as_admin().get(page)
    assert response.status_code == 200
    assert len(response.content) < 100_000


@pytest.mark.parametrize("page", PAGES[:5])
def test_page_opens_while_nothing_was_counted(page: str) -> None:
    assert as_admin().get(page).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_anonymous_visitor_is_sent_to_sign_in(page: str) -> None:
    response = Client().get(page)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/")


@pytest.mark.parametrize("page", PAGES[:5])
def test_page_opens_for_everybody_without_the_traffic_of_others(page: str) -> None:
    known()
    response = as_member().get(page)
    assert response.status_code == 200
    assert not re.search(
        r"claude-sonnet|req_known|0[.]056", re.sub(r"<svg.*?</svg>|<head.*?</head>", "", response.content.decode(), flags=re.DOTALL)
    )


def test_request_of_another_is_as_unknown_as_one_that_never_was() -> None:
    known()
    client = as_member()
    answers = [client.get(f"/requests/{name}/") for name in ("req_known", "req_never")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_others_are_told_why_a_page_for_administrators_is_closed(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = make_user("bob")
    with pytest.raises(PermissionDenied, match="opens for administrators"):
        page(administrators)(lambda _request: HttpResponse("secret"))(request)


def test_blocked_person_is_told_so(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = make_user("bob")
    request.user.is_blocked = True
    with pytest.raises(PermissionDenied, match="blocked your account"):
        page()(lambda _request: HttpResponse("secret"))(request)


@pytest.mark.parametrize("page", PAGES)
def test_blocked_administrator_sees_nothing(page: str) -> None:
    known()
    client = as_admin()
    User.objects.update(is_blocked=True)
    response = client.get(page)
    assert response.status_code in {302, 403}
    assert "claude-sonnet" not in response.content.decode()


@pytest.mark.parametrize("page", [*PAGES, "/accounts/login/", "/nowhere/"])
def test_page_runs_nothing_inline_and_loads_nothing_from_elsewhere(page: str) -> None:
    known()
    client = Client() if page == "/accounts/login/" else as_admin()
    response = client.get(page)
    text = response.content.decode()
    assert "unsafe" not in response["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|data:", text)
    addresses = [next(filter(None, found), "/") for found in ADDRESS.findall(text)]
    assert [address for address in addresses if not OUR_ORIGINS.match(address)] == []


@pytest.mark.parametrize("page", ["/ui", "/ui/"])
def test_old_address_leads_home(page: str) -> None:
    response = Client().get(page)
    assert (response.status_code, response["Location"]) == (302, "/")


@pytest.mark.parametrize("role", ["viewer", "member", "finance", "admin"])
def test_menu_names_only_what_opens(role: str) -> None:
    client = Client()
    client.force_login(make_user("mika", role))
    entries = re.findall(r'<li><a href="([^"]+)"', client.get("/spend/").content.decode())
    assert set(entries) >= {"/", "/spend/", "/requests/"}
    assert [client.get(entry).status_code for entry in entries] == [200] * len(entries)


def test_menu_marks_the_page_that_is_open() -> None:
    text = as_member().get("/spend/").content.decode()
    assert re.findall(r'<li><a href="([^"]+)" aria-current="page"', text) == ["/spend/"]


def test_staff_find_the_way_to_manage() -> None:
    assert '<a href="/admin/">' in as_admin().get("/spend/").content.decode()


def test_chosen_theme_is_printed_by_the_server() -> None:
    client = as_admin()
    response = client.post("/theme/", {"theme": "dark", "next": "/spend/?period=30d"})
    assert response["Location"] == "/spend/?period=30d"
    assert '<html lang="en" data-theme="dark">' in client.get("/spend/").content.decode()


def test_theme_of_the_device_prints_none() -> None:
    client = as_admin()
    client.cookies["theme"] = "dark"
    client.post("/theme/", {"theme": "", "next": "/"})
    assert "data-theme" not in client.get("/spend/").content.decode()


@pytest.mark.parametrize("cookie", ["neon", '"><script>'])
def test_foreign_theme_is_ignored(cookie: str) -> None:
    client = as_admin()
    client.cookies["theme"] = cookie
    assert "data-theme" not in client.get("/spend/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_theme_leads_nowhere_else(target: str) -> None:
    assert Client().post("/theme/", {"theme": "dark", "next": target})["Location"] == "/"


def test_theme_is_not_set_by_a_link() -> None:
    assert Client().get("/theme/").status_code == 405


def test_wrong_password_is_answered_in_our_look() -> None:
    response = Client().post("/accounts/login/", {"login": "nobody", "password": "wrong"})
    assert response.status_code == 200
    assert 'class="note bad" role="alert"' in response.content.decode()


@pytest.mark.parametrize("page", ["/accounts/password/reset/", "/accounts/signup/"])
def test_other_account_pages_wear_our_look(page: str) -> None:
    assert 'class="entrance"' in Client().get(page).content.decode()

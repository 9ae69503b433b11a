"""Connect: the set-up of every client with this gateway's address, and a test box that needs no word from the server."""

import re
from pathlib import Path

import pytest
from django.conf import settings as project
from django.test import Client
from pytest_django.fixtures import Settings

from console.client_setups import NAMES, PLACEHOLDER, SETUPS
from tests.console.key_page_rows import signed_in
from tests.console.permissions.cast import Cast
from tests.factories import make_key, make_user

pytestmark = pytest.mark.django_db


def as_person(name: str = "somebody") -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


def page(client: Client, query: str = "") -> str:
    response = client.get(f"/connect/{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_every_client_has_a_name() -> None:
    assert NAMES.keys() == SETUPS.keys()


@pytest.mark.parametrize("client", SETUPS)
def test_each_client_is_set_up_with_address_and_placeholder(client: str, settings: Settings) -> None:
    settings.TALLYGATE_PUBLIC_URL = "https://gateway.test"
    text = page(as_person(), f"?client={client}")
    assert "gateway.test" in text
    assert PLACEHOLDER in text
    assert f'href="?client={client}" aria-current="page"' in text


@pytest.mark.parametrize("query", ["", "?client=nothing", "?client=%00"])
def test_unknown_client_is_claude_code(query: str) -> None:
    assert "ANTHROPIC_BASE_URL" in page(as_person(), query)


@pytest.mark.parametrize(
    ("public", "shown"),
    [
        ("https://gateway.test", "https://gateway.test"),
        ("http://10.1.2.3:4000", "http://10.1.2.3:4000"),
        ("http://127.0.0.1:4000", "http://testserver"),
    ],
)
def test_address_is_the_operators_or_that_of_the_visit(settings: Settings, public: str, shown: str) -> None:
    settings.TALLYGATE_PUBLIC_URL = public
    assert f'aria-label="Address">{shown}</pre>' in page(as_person())


def test_own_keys_are_listed_without_their_secrets(cast: Cast) -> None:
    text = page(signed_in(cast, "member"))
    assert "bobs" in text
    assert "charlies" not in text
    assert cast.tokens["bobs"] not in text


@pytest.mark.parametrize(
    ("role", "is_there"), [("admin", True), ("manager", True), ("member", True), ("viewer", False), ("finance", False)]
)
def test_issuing_is_offered_to_those_who_may(cast: Cast, role: str, *, is_there: bool) -> None:
    assert ('href="/keys/new/"' in page(signed_in(cast, role))) is is_there


def test_example_uses_a_model_that_the_own_key_allows() -> None:
    client = as_person("alice")
    user = client.get("/connect/").wsgi_request.user
    make_key("laptop", user=user, allowed_models=["claude-haiku"])
    assert "claude-haiku" in page(client, "?client=curl")


def test_typed_key_is_in_no_form_field_that_is_sent() -> None:
    field = re.search(r'<input id="own-key"[^>]*>', page(as_person()))
    assert field
    assert " name=" not in field[0]


def test_page_runs_nothing_inline() -> None:
    text = page(as_person())
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|data:", text)
    assert "tallygate-keys.js" in text


def test_script_asks_this_gateway_alone_and_sends_no_cookie() -> None:
    script = (Path(project.BASE_DIR) / "static" / "tallygate-keys.js").read_text()
    assert re.findall(r"fetch\(([^,]+),", script) == ['"/v1/models"']
    assert 'credentials: "omit"' in script
    assert "innerHTML" not in script


def test_visitor_signs_in_first() -> None:
    assert Client().get("/connect/").status_code == 302

"""The header that opens a key, on the admin's form and at LiteLLM's paths: its value goes in and never comes out."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from audit.trail import SYSTEM
from keys.actions import change_key
from keys.models import VirtualKey
from keys.required_headers import columns, required_header
from tests.console.admin_pages import page
from tests.factories import make_admin, make_key, make_team, make_user

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-the-runners"
OTHER = "another-secret-of-theirs"
HEADER = {"name": "X-Runner-Secret", "value": SECRET}


def call(client: Client, path: str, body: dict[str, Any], token: str = "", **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {token or settings.TALLYGATE_MASTER_KEY}"} | headers
    return client.post(path, json.dumps(body), content_type="application/json", headers=sent)


def digest(value: str) -> str:
    return required_header("x-runner-secret", value).digest


def stored() -> tuple[str, str]:
    return VirtualKey.objects.values_list("required_header", "required_header_hash").get()


def events() -> str:
    return repr(list(AuditEvent.objects.values()))


@pytest.fixture
def web() -> Client:
    client = Client()
    client.force_login(make_admin())
    return client


# ── LiteLLM's paths ───────────────────────────────────────────────────────────
def test_key_is_generated_with_a_header_and_tells_its_name_only(client: Client) -> None:
    answer = call(client, "/key/generate", {"key_alias": "ci", "required_header": HEADER})
    assert (answer.status_code, answer.json()["required_header"]) == (200, {"name": "x-runner-secret"})
    assert stored() == ("x-runner-secret", digest(SECRET))
    told = answer.content.decode() + events()
    assert SECRET not in told and digest(SECRET) not in told


def test_header_is_changed_and_taken_away(client: Client) -> None:
    _, token = make_key(**columns("X-Runner-Secret", SECRET))
    assert call(client, "/key/update", {"key": token, "required_header": HEADER | {"value": OTHER}}).status_code == 200
    assert stored() == ("x-runner-secret", digest(OTHER))
    assert AuditEvent.objects.filter(event="key.changed").get().after["required_header_hash"] == "changed"
    assert call(client, "/key/update", {"key": token, "key_alias": "renamed"}).status_code == 200
    assert stored()[0] == "x-runner-secret"
    assert call(client, "/key/update", {"key": token, "required_header": None}).json()["required_header"] is None
    assert stored() == ("", "")


@pytest.mark.parametrize("wrong", [
    {"name": "X-Runner-Secret", "value": "short"}, {"name": "Authorization", "value": SECRET}, {"name": "", "value": SECRET},
    {"name": "X-Runner-Secret"}, "X-Runner-Secret: x", [],
])  # fmt: skip
def test_wrong_header_is_refused_without_its_value(client: Client, wrong: Any) -> None:
    answer = call(client, "/key/generate", {"required_header": wrong})
    assert answer.status_code in {400, 422} and SECRET not in answer.content.decode()
    assert not VirtualKey.objects.exists()


def test_hash_cannot_be_forged_in(client: Client) -> None:
    assert call(client, "/key/generate", {"required_header_hash": "f" * 64, "key_alias": "ci"}).status_code == 200
    assert stored() == ("", "")


@pytest.mark.parametrize("path", ["/key/update", "/key/regenerate"])
def test_header_of_a_key_is_not_changed_by_who_only_owns_it(client: Client, path: str) -> None:
    """Its administrator would no longer know who can call with it."""
    user, team = make_user(), make_team()
    _, open_token = make_key("open", user=user, team=team)
    guarded, token = make_key("guarded", user=user, team=team, **columns("X-Runner-Secret", SECRET))
    for asked in (HEADER | {"value": OTHER}, None):
        assert call(client, path, {"key": token, "required_header": asked}, open_token).status_code == 403
    guarded.refresh_from_db()
    assert guarded.required_header_hash == digest(SECRET)


def test_key_with_a_header_needs_it_at_these_paths_too(client: Client) -> None:
    _, token = make_key(**columns("X-Runner-Secret", SECRET))
    assert call(client, "/key/health", {}, token).status_code == 403
    assert call(client, "/key/health", {}, token, **{"X-Runner-Secret": SECRET}).status_code == 200


# ── the admin's form ──────────────────────────────────────────────────────────
def form(**values: str) -> dict[str, str]:
    return {"name": "laptop", "budget_period": "", "metadata": "{}"} | values


def test_form_takes_the_value_and_never_shows_it(web: Client) -> None:
    answer = web.post(page(VirtualKey, "add"), form(required_header="X-Runner-Secret", required_header_value=SECRET))
    assert answer.status_code == 200 and stored() == ("x-runner-secret", digest(SECRET))
    shown = web.get(page(VirtualKey, "change", VirtualKey.objects.get().pk)).content.decode()
    assert "x-runner-secret" in shown
    assert SECRET not in shown + events() + answer.content.decode() and digest(SECRET) not in shown


@pytest.mark.parametrize(("sent", "kept"), [
    ({"required_header": "x-runner-secret"}, ("x-runner-secret", digest(SECRET))),
    ({"required_header": "X-Runner-Secret", "required_header_value": OTHER}, ("x-runner-secret", digest(OTHER))),
    ({"required_header": ""}, ("", "")),
])  # fmt: skip
def test_form_keeps_changes_and_takes_away(web: Client, sent: dict[str, str], kept: tuple[str, str]) -> None:
    key, _ = make_key()
    change_key(key, columns("X-Runner-Secret", SECRET), actor=SYSTEM)
    assert web.post(page(VirtualKey, "change", key.pk), form(**sent)).status_code == 302
    assert stored() == kept


@pytest.mark.parametrize("sent", [
    {"required_header": "x-other"}, {"required_header": "", "required_header_value": OTHER},
    {"required_header": "x-runner-secret", "required_header_value": "short"},
])  # fmt: skip
def test_wrong_header_is_told_on_the_form(web: Client, sent: dict[str, str]) -> None:
    key, _ = make_key(**columns("X-Runner-Secret", SECRET))
    answer = web.post(page(VirtualKey, "change", key.pk), form(**sent))
    assert (answer.status_code == 200 and "errorlist" in answer.content.decode()) or "error" in answer.content.decode()
    assert OTHER not in answer.content.decode() and stored() == ("x-runner-secret", digest(SECRET))

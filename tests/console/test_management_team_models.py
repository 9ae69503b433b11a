"""LiteLLM's scripts against /team/model/… and /team/available."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from keys.models import Team
from tests.factories import make_admin, make_key, make_team

pytestmark = pytest.mark.django_db
PATHS = ["add", "delete"]


def ask(client: Client, path: str, body: dict[str, Any], secret: str = "") -> Any:
    headers = {"x-api-key": secret or settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/team/model/{path}", json.dumps(body), content_type="application/json", headers=headers)


@pytest.fixture
def blue() -> Team:
    return make_team("Blue", id="blue", allowed_models=["a", "b"])


def test_added_models_join_the_list_once(client: Client, blue: Team) -> None:
    told = ask(client, "add", {"team_id": "blue", "models": ["c", "a", "c"]}).json()
    assert (told["team_id"], told["team_alias"], told["models"]) == ("blue", "Blue", ["a", "b", "c"])


def test_deleted_models_leave_the_list(client: Client, blue: Team) -> None:
    assert ask(client, "delete", {"team_id": "blue", "models": ["a", "never-there"]}).json()["models"] == ["b"]


def test_team_that_may_use_everything_is_not_narrowed_by_an_addition(client: Client) -> None:
    make_team("Red", id="red")
    assert ask(client, "add", {"team_id": "red", "models": ["a"]}).json()["models"] == ["all-proxy-models", "a"]


def test_last_model_is_not_deleted_since_no_list_means_every_model(client: Client, blue: Team) -> None:
    answer = ask(client, "delete", {"team_id": "blue", "models": ["a", "b"]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "models")
    blue.refresh_from_db()
    assert blue.allowed_models == ["a", "b"]


@pytest.mark.parametrize("path", PATHS)
def test_unknown_team_is_a_404(client: Client, path: str) -> None:
    assert ask(client, path, {"team_id": "nobody", "models": ["a"]}).json()["error"]["code"] == "404"


@pytest.mark.parametrize("body", [{"team_id": "blue"}, {"team_id": "blue", "models": "a"}, {"models": ["a"]}])
def test_body_without_its_parts_is_a_422(client: Client, blue: Team, body: dict[str, Any]) -> None:
    assert ask(client, "add", body).status_code == 422


@pytest.mark.parametrize("path", PATHS)
def test_forged_fields_change_nothing(client: Client, blue: Team, path: str) -> None:
    told = ask(client, path, {"team_id": "blue", "models": ["a"], "blocked": True, "max_budget": 9, "team_alias": "Red"}).json()
    assert (told["team_alias"], told["blocked"], told["max_budget"]) == ("Blue", False, None)


def test_changes_are_audited(client: Client, blue: Team) -> None:
    ask(client, "add", {"team_id": "blue", "models": ["c"]})
    ask(client, "delete", {"team_id": "blue", "models": ["a"]})
    changes = AuditEvent.objects.filter(event="team.changed").order_by("pk")
    assert [(change.actor_kind, change.after) for change in changes] == [
        ("master-key", {"allowed_models": ["a", "b", "c"]}),
        ("master-key", {"allowed_models": ["b", "c"]}),
    ]


@pytest.mark.parametrize("path", PATHS)
def test_administrator_acts_with_a_key_of_their_own(client: Client, blue: Team, path: str) -> None:
    own = make_key(user=make_admin())[1]
    assert ask(client, path, {"team_id": "blue", "models": ["a"]}, secret=own).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_virtual_key_and_session_change_nothing(client: Client, blue: Team, path: str) -> None:
    client.force_login(make_admin())
    answers = [ask(client, path, {"team_id": "blue", "models": ["a"]}, secret=secret) for secret in (make_key()[1], "sk-wrong")]
    assert [answer.status_code for answer in answers] == [403, 401]
    blue.refresh_from_db()
    assert blue.allowed_models == ["a", "b"]


def test_nobody_joins_a_team_by_themselves(client: Client, blue: Team) -> None:
    assert client.get("/team/available", headers={"x-api-key": settings.TALLYGATE_MASTER_KEY}).json() == []
    assert client.get("/team/available", headers={"x-api-key": make_key()[1]}).status_code == 403

"""How the management API refuses, as the LiteLLM that the operator chose does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.factories import make_key

pytestmark = pytest.mark.django_db


def refused(client: Client, settings: Settings, manner: str, token: str) -> Any:
    settings.TALLYGATE_LITELLM_COMPAT = manner
    answer = client.get("/key/info", headers={"x-api-key": token})
    assert answer.json()["error"]["code"] == str(answer.status_code)
    return answer.json()["error"]


@pytest.mark.parametrize(("manner", "kind", "param"), [("classic", "token_not_found_in_db", "key"), ("current", "auth_error", "None")])
def test_unknown_key(client: Client, settings: Settings, manner: str, kind: str, param: str) -> None:
    error = refused(client, settings, manner, "sk-nobody")
    assert (error["code"], error["type"], error["param"]) == ("401", kind, param)
    assert error["message"].startswith("Authentication Error, Invalid proxy server token passed.")


@pytest.mark.parametrize("manner", ["classic", "current"])
def test_missing_expired_and_blocked_keys(client: Client, settings: Settings, manner: str) -> None:
    expired, blocked = make_key("old", expires_at=datetime(2020, 1, 1, tzinfo=UTC))[1], make_key("shut", is_blocked=True)[1]
    errors = [refused(client, settings, manner, token) for token in ("", expired, blocked)]
    assert [error["code"] for error in errors] == ["401"] * 3
    assert [error["type"] for error in errors] == ["auth_error", "expired_key", "auth_error"]
    begins = ["Authentication Error, No api key passed in.", "Authentication Error - Expired Key.", "Authentication Error, Key shut is"]
    assert [error["message"][: len(begin)] for error, begin in zip(errors, begins, strict=True)] == begins

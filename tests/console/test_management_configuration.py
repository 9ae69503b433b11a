"""What LiteLLM's scripts ask about cache, callbacks and routing."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.trail import SYSTEM
from routing.actions import change_route, create_policy
from routing.models import RoutingPolicy
from tests.factories import make_admin, make_key, make_route

pytestmark = pytest.mark.django_db


def get(client: Client, path: str) -> Any:
    return client.get(path, headers={"x-api-key": settings.TALLYGATE_MASTER_KEY})


def test_cache_ping_says_in_litellms_shape_that_there_is_no_cache(client: Client) -> None:
    answer = get(client, "/cache/ping")
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"], error["code"]) == (503, "cache_ping_error", "cache_ping", "503")
    assert "Cache not initialized" in json.loads(error["message"])["message"]


def test_no_callback_is_claimed(client: Client) -> None:
    assert get(client, "/callbacks/list").json() == {"success": [], "failure": [], "success_and_failure": []}
    told = get(client, "/get/config/callbacks").json()
    assert (told["status"], told["callbacks"], told["alerts"], told["available_callbacks"]) == ("success", [], [], {})


def test_routing_policy_is_told_under_litellms_names(client: Client) -> None:
    create_policy(RoutingPolicy(strategy="least-busy", retries=4, default_fallbacks=["claude-haiku"]), actor=SYSTEM)
    change_route(make_route("claude-opus"), {"fallbacks": ["claude-sonnet"]}, actor=SYSTEM)
    told = get(client, "/get/config/callbacks").json()["router_settings"]
    assert (told["routing_strategy"], told["num_retries"], told["default_fallbacks"]) == ("least-busy", 4, ["claude-haiku"])
    assert (told["fallbacks"], told["context_window_fallbacks"]) == ([{"claude-opus": ["claude-sonnet"]}], [])


@pytest.mark.parametrize("path", ["/cache/ping", "/callbacks/list", "/get/config/callbacks"])
def test_only_administrators_are_told(client: Client, path: str) -> None:
    secrets = [make_key()[1], "sk-wrong", make_key("own", user=make_admin())[1]]
    refused = [client.get(path, headers={"x-api-key": secret}).status_code in {401, 403} for secret in secrets]
    assert refused == [True, True, False]

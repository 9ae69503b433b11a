"""What LiteLLM's scripts ask about cache, callbacks and routing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.trail import SYSTEM
from routing.actions import change_route, create_policy
from routing.models import RoutingPolicy
from tests.factories import PROVIDER_KEY, make_admin, make_credential, make_deployment, make_key, make_route

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


def test_callbacks_of_the_configuration_file_are_configured_and_not_active(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    named = replace(settings.TALLYGATE_CONFIG, callbacks={"success": ["s3"], "failure": ["langfuse"]})
    monkeypatch.setattr(settings, "TALLYGATE_CONFIG", named)
    assert get(client, "/callbacks/list").json() == {"success": [], "failure": [], "success_and_failure": []}
    told = get(client, "/get/config/callbacks").json()["callbacks"]
    assert [(one["name"], one["type"], one["is_active"]) for one in told] == [("s3", "success", False), ("langfuse", "failure", False)]


def test_routing_policy_is_told_under_litellms_names(client: Client) -> None:
    create_policy(RoutingPolicy(strategy="least-busy", retries=4, default_fallbacks=["claude-haiku"]), actor=SYSTEM)
    change_route(make_route("claude-opus"), {"fallbacks": ["claude-sonnet"]}, actor=SYSTEM)
    told = get(client, "/get/config/callbacks").json()["router_settings"]
    assert (told["routing_strategy"], told["num_retries"], told["default_fallbacks"]) == ("least-busy", 4, ["claude-haiku"])
    assert (told["fallbacks"], told["context_window_fallbacks"]) == ([{"claude-opus": ["claude-sonnet"]}], [])


@pytest.mark.parametrize(
    "path",
    [
        "/cache/ping",
        "/callbacks/list",
        "/get/config/callbacks",
        "/config/list?config_type=general_settings",
        "/config/field/info?field_name=litellm_compat",
        "/config/yaml",
        "/config/pass_through_endpoint",
        "/active/callbacks",
    ],
)
def test_only_administrators_are_told(client: Client, path: str) -> None:
    secrets = [make_key()[1], "sk-wrong", make_key("own", user=make_admin())[1]]
    refused = [client.get(path, headers={"x-api-key": secret}).status_code in {401, 403} for secret in secrets]
    assert refused == [True, True, False]


def test_settings_are_listed_in_litellms_shape_without_a_secret(client: Client) -> None:
    answer = get(client, "/config/list?config_type=general_settings")
    rows = {row["field_name"]: row for row in answer.json()}
    assert set(rows["litellm_compat"]) >= {"field_name", "field_type", "field_description", "field_value", "stored_in_db"}
    assert (rows["litellm_compat"]["field_value"], rows["master_key"]["field_value"]) == ("classic", "set")
    assert settings.TALLYGATE_MASTER_KEY not in answer.content.decode()


def test_one_setting_is_told(client: Client) -> None:
    told = get(client, "/config/field/info?field_name=global_max_parallel_requests").json()
    assert told == {"field_name": "global_max_parallel_requests", "field_value": settings.TALLYGATE_MAX_IN_FLIGHT}


@pytest.mark.parametrize("path", ["/config/field/info?field_name=nonesuch", "/config/list?config_type=x"])
def test_unknown_setting_is_refused(client: Client, path: str) -> None:
    assert get(client, path).status_code == 400


def test_whole_configuration_names_credentials_and_tells_none(client: Client) -> None:
    make_route("sonnet", make_deployment("sonnet", provider="anthropic", model="claude-x", credential=make_credential("ours")))
    answer = get(client, "/config/yaml")
    (model,) = answer.json()["model_list"]
    assert (model["model_name"], model["litellm_params"]["litellm_credential_name"]) == ("sonnet", "ours")
    assert set(answer.json()) == {"model_list", "router_settings", "general_settings", "litellm_settings"}
    assert [secret in answer.content.decode() for secret in (PROVIDER_KEY, settings.TALLYGATE_MASTER_KEY)] == [False, False]


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/config/field/update", {"field_name": "litellm_compat", "field_value": "current"}, "TALLYGATE_LITELLM_COMPAT in the environment"),
        ("/config/field/update", {"field_name": "alerting", "field_value": ["slack"]}, "general_settings of the configuration file"),
        ("/config/field/delete", {"field_name": "litellm_compat"}, "TALLYGATE_LITELLM_COMPAT in the environment"),
        ("/config/update", {"general_settings": {"litellm_compat": "current"}}, "general_settings of the configuration file"),
        ("/config/pass_through_endpoint", {"path": "/x", "target": "https://x.example"}, "/model/new"),
    ],
)
def test_write_is_refused_and_says_where_it_is_set(client: Client, path: str, body: object, where: str) -> None:
    answer = client.post(path, json.dumps(body), content_type="application/json", headers={"x-api-key": settings.TALLYGATE_MASTER_KEY})
    assert answer.status_code == 400
    assert where in answer.json()["error"]["message"]
    assert settings.TALLYGATE_LITELLM_COMPAT == "classic"


def test_there_are_no_pass_throughs_and_no_active_callbacks(client: Client) -> None:
    assert get(client, "/config/pass_through_endpoint").json() == {"endpoints": []}
    assert not any(get(client, "/active/callbacks").json().values())

"""router_settings of a config.yaml as people write them today, in both spellings."""

from pathlib import Path

import pytest

from gateway_project.config_source import read_source
from gateway_project.env import WrongSetting
from gateway_project.router_file import FilePolicy, policy_from

MODELS = """
model_list:
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5-20250929, api_key: sk-x}}
  - {model_name: claude-sonnet, litellm_params: {model: "bedrock/anthropic.claude-sonnet-4-5-v1:0", aws_region_name: us-east-1}}
  - {model_name: claude-haiku, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: sk-x}}
"""
EVERYTHING = """
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 3
  allowed_fails: 5
  cooldown_time: 30
  timeout: 45
  retry_after: 0
  enable_pre_call_checks: true
  optional_pre_call_checks: [session_affinity, prompt_caching]
  fallbacks: [{claude-sonnet: [claude-haiku, gpt-x]}]
  context_window_fallbacks: [{claude-sonnet: claude-long}]
  content_policy_fallbacks: [{claude-sonnet: [{model: claude-bold}]}]
  default_fallbacks: [claude-haiku]
  model_group_alias: {gpt-4: claude-sonnet, fast: {model: claude-haiku, hidden: false}}
"""


def read(tmp_path: Path, text: str) -> tuple[FilePolicy, list[str]]:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return policy_from(read_source(path))


def test_all_that_is_honoured(tmp_path: Path) -> None:
    policy, ignored = read(tmp_path, MODELS + EVERYTHING)
    assert not ignored
    assert policy.timeout_s == 45
    assert policy.for_all() == {
        "strategy": "latency-based-routing",
        "retries": 3,
        "allowed_fails": 5,
        "cooldown_s": 30,
        "default_fallbacks": ["claude-haiku"],
    }
    lists = {
        "fallbacks": ["claude-haiku", "gpt-x"],
        "context_window_fallbacks": ["claude-long"],
        "content_policy_fallbacks": ["claude-bold"],
    }
    assert policy.for_route("claude-sonnet") == lists
    assert policy.for_route("gpt-4") == lists
    assert policy.aliases == {"gpt-4": "claude-sonnet", "fast": "claude-haiku"}


def test_nothing_said_decides_nothing(tmp_path: Path) -> None:
    policy, ignored = read(tmp_path, MODELS)
    assert (policy, policy.for_all(), ignored) == (FilePolicy(), {}, [])
    assert policy.for_route("claude-sonnet") == {"fallbacks": [], "context_window_fallbacks": [], "content_policy_fallbacks": []}


def test_deployment_of_the_same_name_is_no_other_name(tmp_path: Path) -> None:
    text = """
router_settings:
  routing_strategy: usage-based-routing-v2
  fallbacks: [{model_name: claude-sonnet, fallback_models: ["bedrock/anthropic.claude-sonnet-4-5-v1:0"]}]
"""
    policy, ignored = read(tmp_path, MODELS + text)
    assert (policy.strategy, policy.fallbacks, ignored) == ("usage-based-routing-v2", {"claude-sonnet": ()}, [])


def test_deployment_of_another_name_stands_for_that_name(tmp_path: Path) -> None:
    text = "router_settings: {fallbacks: [{model_name: claude-sonnet, fallback_models: [anthropic/claude-haiku-4-5, elsewhere]}]}"
    assert read(tmp_path, MODELS + text)[0].fallbacks == {"claude-sonnet": ("claude-haiku", "elsewhere")}


def test_router_settings_win_over_litellm_settings(tmp_path: Path) -> None:
    text = """
litellm_settings: {num_retries: 9, request_timeout: 60, fallbacks: [{claude-sonnet: [other]}], default_fallbacks: [claude-haiku]}
router_settings: {num_retries: 1, fallbacks: [{claude-sonnet: [claude-haiku]}]}
"""
    policy, ignored = read(tmp_path, MODELS + text)
    assert (policy.retries, policy.timeout_s, policy.default_fallbacks) == (1, 60, ("claude-haiku",))
    assert policy.fallbacks == {"claude-sonnet": ("claude-haiku",)}
    assert not ignored


def test_star_stands_for_every_name(tmp_path: Path) -> None:
    policy, _ = read(tmp_path, "router_settings: {fallbacks: [{'*': [claude-haiku]}, {claude-sonnet: [claude-opus]}]}")
    assert (policy.default_fallbacks, policy.fallbacks) == (("claude-haiku",), {"claude-sonnet": ("claude-opus",)})


def test_cooldowns_switched_off(tmp_path: Path) -> None:
    assert read(tmp_path, "router_settings: {disable_cooldowns: true, cooldown_time: 60}")[0].cooldown_s == 0


@pytest.mark.parametrize(("written", "ours"), [("usage-based-routing", "usage-based-routing-v2"), ("simple-shuffle", "simple-shuffle")])
def test_strategies_have_litellms_names(tmp_path: Path, written: str, ours: str) -> None:
    assert read(tmp_path, f"router_settings: {{routing_strategy: {written}}}")[0].strategy == ours


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("router_settings: {routing_strategy: provider-budget-routing}", ["router_settings.routing_strategy (provider-budget-routing)"]),
        ("router_settings: {redis_host: x, retry_policy: {a: 1}}", ["router_settings.redis_host", "router_settings.retry_policy"]),
        ("router_settings: {retry_after: 4}", ["router_settings.retry_after"]),
        ("litellm_settings: {cache: true, num_retries: 1}", ["litellm_settings.cache"]),
        ("router_settings: {optional_pre_call_checks: [x_limiting]}", ["router_settings.optional_pre_call_checks (x_limiting)"]),
        ("router_settings: {model_group_alias: {a: {model: b, hidden: true}}}", ["router_settings.model_group_alias.a.hidden"]),
        (
            "router_settings: {fallbacks: [{a: [{model: b, messages: []}]}]}",
            ["router_settings.fallbacks (what b is given besides its name)"],
        ),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert read(tmp_path, text)[1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "router_settings: {num_retries: many}",
        "router_settings: {cooldown_time: -1}",
        "router_settings: {fallbacks: {a: b}}",
        "router_settings: {fallbacks: [a]}",
        "router_settings: {fallbacks: [{a: 5}]}",
        "router_settings: {fallbacks: [{a: [5]}]}",
        "router_settings: {fallbacks: [{model_name: a}]}",
        "router_settings: {default_fallbacks: 7}",
        "router_settings: {disable_cooldowns: maybe}",
        "router_settings: {optional_pre_call_checks: x}",
        "router_settings: {model_group_alias: [a]}",
        "router_settings: {model_group_alias: {a: {hidden: true}}}",
        "router_settings: []",
    ],
)
def test_wrong_values_are_told_with_their_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(WrongSetting, match=r"config\.yaml, line 1"):
        read(tmp_path, text)

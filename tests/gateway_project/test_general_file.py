"""general_settings of LiteLLM's config.yaml, and why a key has no effect."""

from pathlib import Path

import pytest

from gateway_project.config_file import ConfigFile, load_config
from gateway_project.config_reasons import REASONS, explained, reason_for
from gateway_project.env import WrongSetting
from gateway_project.general_file import COUNTS, FOR_MOVERS, HONOURED_GENERAL, OF_POLICY, OF_TOKENS
from gateway_project.model_list import HONOURED_INFO, HONOURED_PARAMS
from gateway_project.router_file import OF_LITELLM, OF_MONEY, OF_ROUTER


def written(folder: Path, text: str) -> ConfigFile:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_config(path)


def general(folder: Path, text: str) -> ConfigFile:
    return written(folder, f"general_settings: {{{text}}}\n")


# ── what acts ─────────────────────────────────────────────────────────────────
def test_allowed_addresses_are_kept_as_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE", "10.0.0.0/8, 2001:db8::/32")
    config = general(tmp_path, 'allowed_ips: ["192.168.1.7", os.environ/OFFICE]')
    assert config.environment == {"allowed_ips": "192.168.1.7,10.0.0.0/8,2001:db8::/32"}


@pytest.mark.parametrize("value", ["os.environ/NOT_THERE", "[os.environ/NOT_THERE]", "[office]", "['']", "[10]", "true", "{a: b}"])
def test_list_that_would_not_keep_anybody_out_stops_the_start(tmp_path: Path, value: str) -> None:
    with pytest.raises(WrongSetting, match=r"line 1: general_settings.allowed_ips must "):
        general(tmp_path, f"allowed_ips: {value}")


def test_empty_list_of_addresses_is_none(tmp_path: Path) -> None:
    assert general(tmp_path, "allowed_ips: []").environment == {}


def test_limits_of_the_whole_gateway_act_as_environment(tmp_path: Path) -> None:
    config = general(tmp_path, "global_max_parallel_requests: 50, max_request_size_mb: 8.0")
    assert (config.environment, config.not_honoured) == ({"max_in_flight": "50", "body_limit_mb": "8"}, ())


def test_health_checks_are_the_policys(tmp_path: Path) -> None:
    config = general(tmp_path, "background_health_checks: true, health_check_interval: 60")
    assert config.policy.for_all() == {"has_health_checks": True, "health_check_interval_s": 60}
    assert general(tmp_path, "background_health_checks: false").policy.for_all() == {}


def test_alias_and_limit_of_silence_may_stand_in_either_section(tmp_path: Path) -> None:
    config = written(tmp_path, "litellm_settings: {model_group_alias: {a: b}}\nrouter_settings: {stream_timeout: 9}\n")
    assert (dict(config.policy.aliases), config.policy.stream_timeout_s, config.not_honoured) == ({"a": "b"}, 9, ())


# ── what asks for nothing, and what has no effect ─────────────────────────────
@pytest.mark.parametrize(
    "text",
    [
        "enforce_budget: true, store_model_in_db: true, disable_spend_logs: false, alerting: [], custom_auth: null",
        "pass_through_endpoints: [{path: /anthropic, target: 'https://api.anthropic.com'}]",
        "pass_through_endpoints: [{path: /bedrock, target: 'https://bedrock-runtime.us-east-1.amazonaws.com'}]",
        "pass_through_endpoints: [{path: /vertex_ai, target: 'https://us-east5-aiplatform.googleapis.com'}]",
    ],
)
def test_what_asks_for_nothing_is_not_named(tmp_path: Path, text: str) -> None:
    assert general(tmp_path, text).not_honoured == ()


@pytest.mark.parametrize(
    ("text", "named", "reason"),
    [
        ("enforce_budget: false", "general_settings.enforce_budget", "always so"),
        ("max_parallel_requests: 5", "general_settings.max_parallel_requests", "keys, teams and people"),
        ("use_x_forwarded_for: true", "general_settings.use_x_forwarded_for", "TALLYGATE_TRUSTED_PROXIES"),
        ("pass_through_endpoints: [{path: /x, target: 'https://x.test'}]", "general_settings.pass_through_endpoints (/x)", "door"),
        (
            "pass_through_endpoints: [{path: /anthropic, target: 'https://evil-api.anthropic.com.test'}]",
            "general_settings.pass_through_endpoints (/anthropic)",
            "door",
        ),
        ("alerting: [slack]", "general_settings.alerting", "not sent yet"),
        ("nobody_knows_this: 1", "general_settings.nobody_knows_this", ""),
    ],
)
def test_what_has_no_effect_is_named_with_its_reason(tmp_path: Path, text: str, named: str, reason: str) -> None:
    assert general(tmp_path, text).not_honoured == (named,)
    assert reason in reason_for(named)
    assert bool(reason) == bool(reason_for(named))


def test_keys_with_one_reason_are_told_together_and_the_rest_last() -> None:
    assert explained(["x.a", "litellm_settings.cache", "x.b", "litellm_settings.cache_params"]) == [
        "litellm_settings.cache, litellm_settings.cache_params (answers of models are not kept, so each call goes to its provider)",
        "x.a, x.b",
    ]


EXPLAINED = [key for keys in REASONS.values() for key in keys.split()]


def test_no_reason_is_left_for_what_acts() -> None:
    of_general = {key.removeprefix("general_settings.") for key in EXPLAINED if key.startswith("general_settings.")}
    acting = {*HONOURED_GENERAL, *COUNTS, *FOR_MOVERS, *OF_POLICY, *OF_TOKENS, "allowed_ips"}
    of_params = {key.rpartition(".")[2] for key in EXPLAINED if ".litellm_params." in key}
    of_info = {key.rpartition(".")[2] for key in EXPLAINED if ".model_info." in key}
    of_router = {key.rpartition(".")[2] for key in EXPLAINED if key.startswith("router_settings.")}
    of_litellm = {key.rpartition(".")[2] for key in EXPLAINED if key.startswith("litellm_settings.")}
    assert not of_general & acting
    assert not of_params & HONOURED_PARAMS
    assert not of_info & HONOURED_INFO
    assert not of_router & (OF_ROUTER - {"retry_after"})
    assert not of_litellm & (OF_LITELLM | OF_MONEY)


def test_each_key_has_one_reason() -> None:
    assert len(EXPLAINED) == len(set(EXPLAINED))

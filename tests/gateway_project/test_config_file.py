"""LiteLLM's config.yaml in the shapes that people run today."""

from pathlib import Path

import pytest

from gateway_project.config_file import ConfigFile, load_config, remember_config, remembered_config
from gateway_project.env import WrongSetting

BASIC = """
model_list:
  - model_name: claude-sonnet
    litellm_params: {model: anthropic/claude-sonnet-4-5-20250929, api_key: os.environ/ANTHROPIC_API_KEY}
  - model_name: claude-opus
    litellm_params: {model: anthropic/claude-opus-4-20250514, api_key: os.environ/ANTHROPIC_API_KEY}
litellm_settings: {success_callback: ["langfuse"], drop_params: true}
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
  database_url: os.environ/DATABASE_URL          # postgresql://... or sqlite:///file.db
  litellm_key_header_name: X-Gateway-Key
  enforce_budget: true
  alerting:
    - slack_webhook_url: os.environ/SLACK_WEBHOOK_URL
      budget_threshold: 80
"""
SHAPES = {
    "audit": (
        """
litellm_settings: {success_callback: ["s3", "langfuse"], failure_callback: ["langfuse", "s3"]}
general_settings:
  s3_callback_params: {s3_bucket_name: audit-logs, s3_region_name: us-east-1, s3_path: "claude-code/{year}/{month}/{day}/"}
  log_requests: true
  log_responses: true
""",
        {
            "litellm_settings.success_callback",
            "litellm_settings.failure_callback",
            "general_settings.s3_callback_params",
            "general_settings.log_requests",
            "general_settings.log_responses",
        },
    ),
    "network": ('general_settings: {allowed_ips: ["192.168.1.0/24", "10.0.0.0/8"]}', set()),
    "observability": (
        "general_settings:\n  arize_callback_params: {space_id: os.environ/ARIZE_SPACE_ID}\n  langfuse_callback_params: {host: x}\n",
        {"general_settings.arize_callback_params", "general_settings.langfuse_callback_params"},
    ),
    "fallback": (
        """
model_list:
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5-20250929, api_key: sk-x}}
  - {model_name: claude-sonnet, litellm_params: {model: "bedrock/anthropic.claude-sonnet-4-5-v1:0", aws_region_name: us-east-1}}
router_settings:
  routing_strategy: usage-based-routing-v2
  fallbacks: [{model_name: claude-sonnet, fallback_models: ["bedrock/anthropic.claude-sonnet-4-5-v1:0"]}]
""",
        set(),
    ),
    "two keys": (
        """
model_list:
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: sk-one}}
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: sk-two}}
router_settings: {routing_strategy: simple-shuffle}
""",
        set(),
    ),
    "cache": (
        "litellm_settings: {cache: true, cache_params: {type: redis, host: localhost, port: 6379}}",
        {"litellm_settings.cache", "litellm_settings.cache_params"},
    ),
    "alerting by name": ('general_settings: {alerting: ["slack"]}', {"general_settings.alerting"}),
    "unknown section": ("mcp_servers: {a: {url: x}}\ntelemetry: false", {"mcp_servers.a", "telemetry"}),
}


@pytest.fixture(autouse=True)
def _no_keys_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "LITELLM_MASTER_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def written(folder: Path, text: str) -> ConfigFile:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_config(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(WrongSetting) as caught:
        written(folder, text)
    return str(caught.value)


def one_row(folder: Path, params: str) -> ConfigFile:
    return written(folder, f"model_list:\n  - model_name: m\n    litellm_params: {{{params}}}\n")


def test_basic_shape_gives_deployments_that_refer_to_the_environment(tmp_path: Path) -> None:
    rows = written(tmp_path, BASIC).deployments
    assert [(row.route, row.provider, row.model) for row in rows] == [
        ("claude-sonnet", "anthropic", "claude-sonnet-4-5-20250929"),
        ("claude-opus", "anthropic", "claude-opus-4-20250514"),
    ]
    assert {(row.reference, row.api_key) for row in rows} == {("env:ANTHROPIC_API_KEY", "")}


def test_basic_shape_acts_as_environment_with_references_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-1234")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///file.db")
    environment = written(tmp_path, BASIC).environment
    assert environment == {"master_key": "sk-1234", "database_url": "sqlite:///file.db", "key_header": "X-Gateway-Key"}


def test_names_that_are_not_set_are_told_and_are_no_error(tmp_path: Path) -> None:
    config = written(tmp_path, BASIC)
    assert set(config.missing) == {"ANTHROPIC_API_KEY", "LITELLM_MASTER_KEY", "DATABASE_URL"}
    assert config.environment == {"key_header": "X-Gateway-Key"}


def test_basic_shape_names_what_has_no_effect(tmp_path: Path) -> None:
    assert set(written(tmp_path, BASIC).not_honoured) == {
        "litellm_settings.success_callback",
        "litellm_settings.drop_params",
        "general_settings.alerting",
    }


@pytest.mark.parametrize(("text", "expected"), SHAPES.values(), ids=SHAPES)
def test_published_shapes_load_and_name_what_has_no_effect(tmp_path: Path, text: str, expected: set[str]) -> None:
    assert set(written(tmp_path, text).not_honoured) == expected


def test_all_honoured_parameters_are_kept(tmp_path: Path) -> None:
    row = one_row(
        tmp_path, "model: demo/x, api_base: 'http://127.0.0.1:9/', timeout: 30, rpm: 60, tpm: 1000, weight: 0.9, order: 2"
    ).deployments[0]
    assert (row.provider, row.model, row.api_base, row.timeout_s) == ("demo", "x", "http://127.0.0.1:9", 30)
    assert (row.rpm, row.tpm, row.weight, row.order) == (60, 1000, 0.9, 2)


def test_key_written_out_is_kept_out_of_every_printed_form(tmp_path: Path) -> None:
    config = one_row(tmp_path, "model: anthropic/x, api_key: sk-ant-private")
    assert config.deployments[0].api_key == "sk-ant-private"
    assert "sk-ant-private" not in repr(config)


@pytest.mark.parametrize("model", ["claude-3-5-haiku-20241022", "x, custom_llm_provider: anthropic"])
def test_anthropic_is_known_without_its_prefix_and_takes_its_usual_key(tmp_path: Path, model: str) -> None:
    row = one_row(tmp_path, f"model: {model}").deployments[0]
    assert (row.provider, row.reference) == ("anthropic", "env:ANTHROPIC_API_KEY")


def test_address_from_an_unset_name_leaves_the_row_out(tmp_path: Path) -> None:
    config = one_row(tmp_path, "model: anthropic/x, api_base: os.environ/NO_SUCH_BASE")
    assert config.deployments == ()
    assert config.not_honoured == ("model_list[0] (api_base refers to an environment name that is not set)",)


def test_parameter_without_effect_is_named_once_for_all_rows(tmp_path: Path) -> None:
    row = "  - {model_name: m, litellm_params: {model: demo/x, max_retries: 3}, model_info: {mode: chat}}\n"
    assert written(tmp_path, "model_list:\n" + row * 3).not_honoured == (
        "model_list[].litellm_params.max_retries",
        "model_list[].model_info.mode",
    )


def test_section_written_twice_is_told(tmp_path: Path) -> None:
    config = written(tmp_path, "general_settings: {master_key: sk-1}\ngeneral_settings: {master_key: sk-2}\n")
    assert config.environment == {"master_key": "sk-2"}
    assert config.not_honoured == ("general_settings (line 1; written again on line 2)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model_list:\n  - model_name: m\n", "line 2: model_list[0].litellm_params.model is needed"),
        ("model_list:\n  - litellm_params: {model: demo/x}\n", "line 2: model_list[0].model_name is needed"),
        ("model_list:\n  - just text\n", "line 2: model_list[0] must hold keys and values"),
        ("model_list: {a: b}\n", "line 1: model_list must be a list"),
        ("a: 1\ngeneral_settings: [x]\n", "line 2: general_settings must hold keys and values"),
        ("general_settings:\n  master_key: 1234\n", "line 2: general_settings.master_key must be text; put it in quotes"),
        ("- a\n- b\n", "line 1: sections such as model_list"),
        ("a: 1\n  b: [\n", "line 2: not valid YAML"),
        ("a: !!python/object:os.system x\n", "line 1: not valid YAML"),
    ],
)  # fmt: skip
def test_mistake_is_told_in_one_line_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    told = refusal(tmp_path, text)
    assert told.startswith(f"{tmp_path}/config.yaml, {expected}")
    assert "\n" not in told


@pytest.mark.parametrize("params", ["weight: heavy", "timeout: -1", "rpm: true", "api_base: 'ftp://x'", "api_key: [sk-private]"])
def test_wrong_parameter_is_told_without_its_value(tmp_path: Path, params: str) -> None:
    told = refusal(tmp_path, f"model_list:\n  - model_name: m\n    litellm_params: {{model: anthropic/x, {params}}}\n")
    assert f"line 3: model_list[0].litellm_params.{params.split(':')[0]}" in told
    assert "private" not in told


def test_empty_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert written(tmp_path, "").deployments == ()


def test_remembered_file_is_found_again(tmp_path: Path) -> None:
    config = written(tmp_path, BASIC)
    remember_config(tmp_path, config)
    assert remembered_config(tmp_path, "") == config


def test_remembered_file_that_is_gone_stops_the_start(tmp_path: Path) -> None:
    remember_config(tmp_path, ConfigFile(tmp_path / "gone.yaml"))
    with pytest.raises(WrongSetting, match=r"gone.yaml is not there.*config.path"):
        remembered_config(tmp_path, "")


def test_relative_name_in_the_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="absolute path"):
        remembered_config(tmp_path, "config.yaml")


def test_without_any_file_nothing_is_configured(tmp_path: Path) -> None:
    assert remembered_config(tmp_path, "") == ConfigFile()


@pytest.mark.parametrize(("written", "kept"), [("true", "true"), ("false", "false"), ("yes", "true"), ('"on"', "on")])
def test_settings_for_those_who_move_in_are_read(tmp_path: Path, written: str, kept: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"general_settings: {{litellm_compat: current, litellm_test_fields: {written}}}")
    config = load_config(path)
    assert (config.environment, config.not_honoured) == ({"litellm_compat": "current", "litellm_test_fields": kept}, ())

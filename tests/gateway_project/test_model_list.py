"""model_list of LiteLLM's config.yaml, for every provider: names, regions, addresses, credentials."""

import json
from pathlib import Path

import pytest

from gateway_project.config_file import ConfigFile, load_config
from gateway_project.env import WrongSetting
from gateway_project.model_list import FileDeployment
from routing.model_names import read_name
from routing.providers.compatibles import COMPATIBLES, Compatible

ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"
CLEAN = """
AWS_REGION AWS_DEFAULT_REGION AWS_REGION_NAME AWS_BEARER_TOKEN_BEDROCK AZURE_API_BASE AZURE_AI_API_BASE AZURE_API_VERSION AZURE_API_KEY
AZURE_OPENAI_API_KEY AZURE_AI_API_KEY VERTEXAI_LOCATION VERTEXAI_PROJECT GOOGLE_CLOUD_PROJECT GEMINI_API_KEY GOOGLE_API_KEY OPENAI_API_KEY
"""


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*CLEAN.split(), *(name for row in COMPATIBLES for name in f"{row.keys} {row.base_name}".split())]:
        monkeypatch.delenv(name, raising=False)


def loaded(folder: Path, params: str, route: str = "m", more: str = "") -> ConfigFile:
    path = folder / "config.yaml"
    path.write_text(f"model_list:\n  - model_name: {json.dumps(route)}\n    litellm_params: {{{params}}}\n{more}")
    return load_config(path)


def one(folder: Path, params: str, route: str = "m", more: str = "") -> FileDeployment:
    config = loaded(folder, params, route, more)
    assert config.not_honoured == ()
    return config.deployments[0]


# ── names
@pytest.mark.parametrize(("written", "expected"), [
    ("anthropic/claude-x", ("anthropic", "claude-x", "", "")),
    ("claude-x", ("anthropic", "claude-x", "", "")),
    ("gpt-5.6-luna", ("openai", "gpt-5.6-luna", "", "")),
    ("o3", ("openai", "o3", "", "")),
    ("openai/responses/gpt-5", ("openai", "gpt-5", "", "")),
    ("text-embedding-3-small", ("openai", "text-embedding-3-small", "", "")),
    ("azure/my-deployment", ("azure", "my-deployment", "", "")),
    ("azure/o_series/my-o3", ("azure", "my-o3", "", "")),
    ("azure/claude-sonnet-4-5", ("azure_ai", "claude-sonnet-4-5", "", "")),
    ("azure_ai/grok-4", ("azure_ai", "grok-4", "", "")),
    ("bedrock/us.anthropic.claude-x-v1:0", ("bedrock", "us.anthropic.claude-x-v1:0", "", "")),
    ("anthropic.claude-x", ("bedrock", "anthropic.claude-x", "", "")),
    ("global.anthropic.claude-x", ("bedrock", "global.anthropic.claude-x", "", "")),
    ("bedrock/converse/amazon.nova-pro-v1:0", ("bedrock", "amazon.nova-pro-v1:0", "converse", "")),
    ("bedrock/invoke/anthropic.claude-x", ("bedrock", "anthropic.claude-x", "invoke", "")),
    ("bedrock_mantle/anthropic.claude-x", ("bedrock", "anthropic.claude-x", "mantle", "")),
    ("bedrock/mantle/openai.gpt-x", ("bedrock", "openai.gpt-x", "mantle", "")),
    ("bedrock/us-west-2/anthropic.claude-x", ("bedrock", "anthropic.claude-x", "", "us-west-2")),
    ("bedrock/us-gov-west-1/anthropic.claude-x", ("bedrock", "anthropic.claude-x", "", "us-gov-west-1")),
    ("bedrock/us-east-1/1-month-commitment/anthropic.claude-x", ("bedrock", "anthropic.claude-x", "", "us-east-1")),
    ("bedrock/converse/eu-west-3/x.y", ("bedrock", "x.y", "converse", "eu-west-3")),
    (f"bedrock/{ARN}", ("bedrock", ARN, "", "eu-west-1")),
    (f"bedrock/converse/{ARN}", ("bedrock", ARN, "converse", "eu-west-1")),
    (f"bedrock/deepseek_r1/{ARN}", ("bedrock", ARN, "", "eu-west-1")),
    ("vertex_ai/claude-sonnet-4-5@20250929", ("vertex_ai", "claude-sonnet-4-5@20250929", "", "")),
    ("vertex_ai_beta/gemini-3-pro", ("vertex_ai", "gemini-3-pro", "", "")),
    ("gemini-3-pro", ("vertex_ai", "gemini-3-pro", "", "")),
    ("gemini/gemini-3-pro", ("gemini", "gemini-3-pro", "", "")),
    ("fireworks_ai/deepseek-v3p2", ("fireworks_ai", "accounts/fireworks/models/deepseek-v3p2", "", "")),
    ("fireworks_ai/accounts/us/models/x", ("fireworks_ai", "accounts/us/models/x", "", "")),
    ("openrouter/anthropic/claude-x", ("openrouter", "anthropic/claude-x", "", "")),
    ("together_ai/meta-llama/Llama-3-70b", ("together_ai", "meta-llama/Llama-3-70b", "", "")),
])  # fmt: skip
def test_names_as_litellm_writes_them(written: str, expected: tuple[str, str, str, str]) -> None:
    named = read_name(written)
    assert (named.provider, named.model, named.api, named.region) == expected
    assert named.is_known


def test_address_tells_the_provider_of_a_name_that_does_not() -> None:
    assert read_name("mixtral-8x7b", base="https://api.groq.com/openai/v1").provider == "groq"
    assert read_name("meta-llama/x", base="https://api.together.xyz/v1").model == "meta-llama/x"
    assert read_name("groq/x", base="https://api.together.xyz/v1").provider == "groq"


@pytest.mark.parametrize("row", COMPATIBLES, ids=lambda row: row.name)
def test_every_compatible_is_chosen_by_its_name_and_takes_its_key(row: Compatible, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = row.keys.split()[-1]
    monkeypatch.setenv(key, "sk-x")
    found = one(tmp_path, f"model: {row.name}/vendor/model-1, api_base: 'http://127.0.0.1:1'")
    assert (found.provider, found.model, found.reference) == (row.name, "vendor/model-1", f"env:{key}")


def test_server_of_ones_own_takes_its_address_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = loaded(tmp_path, "model: hosted_vllm/x").not_honoured
    assert told == ("model_list[0] (hosted_vllm/x: api_base is needed)",)
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://127.0.0.1:8000/v1/")
    config = loaded(tmp_path, "model: hosted_vllm/x")
    assert (config.deployments[0].api_base, config.deployments[0].reference, config.missing) == ("http://127.0.0.1:8000/v1", "", ())


def test_provider_without_its_key_in_the_environment_is_told(tmp_path: Path) -> None:
    config = loaded(tmp_path, "model: groq/x")
    assert (config.deployments[0].reference, config.missing) == ("env:GROQ_API_KEY", ("GROQ_API_KEY",))


# ── patterns
@pytest.mark.parametrize(("route", "written"), [
    ("anthropic/*", "anthropic/*"), ("*", "openai/*"), ("bedrock/us.*", "bedrock/us.*"), ("claude-*", "anthropic/claude-*"), ("*", "*"),
])  # fmt: skip
def test_pattern_passes_on_the_name_that_was_asked(tmp_path: Path, route: str, written: str) -> None:
    assert one(tmp_path, f"model: '{written}'", route).model == "*"


@pytest.mark.parametrize(("route", "written"), [("claude-*", "bedrock/anthropic.claude-*"), ("bedrock/converse/*", "bedrock/converse/*")])
def test_pattern_that_differs_from_its_name_is_left_out_and_told(tmp_path: Path, route: str, written: str) -> None:
    config = loaded(tmp_path, f"model: '{written}'", route)
    assert config.deployments == ()
    assert config.not_honoured == (f"model_list[0] ({written}: a pattern that differs from its name)",)


# ── credentials
def test_access_keys_of_aws_are_one_credential_with_references(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        "model: bedrock/us.anthropic.claude-x, aws_access_key_id: os.environ/AK, aws_secret_access_key: os.environ/SK,"
        " aws_session_token: tok, aws_region_name: us-east-1",
    )
    assert json.loads(row.api_key) == {"aws_access_key_id": "env:AK", "aws_secret_access_key": "env:SK", "aws_session_token": "tok"}
    assert (row.reference, row.region) == ("", "us-east-1")


@pytest.mark.parametrize("name", ["aws_profile_name", "aws_role_name", "aws_session_name", "aws_web_identity_token", "aws_external_id"])
def test_other_ways_into_aws_are_kept(tmp_path: Path, name: str) -> None:
    assert json.loads(one(tmp_path, f"model: bedrock/x.y, {name}: value").api_key) == {name: "value"}


def test_bedrock_without_keys_has_the_clouds_own_chain_or_a_bearer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = one(tmp_path, "model: bedrock/x.y")
    assert (row.reference, row.api_key, row.region) == ("", "", "")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSK")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    row = one(tmp_path, "model: bedrock/x.y")
    assert (row.reference, row.region) == ("env:AWS_BEARER_TOKEN_BEDROCK", "eu-west-1")


def test_arn_of_a_model_is_asked_for_and_its_kind_is_known(tmp_path: Path) -> None:
    row = one(tmp_path, f"model: bedrock/anthropic.claude-x, model_id: '{ARN}', aws_bedrock_runtime_endpoint: 'https://vpce.example'")
    assert (row.model, row.base_model, row.api_base) == (ARN, "anthropic.claude-x", "https://vpce.example")


def test_organisation_of_openai_goes_with_its_key(tmp_path: Path) -> None:
    row = one(tmp_path, "model: gpt-x, api_key: sk-private, organization: os.environ/ORG")
    assert json.loads(row.api_key) == {"api_key": "sk-private", "organization": "env:ORG"}
    assert "sk-private" not in repr(row)
    assert json.loads(one(tmp_path, "model: gpt-x, organization: o").api_key) == {"api_key": "env:OPENAI_API_KEY", "organization": "o"}


def test_application_in_entra_needs_no_key(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        "model: azure/d, api_base: 'https://r.openai.azure.com/', tenant_id: t, client_id: c, client_secret: os.environ/CS, azure_scope: s",
    )
    assert json.loads(row.api_key) == {"tenant_id": "t", "client_id": "c", "client_secret": "env:CS", "scope": "s"}


@pytest.mark.parametrize("reference", ["env:MY_KEY", "file:openai.key", "aws-sm:prod/openai#key", "vault:secret/llm#openai"])
def test_reference_of_ours_stays_one(tmp_path: Path, reference: str) -> None:
    row = one(tmp_path, f"model: openai/x, api_key: '{reference}'")
    assert (row.reference, row.api_key) == (reference, "")


def test_malformed_reference_is_told_with_its_place_and_without_its_text(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"line 3: model_list\[0\].litellm_params.api_key is not right") as caught:
        loaded(tmp_path, "model: openai/x, api_key: 'vault:no-path-at-all'")
    assert "no-path" not in str(caught.value)


# ── Vertex
@pytest.mark.parametrize(("written", "reference", "secret"), [
    ("/keys/sa.json", "file:/keys/sa.json", ""),
    ("file:/keys/sa.json", "file:/keys/sa.json", ""),
    ("'{\"type\": \"service_account\"}'", "", '{"type": "service_account"}'),
    ("{type: service_account}", "", '{"type": "service_account"}'),
    ("os.environ/SA", "env:SA", ""),
])  # fmt: skip
def test_service_account_in_every_form(tmp_path: Path, written: str, reference: str, secret: str) -> None:
    row = one(tmp_path, f"model: vertex_ai/claude-x@1, vertex_project: p, vertex_location: us-east5, vertex_credentials: {written}")
    assert (row.reference, row.api_key, row.project, row.region) == (reference, secret, "p", "us-east5")


def test_file_beside_the_configuration_and_a_name_that_holds_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SA", "/keys/sa.json")
    monkeypatch.setenv("VERTEXAI_PROJECT", "p")
    assert one(tmp_path, "model: vertex_ai/x, vertex_credentials: sa.json").reference == f"file:{tmp_path}/sa.json"
    row = one(tmp_path, "model: vertex_ai/x, vertex_credentials: os.environ/SA")
    assert (row.reference, row.project) == ("file:/keys/sa.json", "p")


def test_vertex_without_credentials_has_the_clouds_own_chain(tmp_path: Path) -> None:
    row = one(tmp_path, "model: vertex_ai/gemini-3-pro")
    assert (row.reference, row.api_key) == ("", "")


# ── Azure
def test_address_copied_from_azures_pages_gives_its_version(tmp_path: Path) -> None:
    row = one(
        tmp_path, "model: azure/d, api_key: k, api_base: 'https://r.openai.azure.com/openai/deployments/d?api-version=2025-01-01-preview'"
    )
    assert (row.api_base, row.api_version) == ("https://r.openai.azure.com/openai/deployments/d", "2025-01-01-preview")


def test_address_with_another_query_is_refused_without_its_text(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="api_base cannot have a query") as caught:
        loaded(tmp_path, "model: openai/x, api_base: 'https://x.example/v1?key=sk-private'")
    assert "private" not in str(caught.value)


def test_azure_takes_address_version_and_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AZURE_API_BASE": "https://r.openai.azure.com", "AZURE_API_VERSION": "2024-10-21", "AZURE_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    row = one(tmp_path, "model: azure/d")
    assert (row.api_base, row.api_version, row.reference) == ("https://r.openai.azure.com", "2024-10-21", "env:AZURE_API_KEY")
    assert one(tmp_path, "model: azure/d, api_version: 2025-03-01-preview").api_version == "2025-03-01-preview"


# ── what else a row says
def test_limits_and_timeouts_of_a_row(tmp_path: Path) -> None:
    row = one(tmp_path, "model: gpt-x, timeout: 30, stream_timeout: 20, tpm: 50000, order: 2")
    assert (row.timeout_s, row.stream_timeout_s, row.tpm, row.weight, row.order) == (30, 20, 50000, 50000, 2)


@pytest.mark.parametrize(("written", "expected"), [("azure/gpt-5", "gpt-5"), ("gpt-5", "gpt-5"), ("openai/gpt-5", "openai/gpt-5")])
def test_base_model_is_kept_for_prices(tmp_path: Path, written: str, expected: str) -> None:
    more = f"    model_info: {{base_model: {written}}}\n"
    assert one(tmp_path, "model: azure/d, api_key: k, api_base: 'https://r.openai.azure.com'", more=more).base_model == expected


def test_server_that_is_said_to_have_responses_has_them(tmp_path: Path) -> None:
    more = '    model_info: {supported_endpoints: ["/v1/chat/completions", "/v1/responses"]}\n'
    assert one(tmp_path, "model: baseten/x, api_key: k", more=more).api == "responses"


def test_parameter_of_another_provider_has_no_effect_and_is_told(tmp_path: Path) -> None:
    config = loaded(tmp_path, "model: groq/x, api_key: k, aws_bedrock_runtime_endpoint: 'https://x.example', organization: o")
    assert config.deployments[0].api_base == ""
    assert set(config.not_honoured) == {
        "model_list[].litellm_params.aws_bedrock_runtime_endpoint",
        "model_list[].litellm_params.organization",
    }
    assert loaded(tmp_path, "model: vertex_ai/x, api_key: k").not_honoured == ("model_list[].litellm_params.api_key",)


@pytest.mark.parametrize(("written", "told"), [("sagemaker/x", "provider sagemaker"), ("my-model", "provider unknown")])
def test_provider_that_we_do_not_have_is_told(tmp_path: Path, written: str, told: str) -> None:
    assert loaded(tmp_path, f"model: {written}").not_honoured == (f"model_list[0] ({written}: {told})",)

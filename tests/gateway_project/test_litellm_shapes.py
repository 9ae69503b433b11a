"""The published shapes of LiteLLM's config.yaml, as people run them: each starts a gateway, which answers, and names what has no effect."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.serving import serve_in_thread
from tests.gateway_project.running import MASTER, Serving, free_port

A = """
model_list:
  - model_name: claude-sonnet
    litellm_params: {model: anthropic/claude-sonnet-4-5-20250929, api_key: os.environ/ANTHROPIC_API_KEY}
  - model_name: claude-opus
    litellm_params: {model: anthropic/claude-opus-4-20250514, api_key: os.environ/ANTHROPIC_API_KEY}
  - model_name: claude-haiku
    litellm_params: {model: anthropic/claude-3-5-haiku-20241022, api_key: os.environ/ANTHROPIC_API_KEY}
litellm_settings: {success_callback: ["langfuse"], drop_params: true}
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
  database_url: os.environ/DATABASE_URL          # postgresql://... or sqlite:///file.db
  enforce_budget: true
  alerting:
    - slack_webhook_url: os.environ/SLACK_WEBHOOK_URL
      budget_threshold: 80
"""
B = """
litellm_settings: {success_callback: ["s3", "langfuse"], failure_callback: ["langfuse", "s3"]}
general_settings:
  s3_callback_params: {s3_bucket_name: audit-logs, s3_region_name: us-east-1, s3_path: "claude-code/{year}/{month}/{day}/"}
  log_requests: true
  log_responses: true
"""
B_ELSEWHERE = """
litellm_settings:
  success_callback: ["s3", "langfuse"]
  s3_callback_params: {s3_bucket_name: audit-logs, s3_region_name: us-east-1, s3_path: "claude-code/{year}/{month}/{day}/"}
general_settings: {alerting: ["slack"]}
"""
C = """
general_settings: {allowed_ips: ["192.168.1.0/24", "10.0.0.0/8"]}
"""
D = """
general_settings:
  arize_callback_params: {space_id: os.environ/ARIZE_SPACE_ID, api_key: os.environ/ARIZE_API_KEY}
  helicone_callback_params: {api_key: os.environ/HELICONE_API_KEY}
  langfuse_callback_params: {public_key: os.environ/LANGFUSE_PUBLIC_KEY, secret_key: os.environ/LANGFUSE_SECRET_KEY, host: "https://cloud.langfuse.com"}
"""  # as it stands there
E = """
model_list:
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5-20250929, api_key: os.environ/ANTHROPIC_API_KEY}}
  - {model_name: claude-sonnet, litellm_params: {model: "bedrock/anthropic.claude-sonnet-4-5-v1:0", aws_region_name: us-east-1}}
router_settings:
  routing_strategy: usage-based-routing-v2
  fallbacks: [{model_name: claude-sonnet, fallback_models: ["bedrock/anthropic.claude-sonnet-4-5-v1:0"]}]
"""
F = """
model_list:
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/ANTHROPIC_API_KEY_1}}
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/ANTHROPIC_API_KEY_2}}
router_settings: {routing_strategy: simple-shuffle}
"""
G = """
litellm_settings: {cache: true, cache_params: {type: redis, host: localhost, port: 6379}}
"""
CALLBACKS = {"litellm_settings.success_callback"}


class Shape(NamedTuple):
    text: str
    named: set[str]
    models: tuple[str, ...] = ()


SHAPES = {
    "A basic": Shape(
        A, CALLBACKS | {"litellm_settings.drop_params", "general_settings.alerting"}, ("claude-sonnet", "claude-opus", "claude-haiku")
    ),
    "B audit": Shape(
        B,
        CALLBACKS
        | {"litellm_settings.failure_callback", "general_settings.s3_callback_params", "general_settings.log_requests"}
        | {"general_settings.log_responses"},
    ),
    "B elsewhere, alerting by name": Shape(
        B_ELSEWHERE, CALLBACKS | {"litellm_settings.s3_callback_params", "general_settings.alerting"}
    ),
    "D observability": Shape(D, {f"general_settings.{name}_callback_params" for name in ("arize", "helicone", "langfuse")}),
    "E fallback to Bedrock": Shape(E, set(), ("claude-sonnet",)),
    "F two keys": Shape(F, set(), ("claude-sonnet",)),
    "G cache": Shape(G, {"litellm_settings.cache", "litellm_settings.cache_params"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    with serve_in_thread(FakeProvider()) as url:
        yield url


@contextmanager
def started(folder: Path, text: str, fake: str) -> Iterator[Serving]:
    """With the environment that those who wrote the shapes had; only the addresses of the providers lead elsewhere."""
    config = folder / "config.yaml"
    config.write_text(text)
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_1", "ANTHROPIC_API_KEY_2")
    environment = dict.fromkeys(names, DEFAULT_KEY) | {"ANTHROPIC_API_BASE": fake, "LITELLM_MASTER_KEY": MASTER}
    nobody = f"http://127.0.0.1:{free_port()}"
    environment |= {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_BEDROCK_RUNTIME_ENDPOINT": nobody}
    environment["DATABASE_URL"] = "sqlite:///file.db"
    running = Serving(folder / "home", "--no-background", "--config", str(config), port=0, **environment)
    try:
        yield running
    finally:
        running.stop()


def named(told: str) -> list[str]:
    """The keys of the start's warnings, without the reasons."""
    lines = re.findall(r'config\.yaml: no effect here: (.*?)(?: \([^()]*\))?", "logger"', told)
    return [key for line in lines for key in line.split(", ")]


def ask(running: Serving, model: str) -> int:
    body = {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}
    return running.post("/v1/messages", body).status_code


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_published_shape_runs_unchanged(tmp_path: Path, fake: str, shape: Shape) -> None:
    with started(tmp_path, shape.text, fake) as running:
        answers = {model: ask(running, model) for model in shape.models}
        assert running.get("/health/readiness") == 200
    assert answers == dict.fromkeys(shape.models, 200)
    told = running.told()
    assert sorted(named(told)) == sorted(shape.named)
    assert "refers to environment names that are not set" not in told
    assert (tmp_path / "home" / "file.db").is_file()


def test_network_shape_keeps_others_out_and_lets_probes_in(tmp_path: Path, fake: str) -> None:
    with started(tmp_path, C, fake) as running:
        assert (running.get("/health/readiness"), running.get("/health/liveliness")) == (200, 200)
        told = running.post("/v1/messages", {})
        assert (told.status_code, told.headers["x-tallygate-error-code"]) == (403, "ip_not_allowed")
        assert [running.get(path) for path in ("/v1/models", "/key/info", "/accounts/login/", "/static/x")] == [403] * 4
    assert named(running.told()) == []

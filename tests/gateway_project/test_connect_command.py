"""`tallygate connect`: what it prints can be pasted as it is."""

import ast
import json
import shlex
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from console.client_setups import PLACEHOLDER, SETUPS
from tests.factories import make_deployment, make_route

pytestmark = pytest.mark.django_db
URL, KEY = "https://gateway.test", "sk-canary'1"


def run(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("connect", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def told(client: str, *words: str) -> dict[str, Any]:
    return dict(json.loads(run(client, "--json", *words)[0]))


def texts(client: str, url: str = URL, key: str = KEY) -> list[str]:
    return [block["text"] for block in told(client, "--url", url, "--key", key)["blocks"]]


def exports(text: str) -> dict[str, str]:
    lines = [line.removeprefix("export ") for line in text.splitlines() if line.startswith("export ")]
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


@pytest.mark.parametrize("client", SETUPS)
def test_every_client_gets_address_and_key(client: str) -> None:
    out, _ = run(client, "--url", URL, "--key", "sk-canary-1")
    assert URL in out
    assert "sk-canary-1" in out


@pytest.mark.parametrize(
    ("client", "address", "key"),
    [
        ("claude-code", {"ANTHROPIC_BASE_URL": URL}, "ANTHROPIC_AUTH_TOKEN"),
        ("claude-code-bedrock", {"ANTHROPIC_BEDROCK_BASE_URL": f"{URL}/bedrock"}, "AWS_BEARER_TOKEN_BEDROCK"),
        ("claude-code-vertex", {"ANTHROPIC_VERTEX_BASE_URL": f"{URL}/vertex_ai/v1"}, "ANTHROPIC_AUTH_TOKEN"),
        ("openai", {"OPENAI_BASE_URL": f"{URL}/v1"}, "OPENAI_API_KEY"),
        ("azure", {"AZURE_OPENAI_ENDPOINT": URL}, "AZURE_OPENAI_API_KEY"),
        ("boto3", {}, "AWS_BEARER_TOKEN_BEDROCK"),
    ],
)  # fmt: skip
def test_shells_read_the_values_whatever_is_in_them(client: str, address: dict[str, str], key: str) -> None:
    found = exports(texts(client)[0])
    assert address.items() <= found.items()
    assert found[key] == KEY


@pytest.mark.parametrize("client", ["claude-code", "claude-code-bedrock", "claude-code-vertex"])
def test_settings_of_claude_code_say_what_the_shell_is_told(client: str) -> None:
    shell, settings, *_ = texts(client)
    assert json.loads(settings)["env"] == exports(shell)


@pytest.mark.parametrize("client", ["openai", "azure", "boto3"])
def test_python_is_python(client: str) -> None:
    ast.parse(texts(client)[-1])


def test_boto3_is_told_how_to_get_tls() -> None:
    blocks = texts("boto3", url="http://127.0.0.1:4000")
    assert "tls dev-cert" in blocks[0]
    assert "AWS_CA_BUNDLE" in blocks[1]
    assert 'endpoint_url="https://127.0.0.1:4000/bedrock"' in blocks[2]


def test_file_of_cline_names_the_gateway() -> None:
    settings = json.loads(texts("cline")[1])["providers"]["litellm"]["settings"]
    assert (settings["baseUrl"], settings["apiKey"]) == (f"{URL}/v1", KEY)


def test_workflow_holds_no_key() -> None:
    secret, workflow = texts("github-actions")
    (step,) = [step for step in yaml.safe_load(workflow)["jobs"]["claude"]["steps"] if "env" in step]
    assert shlex.split(secret)[-1] == KEY
    assert "canary" not in workflow
    assert step["env"] == {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": "${{ secrets.TALLYGATE_KEY }}"}


def test_runner_that_cannot_reach_the_address_is_told() -> None:
    assert "runners cannot reach http://127.0.0.1:4000" in run("github-actions", "--url", "http://127.0.0.1:4000")[1]
    assert "runners" not in run("github-actions", "--url", URL)[1]


def test_without_a_key_there_is_a_placeholder_and_a_word_about_it() -> None:
    out, err = run("claude-code")
    assert f"ANTHROPIC_AUTH_TOKEN={PLACEHOLDER}" in out
    assert "keys create" in err


def test_model_is_one_that_the_client_can_be_served() -> None:
    make_route("claude-*", make_deployment("a", provider="anthropic", model="*"))
    make_route("our-gpt", make_deployment("b", provider="openai", model="gpt-5"))
    assert told("boto3")["model"] == "claude-sonnet-4-5"
    assert told("openai")["model"] == "our-gpt"
    assert "No route" not in run("openai")[1]


def test_model_without_a_route_is_told() -> None:
    assert "No route answers for 'gpt-5' yet" in run("openai")[1]
    assert "No route" not in run("claude-code-vertex")[1]


def test_address_loses_what_clients_append() -> None:
    assert told("openai", "--url", f"{URL}/v1/")["url"] == URL


@pytest.mark.parametrize("words", ["--url gateway.test", "--url ftp://x", "--url http://[", "--url https://x?y=1", "--key sk-ü"])
def test_what_cannot_be_meant_is_one_line_and_code_2(words: str) -> None:
    with pytest.raises(CommandError) as caught:
        run("claude-code", *words.split())
    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)


def test_unknown_client_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match="claude-code-bedrock"):
        run("emacs")


def test_cline_is_told_to_use_the_cache_of_prompts() -> None:
    assert texts("cline")[0].splitlines() == [
        "API Provider: LiteLLM", f"Base URL: {URL}/v1", f"API Key: {KEY}", "Model: gpt-5", "Use prompt caching: on",
    ]  # fmt: skip

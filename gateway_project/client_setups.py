"""What people paste to point a client at this gateway: one function per client, from where and with what to the blocks of text."""

import ipaddress
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from console.connecting import Block, blocks

PLACEHOLDER = "sk-your-key"
CLOUD_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Place:
    """The gateway's address without a slash at its end, a virtual key, and a model name that it knows."""

    url: str
    key: str
    model: str

    @property
    def tls_url(self) -> str:
        return "https://" + self.url.partition("://")[2]

    @property
    def is_tls(self) -> bool:
        return self.url.startswith("https://")


def is_local(url: str) -> bool:
    """Whether the address is of this machine or of a private network."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _exports(**values: str) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _claude_code(place: Place) -> list[Block]:
    return blocks(place.url, place.key, place.model)


def _claude_code_bedrock(place: Place) -> list[Block]:
    address = f"{place.url}/bedrock"
    return _claude_code_by(
        CLAUDE_CODE_USE_BEDROCK="1", AWS_REGION=CLOUD_REGION, ANTHROPIC_BEDROCK_BASE_URL=address, AWS_BEARER_TOKEN_BEDROCK=place.key
    )


def _claude_code_vertex(place: Place) -> list[Block]:
    return _claude_code_by(
        CLAUDE_CODE_USE_VERTEX="1",
        CLAUDE_CODE_SKIP_VERTEX_AUTH="1",
        ANTHROPIC_VERTEX_BASE_URL=f"{place.url}/vertex_ai/v1",
        ANTHROPIC_VERTEX_PROJECT_ID="any-project",
        CLOUD_ML_REGION="us-east5",
        ANTHROPIC_AUTH_TOKEN=place.key,
    )


def _claude_code_by(**values: str) -> list[Block]:
    settings = json.dumps({"env": values}, indent=2)
    return [
        Block("Claude Code, in a shell", f"{_exports(**values)}\nclaude"),
        Block("Claude Code, in ~/.claude/settings.json", settings),
    ]


def _cline(place: Place) -> list[Block]:
    base = f"{place.url}/v1"
    settings = {"provider": "litellm", "apiKey": place.key, "model": place.model, "baseUrl": base}
    stored = {"version": 1, "lastUsedProvider": "litellm", "providers": {"litellm": {"settings": settings, "tokenSource": "manual"}}}
    page = f"API Provider: LiteLLM\nBase URL: {base}\nAPI Key: {place.key}\nModel: {place.model}\nUse prompt caching: on"
    return [
        Block("Cline, on its settings page", page),
        Block("Cline in a shell, in ~/.cline/data/settings/providers.json", json.dumps(stored, indent=2)),
        Block("and then", f"cline -P litellm -m {shlex.quote(place.model)} 'What does this repository do?'"),
    ]


def _openai(place: Place) -> list[Block]:
    base = f"{place.url}/v1"
    return [
        Block("OpenAI's SDKs, in the environment", _exports(OPENAI_BASE_URL=base, OPENAI_API_KEY=place.key)),
        Block("OpenAI's SDK for Python", _chat("OpenAI", place.model, base_url=base, api_key=place.key)),
    ]


def _azure(place: Place) -> list[Block]:
    version = "2024-10-21"
    names = _exports(AZURE_OPENAI_ENDPOINT=place.url, AZURE_OPENAI_API_KEY=place.key, OPENAI_API_VERSION=version)
    code = _chat("AzureOpenAI", place.model, azure_endpoint=place.url, api_key=place.key, api_version=version)
    return [Block("AzureOpenAI, in the environment", names), Block("AzureOpenAI in Python", code)]


def _chat(client: str, model: str, **settings: str) -> str:
    given = ", ".join(f"{name}={json.dumps(value)}" for name, value in settings.items())
    return "\n".join(
        (
            f"from openai import {client}",
            "",
            f"client = {client}({given})",
            'messages = [{"role": "user", "content": "Hello"}]',
            f"print(client.chat.completions.create(model={json.dumps(model)}, messages=messages).choices[0].message.content)",
        )
    )


def _boto3(place: Place) -> list[Block]:
    """botocore sends a bearer token over TLS only, on one machine too."""
    serving = "tallygate tls dev-cert    # for this machine; writes a certificate and says where\ntallygate serve --tls-cert … --tls-key …"
    names = _exports(AWS_BEARER_TOKEN_BEDROCK=place.key)
    address = json.dumps(f"{place.tls_url}/bedrock")
    code = "\n".join(
        (
            "import boto3",
            "",
            f'client = boto3.client("bedrock-runtime", region_name="{CLOUD_REGION}", endpoint_url={address})',
            'messages = [{"role": "user", "content": [{"text": "Hello"}]}]',
            f"answer = client.converse(modelId={json.dumps(place.model)}, messages=messages)",
            'print(answer["output"]["message"]["content"][0]["text"])',
        )
    )
    of_tls = [] if place.is_tls else [Block("The gateway with TLS, for boto3 sends a key over nothing else", serving)]
    told = names if place.is_tls else f"{names}\nexport AWS_CA_BUNDLE=…    # that certificate"
    return [*of_tls, Block("boto3, in the environment", told), Block("boto3 in Python", code)]


def _github_actions(place: Place) -> list[Block]:
    """The key is a secret of the repository: a workflow is read by everybody who can read the code."""
    body = "" if place.key == PLACEHOLDER else f" --body {shlex.quote(place.key)}"
    return [
        Block("The key as a secret of the repository", f"gh secret set TALLYGATE_KEY{body}"),
        Block("Claude Code on demand, in .github/workflows/claude.yml", WORKFLOW.replace("ADDRESS", json.dumps(place.url))),
    ]


WORKFLOW = """\
name: Claude
on:
  issue_comment:
    types: [created]
  pull_request_review_comment:
    types: [created]
jobs:
  claude:
    if: contains(github.event.comment.body, '@claude')
    runs-on: ubuntu-latest
    permissions:
      contents: write
      issues: write
      pull-requests: write
      id-token: write
    steps:
      - uses: actions/checkout@v4
      - uses: anthropics/claude-code-action@v1
        with:
          anthropic_api_key: ${{ secrets.TALLYGATE_KEY }}
        env:
          ANTHROPIC_BASE_URL: ADDRESS
          ANTHROPIC_AUTH_TOKEN: ${{ secrets.TALLYGATE_KEY }}"""

SETUPS: dict[str, Callable[[Place], list[Block]]] = {
    "claude-code": _claude_code,
    "claude-code-bedrock": _claude_code_bedrock,
    "claude-code-vertex": _claude_code_vertex,
    "cline": _cline,
    "openai": _openai,
    "azure": _azure,
    "boto3": _boto3,
    "github-actions": _github_actions,
}
# Clients that are served by providers of OpenAI's family only.
OF_OPENAI = frozenset({"cline", "openai", "azure"})

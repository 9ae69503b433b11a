"""What people paste to point a client at this gateway: one function per client, from where and with what to the blocks of text.

The Connect page, the answer that shows a new key and `tallygate connect` print the same.
"""

import ipaddress
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.connecting import Block, blocks, curl_block, example_model
from routing.models import Route

PLACEHOLDER = "sk-your-key"
CLOUD_REGION = "us-east-1"
USUAL_OPENAI = "gpt-5"
OF_ANTHROPIC = ("anthropic", "bedrock", "demo", "gemini", "vertex_ai")


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
        Block(_("Claude Code, in a shell"), f"{_exports(**values)}\nclaude"),
        Block(_("Claude Code, in ~/.claude/settings.json"), settings),
    ]


def _cline(place: Place) -> list[Block]:
    base = f"{place.url}/v1"
    settings = {"provider": "litellm", "apiKey": place.key, "model": place.model, "baseUrl": base}
    stored = {"version": 1, "lastUsedProvider": "litellm", "providers": {"litellm": {"settings": settings, "tokenSource": "manual"}}}
    page = f"API Provider: LiteLLM\nBase URL: {base}\nAPI Key: {place.key}\nModel: {place.model}\nUse prompt caching: on"
    return [
        Block(_("Cline, on its settings page"), page),
        Block(_("Cline in a shell, in ~/.cline/data/settings/providers.json"), json.dumps(stored, indent=2)),
        Block(_("and then"), f"cline -P litellm -m {shlex.quote(place.model)} 'What does this repository do?'"),
    ]


def _anthropic(place: Place) -> list[Block]:
    code = "\n".join(
        (
            "from anthropic import Anthropic",
            "",
            f"client = Anthropic(base_url={json.dumps(place.url)}, auth_token={json.dumps(place.key)})",
            'messages = [{"role": "user", "content": "Hello"}]',
            f"answer = client.messages.create(model={json.dumps(place.model)}, max_tokens=100, messages=messages)",
            "print(answer.content[0].text)",
        )
    )
    names = _exports(ANTHROPIC_BASE_URL=place.url, ANTHROPIC_AUTH_TOKEN=place.key)
    return [Block(_("Anthropic's SDKs, in the environment"), names), Block(_("Anthropic's SDK for Python"), code)]


def _curl(place: Place) -> list[Block]:
    return [curl_block(place.url, place.key, place.model)]


def _openai(place: Place) -> list[Block]:
    base = f"{place.url}/v1"
    return [
        Block(_("OpenAI's SDKs, in the environment"), _exports(OPENAI_BASE_URL=base, OPENAI_API_KEY=place.key)),
        Block(_("OpenAI's SDK for Python"), _chat("OpenAI", place.model, base_url=base, api_key=place.key)),
    ]


def _azure(place: Place) -> list[Block]:
    version = "2024-10-21"
    names = _exports(AZURE_OPENAI_ENDPOINT=place.url, AZURE_OPENAI_API_KEY=place.key, OPENAI_API_VERSION=version)
    code = _chat("AzureOpenAI", place.model, azure_endpoint=place.url, api_key=place.key, api_version=version)
    return [Block(_("AzureOpenAI, in the environment"), names), Block(_("AzureOpenAI in Python"), code)]


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
    of_tls = [] if place.is_tls else [Block(_("The gateway with TLS, for boto3 sends a key over nothing else"), serving)]
    told = names if place.is_tls else f"{names}\nexport AWS_CA_BUNDLE=…    # that certificate"
    return [*of_tls, Block(_("boto3, in the environment"), told), Block(_("boto3 in Python"), code)]


def _github_actions(place: Place) -> list[Block]:
    """The key is a secret of the repository: a workflow is read by everybody who can read the code."""
    body = "" if place.key == PLACEHOLDER else f" --body {shlex.quote(place.key)}"
    return [
        Block(_("The key as a secret of the repository"), f"gh secret set TALLYGATE_KEY{body}"),
        Block(_("Claude Code on demand, in .github/workflows/claude.yml"), WORKFLOW.replace("ADDRESS", json.dumps(place.url))),
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
    "anthropic": _anthropic,
    "openai": _openai,
    "azure": _azure,
    "boto3": _boto3,
    "github-actions": _github_actions,
    "curl": _curl,
}
NAMES: dict[str, Promise | str] = {
    "claude-code": "Claude Code",
    "claude-code-bedrock": gettext_lazy("Claude Code, Bedrock mode"),
    "claude-code-vertex": gettext_lazy("Claude Code, Vertex mode"),
    "cline": "Cline",
    "anthropic": gettext_lazy("Anthropic SDKs"),
    "openai": gettext_lazy("OpenAI SDKs"),
    "azure": "AzureOpenAI",
    "boto3": "boto3",
    "github-actions": "GitHub Actions",
    "curl": "curl",
}
# Clients that are served by providers of OpenAI's family only.
OF_OPENAI = frozenset({"cline", "openai", "azure"})


def model_for(client: str) -> tuple[str, bool]:
    """A name for the example, and whether a route answers for it: the usual one, else the first that has a route of its own."""
    routes = Route.objects.filter(is_active=True, targets__deployment__is_active=True)
    if client in OF_OPENAI:
        routes = routes.exclude(targets__deployment__provider__in=OF_ANTHROPIC)
    names = list(dict.fromkeys(routes.order_by("name").values_list("name", flat=True)))
    usual = USUAL_OPENAI if client in OF_OPENAI else example_model([])
    is_served = any(name == usual or (name.endswith("*") and usual.startswith(name[:-1])) for name in names)
    own = sorted((name for name in names if "*" not in name), key=lambda name: "claude" not in name)
    return (usual, is_served) if is_served or not own else (own[0], True)

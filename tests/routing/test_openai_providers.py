"""OpenAI, Azure and Foundry: where a call goes, what opens the door, and what names never get into an address (R132)."""

from typing import Any

import pytest

from routing.dialects.base import Ask
from routing.dialects.chat import CHAT
from routing.dialects.messages import MESSAGES
from routing.dialects.responses import RESPONSES
from routing.providers import azure, azure_ai, openai
from routing.providers.base import Call, NotServed, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot

KEY = "sk-private"
AZURE = "https://res.openai.azure.com"
FOUNDRY = "https://res.services.ai.azure.com"
SERVERLESS = "https://m.eastus2.models.ai.azure.com"


def deployment(provider: Provider = openai.PROVIDER, **values: Any) -> DeploymentSnapshot:
    return DeploymentSnapshot(**{"id": "1", "name": "d", "provider": provider.name, "model": "m", "secret": KEY, **values})


def built(provider: Provider, to: DeploymentSnapshot, operation: str = "chat", model: str = "m", query: str = "") -> UpstreamRequest:
    dialect = provider.speaks(to, operation) or CHAT
    call = Call(operation, to, dialect, Ask({}, model, False, 0, 2), model, query, [(b"accept", b"*/*")], b"{}")
    return provider.build(call)


def key_headers(request: UpstreamRequest) -> list[tuple[bytes, bytes]]:
    return [field for field in request.headers if KEY.encode() in field[1]]


@pytest.mark.parametrize(("base", "expected"), [
    ("", "https://api.openai.com/v1/chat/completions"),
    ("https://eu.api.openai.com/v1", "https://eu.api.openai.com/v1/chat/completions"),
    ("https://eu.api.openai.com/", "https://eu.api.openai.com/v1/chat/completions"),
    ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"),
    ("https://x.example/team/openai/v1/", "https://x.example/team/openai/v1/chat/completions"),
])  # fmt: skip
def test_address_of_openai_with_and_without_v1(base: str, expected: str) -> None:
    request = built(openai.PROVIDER, deployment(base_url=base))
    assert (request.method, request.url, request.body) == ("POST", expected, b"{}")


@pytest.mark.parametrize(("operation", "path"), openai.PATHS.items())
def test_each_operation_has_its_path_and_keeps_the_callers_query_back(operation: str, path: str) -> None:
    request = built(openai.PROVIDER, deployment(), operation, query="key=sk-virtual")
    assert request.url == openai.BASE_URL + path


def test_key_is_a_bearer_and_stands_in_one_header_only() -> None:
    request = built(openai.PROVIDER, deployment())
    assert key_headers(request) == [(b"authorization", b"Bearer sk-private")]
    assert KEY not in request.url


def test_local_server_without_a_key_is_sent_none() -> None:
    assert built(openai.PROVIDER, deployment(secret="", base_url="http://127.0.0.1:1")).headers == [(b"accept", b"*/*")]


def test_organisation_and_project_of_a_credential_go_with_its_key() -> None:
    plain = deployment()
    access = openai.open_account({"api_key": KEY, "organization": "org-1", "project": "proj_1"}, plain)
    access.renew()
    request = built(openai.PROVIDER, DeploymentSnapshot("1", "d", "openai", "m", secret=KEY, access=access))
    assert request.headers[1:] == [
        (b"authorization", b"Bearer sk-private"),
        (b"openai-organization", b"org-1"),
        (b"openai-project", b"proj_1"),
    ]


def test_openai_speaks_its_own_dialects_only() -> None:
    to = deployment()
    assert (openai.speaks(to, "chat"), openai.speaks(to, "responses")) == (CHAT, RESPONSES)
    assert openai.speaks(to, "messages") is None


# ── Azure OpenAI
@pytest.mark.parametrize("base", [AZURE, f"{AZURE}/", f"{AZURE}/openai", f"{AZURE}/openai/v1/", f"{AZURE}/openai/deployments/x"])
@pytest.mark.parametrize(("values", "path"), [
    ({}, "/openai/v1/chat/completions"),
    ({"api_version": "preview"}, "/openai/v1/chat/completions?api-version=preview"),
    ({"api_version": "2025-01-01-preview"}, "/openai/deployments/m/chat/completions?api-version=2025-01-01-preview"),
    ({"api": "classic"}, "/openai/deployments/m/chat/completions?api-version=2024-10-21"),
    ({"api": "v1", "api_version": "2024-10-21"}, "/openai/v1/chat/completions"),
])  # fmt: skip
def test_both_ways_of_azure(base: str, values: dict[str, str], path: str) -> None:
    request = built(azure.PROVIDER, deployment(azure.PROVIDER, base_url=base, **values))
    assert request.url == AZURE + path
    assert key_headers(request) == [(b"api-key", KEY.encode())]


@pytest.mark.parametrize(("operation", "version", "path"), [
    ("embeddings", "2024-10-21", "/openai/deployments/m/embeddings?api-version=2024-10-21"),
    ("completions", "2024-10-21", "/openai/deployments/m/completions?api-version=2024-10-21"),
    ("responses", "2025-04-01-preview", "/openai/responses?api-version=2025-04-01-preview"),
    ("responses", "2024-10-21", "/openai/v1/responses"),
])  # fmt: skip
def test_classic_paths_and_the_version_that_knows_no_responses(operation: str, version: str, path: str) -> None:
    request = built(azure.PROVIDER, deployment(azure.PROVIDER, base_url=AZURE, api_version=version), operation)
    assert request.url == AZURE + path


def test_azure_behind_a_gateway_of_the_company() -> None:
    to = deployment(azure.PROVIDER, base_url="https://apim.example/ai", api="classic")
    assert built(azure.PROVIDER, to).url.startswith("https://apim.example/ai/openai/deployments/m/")


@pytest.mark.parametrize("name", ["x#", "x/y", "x@evil", "..", "%2e%2e", "x?y=1", "x:y", "", "ü", "x\n", "a" * 65, ".x"])
def test_wrong_name_of_a_deployment_never_enters_an_address(name: str) -> None:
    """R132"""
    with pytest.raises(NotServed, match="deployment at Azure"):
        built(azure.PROVIDER, deployment(azure.PROVIDER, base_url=AZURE, api="classic"), model=name)


@pytest.mark.parametrize("version", ["v2#", "2024-10-21&x=y", "latest", "2024/10/21"])
def test_wrong_api_version_never_enters_an_address(version: str) -> None:
    """R132"""
    with pytest.raises(NotServed, match="api-version"):
        built(azure.PROVIDER, deployment(azure.PROVIDER, base_url=AZURE, api="classic", api_version=version))


@pytest.mark.parametrize("provider", [azure.PROVIDER, azure_ai.PROVIDER], ids=lambda provider: provider.name)
def test_resource_without_an_address_is_told(provider: Provider) -> None:
    with pytest.raises(NotServed, match="base URL"):
        built(provider, deployment(provider))


@pytest.mark.parametrize(("fields", "headers"), [
    ({"api_key": KEY}, []),
    ({"azure_ad_token": "tok"}, [(b"authorization", b"Bearer tok")]),
])  # fmt: skip
def test_azure_opens_with_a_key_or_a_token(fields: dict[str, str], headers: list[tuple[bytes, bytes]]) -> None:
    assert azure.PROVIDER.open is not None
    request = UpstreamRequest("POST", AZURE, [], b"", deployment(azure.PROVIDER))
    azure.PROVIDER.open(fields, deployment(azure.PROVIDER)).sign(request)
    assert request.headers == headers


def test_azure_without_a_credential_is_told_and_an_application_has_no_token_before_it_is_fetched() -> None:
    assert azure_ai.PROVIDER.open is not None
    with pytest.raises(NotServed, match="wants a credential"):
        azure_ai.PROVIDER.open({}, deployment(azure_ai.PROVIDER))
    access = azure_ai.PROVIDER.open({"tenant_id": "t", "client_id": "c", "client_secret": "s"}, deployment(azure_ai.PROVIDER))
    with pytest.raises(NotServed):
        built(azure.PROVIDER, DeploymentSnapshot("1", "d", "azure", "m", base_url=AZURE, access=access))


# ── Foundry
@pytest.mark.parametrize("path_given", ["", "/anthropic", "/anthropic/v1/messages", "/openai/v1", "/models"])
@pytest.mark.parametrize(("operation", "path"), [
    ("messages", "/anthropic/v1/messages?beta=true"),
    ("count_tokens", "/anthropic/v1/messages/count_tokens?beta=true"),
])  # fmt: skip
def test_claude_in_foundry(path_given: str, operation: str, path: str) -> None:
    to = deployment(azure_ai.PROVIDER, base_url=FOUNDRY + path_given, model="claude-opus-5-5")
    request = built(azure_ai.PROVIDER, to, operation, query="beta=true")
    assert request.url == FOUNDRY + path
    assert request.headers[1:] == [(b"anthropic-version", b"2023-06-01"), (b"x-api-key", KEY.encode())]


@pytest.mark.parametrize(("base", "url", "header"), [
    (FOUNDRY, f"{FOUNDRY}/openai/v1/chat/completions", (b"api-key", b"sk-private")),
    (f"{FOUNDRY}/models", f"{FOUNDRY}/openai/v1/chat/completions", (b"api-key", b"sk-private")),
    (f"{SERVERLESS}/v1", f"{SERVERLESS}/v1/chat/completions", (b"authorization", b"Bearer sk-private")),
])  # fmt: skip
def test_other_models_in_foundry(base: str, url: str, header: tuple[bytes, bytes]) -> None:
    request = built(azure_ai.PROVIDER, deployment(azure_ai.PROVIDER, base_url=base, model="grok-4"))
    assert request.url == url
    assert key_headers(request) == [header]


@pytest.mark.parametrize(("values", "messages", "chat"), [
    ({"model": "claude-opus-5-5"}, True, False),
    ({"model": "grok-4"}, False, True),
    ({"model": "ours", "base_model": "claude-sonnet-4-5"}, True, False),
    ({"model": "ours", "api": "messages"}, True, False),
    ({"model": "claude-tuned", "api": "v1"}, False, True),
    ({"model": "ours", "base_url": f"{FOUNDRY}/anthropic"}, True, False),
    ({"model": "*"}, True, True),
    ({"model": "*", "api": "v1"}, False, True),
])  # fmt: skip
def test_what_a_deployment_in_foundry_speaks(values: dict[str, str], messages: bool, chat: bool) -> None:
    to = deployment(azure_ai.PROVIDER, **values)
    assert azure_ai.speaks(to, "messages") is (MESSAGES if messages else None)
    assert azure_ai.speaks(to, "count_tokens") is (MESSAGES if messages else None)
    assert azure_ai.speaks(to, "chat") is (CHAT if chat else None)

import socket

import httpx
import pytest

from routing.credentials import encrypt
from routing.models import Credential, Deployment, Origin
from routing.probe import probe

KEY = "sk-ant-canary-probe"


def deployment(**values: object) -> Deployment:
    credential = Credential(name="main", provider="anthropic")
    credential.secret = encrypt(KEY, credential.pk)
    chosen = {"name": "sonnet", "provider": "anthropic", "model": "claude-sonnet-5-5", "credential": credential} | values
    return Deployment(**chosen)


def public(host: str, port: int) -> list[str]:
    return ["160.79.104.10"]


def private(host: str, port: int) -> list[str]:
    return ["10.0.0.7"]


def answering(status: int, seen: list[httpx.Request] | None = None) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, json={"error": "a text of the provider"}, headers={"location": "http://169.254.169.254/"})

    return httpx.MockTransport(answer)


def failing(error: Exception) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return httpx.MockTransport(answer)


def test_call_goes_to_the_checked_address_under_the_hosts_name() -> None:
    seen: list[httpx.Request] = []
    outcome = probe(deployment(), resolver=public, transport=answering(200, seen))
    request = seen[0]
    assert (outcome.ok, outcome.status, outcome.error) == (True, 200, "")
    assert (str(request.url), request.headers["host"]) == ("https://160.79.104.10/v1/messages", "api.anthropic.com")
    assert (request.extensions["sni_hostname"], request.headers["x-api-key"]) == ("api.anthropic.com", KEY)
    assert b'"max_tokens":1' in request.content


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "credential_refused"),
        (403, "credential_refused"),
        (402, "quota"),
        (404, "model_unknown"),
        (429, "rate_limited"),
        (503, "overloaded"),
        (529, "overloaded"),
        (500, "provider_error"),
        (302, "provider_error"),
    ],
)
def test_failure_is_told_by_its_class(status: int, kind: str) -> None:
    outcome = probe(deployment(), resolver=public, transport=answering(status))
    assert (outcome.ok, outcome.status, outcome.error) == (False, status, kind)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectTimeout("slow"), "timeout"),
        (httpx.ConnectError("no"), "unreachable"),
        (httpx.RemoteProtocolError("x"), "unreachable"),
    ],
)
def test_broken_connection_is_told_by_its_class(error: Exception, kind: str) -> None:
    assert probe(deployment(), resolver=public, transport=failing(error)).error == kind


def test_name_that_leads_inside_is_refused_before_any_call() -> None:
    seen: list[httpx.Request] = []
    outcome = probe(deployment(base_url="https://inside.example.com"), resolver=private, transport=answering(200, seen))
    assert (outcome.error, seen) == ("address_refused", [])


def test_address_of_the_operators_file_may_be_inside() -> None:
    inside = deployment(base_url="http://models.example.com:9000", origin=Origin.FILE)
    assert probe(inside, resolver=private, transport=answering(200)).ok


def test_missing_environment_is_told_without_a_call() -> None:
    outcome = probe(deployment(credential=Credential(name="x", secret="env:NOT_THERE_API_KEY")), resolver=public, transport=answering(200))
    assert outcome.error == "credential_unusable"


def test_demo_answers_without_a_socket() -> None:
    assert probe(deployment(provider="demo", model="demo-sonnet")).ok
    assert probe(deployment(provider="demo", model="demo-error-401")).error == "credential_refused"


def unknown(host: str, port: int) -> list[str]:
    raise socket.gaierror(-2, "Name or service not known")


def test_unknown_name_is_told() -> None:
    assert probe(deployment(), resolver=unknown).error == "dns"


def test_deployment_for_all_names_is_fine_when_its_provider_knows_none_of_them() -> None:
    everything = deployment(model="*")
    assert probe(everything, resolver=public, transport=answering(404)).ok
    assert probe(everything, resolver=public, transport=answering(401)).error == "credential_refused"


def test_deployment_without_a_needed_part_is_not_called() -> None:
    outcome = probe(deployment(provider="vertex_ai", model="claude-opus-5-5", credential=None), resolver=public, transport=answering(200))
    assert outcome.error == "not_served"
    assert "address" in outcome.sentence


@pytest.mark.parametrize(("provider", "extra", "path"), [
    ("openai", {"model": "gpt-6-mini"}, "/v1/chat/completions"),
    ("openai", {"model": "text-embedding-3-small"}, "/v1/embeddings"),
    ("groq", {"model": "llama-x"}, "/openai/v1/chat/completions"),
    ("bedrock", {"model": "amazon.nova-pro-v1:0", "region": "us-east-1"}, "/model/amazon.nova-pro-v1%3A0/converse"),
    ("gemini", {"model": "gemini-3-pro"}, "/v1beta/models/gemini-3-pro:generateContent"),
    ("azure", {"model": "ours", "base_url": "https://r.openai.azure.com"}, "/openai/v1/chat/completions"),
])  # fmt: skip
def test_every_kind_of_provider_is_asked_in_its_own_way(provider: str, extra: dict[str, str], path: str) -> None:
    seen: list[httpx.Request] = []
    assert probe(deployment(provider=provider, **extra), resolver=public, transport=answering(200, seen)).ok
    assert seen[0].url.raw_path.decode() == path
    assert KEY in str(seen[0].headers.get("authorization") or seen[0].headers.get("api-key") or seen[0].headers.get("x-goog-api-key"))

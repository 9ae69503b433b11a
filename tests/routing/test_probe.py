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
        (404, "model_unknown"),
        (429, "rate_limited"),
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
    [(httpx.ConnectTimeout("slow"), "timeout"), (httpx.ConnectError("no"), "unreachable"), (httpx.RemoteProtocolError("x"), "unreachable")],
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

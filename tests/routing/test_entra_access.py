"""Tokens of Microsoft Entra: asked for off the loop, kept while the authority is away, never told."""

from urllib.parse import parse_qs

import httpx
import pytest

from routing.providers.base import NotServed, UpstreamRequest
from routing.providers.entra_access import (
    AZURE_OPENAI_SCOPE,
    EntraAccess,
    Identity,
    is_entra,
    open_entra,
)  # fmt: skip
from routing.snapshot import DeploymentSnapshot

SECRET = "entra-canary-9914"
FIELDS = {"tenant_id": "8d1c2a3b-0000-4444-8888-aaaaaaaaaaaa", "client_id": "11111111-2222", "client_secret": SECRET}
IDENTITY = Identity("https://login.example", "tenant", "client", SECRET, AZURE_OPENAI_SCOPE)


class Authority:
    """Answers in turn; remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.now = 1000.0
        self.access = EntraAccess(IDENTITY, transport=httpx.MockTransport(self), clock=lambda: self.now)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((str(request.url), parse_qs(request.content.decode())))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def signed(self) -> list[tuple[bytes, bytes]]:
        request = UpstreamRequest("POST", "https://a.openai.azure.com", [], b"", DeploymentSnapshot("d", "d", "azure", "m"))
        self.access.sign(request)
        return request.headers

    def refusal(self) -> str:
        with pytest.raises(NotServed) as caught:
            self.signed()
        return str(caught.value)


def token(value: str = "tok-canary-1", lifetime: object = 3600) -> httpx.Response:
    return httpx.Response(200, json={"token_type": "Bearer", "expires_in": lifetime, "access_token": value})


def test_token_is_asked_for_by_client_credentials_and_put_into_requests() -> None:
    authority = Authority(token())
    authority.access.renew()
    assert authority.signed() == [(b"authorization", b"Bearer tok-canary-1")]
    url, form = authority.asked[0]
    assert url == "https://login.example/tenant/oauth2/v2.0/token"
    assert form == {"grant_type": ["client_credentials"], "client_id": ["client"], "client_secret": [SECRET], "scope": [AZURE_OPENAI_SCOPE]}


def test_before_the_first_token_nothing_is_served() -> None:
    assert "no token yet" in Authority().refusal()


@pytest.mark.parametrize("lifetime", [3600, "3600"])
def test_token_is_renewed_when_a_fifth_of_its_life_is_left(lifetime: object) -> None:
    authority = Authority(token(lifetime=lifetime), token("tok-canary-2"))
    authority.access.renew()
    authority.now += 2879
    authority.access.renew()
    assert len(authority.asked) == 1
    authority.now += 2
    authority.access.renew()
    assert authority.signed() == [(b"authorization", b"Bearer tok-canary-2")]


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("canary"), httpx.Response(500), httpx.Response(200, content=b"\xff"), token("a\nb")]
)
def test_old_token_stays_until_it_ends(failure: httpx.Response | Exception) -> None:
    authority = Authority(token(), failure)
    authority.access.renew()
    authority.now += 3000
    authority.access.renew()
    assert authority.signed() == [(b"authorization", b"Bearer tok-canary-1")]
    authority.now += 600
    assert "canary" not in authority.refusal()


def test_refusal_is_told_by_its_codes_without_what_was_sent() -> None:
    description = f"AADSTS7000215: Invalid client secret provided: '{SECRET}'."
    authority = Authority(httpx.Response(401, json={"error": "invalid_client", "error_description": description}))
    authority.access.renew()
    assert "401, invalid_client, AADSTS7000215" in authority.refusal()
    assert SECRET not in authority.refusal()


def test_redirect_is_not_followed() -> None:
    authority = Authority(httpx.Response(302, headers={"location": "https://elsewhere.example"}))
    authority.access.renew()
    assert "302" in authority.refusal()
    assert len(authority.asked) == 1


def test_secrets_are_in_no_repr() -> None:
    authority = Authority(token())
    authority.access.renew()
    assert "canary" not in f"{authority.access!r} {authority.access._token!r} {IDENTITY!r}"


@pytest.mark.parametrize("authority", ["", "https://login.microsoftonline.us/", "login.partner.microsoftonline.cn"])
def test_authorities_of_all_clouds_are_taken(authority: str) -> None:
    assert open_entra(FIELDS | {"authority": authority}, AZURE_OPENAI_SCOPE)


@pytest.mark.parametrize(
    "wrong",
    [{"authority": "evil.example"}, {"authority": "login.microsoftonline.com.evil.example"}, {"authority": "http://login.microsoftonline.com"},
     {"tenant_id": ""}, {"tenant_id": "a/b"}, {"tenant_id": "a?x"}, {"tenant_id": ".."}, {"client_id": "a b"}, {"client_secret": ""},
     {"scope": "https://graph.microsoft.com/.default"}, {"scope": "https://evil-azure.com/.default"}],
)  # fmt: skip
def test_fields_that_lead_elsewhere_are_refused_without_the_secret(wrong: dict[str, str]) -> None:
    with pytest.raises(NotServed) as caught:
        open_entra(FIELDS | wrong, AZURE_OPENAI_SCOPE)
    assert SECRET not in str(caught.value)


def test_plain_key_is_no_application() -> None:
    assert not is_entra({"api_key": "k"})
    assert is_entra(FIELDS)

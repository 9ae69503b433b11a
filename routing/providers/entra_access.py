"""Access to Azure for an application registered in Microsoft Entra: its id and secret against a bearer token, fetched off the loop."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
import msgspec

from routing.providers.base import NotServed, UpstreamRequest

FIELDS = ("tenant_id", "client_id", "client_secret")
AUTHORITY = "login.microsoftonline.com"
# The world's Azure, that of the US government, that of China under its new and its old name. A secret is sent nowhere else.
AUTHORITIES = frozenset({AUTHORITY, "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn"})
AZURE_OPENAI_SCOPE = "https://cognitiveservices.azure.com/.default"
FOUNDRY_SCOPE = "https://ai.azure.com/.default"
TIMEOUT = httpx.Timeout(10, connect=5)
# Renewed when a fifth of its life is left, so that an hour's token survives an outage of twelve minutes.
LEFT_AT_RENEWAL = 0.2
UNTOLD_LIFETIME_S = 3600
# A token that ends while the provider reads it is of no use.
LAST_SECONDS = 5

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
_CLIENT = re.compile(r"[A-Za-z0-9-]{1,64}")
_SCOPE = re.compile(r"https://([a-z0-9-]+\.)*azure\.(com|us|cn)/\.default")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_FAULT = re.compile(r"AADSTS\d{1,10}")
_KIND = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, at which authority, for what."""

    authority: str
    tenant: str
    client: str
    secret: str = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True)
class Token:
    value: bytes = field(repr=False)
    renew_at: float
    ends_at: float


class _Answer(msgspec.Struct):
    access_token: str = ""
    expires_in: int | str = UNTOLD_LIFETIME_S
    error: str = ""
    error_description: str = ""


def is_entra(fields: Mapping[str, str]) -> bool:
    """Whether a credential names an application instead of a key."""
    return any(fields.get(name) for name in FIELDS)


def open_entra(fields: Mapping[str, str], scope: str) -> "EntraAccess":
    """`fields` are tenant_id, client_id and client_secret, with `authority` and `scope` for other clouds; raises NotServed."""
    missing = [name for name in FIELDS if not fields.get(name)]
    if missing:
        raise NotServed(f"The credential names no {missing[0]}; an application of Microsoft Entra has {', '.join(FIELDS)}.")
    authority = fields.get("authority", "").removeprefix("https://").rstrip("/").lower() or AUTHORITY
    wanted = fields.get("scope") or scope
    if authority not in AUTHORITIES:
        raise NotServed(f"The credential's authority is none of {', '.join(sorted(AUTHORITIES))}.")
    if not _TENANT.fullmatch(fields["tenant_id"]) or ".." in fields["tenant_id"]:
        raise NotServed("The credential's tenant_id is no tenant: an id or a domain is needed.")
    if not _CLIENT.fullmatch(fields["client_id"]) or not _SCOPE.fullmatch(wanted):
        raise NotServed("The credential's client_id or scope is not of the form that Microsoft Entra gives.")
    return EntraAccess(Identity(f"https://{authority}", fields["tenant_id"], fields["client_id"], fields["client_secret"], wanted))


class EntraAccess:
    """One application's bearer token. `renew` runs in a background thread; the loop only ever reads the finished token."""

    def __init__(
        self, identity: Identity, *, transport: httpx.BaseTransport | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._identity = identity
        self._transport = transport
        self._clock = clock
        self._token: Token | None = None
        self._problem = "Microsoft Entra has given no token yet."

    def sign(self, request: UpstreamRequest) -> None:
        token = self._token
        if token is None or self._clock() >= token.ends_at:
            raise NotServed(self._problem)
        request.headers.append((b"authorization", b"Bearer " + token.value))

    def renew(self) -> None:
        if self._token is not None and self._clock() < self._token.renew_at:
            return
        asked_at = self._clock()
        try:
            answer = self._ask()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._problem = f"Microsoft Entra could not be reached for a token ({type(error).__name__})."
            return
        told = _read(answer.content)
        if answer.status_code != 200 or not _TOKEN.fullmatch(told.access_token):
            self._problem = _refusal(answer.status_code, told)
            return
        lifetime_s = _whole(told.expires_in)
        ends_at = asked_at + lifetime_s - LAST_SECONDS
        self._token = Token(told.access_token.encode(), asked_at + lifetime_s * (1 - LEFT_AT_RENEWAL), ends_at)
        self._problem = "Microsoft Entra's last token has run out."

    def _ask(self) -> httpx.Response:
        identity = self._identity
        form = {
            "grant_type": "client_credentials",
            "client_id": identity.client,
            "client_secret": identity.secret,
            "scope": identity.scope,
        }
        with httpx.Client(transport=self._transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
            return client.post(f"{identity.authority}/{identity.tenant}/oauth2/v2.0/token", data=form)


def _read(content: bytes) -> _Answer:
    try:
        return msgspec.json.decode(content, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Answer()


def _whole(lifetime: int | str) -> int:
    """Some clouds write the number as text."""
    text = str(lifetime)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else UNTOLD_LIFETIME_S


def _refusal(status: int, told: _Answer) -> str:
    """The codes that an administrator can look up; the description may repeat what was sent."""
    codes = [told.error if _KIND.fullmatch(told.error) else "", *_FAULT.findall(told.error_description)[:1]]
    detail = ", ".join(code for code in codes if code) or "no token in the answer"
    return f"Microsoft Entra refused a token: {status}, {detail}. Check tenant_id, client_id and client_secret."

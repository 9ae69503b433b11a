"""Access to Google Cloud: a key file, a workload's federated identity, or the machine's own account against a bearer token.

google-auth signs and asks; `renew` runs in a background thread, and the loop only ever reads the finished headers. Which kinds of file a
page may bring is decided where credentials are read, for some of them name addresses and files.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import google.auth
import urllib3
from google.auth import aws, identity_pool, impersonated_credentials
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.auth.transport.urllib3 import Request
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from routing.providers.base import NotServed, UpstreamRequest
from routing.snapshot import DeploymentSnapshot

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# Where a credential's fields hold Google's file, first found first taken.
FIELDS = ("google_json", "vertex_credentials", "api_key")
TIMEOUT = urllib3.Timeout(connect=5, read=10)
# Most tokens live an hour; one that is renewed this early survives an outage of ten minutes.
EARLY_S = 600
# After a failure: asking for the machine's own account takes a while where there is none.
PAUSE_S = 30
# A token that ends while Google reads it is of no use.
LAST_SECONDS = 5
UNTOLD_LIFETIME_S = 3600
AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105  # a type's name
_fault = re.compile(r"[a-z_]{1,60}")

Loader = Callable[[Request], tuple[Credentials, str]]


@dataclass(frozen=True, slots=True)
class Token:
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    ends_at: float


class GoogleAccess:
    """One identity's bearer token. `is_the_machines`: nobody gave a credential, the machine's own account is used."""

    def __init__(self, load: Loader, *, project: str = "", is_the_machines: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.project = project
        self.is_the_machines = is_the_machines
        self._load = load
        self._clock = clock
        self._renewing = threading.Lock()
        self._credentials: Credentials | None = None
        self._token: Token | None = None
        self._ask_after = 0.0
        self._problem = "Google has given no token yet."

    def sign(self, request: UpstreamRequest) -> None:
        token = self._token
        if token is None or self._clock() >= token.ends_at - LAST_SECONDS:
            raise NotServed(self._problem)
        request.headers.extend(token.headers)

    def renew(self) -> None:
        # google-auth's own refresh is not safe in two threads at once
        with self._renewing:
            if self._clock() < self._ask_after or (self._token is not None and self._clock() < self._token.ends_at - EARLY_S):
                return
            try:
                with _connections() as http:
                    self._token = self._fetch(Request(http))
            except (GoogleAuthError, OSError, ValueError) as error:
                self._problem = _problem(error)
                self._ask_after = self._clock() + PAUSE_S
            else:
                self._problem = "Google's last token has run out."

    def _fetch(self, ask: Request) -> Token:
        if self._credentials is None:
            self._credentials, project = self._load(ask)
            self.project = self.project or project
        found = self._credentials
        found.refresh(ask)
        headers: dict[str, str] = {}
        found.apply(headers)
        ends_at = found.expiry.replace(tzinfo=UTC).timestamp() if found.expiry else self._clock() + UNTOLD_LIFETIME_S
        return Token(tuple((name.lower().encode(), value.encode()) for name, value in headers.items()), ends_at)


def _connections() -> urllib3.PoolManager:
    """Straight to Google: no proxy of the environment's, and no redirect followed."""
    return urllib3.PoolManager(retries=urllib3.Retry(1, redirect=0), timeout=TIMEOUT)


def _problem(error: Exception) -> str:
    """What an administrator can act on; the error's own text may repeat what was sent."""
    if isinstance(error, DefaultCredentialsError):
        return "This machine has no Google credentials of its own, and the deployment names none."
    if isinstance(error, TransportError):
        return "Google could not be reached for a token."
    if isinstance(error, RefreshError):
        told = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
        code = str(told.get("error", ""))
        return f"Google refused a token: {code if _fault.fullmatch(code) else 'no reason given'}. Check the credential and its account."
    return f"A Google credential cannot be used ({type(error).__name__})."


def open_google(fields: Mapping[str, str], deployment: DeploymentSnapshot) -> GoogleAccess:
    """The access that a credential's fields give; none at all is the machine's own. Raises NotServed."""
    text = next((fields[name] for name in FIELDS if fields.get(name)), "")
    if not text:
        return GoogleAccess(_from_machine, is_the_machines=True)
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise NotServed("The credential is no key file of Google's: JSON is needed.")
    found = _from_file(info)
    return GoogleAccess(lambda ask: (found, ""), project=str(info.get("project_id") or ""))


def _from_machine(ask: Request) -> tuple[Credentials, str]:
    found, project = google.auth.default(scopes=SCOPES, request=ask)
    return found, project or ""


def _from_file(info: dict[str, Any]) -> Credentials:
    make = _MAKERS.get(str(info.get("type")))
    if make is None:
        raise NotServed(f"The credential is no key file that can be used here; its type is none of {', '.join(_MAKERS)}.")
    try:
        return make(info)
    except (GoogleAuthError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotServed(f"The credential's key file is damaged ({type(error).__name__}). Enter it again, whole.") from None


def _federated(info: dict[str, Any]) -> Credentials:
    if "executable" in info.get("credential_source", {}):
        raise NotServed("The credential's file wants a program to be run; that is not done here.")
    kind = aws if info.get("subject_token_type") == AWS_TOKEN else identity_pool
    found: Credentials = kind.Credentials.from_info(info, scopes=SCOPES)
    return found


_MAKERS: Mapping[str, Callable[[dict[str, Any]], Credentials]] = {
    "service_account": lambda info: service_account.Credentials.from_service_account_info(info, scopes=SCOPES),
    "authorized_user": lambda info: user_credentials.Credentials.from_authorized_user_info(info, scopes=SCOPES),
    "external_account": _federated,
    "impersonated_service_account": lambda info: impersonated_credentials.Credentials.from_impersonated_service_account_info(
        info, scopes=SCOPES
    ),
}

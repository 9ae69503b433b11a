"""One tiny real call to a deployment, for the "Test connection" buttons. Tells what kind of thing went wrong, never what was answered."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import msgspec
from django.conf import settings

from routing.credentials import CredentialUnusable, resolve
from routing.egress import EgressRefused, checked_address, url_problem
from routing.egress import resolve as addresses_of
from routing.models import Deployment, Origin
from routing.providers import demo

ANTHROPIC_URL = "https://api.anthropic.com"
TIMEOUT = httpx.Timeout(20, connect=5)
KINDS = {
    400: "request_refused",
    401: "credential_refused",
    403: "credential_refused",
    404: "model_unknown",
    429: "rate_limited",
    529: "overloaded",
}

Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is 0 when there was no answer; `error` is a class of failure, never the provider's text."""

    ok: bool
    status: int
    error: str
    ms: int


def probe(deployment: Deployment, *, resolver: Resolver = addresses_of, transport: httpx.BaseTransport | None = None) -> Outcome:
    started = time.perf_counter()
    status, error = 0, ""
    try:
        status = _demo_status(deployment) if deployment.provider == "demo" else _anthropic_status(deployment, resolver, transport)
    except CredentialUnusable:
        error = "credential_unusable"
    except EgressRefused:
        error = "address_refused"
    except (httpx.TimeoutException, TimeoutError):
        error = "timeout"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError):
        error = "unreachable"
    is_ok = 200 <= status < 300
    kind = error or ("" if is_ok else KINDS.get(status, "provider_error"))
    return Outcome(is_ok, status, kind, round((time.perf_counter() - started) * 1000))


def _question(deployment: Deployment) -> bytes:
    return msgspec.json.encode({"model": deployment.model, "max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]})


def _demo_status(deployment: Deployment) -> int:
    return demo.answer("/v1/messages", _question(deployment)).status


def _anthropic_status(deployment: Deployment, resolver: Resolver, transport: httpx.BaseTransport | None) -> int:
    """Connects to the very address that was checked, so that a second look-up cannot lead elsewhere."""
    base, allowed = deployment.base_url or ANTHROPIC_URL, settings.TALLYGATE_EGRESS_ALLOW
    is_operators = deployment.origin == Origin.FILE
    if problem := url_problem(base, allowed, is_operators=is_operators):
        raise EgressRefused(problem)
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    address = checked_address(resolver(host, port), allowed, is_operators=is_operators)
    target = httpx.URL(base.rstrip("/") + "/v1/messages").copy_with(host=address)
    headers = {"host": parts.netloc, "content-type": "application/json", "anthropic-version": "2023-06-01", "accept-encoding": "identity"}
    if deployment.credential:
        headers["x-api-key"] = resolve(deployment.credential)
    with httpx.Client(transport=transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
        request = client.build_request("POST", target, content=_question(deployment), headers=headers, extensions={"sni_hostname": host})
        answer = client.send(request, stream=True)
        answer.close()
        return answer.status_code

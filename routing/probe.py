"""One tiny real call to a deployment, for test buttons, health checks and the doctor: what kind of thing is wrong, never what was said."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import msgspec
from django.conf import settings

from routing import diagnosis, translation
from routing.dialects.base import Dialect, PathAsk
from routing.dialects.chat import CHAT
from routing.dialects.converse import CONVERSE
from routing.dialects.embeddings import EMBEDDINGS
from routing.dialects.gemini import GEMINI
from routing.dialects.messages import MESSAGES
from routing.egress import EgressRefused, checked_address, url_problem
from routing.egress import resolve as addresses_of
from routing.loading import load_deployment
from routing.models import Deployment
from routing.providers import demo
from routing.providers.base import Call, Headers, NotServed, Provider, UpstreamRequest
from routing.providers.registry import PROVIDERS
from routing.snapshot import DeploymentSnapshot

TIMEOUT = httpx.Timeout(20, connect=5)
# Long enough for a refusal to be told apart from another.
READ_BYTES = 64 * 1024
NO_HEADERS: Headers = []
# Questions in the order in which they are tried: the smallest that each dialect has.
USER = [{"role": "user", "content": "ping"}]
QUESTIONS: dict[str, tuple[Dialect, dict[str, object]]] = {
    "messages": (MESSAGES, {"max_tokens": 1, "messages": USER}),
    "converse": (CONVERSE, {"messages": [{"role": "user", "content": [{"text": "ping"}]}], "inferenceConfig": {"maxTokens": 1}}),
    "gemini": (GEMINI, {"contents": [{"role": "user", "parts": [{"text": "ping"}]}], "generationConfig": {"maxOutputTokens": 1}}),
    "chat": (CHAT, {"messages": USER}),
    "embeddings": (EMBEDDINGS, {"input": "ping"}),
}

Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is 0 when there was no answer; `error` is a class of failure (routing/diagnosis.py), never the provider's text."""

    ok: bool
    status: int
    error: str
    ms: int

    @property
    def sentence(self) -> str:
        return diagnosis.SENTENCES[self.error]


def probe(row: Deployment, *, resolver: Resolver = addresses_of, transport: httpx.BaseTransport | None = None) -> Outcome:
    started = time.perf_counter()
    status, error = 0, ""
    try:
        status, error = _tried(load_deployment(row), resolver, transport)
    except NotServed:
        error = "not_served"
    except EgressRefused:
        error = "address_refused"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as failure:
        error = diagnosis.of_failure(failure)
    return Outcome(not error, status, error, round((time.perf_counter() - started) * 1000))


def _tried(deployment: DeploymentSnapshot, resolver: Resolver, transport: httpx.BaseTransport | None) -> tuple[int, str]:
    provider = PROVIDERS.get(deployment.provider)
    if provider is None:
        raise NotServed(f"Provider {deployment.provider} is not served here.")
    if deployment.problem:
        return 0, "credential_unusable"
    if deployment.access is not None:
        deployment.access.renew()
    call = _smallest_call(provider, deployment)
    request = provider.build(call)
    if provider.is_in_process:
        status, headers, body = demo.answer(request.url, bytes(request.body)).status, NO_HEADERS, b""
    else:
        status, headers, body = _sent(request, deployment, resolver, transport)
    if 200 <= status < 300:
        return status, ""
    kind = diagnosis.of_answer(call.dialect.read_error(status, headers, body))
    # A deployment that passes on any name is asked for none that exists: that it knows none is a good answer.
    return status, "" if deployment.model == "*" and kind == "model_unknown" else kind


def _smallest_call(provider: Provider, deployment: DeploymentSnapshot) -> Call:
    named = "embeddings" if "embed" in (deployment.base_model or deployment.model) else ""
    for operation in (named, *QUESTIONS) if named else QUESTIONS:
        spoken = provider.speaks(deployment, operation)
        asked, question = QUESTIONS[operation]
        if spoken is None or not translation.can_serve(asked, spoken):
            continue
        body = msgspec.json.encode({"model": deployment.model, **question})
        ask = asked.read(body, PathAsk(deployment.model, is_stream=False))
        headers = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]
        sent = translation.request(asked, spoken, ask, deployment.model)
        return Call(operation, deployment, spoken, ask, deployment.model, "", headers, sent)
    raise NotServed(f"{deployment.provider} is not asked in any way that this test knows.")


def _sent(
    request: UpstreamRequest, deployment: DeploymentSnapshot, resolver: Resolver, transport: httpx.BaseTransport | None
) -> tuple[int, Headers, bytes]:
    """Connects to the very address that was checked, so that a second look-up cannot lead elsewhere."""
    # A vendor's own address may lie in a private network of its making (PrivateLink), as in proxy/pool.py.
    allowed, is_operators = settings.TALLYGATE_EGRESS_ALLOW, deployment.is_operators or not deployment.base_url
    parts = urlsplit(request.url)
    if deployment.base_url and (problem := url_problem(deployment.base_url, allowed, is_operators=is_operators)):
        raise EgressRefused(problem)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    address = checked_address(resolver(host, port), allowed, is_operators=is_operators)
    target = httpx.URL(request.url).copy_with(host=address)
    headers = [(b"host", parts.netloc.encode()), *request.headers]
    with httpx.Client(transport=transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
        built = client.build_request("POST", target, content=bytes(request.body), headers=headers, extensions={"sni_hostname": host})
        answer = client.send(built, stream=True)
        try:
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > READ_BYTES:
                    break
        finally:
            answer.close()
        return answer.status_code, [(name.lower(), value) for name, value in answer.headers.raw], body

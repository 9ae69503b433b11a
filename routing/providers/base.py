"""What a provider is to the walk: where a call goes, with which headers, and what may come back.

Providers build requests; `proxy/upstream.py` sends them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from routing.dialects.base import Ask, Dialect
from routing.dialects.pieces import Body
from routing.snapshot import DeploymentSnapshot

Headers = list[tuple[bytes, bytes]]


class NotServed(Exception):
    """This deployment cannot take the call; another may. The text is for the administrator and holds no secret."""


@dataclass(slots=True)
class UpstreamRequest:
    """One HTTP request to a provider. Timeouts are the deployment's."""

    method: str
    url: str
    headers: Headers
    body: Body
    deployment: DeploymentSnapshot


class Access(Protocol):
    """What opens a provider's door where a key in a header does not. `sign` never waits; `renew` is called off the loop."""

    def sign(self, request: UpstreamRequest) -> None:
        """Adds what the provider wants to see; the request is final then. Raises NotServed when there is no valid token now."""
        ...

    def renew(self) -> None:
        """Fetches what is due soon; keeps the old on failure and never raises."""
        ...


@dataclass(slots=True)
class Call:
    """One call as a provider is to be asked. `operation` is the endpoint's: messages, count_tokens, chat, responses, converse, ...

    `headers` are those of the caller's that may go on, `body` is written in `dialect`, which the provider named for this call.
    `own_access` is the caller's own upstream credential, as it stood in Authorization; almost always empty.
    """

    operation: str
    deployment: DeploymentSnapshot
    dialect: Dialect
    ask: Ask
    model: str
    query: str
    headers: Headers
    body: Body
    own_access: bytes = b""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's habits. `cancel_stops_billing`: closing the connection ends the bill, so an abandoned call is cut, else drained.

    `speaks` names the dialect in which a deployment takes an operation, or None when it does not serve it. `open` makes an Access of a
    credential's fields (a plain key stands under "api_key"), for providers that want more than a key in a header.
    """

    name: str
    speaks: Callable[[DeploymentSnapshot, str], Dialect | None]
    build: Callable[[Call], UpstreamRequest]
    cancel_stops_billing: bool = False
    is_in_process: bool = False
    open: Callable[[Mapping[str, str], DeploymentSnapshot], Access] | None = None


# What a client may say to a provider. Everything else stays here: credentials, cookies, forwarding and our own headers above all.
FORWARDED = frozenset({
    b"content-type", b"accept", b"user-agent", b"x-app", b"idempotency-key", b"openai-beta", b"x-client-request-id",
    b"x-ms-client-request-id",
})  # fmt: skip
FORWARDED_PREFIXES = (b"anthropic-", b"x-amzn-bedrock-", b"x-stainless-")

# What a provider may say to a client: never cookies, the provider account's identity, or limits shared by every key behind it.
DROPPED_FROM_ANSWERS = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"content-length", b"set-cookie", b"set-cookie2", b"server", b"date", b"via", b"alt-svc", b"nel", b"report-to",
    b"strict-transport-security", b"request-id", b"anthropic-organization-id", b"anthropic-workspace-id", b"cf-ray", b"cf-cache-status",
    b"x-robots-tag", b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"proxy-authorization",
    b"proxy-authentication-info", b"openai-organization", b"openai-project", b"x-request-id", b"apim-request-id", b"x-amzn-requestid",
})  # fmt: skip
DROPPED_PREFIXES = (
    b"anthropic-ratelimit-", b"anthropic-priority-", b"anthropic-fast-", b"x-tallygate-", b"x-litellm-", b"access-control-",
    b"x-ratelimit-", b"x-ms-", b"azureml-", b"x-groq-",
)  # fmt: skip


ORDINARY_HOPS = frozenset({b"", b"keep-alive", b"close"})


def forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The client's headers that go on to the provider, in their order. Those that it names in Connection were meant for us alone."""
    kept = [field for field in headers if _may_go_up(field[0])]
    hops = b",".join(value for name, value in headers if name == b"connection").lower()
    if hops not in ORDINARY_HOPS:
        named = {hop.strip() for hop in hops.split(b",")}
        kept = [(name, value) for name, value in kept if name not in named]
    return kept


def returned(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The provider's headers (names in lower case) that go back to the client, byte for byte."""
    return [field for field in headers if _may_come_down(field[0])]


# In the order in which their support asks for them.
REQUEST_IDS = frozenset({b"request-id", b"x-request-id", b"x-amzn-requestid"})
# Of what stands before a provider, where the provider itself names none.
APIM = b"apim-request-id"


def request_id(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The provider's own name for the call, as it stands in the head of its answer."""
    spare = b""
    for name, value in headers:
        if name in REQUEST_IDS:
            return value.decode("latin-1")
        if name == APIM:
            spare = value
    return spare.decode("latin-1")


# Remembered, for the names are few and asked for on every call.


@lru_cache(maxsize=1024)
def _may_go_up(name: bytes) -> bool:
    return name in FORWARDED or name.startswith(FORWARDED_PREFIXES)


@lru_cache(maxsize=1024)
def _may_come_down(name: bytes) -> bool:
    return name not in DROPPED_FROM_ANSWERS and not name.startswith(DROPPED_PREFIXES)

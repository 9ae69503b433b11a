"""What a provider is to the walk: where a call goes, with which headers, and what may come back.

Providers build requests; `proxy/upstream.py` sends them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from routing.snapshot import DeploymentSnapshot

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class UpstreamRequest:
    """One HTTP request to a provider. Timeouts are the deployment's."""

    method: str
    url: str
    headers: Headers
    body: bytes
    deployment: DeploymentSnapshot


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's habits. `cancel_stops_billing`: closing the connection ends the bill, so an abandoned call is cut, else drained."""

    name: str
    dialect: str
    build: Callable[[DeploymentSnapshot, str, str, Headers, bytes], UpstreamRequest]
    cancel_stops_billing: bool = False
    is_in_process: bool = False


# What a client may say to a provider. Everything else stays here: credentials, cookies, forwarding and our own headers above all.
FORWARDED = frozenset({b"content-type", b"accept", b"user-agent", b"x-app", b"idempotency-key"})
FORWARDED_PREFIXES = (b"anthropic-", b"x-stainless-")

# What a provider may say to a client: never cookies, the provider account's identity, or limits shared by every key behind it.
DROPPED_FROM_ANSWERS = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
    "set-cookie", "set-cookie2", "server", "date", "via", "alt-svc", "nel", "report-to", "strict-transport-security", "request-id",
    "anthropic-organization-id", "anthropic-workspace-id", "cf-ray", "cf-cache-status", "x-robots-tag", "authorization", "x-api-key",
    "api-key", "x-goog-api-key", "cookie", "proxy-authorization", "proxy-authentication-info",
})  # fmt: skip
DROPPED_PREFIXES = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-", "x-tallygate-", "x-litellm-", "access-control-")


ORDINARY_HOPS = frozenset({b"", b"keep-alive", b"close"})


def forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The client's headers that go on to the provider, in their order. Those that it names in Connection were meant for us alone."""
    kept = [(name, value) for name, value in headers if name in FORWARDED or name.startswith(FORWARDED_PREFIXES)]
    hops = b",".join(value for name, value in headers if name == b"connection").lower()
    if hops not in ORDINARY_HOPS:
        named = {hop.strip() for hop in hops.split(b",")}
        kept = [(name, value) for name, value in kept if name not in named]
    return [(name.decode("latin-1"), _text(value)) for name, value in kept]


def _text(value: bytes) -> str:
    """A header's value so that the HTTP client, which writes UTF-8, writes the same bytes; what is no UTF-8 is taken for Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def returned(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The provider's headers that go back to the client, their values byte for byte: the HTTP client reads them with surrogateescape."""
    kept = []
    for name, value in headers.items():
        lower = name.lower()
        if lower not in DROPPED_FROM_ANSWERS and not lower.startswith(DROPPED_PREFIXES):
            kept.append((lower.encode("latin-1"), value.encode("utf-8", "surrogateescape")))
    return kept

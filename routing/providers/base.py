"""What a provider is to the walk: where a call goes, with which headers, and what may come back. Builds requests; `proxy/upstream.py` sends them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from routing.snapshot import DeploymentSnapshot

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One HTTP request to a provider. Timeouts are the deployment's."""

    method: str
    url: str
    headers: Headers
    body: bytes
    deployment: DeploymentSnapshot


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's habits. `cancel_stops_billing`: closing the connection ends the bill, so a call nobody reads is cancelled, not drained."""

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
})  # fmt: skip
DROPPED_PREFIXES = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-", "x-tallygate-", "x-litellm-", "access-control-")


def forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The client's headers that go on to the provider, in their order."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name in FORWARDED or name.startswith(FORWARDED_PREFIXES)
    ]


def returned(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The provider's headers that go back to the client."""
    kept = []
    for name, value in headers.items():
        lower = name.lower()
        if lower not in DROPPED_FROM_ANSWERS and not lower.startswith(DROPPED_PREFIXES):
            kept.append((lower.encode("latin-1"), value.encode("latin-1")))
    return kept

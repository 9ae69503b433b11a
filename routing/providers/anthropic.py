"""Anthropic's own API. Takes Messages as they come, in both API versions; the version and betas are the client's."""

from routing.providers.base import Headers, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot

BASE_URL = "https://api.anthropic.com"
DEFAULT_VERSION = b"2023-06-01"


def build(deployment: DeploymentSnapshot, path: str, query: str, headers: Headers, body: bytes) -> UpstreamRequest:
    """`path` is the vendor's path, such as /v1/messages; the query string goes on as it came."""
    base = (deployment.base_url or BASE_URL).rstrip("/").removesuffix("/v1")
    url = f"{base}{path}?{query}" if query else base + path
    if not any(name == b"anthropic-version" for name, _ in headers):
        headers.append((b"anthropic-version", DEFAULT_VERSION))
    headers.append((b"x-api-key", deployment.secret.encode()))
    return UpstreamRequest("POST", url, headers, body, deployment)


PROVIDER = Provider("anthropic", dialect="messages", build=build, cancel_stops_billing=True)

"""Anthropic's own API. Takes Messages as they come, in both API versions; the version and betas are the client's."""

import re

import msgspec

from routing.dialects.base import UNREADABLE, Dialect
from routing.dialects.messages import MESSAGES
from routing.providers.base import Call, Headers, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot

BASE_URL = "https://api.anthropic.com"
DEFAULT_VERSION = b"2023-06-01"
PATHS = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}
_betas = msgspec.json.Decoder(list[str])
# Versions of the API; a cloud's own (`bedrock-2023-05-31`) are none.
_is_version = re.compile(rb"20\d\d-\d\d-\d\d").fullmatch


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    return MESSAGES if operation in PATHS else None


def build(call: Call) -> UpstreamRequest:
    """The query string goes on as it came."""
    base = (call.deployment.base_url or BASE_URL).rstrip("/").removesuffix("/v1")
    url = base + PATHS[call.operation]
    headers = call.headers
    add_version(headers, call)
    headers.append((b"x-api-key", call.deployment.secret.encode()))
    return UpstreamRequest("POST", f"{url}?{call.query}" if call.query else url, headers, call.body, call.deployment)


def add_version(headers: Headers, call: Call) -> None:
    """The version that a client left out, and what one in a cloud's wrapping has in its body: version and betas."""
    is_wrapped = "model" not in call.ask.fields
    if not any(name == b"anthropic-version" for name, _ in headers):
        wrapped = bytes(call.ask.fields.get("anthropic_version", b"")).strip(b'"') if is_wrapped else b""
        headers.append((b"anthropic-version", wrapped if _is_version(wrapped) else DEFAULT_VERSION))
    raw = call.ask.fields.get("anthropic_beta")
    if raw is None or not is_wrapped:
        return
    try:
        named = _betas.decode(raw)
    except UNREADABLE:
        return
    betas = ",".join(beta for beta in named if beta.isascii() and beta.isprintable())
    if betas:
        headers.append((b"anthropic-beta", betas.encode()))


PROVIDER = Provider("anthropic", speaks, build, cancel_stops_billing=True)

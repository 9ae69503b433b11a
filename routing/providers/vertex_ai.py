"""Vertex AI: Claude by rawPredict, Gemini in its own tongue. The location is in the host and in the path.

A deployment without a credential is opened by the caller's own Google token, where one came along, else by the machine's own account.
"""

import re

from routing.dialects.base import Dialect
from routing.dialects.gemini import GEMINI, GEMINI_COUNT, GEMINI_EMBED
from routing.dialects.raw_predict import RAW_COUNT, spoken_at, versioned
from routing.providers import anthropic
from routing.providers.base import Call, NotServed, Provider, UpstreamRequest
from routing.providers.google_access import GoogleAccess, open_google
from routing.snapshot import DeploymentSnapshot

CLAUDE = frozenset({"messages", "count_tokens"})
GEMINIS: dict[str, Dialect] = {"gemini": GEMINI, "gemini_count": GEMINI_COUNT, "gemini_embed": GEMINI_EMBED}
# What to do, as the path's last word says it: for a whole answer, for a stream.
VERBS = {
    "messages": ("rawPredict", "streamRawPredict"),
    "count_tokens": ("rawPredict", "rawPredict"),
    "gemini": ("generateContent", "streamGenerateContent?alt=sse"),
    "gemini_count": ("countTokens", "countTokens"),
    "gemini_embed": ("embedContent", "embedContent"),
    "gemini_embeds": ("batchEmbedContents", "batchEmbedContents"),
}
# The calls of Gemini's clients are written for v1beta1, which knows all that v1 does.
CLAUDE_VERSION, GEMINI_VERSION = "v1", "v1beta1"
HOST = "aiplatform.googleapis.com"
MULTI_REGIONS = frozenset({"us", "eu"})

_patterns = {
    "project": re.compile(r"(?:[a-z0-9-]{1,60}(?:\.[a-z0-9-]{1,60}){1,5}:)?[a-z0-9][a-z0-9-]{0,62}"),
    "location": re.compile(r"global|us|eu|[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}"),
    "model": re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*(?:@[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*)?"),
    "API version": re.compile(r"v1(?:beta1)?"),
}
LONGEST = 200


def checked(kind: str, value: str) -> str:
    """A part of the address as it may enter one; raises NotServed."""
    if not value:
        raise NotServed(f"The deployment's {kind} is not set.")
    if len(value) > LONGEST or not _patterns[kind].fullmatch(value):
        raise NotServed(f"The deployment's {kind} is of no form that Google gives.")
    return value


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    """Claude takes Messages, everything else Gemini's calls; behind `*` there may be both."""
    is_claude = "claude" in f"{deployment.model} {deployment.base_model}".lower()
    if operation in CLAUDE and (is_claude or deployment.model == "*"):
        return spoken_at(deployment.region) if operation == "messages" else RAW_COUNT
    return None if is_claude else GEMINIS.get(operation)


def host(location: str) -> str:
    if location == "global":
        return HOST
    return f"aiplatform.{location}.rep.googleapis.com" if location in MULTI_REGIONS else f"{location}-{HOST}"


def build(call: Call) -> UpstreamRequest:
    """The caller's query stays here; what it could say stands in the path or in the body."""
    body = call.body
    if call.operation in CLAUDE:
        anthropic.add_version(call.headers, call)
        named = dict(call.headers).get(b"anthropic-version", b"")
        body = versioned(bytes(body), call.ask, named.decode("latin-1"))
    request = UpstreamRequest("POST", address(call), call.headers, body, call.deployment)
    access = call.deployment.access
    if call.own_access and _is_open_to_callers(call.deployment):
        request.headers.append((b"authorization", call.own_access))
    elif access is not None:
        access.sign(request)
    else:
        raise NotServed("The deployment has no Google credential.")
    return request


def address(call: Call) -> str:
    deployment, is_claude = call.deployment, call.operation in CLAUDE
    location = checked("location", deployment.region)
    project = checked("project", deployment.project or _project_of(deployment))
    version = checked("API version", deployment.api_version or (CLAUDE_VERSION if is_claude else GEMINI_VERSION))
    model = checked("model", "count-tokens" if call.operation == "count_tokens" else call.model)
    base = deployment.base_url.rstrip("/").removesuffix("/v1").removesuffix("/v1beta1") or f"https://{host(location)}"
    publisher = "anthropic" if is_claude else "google"
    verb = VERBS[call.operation][call.ask.is_stream]
    return f"{base}/{version}/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{verb}"


def _project_of(deployment: DeploymentSnapshot) -> str:
    """The project that the credential itself belongs to."""
    return deployment.access.project if isinstance(deployment.access, GoogleAccess) else ""


def _is_open_to_callers(deployment: DeploymentSnapshot) -> bool:
    access = deployment.access
    return access is None or (isinstance(access, GoogleAccess) and access.is_the_machines)


PROVIDER = Provider("vertex_ai", speaks, build, open=open_google)

"""The Gemini API: a key in a header. In Gemini's own tongue, and in OpenAI's at an address of its own on the same host."""

from routing.dialects.base import Dialect
from routing.dialects.gemini import GEMINI_EMBEDS
from routing.providers.base import Call, NotServed, Provider, UpstreamRequest
from routing.providers.openai import DIALECTS, PATHS, request_to
from routing.providers.vertex_ai import GEMINIS, VERBS, checked
from routing.snapshot import DeploymentSnapshot

BASE_URL = "https://generativelanguage.googleapis.com"
VERSIONS = ("v1beta", "v1alpha", "v1")
NATIVE: dict[str, Dialect] = {**GEMINIS, "gemini_embeds": GEMINI_EMBEDS}
OPENAIS: dict[str, Dialect] = {operation: DIALECTS[operation] for operation in ("chat", "embeddings")}


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    return NATIVE.get(operation) or OPENAIS.get(operation)


def build(call: Call) -> UpstreamRequest:
    """The caller's query stays here: it may hold a key, and what else it could say stands in the path."""
    deployment = call.deployment
    version = deployment.api_version or VERSIONS[0]
    if version not in VERSIONS:
        raise NotServed(f"The deployment's API version is none of {', '.join(VERSIONS)}.")
    if not deployment.secret:
        raise NotServed("The deployment has no Gemini API key.")
    base = deployment.base_url.rstrip("/").removesuffix(f"/{version}") or BASE_URL
    if call.operation in OPENAIS:
        return request_to(f"{base}/{version}/openai{PATHS[call.operation]}", call)
    verb = VERBS[call.operation][call.ask.is_stream]
    request = UpstreamRequest("POST", f"{base}/{version}/models/{checked('model', call.model)}:{verb}", call.headers, call.body, deployment)
    request.headers.append((b"x-goog-api-key", deployment.secret.encode()))
    return request


PROVIDER = Provider("gemini", speaks, build)

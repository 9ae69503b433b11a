"""The endpoint table: every path of the data plane, with what it is. A path not in it does not exist here."""

from collections.abc import Callable

from proxy.asgi import Scope
from proxy.doors import azure, bedrock, gemini, vertex
from proxy.endpoints import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    HELLO,
    LIVENESS,
    MESSAGES,
    MODEL,
    MODEL_GROUPS,
    MODEL_INFO,
    MODELS,
    READINESS,
    RESPONSES,
    Endpoint,
    Place,
)
from routing.dialects.base import Dialect
from routing.dialects.chat import CHAT as OPENAI
from routing.dialects.converse import CONVERSE as AWS
from routing.dialects.gemini import GEMINI as GOOGLE
from routing.dialects.messages import MESSAGES as ANTHROPIC

# Clients append their path to whatever base they were given, so a base that ends in /v1 can give /v1/v1.
_ANTHROPIC_BASES = ("", "/anthropic", "/v1", "/anthropic/v1")
_OPENAI_BASES = ("", "/v1", "/v1/v1", "/openai", "/openai/v1", "/azure/openai/v1")
_OPENAI = {"/chat/completions": CHAT, "/completions": COMPLETIONS, "/embeddings": EMBEDDINGS, "/responses": RESPONSES}

_PATHS: dict[str, Endpoint] = {
    **{f"{base}/v1/messages": MESSAGES for base in _ANTHROPIC_BASES},
    **{f"{base}/v1/messages/count_tokens": COUNT_TOKENS for base in _ANTHROPIC_BASES},
    **{f"{base}/v1/models": MODELS for base in (*_ANTHROPIC_BASES, "/openai", "/azure/openai")},
    **{f"{base}{path}": endpoint for base in _OPENAI_BASES for path, endpoint in _OPENAI.items()},
    "/models": MODELS,
    "/model/info": MODEL_INFO,
    "/v1/model/info": MODEL_INFO,
    "/model_group/info": MODEL_GROUPS,
    "/openai/models": MODELS,
    "/api/hello": HELLO,
    "/anthropic/api/hello": HELLO,
    "/health/liveliness": LIVENESS,
    "/health/liveness": LIVENESS,
    "/health/readiness": READINESS,
}
PLACES = {path: Place(endpoint) for path, endpoint in _PATHS.items()}
MODEL_PREFIXES = tuple(f"{base}/v1/models/" for base in (*_ANTHROPIC_BASES, "/openai"))

# The entrances of clients in a cloud's own mode: the path's first segment, and what reads the rest of it.
Finder = Callable[[str, bytes, bytes], Place | None]
DOORS: dict[str, Finder] = {
    "bedrock": bedrock.find,
    **dict.fromkeys(vertex.PREFIXES, vertex.find),
    "gemini": gemini.find,
    "v1beta": gemini.find,
    "openai": azure.find,
    "azure": azure.find,
}
# How callers at a place where there is nothing are answered, by the path's first segment.
TONGUES: dict[str, Dialect] = {
    **dict.fromkeys(("openai", "azure", "chat", "completions", "embeddings", "responses"), OPENAI),
    "bedrock": AWS,
    "gemini": GOOGLE,
    "v1beta": GOOGLE,
}
FIRSTS = frozenset({"v1", "anthropic", *DOORS})


def find(scope: Scope) -> Place | None:
    """What is at a path; one trailing slash is forgiven."""
    path = scope["path"]
    place = PLACES.get(path) or PLACES.get(path.removesuffix("/"))
    if place is not None:
        return place
    if path.startswith(MODEL_PREFIXES):
        return Place(MODEL)
    door = DOORS.get(_first(path))
    return door(scope["method"], scope.get("raw_path") or path.encode(), scope["query_string"]) if door is not None else None


def dialect_at(path: str) -> Dialect:
    """How a caller at this path is told that there is nothing, or that its request is no HTTP."""
    place = PLACES.get(path)
    return place.endpoint.dialect if place is not None else TONGUES.get(_first(path), ANTHROPIC)


def _first(path: str) -> str:
    return path[1:].partition("/")[0]


def is_ours(path: str) -> bool:
    """Whether the data plane answers for this path, if only to say that there is nothing."""
    return path in PLACES or path.removesuffix("/") in PLACES or _first(path) in FIRSTS

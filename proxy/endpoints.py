"""The endpoint table: every path of the data plane, with what it is. A path not in it does not exist here."""

from collections.abc import Callable
from dataclasses import dataclass

from proxy.asgi import Scope
from routing.dialects.base import NOTHING, Dialect, PathAsk
from routing.dialects.messages import MESSAGES as MESSAGES_DIALECT


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """`operation` is what providers are asked for (empty: answered here), `dialect` how its callers speak.

    `is_billed` is false for what providers give away (count_tokens). `takes_vendor_ids`: callers in a cloud's own mode name models by that
    cloud's ids, so the route is also found by what its deployments serve.
    """

    name: str
    methods: tuple[str, ...]
    operation: str = ""
    dialect: Dialect = MESSAGES_DIALECT
    is_billed: bool = False
    takes_vendor_ids: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads, and what it says of the call."""

    endpoint: Endpoint
    path_ask: PathAsk = NOTHING


MESSAGES = Endpoint("messages", ("POST",), "messages", is_billed=True)
COUNT_TOKENS = Endpoint("count_tokens", ("POST",), "count_tokens")
MODELS = Endpoint("models", ("GET", "HEAD"))
MODEL = Endpoint("model", ("GET", "HEAD"))
HELLO = Endpoint("hello", ("GET", "HEAD"))
LIVENESS = Endpoint("liveness", ("GET", "HEAD"))
READINESS = Endpoint("readiness", ("GET", "HEAD"))

# Clients append /v1/messages to whatever base they were given, so a base that ends in /v1 gives /v1/v1.
_BASES = ("", "/anthropic", "/v1", "/anthropic/v1")

_PATHS: dict[str, Endpoint] = {
    **{f"{base}/v1/messages": MESSAGES for base in _BASES},
    **{f"{base}/v1/messages/count_tokens": COUNT_TOKENS for base in _BASES},
    **{f"{base}/v1/models": MODELS for base in _BASES},
    "/models": MODELS,
    "/api/hello": HELLO,
    "/anthropic/api/hello": HELLO,
    "/health/liveliness": LIVENESS,
    "/health/liveness": LIVENESS,
    "/health/readiness": READINESS,
}
PLACES = {path: Place(endpoint) for path, endpoint in _PATHS.items()}
MODEL_PREFIXES = tuple(f"{base}/v1/models/" for base in _BASES)
PREFIXES = ("/v1/", "/anthropic/")

# The entrances of clients in a cloud's own mode: the path's first segment, and what reads the rest of it.
Finder = Callable[[str, bytes, bytes], Place | None]
DOORS: dict[str, Finder] = {}
# How callers at a place where there is nothing are answered.
TONGUES: dict[str, Dialect] = {}


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
    return place.endpoint.dialect if place is not None else TONGUES.get(_first(path), MESSAGES_DIALECT)


def _first(path: str) -> str:
    return path[1:].partition("/")[0]


def is_ours(path: str) -> bool:
    """Whether the data plane answers for this path, if only to say that there is nothing."""
    return path in PLACES or path.startswith(PREFIXES) or path.removesuffix("/") in PLACES or _first(path) in DOORS

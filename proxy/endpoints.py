"""The endpoint table: every path of the data plane, with what it is. A path not in it does not exist here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`upstream_path` is the vendor's own path; `is_billed` is false for what providers give away (count_tokens)."""

    name: str
    methods: tuple[str, ...]
    dialect: str = "messages"
    upstream_path: str = ""
    is_billed: bool = False


MESSAGES = Endpoint("messages", ("POST",), upstream_path="/v1/messages", is_billed=True)
COUNT_TOKENS = Endpoint("count_tokens", ("POST",), upstream_path="/v1/messages/count_tokens")
MODELS = Endpoint("models", ("GET", "HEAD"))
MODEL = Endpoint("model", ("GET", "HEAD"))
HELLO = Endpoint("hello", ("GET", "HEAD"))
LIVENESS = Endpoint("liveness", ("GET", "HEAD"))
READINESS = Endpoint("readiness", ("GET", "HEAD"))

# Clients append /v1/messages to whatever base they were given, so a base that ends in /v1 gives /v1/v1.
_BASES = ("", "/anthropic", "/v1", "/anthropic/v1")

ENDPOINTS: dict[str, Endpoint] = {
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
MODEL_PREFIXES = tuple(f"{base}/v1/models/" for base in _BASES)
PREFIXES = ("/v1/", "/anthropic/")


def find(path: str) -> Endpoint | None:
    """The endpoint at a decoded path; one trailing slash is forgiven."""
    endpoint = ENDPOINTS.get(path) or ENDPOINTS.get(path.removesuffix("/"))
    if endpoint is None and path.startswith(MODEL_PREFIXES):
        return MODEL
    return endpoint


def is_ours(path: str) -> bool:
    """Whether the data plane answers for this path, if only to say that there is nothing."""
    return find(path) is not None or path.startswith(PREFIXES)

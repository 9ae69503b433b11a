"""What an endpoint is: what its callers ask for, and how they speak. Where they are: proxy/table.py and doors/."""

from dataclasses import dataclass

from routing.dialects import chat, completions, embeddings, messages, responses
from routing.dialects.base import NOTHING, Dialect, PathAsk


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """`operation` is what providers are asked for (empty: answered here), `dialect` how its callers speak.

    `is_billed` is false for what providers give away (count_tokens). `cloud` is the provider whose own mode its callers are in: they name
    models by that provider's ids, so the route is also found by what its deployments serve, and may bring their own access to it.
    """

    name: str
    methods: tuple[str, ...]
    operation: str = ""
    dialect: Dialect = messages.MESSAGES
    is_billed: bool = False
    cloud: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads, and what it says of the call."""

    endpoint: Endpoint
    path_ask: PathAsk = NOTHING


MESSAGES = Endpoint("messages", ("POST",), "messages", is_billed=True)
COUNT_TOKENS = Endpoint("count_tokens", ("POST",), "count_tokens")
CHAT = Endpoint("chat", ("POST",), "chat", chat.CHAT, is_billed=True)
COMPLETIONS = Endpoint("completions", ("POST",), "completions", completions.COMPLETIONS, is_billed=True)
EMBEDDINGS = Endpoint("embeddings", ("POST",), "embeddings", embeddings.EMBEDDINGS, is_billed=True)
RESPONSES = Endpoint("responses", ("POST",), "responses", responses.RESPONSES, is_billed=True)
MODELS = Endpoint("models", ("GET", "HEAD"))
MODEL = Endpoint("model", ("GET", "HEAD"))
MODEL_INFO = Endpoint("model_info", ("GET", "HEAD"), dialect=chat.CHAT)
MODEL_GROUPS = Endpoint("model_groups", ("GET", "HEAD"), dialect=chat.CHAT)
HELLO = Endpoint("hello", ("GET", "HEAD"))
LIVENESS = Endpoint("liveness", ("GET", "HEAD"))
READINESS = Endpoint("readiness", ("GET", "HEAD"))

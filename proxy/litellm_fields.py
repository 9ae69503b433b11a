"""LiteLLM's own fields in the body of a call: tags, and those of its tests. They are meant for gateways, so no provider is sent them."""

import msgspec

from proxy.exchange import Exchange
from proxy.mocks import Mocks
from proxy.record import MAX_TAGS
from routing.dialects.base import UNREADABLE, Ask
from routing.dialects.body import Raws

TESTS = frozenset(
    {"mock_response", "mock_tool_calls", "mock_timeout", "mock_testing_fallbacks", "mock_testing_context_fallbacks",
     "mock_testing_content_policy_fallbacks", "mock_testing_rate_limit_error"}
)  # fmt: skip
# Any of these is reason to look closer.
FIELDS = TESTS | {"tags", "metadata"}

_raws = msgspec.json.Decoder(Raws)
_texts = msgspec.json.Decoder(list[str])
_encode = msgspec.json.Encoder().encode


def take_out(exchange: Exchange, ask: Ask) -> None:
    """Leaves what a provider knows. Test fields act only where the operator wants them to; raises BadBody for one that cannot."""
    tests = {} if TESTS.isdisjoint(ask.fields) else {name: ask.fields[name] for name in TESTS & ask.fields.keys()}
    fields = {name: value for name, value in ask.fields.items() if name not in tests} if tests else ask.fields
    if "tags" in fields or b'"tags"' in bytes(fields.get("metadata", b"")):
        fields, ask.tags = _without_tags(fields)
    ask.fields = fields
    if tests and exchange.plane.takes_test_fields:
        exchange.mocks = Mocks.of(tests)


def _without_tags(fields: Raws) -> tuple[Raws, tuple[str, ...]]:
    kept, named = dict(fields), []
    if (own := _list(fields.get("tags"))) is not None:
        named += own
        del kept["tags"]
    metadata = _object(fields.get("metadata"))
    if (inner := _list(metadata.pop("tags", None))) is not None:
        named += inner
        kept["metadata"] = msgspec.Raw(_encode(metadata))
        if not metadata:
            del kept["metadata"]
    return kept, tuple(dict.fromkeys(tag.strip()[:100] for tag in named if tag.strip()))[:MAX_TAGS]


def _list(raw: msgspec.Raw | None) -> list[str] | None:
    """None for what is something else than LiteLLM's list of texts: that is the provider's to judge."""
    try:
        return None if raw is None else _texts.decode(raw)
    except UNREADABLE:
        return None


def _object(raw: msgspec.Raw | None) -> Raws:
    try:
        return {} if raw is None else _raws.decode(raw)
    except UNREADABLE:
        return {}

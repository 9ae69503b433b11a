"""What the dialects of OpenAI's APIs share: the body's splice, its cap on output, who calls, errors, pings."""

from collections.abc import Mapping, Set
from typing import ClassVar

import msgspec

from routing.dialects import openai_errors
from routing.dialects.base import NOTHING, UNCAPPED_OUTPUT, Ask, BadBody, Dialect, Fields, PathAsk, Told
from routing.dialects.body import Raws
from routing.dialects.messages import checked_model
from routing.dialects.openai_body import MAX_TOKENS_LIMIT, encode, flag, inner, model_of, require, text, top_level, whole_number
from routing.dialects.pieces import Body, object_of

# What OpenAI asks for by one name and answers with another.
TIERS = {"fast": "priority"}


class OpenAIDialect(Dialect):
    errors: ClassVar[str] = "openai"
    id_header: ClassVar[bytes] = b"x-request-id"
    ping: ClassVar[bytes] = b": keep-alive\n\n"
    statuses: ClassVar[Mapping[int, int]] = {529: 503}

    # Fields without which there is no call; those that bound one answer's output; those that we decide by besides.
    required: ClassVar[tuple[str, ...]] = ()
    caps: ClassVar[tuple[str, ...]] = ()
    deciding: ClassVar[Set[str]] = frozenset({"model", "stream"})
    # The least cap that the vendor takes, and what bounds an answer whose cap is not given.
    least_cap: ClassVar[int] = 1
    usual_cap: ClassVar[int] = UNCAPPED_OUTPUT

    def answers(self, fields: Raws) -> int:
        """How many answers are made; each may be as long as the cap."""
        return 1

    def check(self, fields: Raws) -> None:
        """Raises BadBody for what this dialect cannot serve."""

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = top_level(body, self.deciding)
        require(fields, *self.required)
        self.check(fields)
        model = checked_model(path.model or model_of(fields))
        is_stream = flag(fields, "stream") if path.is_stream is None else path.is_stream
        return Ask(fields, model, is_stream, 0 if counts_only else self._most_output(fields), len(body))

    def _most_output(self, fields: Raws) -> int:
        stated = [whole_number(fields, name, self.least_cap, MAX_TOKENS_LIMIT) for name in self.caps]
        # of several the largest counts: some providers only know the older name
        return max((cap for cap in stated if cap is not None), default=self.usual_cap) * self.answers(fields)

    def write(self, ask: Ask, model: str) -> Body:
        return object_of({**self.body_fields(ask), "model": msgspec.Raw(encode(model))}, ask.size)

    def body_fields(self, ask: Ask) -> Raws:
        """What goes to the provider, but for the model's name."""
        return ask.fields

    def lower_max_tokens(self, ask: Ask, tokens: int) -> bool:
        """False where no cap is stated: providers differ in which they know, and one that is not known bounds nothing."""
        each = tokens // self.answers(ask.fields)
        stated = [name for name in self.caps if whole_number(ask.fields, name, self.least_cap, MAX_TOKENS_LIMIT) is not None]
        if not stated or each < 1:
            return False
        ask.max_tokens = each * self.answers(ask.fields)
        ask.fields = {**ask.fields, **dict.fromkeys(stated, msgspec.Raw(b"%d" % each))}
        return True

    def pricing_hints(self, ask: Ask) -> dict[str, str]:
        tier = text(ask.fields, "service_tier", 40)
        return {"tier": TIERS.get(tier, tier)} if tier else {}

    def user_and_session(self, ask: Ask) -> tuple[str, str]:
        fields = ask.fields
        user, session = text(fields, "user", 200) or text(fields, "safety_identifier", 200), text(fields, "prompt_cache_key", 100)
        metadata = _metadata(fields)
        return user or text(metadata, "user_id", 200), text(metadata, "session_id", 100) or session

    def error_body(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return encode({"error": openai_errors.body(status, message, error_type, code)})

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return b"data: " + self.error_body(status, message, request_id, error_type=error_type, code=code) + b"\n\n"

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        return openai_errors.told(status, headers, body)


def _metadata(fields: Raws) -> Raws:
    try:
        return inner(fields, "metadata")
    except BadBody:
        return {}

"""Bedrock's Converse and ConverseStream: one shape for every model that Bedrock has, the model in the path."""

import msgspec

from routing.dialects.aws_side import OwnBody
from routing.dialects.base import UNCAPPED_OUTPUT, UNREADABLE, Ask, BadBody
from routing.dialects.body import Raws
from routing.dialects.converse_reader import ConverseReader
from routing.dialects.messages import MAX_TOKENS_LIMIT


class _Limits(msgspec.Struct):
    maxTokens: int | None = None


class _Thinking(msgspec.Struct):
    type: str = ""
    budget_tokens: int = 0
    maxReasoningEffort: str | None = None


class _Additional(msgspec.Struct):
    max_tokens: int | None = None
    thinking: _Thinking | None = None
    reasoning_config: _Thinking | None = None
    reasoningConfig: _Thinking | None = None


class _Tier(msgspec.Struct):
    type: str = ""


_encoder = msgspec.json.Encoder()
_limits = msgspec.json.Decoder(_Limits)
_additional = msgspec.json.Decoder(_Additional)
_tier = msgspec.json.Decoder(_Tier)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Converse(OwnBody):
    name = family = "converse"

    def most_output(self, fields: Raws) -> int:
        return _max_tokens(fields)

    def reader(self) -> ConverseReader:
        return ConverseReader()

    def pricing_hints(self, ask: Ask) -> dict[str, str]:
        raw = ask.fields.get("serviceTier")
        try:
            tier = _tier.decode(raw).type[:40] if raw is not None else ""
        except UNREADABLE:
            return {}
        return {"tier": tier} if tier else {}

    def shows_its_length(self, ask: Ask, betas: bytes) -> bool:
        """What is shown of reasoning may be a summary of what is billed."""
        additional = _additional_of(ask.fields)
        asked = [thinking for thinking in (additional.thinking, additional.reasoning_config, additional.reasoningConfig) if thinking]
        return all(thinking.type in {"", "disabled"} for thinking in asked)

    def lower_max_tokens(self, ask: Ask, tokens: int) -> bool:
        """False where that leaves no room for the thinking that was asked for."""
        additional = _additional_of(ask.fields)
        budgets = [thinking.budget_tokens for thinking in (additional.thinking, additional.reasoning_config) if thinking]
        if additional.max_tokens is not None or any(tokens <= budget for budget in budgets):
            return False
        raw = ask.fields.get("inferenceConfig")
        inside = _object.decode(raw) if raw is not None else {}
        limits = _encoder.encode({**inside, "maxTokens": tokens})
        ask.max_tokens = tokens
        ask.fields = {**ask.fields, "inferenceConfig": msgspec.Raw(limits)}
        return True


def _max_tokens(fields: Raws) -> int:
    """The larger of both places, for a model's own field may go beside Converse's."""
    try:
        stated = _limits.decode(fields["inferenceConfig"]).maxTokens if "inferenceConfig" in fields else None
    except UNREADABLE:
        raise BadBody("inferenceConfig.maxTokens: a whole number is needed") from None
    counts = [count for count in (stated, _additional_of(fields).max_tokens) if count is not None] or [UNCAPPED_OUTPUT]
    if not all(0 < count <= MAX_TOKENS_LIMIT for count in counts):
        raise BadBody(f"inferenceConfig.maxTokens: a number from 1 to {MAX_TOKENS_LIMIT} is needed")
    return max(counts)


def _additional_of(fields: dict[str, msgspec.Raw]) -> _Additional:
    raw = fields.get("additionalModelRequestFields")
    try:
        return _additional.decode(raw) if raw is not None else _Additional()
    except UNREADABLE:
        return _Additional(thinking=_Thinking(type="unreadable"))


CONVERSE = Converse()

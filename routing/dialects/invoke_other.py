"""Bedrock's InvokeModel of any model but Claude: Titan, Nova, Cohere, Llama, Mistral, each with a body of its own, which passes as it came.

What it cost stands in headers, or in metrics beside the last event of a stream.
"""

import msgspec

from routing.dialects.aws_side import OwnBody
from routing.dialects.base import UNCAPPED_OUTPUT, UNREADABLE, BadBody
from routing.dialects.body import Raws
from routing.dialects.invoke_reader import OtherReader
from routing.dialects.messages import MAX_TOKENS_LIMIT

# Where these models take their cap on output: at the top, or one level down.
CAPS = (
    "max_tokens",
    "maxTokens",
    "max_gen_len",
    "maxTokenCount",
    "max_tokens_to_sample",
    "max_completion_tokens",
    "max_new_tokens",
    "maxNewTokens",
)
INSIDE = ("inferenceConfig", "textGenerationConfig")
# Bodies of models that embed or rank: no output is generated.
NO_OUTPUT = frozenset({"inputText", "texts", "images", "inputs", "query", "embeddingConfig", "embeddingTypes", "taskType"})

_encoder = msgspec.json.Encoder()
_integer = msgspec.json.Decoder(int)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class InvokeOther(OwnBody):
    name = family = "invoke_other"

    def most_output(self, fields: Raws) -> int:
        return _max_tokens(fields)

    def reader(self) -> OtherReader:
        return OtherReader()


def _max_tokens(fields: Raws) -> int:
    """The largest cap that is named; what names none and is no embedding is held for what such models write at most."""
    levels = [fields]
    for name in INSIDE:
        if name in fields:
            levels.append(_inner(fields[name], name))
    caps = [_count(level[name], name) for level in levels for name in CAPS if name in level]
    if caps:
        return max(caps)
    is_text = "textGenerationConfig" in fields or "prompt" in fields or "messages" in fields
    return UNCAPPED_OUTPUT if is_text or not NO_OUTPUT & fields.keys() else 0


def _inner(raw: msgspec.Raw, name: str) -> dict[str, msgspec.Raw]:
    try:
        return _object.decode(raw)
    except UNREADABLE:
        raise BadBody(f"{name}: an object is needed") from None


def _count(raw: msgspec.Raw, name: str) -> int:
    try:
        count = _integer.decode(raw)
    except UNREADABLE:
        raise BadBody(f"{name}: a whole number is needed") from None
    if not 0 <= count <= MAX_TOKENS_LIMIT:
        raise BadBody(f"{name}: a number from 0 to {MAX_TOKENS_LIMIT} is needed")
    return count


INVOKE_OTHER = InvokeOther()

"""OpenAI's Chat Completions, as OpenAI, Azure and all compatible providers speak it."""

from typing import ClassVar

from routing.dialects.base import Ask, Filter
from routing.dialects.body import Raws
from routing.dialects.chat_reader import ChatReader
from routing.dialects.openai_body import MAX_ANSWERS, whole_number
from routing.dialects.openai_family import OpenAIDialect
from routing.dialects.usage_chunk import OPTIONS, UsageChunkFilter, asks_for_usage, with_usage, without_usage


class Chat(OpenAIDialect):
    """Streams are always asked for their usage; the chunk that tells it is taken out for callers who did not ask."""

    name = family = "chat"
    required: ClassVar[tuple[str, ...]] = ("messages",)
    caps: ClassVar[tuple[str, ...]] = ("max_completion_tokens", "max_tokens")
    deciding = frozenset({"model", "stream", OPTIONS, "n", *caps})

    def answers(self, fields: Raws) -> int:
        return whole_number(fields, "n", 1, MAX_ANSWERS) or 1

    def check(self, fields: Raws) -> None:
        asks_for_usage(fields)

    def body_fields(self, ask: Ask) -> Raws:
        return with_usage(ask.fields) if ask.is_stream else ask.fields

    def answer_filter(self, ask: Ask) -> Filter | None:
        return UsageChunkFilter() if ask.is_stream and not asks_for_usage(ask.fields) else None

    def reader(self) -> ChatReader:
        return ChatReader()


class ChatUnasked(Chat):
    """Of providers that tell the usage of every stream with its last piece, and refuse to be asked for it (Mistral)."""

    def body_fields(self, ask: Ask) -> Raws:
        return without_usage(ask.fields)

    def answer_filter(self, ask: Ask) -> Filter | None:
        return None


CHAT = Chat()
CHAT_UNASKED = ChatUnasked()

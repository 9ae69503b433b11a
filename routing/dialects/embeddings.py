"""OpenAI's Embeddings: texts in, vectors out, no output tokens."""

from typing import ClassVar

from routing.dialects.base import NOTHING, Ask, PathAsk
from routing.dialects.chat_reader import ChatReader
from routing.dialects.openai_family import OpenAIDialect


class Embeddings(OpenAIDialect):
    name = family = "embeddings"
    required: ClassVar[tuple[str, ...]] = ("input",)
    deciding = frozenset({"model"})

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        return super().read(body, PathAsk(path.model, is_stream=False), counts_only=True)

    def reader(self) -> ChatReader:
        return ChatReader()


EMBEDDINGS = Embeddings()

"""OpenAI's Completions of old: a prompt and how it goes on. Streams and usage are those of Chat Completions."""

from typing import ClassVar

import msgspec

from routing.dialects.base import UNREADABLE
from routing.dialects.body import Raws
from routing.dialects.chat import Chat
from routing.dialects.openai_body import MAX_ANSWERS, whole_number
from routing.dialects.usage_chunk import OPTIONS

_list = msgspec.json.Decoder(list[msgspec.Raw])


class Completions(Chat):
    name = family = "completions"
    required: ClassVar[tuple[str, ...]] = ("prompt",)
    caps: ClassVar[tuple[str, ...]] = ("max_tokens",)
    deciding = frozenset({"model", "stream", OPTIONS, "n", "best_of", "prompt", *caps})
    # Asked for no tokens at all it only reads the prompt.
    least_cap: ClassVar[int] = 0
    usual_cap: ClassVar[int] = 16

    def answers(self, fields: Raws) -> int:
        """For each prompt the best of so many are made, and paid for, and `n` are shown."""
        made = max(whole_number(fields, name, 1, MAX_ANSWERS) or 1 for name in ("n", "best_of"))
        return made * _prompts(fields["prompt"])


def _prompts(raw: msgspec.Raw) -> int:
    """How many prompts: one text or one list of tokens, or a list of such."""
    try:
        parts = _list.decode(raw)
    except UNREADABLE:
        return 1
    return len(parts) if parts and bytes(parts[0])[:1] in {b'"', b"["} else 1


COMPLETIONS = Completions()

"""Step five of the walk: one file per ordered pair of dialects. In one family: bytes untouched but for name and wrapping."""

from typing import Protocol

from billing.estimate import input_tokens_guess
from routing.dialects.base import ARRAY, Ask, Dialect
from routing.dialects.pieces import Body
from routing.translation import messages_to_converse
from routing.translation.converse_answer import BadAnswer, Given
from routing.translation.converse_parts import Unsayable
from routing.translation.converse_to_messages import ConverseToMessages
from routing.translation.reframe import between
from routing.translation.sse_to_array import ToArray

__all__ = ["Answer", "BadAnswer", "Unsayable", "answer", "can_serve", "request"]

MESSAGES, CONVERSE = "messages", "converse"
PAIRS = frozenset({(MESSAGES, CONVERSE)})


class Answer(Protocol):
    """Turns a provider's answer into the caller's dialect. What it gives for a stream ends at the boundary of an event."""

    def feed(self, chunk: bytes) -> bytes:
        """A piece of a stream."""
        ...

    def end(self) -> bytes:
        """What is still to come when the provider's stream has ended well."""
        ...

    def whole(self, body: bytes) -> bytes:
        """A whole JSON answer; raises BadAnswer for one that cannot be read."""
        ...


def can_serve(asked: Dialect, spoken: Dialect) -> bool:
    return asked.family == spoken.family or (asked.family, spoken.family) in PAIRS


def request(asked: Dialect, spoken: Dialect, ask: Ask, model: str, betas: tuple[str, ...] = ()) -> Body:
    """The body in the deployment's dialect; raises Unsayable for what cannot be said in it, BadBody for what is
    wrong anywhere. What got lost on the way stands in `ask.lost`."""
    if asked.family == spoken.family:
        return spoken.write(ask, model)
    said = messages_to_converse.translate(ask.fields, model, betas)
    ask.lost = said.lost
    return said.body


def answer(asked: Dialect, spoken: Dialect, ask: Ask, request_id: str) -> Answer | None:
    """What turns the answer round, or None where its bytes pass as they come."""
    if asked is spoken:
        return None
    if asked.family != spoken.family:
        names = messages_to_converse.tool_names(ask.fields)
        return ConverseToMessages(Given(request_id, ask.model, input_tokens_guess(ask.size), names))
    if asked.framing == ARRAY and asked.framing != spoken.framing:
        return ToArray()
    return between(asked, spoken)

"""Step five of the walk: one file per ordered pair of dialects. In one family: bytes untouched but for the model's name."""

from typing import Protocol

from routing.dialects.base import Ask, Dialect


class Answer(Protocol):
    """Turns a provider's answer into the caller's dialect. What it gives for a stream ends at the boundary of an event."""

    def feed(self, chunk: bytes) -> bytes:
        """A piece of a stream."""
        ...

    def end(self) -> bytes:
        """What is still to come when the provider's stream has ended well."""
        ...

    def whole(self, body: bytes) -> bytes:
        """A whole JSON answer."""
        ...


def can_serve(asked: Dialect, spoken: Dialect) -> bool:
    return asked.family == spoken.family


def request(asked: Dialect, spoken: Dialect, ask: Ask, model: str) -> bytes:
    """The body in the deployment's dialect."""
    if asked.family != spoken.family:
        raise LookupError(f"no translation from {asked.name} to {spoken.name}")
    return spoken.write(ask, model)


def answer(asked: Dialect, spoken: Dialect, ask: Ask, request_id: str) -> Answer | None:
    """What turns the answer round, or None where its bytes pass as they come."""
    return None

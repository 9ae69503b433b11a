"""Step five of the walk: one file per ordered pair of dialects. Same tongue: bytes untouched but for the model's name."""

from routing.dialects import messages
from routing.dialects.messages import Ask


def translate(asked: str, spoken: str, ask: Ask, model: str) -> bytes:
    """The body in the deployment's dialect. One dialect exists so far, so every pair is the same tongue."""
    if asked != spoken:
        raise LookupError(f"no translation from {asked} to {spoken}")
    return messages.write(ask, model)

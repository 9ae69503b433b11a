"""What an answer says of how it came about: which deployment served it, and what became of every attempt."""

from functools import lru_cache

from proxy.asgi import Fields
from proxy.exchange import Attempt, Exchange

CALL_ID = b"x-litellm-call-id"
NANO = 1_000_000_000


def attempt_headers(exchange: Exchange) -> Fields:
    """For every answer, good or not, for which a deployment was tried; under LiteLLM's names too, whose scripts read them."""
    attempts = exchange.attempts
    if not attempts:
        return []
    last = attempts[-1].deployment
    retries = len(attempts) - 1 - exchange.other_names
    return [
        (b"x-tallygate-deployment", _text(last.name)),
        (b"x-tallygate-attempts", b", ".join([_told(attempt) for attempt in attempts])),
        (b"x-litellm-model-id", _text(last.id)),
        (b"x-litellm-attempted-retries", b"%d" % max(retries, 0)),
        (b"x-litellm-attempted-fallbacks", b"%d" % exchange.other_names),
        (CALL_ID, _text(exchange.client.header(CALL_ID)[:100] or exchange.request_id)),
    ]


def cost_header(exchange: Exchange, attempt: Attempt) -> Fields:
    """In dollars, for answers whose usage is known before their first byte goes out."""
    charge = exchange.charge_of(attempt)
    if charge is None or charge[2].unpriced:
        return []
    return [(b"x-litellm-response-cost", b"%d.%09d" % divmod(charge[2].amount_nano, NANO))]


def _told(attempt: Attempt) -> bytes:
    """`"name";provider=anthropic;status=529;reason=overloaded;ms=120`; the attempt that is being answered has no time yet."""
    note = attempt.note
    parts = [b'"%b";provider=%b' % (_text(note.deployment), _text(note.provider))]
    if note.status:
        parts.append(b"status=%d" % note.status)
    if note.error_code:
        parts.append(b"reason=" + _text(note.error_code))
    if note.duration_ms:
        parts.append(b"ms=%d" % note.duration_ms)
    return b";".join(parts)


@lru_cache(maxsize=4096)
def _text(value: str) -> bytes:
    """As it may stand in a header, within quotes too."""
    return "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in value).encode()

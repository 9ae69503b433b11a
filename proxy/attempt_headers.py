"""What an answer says of how it came about: which deployment served it, and what became of every attempt."""

from functools import lru_cache

from proxy.asgi import Fields
from proxy.exchange import Attempt, Exchange

DEPLOYMENT, ATTEMPTS = b"x-tallygate-deployment", b"x-tallygate-attempts"
MODEL_ID, RETRIES, FALLBACKS = b"x-litellm-model-id", b"x-litellm-attempted-retries", b"x-litellm-attempted-fallbacks"
CALL_ID = b"x-litellm-call-id"
NANO = 1_000_000_000


def attempt_headers(exchange: Exchange) -> Fields:
    """For every answer, good or not; under LiteLLM's names too, whose scripts read them."""
    attempts = exchange.attempts
    sent = exchange.client.headers.get(CALL_ID)
    call_id = exchange.request_id.encode() if sent is None else _text(sent.decode("latin-1")[:100])
    if not attempts:
        return [(CALL_ID, call_id)]
    last = attempts[-1]
    if len(attempts) == 1 and not last.note.error_code:
        return [*_at_once(last.deployment.name, last.deployment.id, last.note.provider, last.note.status), (CALL_ID, call_id)]
    retries = len(attempts) - 1 - exchange.other_names
    return [
        (DEPLOYMENT, _text(last.deployment.name)),
        (ATTEMPTS, b", ".join([_told(attempt) for attempt in attempts])),
        (MODEL_ID, _text(last.deployment.id)),
        (RETRIES, b"%d" % max(retries, 0)),
        (FALLBACKS, b"%d" % exchange.other_names),
        (CALL_ID, call_id),
    ]


@lru_cache(maxsize=4096)
def _at_once(name: str, deployment_id: str, provider: str, status: int) -> tuple[tuple[bytes, bytes], ...]:
    """What almost every answer says: the first deployment served it."""
    told = b'"%b";provider=%b;status=%d' % (_text(name), _text(provider), status)
    return ((DEPLOYMENT, _text(name)), (ATTEMPTS, told), (MODEL_ID, _text(deployment_id)), (RETRIES, b"0"), (FALLBACKS, b"0"))


def cost_header(exchange: Exchange, attempt: Attempt) -> Fields:
    """In dollars, for answers whose usage is known before their first byte goes out."""
    charge = exchange.charge_of(attempt)
    if charge is None or charge[1].unpriced:
        return []
    return [(b"x-litellm-response-cost", b"%d.%09d" % divmod(charge[1].amount_nano, NANO))]


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

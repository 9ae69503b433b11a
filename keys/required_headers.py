"""A header whose secret value opens a key, or the whole gateway, to runners without a fixed address. Only its hash is kept. Pure."""

import hashlib
import re
from typing import Any

from keys.authenticate import CREDENTIAL_HEADERS
from keys.snapshot import RequiredHeader

COLUMNS = ("required_header", "required_header_hash")
SHORTEST = 8
LONGEST = 512
_name = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
# Headers that are passed on to providers, put on record, or changed on their way here: a secret has no place in them.
TAKEN_PREFIXES = (
    "anthropic-", "openai-", "x-amz", "x-goog-", "x-ms-", "x-stainless-", "x-litellm-", "x-claude-", "x-tallygate-", "x-forwarded-",
    "x-client-", "accept", "content-", "proxy-", "sec-", "if-",
)  # fmt: skip
TAKEN = frozenset({
    *(name.decode() for name in CREDENTIAL_HEADERS),
    "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "cookie", "user-agent", "x-app",
    "origin", "referer", "via", "forwarded", "x-real-ip", "x-request-id", "idempotency-key", "traceparent", "tracestate", "date", "range",
    "priority",
})  # fmt: skip


class WrongHeader(ValueError):
    """A header that cannot guard anything; the text says why, without the value."""


def required_header(name: str, value: str) -> RequiredHeader:
    plain, secret = name.strip().lower(), value.strip()
    if not _name.fullmatch(plain):
        raise WrongHeader("A header's name has letters, digits and hyphens, such as X-Runner-Secret.")
    if plain in TAKEN or plain.startswith(TAKEN_PREFIXES):
        raise WrongHeader(f"{plain} has a meaning of its own. Choose a name that nothing else uses, such as X-Runner-Secret.")
    if not SHORTEST <= len(secret) <= LONGEST or not secret.isascii() or not secret.isprintable():
        raise WrongHeader(f"The header's secret value has {SHORTEST} to {LONGEST} printable ASCII characters.")
    return RequiredHeader(plain.encode(), hashlib.sha256(secret.encode()).hexdigest())


def header_line(text: str) -> RequiredHeader:
    """`Name: value`, as ANTHROPIC_CUSTOM_HEADERS has it."""
    name, _, value = text.partition(":")
    return required_header(name, value)


def columns(name: str, value: str, known: tuple[str, str] | None = None) -> dict[str, Any]:
    """The two columns of a key. Without a value the known one stays as long as the name does; without a name there is no header."""
    if not name.strip():
        if value.strip():
            raise WrongHeader("Name the header that this value belongs to.")
        return dict.fromkeys(COLUMNS, "")
    if known and not value.strip() and name.strip().lower() == known[0]:
        return dict(zip(COLUMNS, known, strict=True))
    header = required_header(name, value)
    return dict(zip(COLUMNS, (header.name.decode(), header.digest), strict=True))

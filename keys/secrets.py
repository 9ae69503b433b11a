"""Tokens of virtual keys: made, hashed, shown. Pure; only hashes are ever stored."""

import hashlib
import secrets

PREFIX = "sk-"
RANDOM_BYTES = 32
SHORTEST = 8
LONGEST = 512


def make_token() -> str:
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def hash_token(token: str) -> str:
    """SHA-256 of the whole token: tokens are random and long, so no slower hash is needed to keep them."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def last_four(token: str) -> str:
    return token[-4:]


def mask(token: str) -> str:
    return f"{PREFIX}...{last_four(token)}"


def problem_with(token: str) -> str:
    """Why a token chosen by a person cannot be used, or an empty text."""
    if not token.startswith(PREFIX):
        return f"A key starts with {PREFIX}."
    if not SHORTEST <= len(token) <= LONGEST:
        return f"A key has {SHORTEST} to {LONGEST} characters."
    if not token.isascii() or not token.isprintable() or " " in token:
        return "A key has only printable ASCII characters and no spaces."
    return ""

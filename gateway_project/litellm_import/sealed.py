"""Texts that LiteLLM sealed with its salt key (NaCl's secretbox). They open where PyNaCl is installed; nothing else here needs it."""

import base64
import hashlib
import re
from typing import Any

from routing.model_names import read_name

try:
    from nacl.exceptions import CryptoError  # type: ignore[import-not-found]  # an optional extra
    from nacl.secret import SecretBox  # type: ignore[import-not-found]  # the same
except ImportError:  # sealed texts stay sealed then, and are told
    SecretBox, CryptoError = None, ValueError

# Nonce and authentication code.
OVERHEAD = 40
PLAIN_PREFIXES = ("sk-", "os.environ/")
_base64 = re.compile(r"[A-Za-z0-9+/_-]{54,}={0,2}")


class Opener:
    """`salt` is LITELLM_SALT_KEY, or the master key where LiteLLM had none."""

    def __init__(self, salt: str) -> None:
        self._box: Any = SecretBox(hashlib.sha256(salt.encode()).digest()) if SecretBox and salt else None

    @property
    def can_open(self) -> bool:
        return self._box is not None

    def open(self, text: str) -> str | None:
        """The text itself if it is not sealed; None if it is and does not open."""
        sealed = _bytes_of(text)
        if sealed is None or _is_model(text) or text.startswith(PLAIN_PREFIXES):
            return text
        if self._box is None:
            return None
        try:
            return str(self._box.decrypt(sealed), "utf-8")
        except (CryptoError, ValueError):
            return None


def _is_model(text: str) -> bool:
    return "/" in text and read_name(text).is_known


def _bytes_of(text: str) -> bytes | None:
    """What a sealed text is made of; None for one that cannot be one."""
    if not _base64.fullmatch(text) or len(text) % 4:
        return None
    found = base64.b64decode(text.replace("-", "+").replace("_", "/"))
    return found if len(found) > OVERHEAD and not _is_text(found) else None


def _is_text(found: bytes) -> bool:
    try:
        return found.decode().isprintable()
    except UnicodeDecodeError:
        return False

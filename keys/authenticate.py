"""Step one of the walk: headers → Caller, or a named refusal. Pure.

A client may send several credentials at once; the first in the documented order that is one of ours wins and the others are ignored.
"""

import hashlib
from ipaddress import ip_address

from keys.snapshot import Caller, KeySnapshot, Network

# LiteLLM's order: a configured header, then its own, then what vendors' clients send.
CREDENTIAL_HEADERS = (b"x-litellm-api-key", b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"proxy-authorization")
MAX_TOKEN_BYTES = 4096


class Refusal(Exception):
    """Why a credential does not open the door. `code` is the error contract's word; the text is for the person who calls."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def bare(value: bytes) -> bytes:
    """The token without its scheme."""
    return value[7:].strip() if value[:7].lower() == b"bearer " else value.strip()


def tokens(headers: dict[bytes, bytes], extra_header: bytes = b"") -> list[bytes]:
    """Every credential in the call, in the order in which they are tried."""
    found = []
    for name in (extra_header, *CREDENTIAL_HEADERS) if extra_header else CREDENTIAL_HEADERS:
        value = headers.get(name)
        if value:
            found.append(bare(value))
    return found


def identify(candidates: list[bytes], keys: KeySnapshot) -> Caller:
    """The caller of the first token that is ours; raises Refusal when none is."""
    for token in candidates:
        if len(token) <= MAX_TOKEN_BYTES:
            caller = keys.find(hashlib.sha256(token).hexdigest())
            if caller is not None:
                return caller
    if not candidates:
        raise Refusal("key_missing", "No key was sent. Your side. Send a virtual key as x-api-key or Authorization: Bearer.")
    raise Refusal("key_invalid", "The key is not known here. Your side. Check it, or ask your gateway's administrator for a new one.")


def check(caller: Caller, ip: str, now: float) -> None:
    """Raises Refusal when a known caller may not call now or from here."""
    if caller.blocked:
        raise Refusal("key_blocked", f"{caller.blocked} is blocked. Your side. Ask your gateway's administrator.")
    if caller.expires_at is not None and now >= caller.expires_at:
        raise Refusal("key_expired", f"Key {caller.key_name} has expired. Your side. Ask for a new one, or have it extended.")
    if caller.networks and not inside(ip, caller.networks):
        raise Refusal(
            "ip_not_allowed",
            f"Key {caller.key_name} may not be used from {ip or 'an unknown address'}. Your side. Call from an allowed network.",
        )


def inside(ip: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks; IPv4 and the same written as IPv6 are equal, on both sides."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    forms = (plain, ip_address(f"::ffff:{plain}")) if plain.version == 4 else (plain,)
    return any(form in network for network in networks for form in forms)


def client_ip(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    """The caller's address: the right-most hop that is not a trusted proxy. X-Forwarded-For counts only when the peer is trusted."""
    if not trusted or not forwarded or not inside(peer, trusted):
        return peer
    for hop in reversed([part.strip() for part in forwarded.split(",")]):
        if not inside(hop, trusted):
            return hop
    return peer

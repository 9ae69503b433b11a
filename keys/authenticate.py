"""Step one of the walk: headers → Caller, or a named refusal. Pure.

A client may send several credentials at once; the first in the documented order that is one of ours wins and the others are ignored.
"""

import hashlib
import re
from collections.abc import Mapping
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import parse_qs

from keys.snapshot import Caller, KeySnapshot, Network, RequiredHeader

# LiteLLM's order: a configured header, then its own, then what vendors' clients send.
CREDENTIAL_HEADERS = (b"x-litellm-api-key", b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"proxy-authorization")
MAX_TOKEN_BYTES = 4096
NO_HEADERS: Mapping[bytes, bytes] = {}
_signed_for_aws = re.compile(rb"AWS4-HMAC-SHA256\s+Credential=([^/,\s]{1,256})/")
UNKNOWN = "The key is not known here. Your side. Check it, or ask your gateway's administrator for a new one."
SIGNED = "The request is signed for AWS, which cannot be checked here. Your side. Set AWS_BEARER_TOKEN_BEDROCK to a virtual key instead."


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


def clouds_tokens(headers: dict[bytes, bytes], query: str, *, takes_aws_key_ids: bool) -> list[bytes]:
    """Where clients in a cloud's own mode put a key besides: `?key=`, and, only where the operator wants it, AWS's access key id.

    Raises Refusal for a request signed for AWS that brings nothing else: the secret behind that signature is not known here.
    """
    named = [value.encode() for value in parse_qs(query).get("key", [])] if "key=" in query else []
    signed = _signed_for_aws.match(headers.get(b"authorization", b""))
    if signed and takes_aws_key_ids:
        return [*named, signed.group(1)]
    if signed and not named and not any(headers.get(name) for name in CREDENTIAL_HEADERS if name != b"authorization"):
        raise Refusal("key_missing", SIGNED)
    return named


def own_access(headers: dict[bytes, bytes], extra_header: bytes, keys: KeySnapshot) -> bytes:
    """What stands in Authorization beside a key of ours in a header made for gateways: the caller's own access to the provider."""
    theirs = headers.get(b"authorization", b"")
    gate = headers.get(extra_header) if extra_header and extra_header != b"authorization" else None
    ours = [bare(value) for value in (gate, headers.get(b"proxy-authorization")) if value]
    if not theirs or not any(keys.find(digest(token)) for token in ours) or keys.find(digest(bare(theirs))):
        return b""
    return theirs


def digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def identify(candidates: list[bytes], keys: KeySnapshot) -> Caller:
    """The caller of the first token that is ours; raises Refusal when none is."""
    for token in candidates:
        if len(token) <= MAX_TOKEN_BYTES:
            caller = keys.find(digest(token))
            if caller is not None:
                return caller
    if not candidates:
        raise Refusal("key_missing", "No key was sent. Your side. Send a virtual key as x-api-key or Authorization: Bearer.")
    raise Refusal("key_invalid", UNKNOWN)


def check(caller: Caller, ip: str, now: float, headers: Mapping[bytes, bytes] = NO_HEADERS) -> None:
    """Raises Refusal when a known caller may not call now or from here."""
    if caller.blocked:
        raise Refusal("key_blocked", f"{caller.blocked} is blocked. Your side. Ask your gateway's administrator.")
    if caller.expires_at is not None and now >= caller.expires_at:
        raise Refusal("key_expired", f"Key {caller.key_name} has expired. Your side. Ask for a new one, or have it extended.")
    if caller.required_header is None:
        if caller.networks and not inside(ip, caller.networks):
            raise Refusal(
                "ip_not_allowed",
                f"Key {caller.key_name} may not be used from {ip or 'an unknown address'}. Your side. Call from an allowed network.",
            )
    elif not inside(ip, caller.networks) and not bears(headers, caller.required_header):
        raise Refusal(
            "header_required",
            f"Key {caller.key_name} may not be used from {ip or 'an unknown address'} without its secret header. Your side. Send "
            f"{caller.required_header.name.decode()} with its value{', or call from an allowed network' if caller.networks else ''}.",
        )


def bears(headers: Mapping[bytes, bytes], required: RequiredHeader) -> bool:
    """Whether a call brings the header with the value that opens."""
    return compare_digest(digest(headers.get(required.name, b"")), required.digest)


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

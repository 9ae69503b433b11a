"""Callers who bring a signed token (JWT) in place of a key. Looked at only for calls in which no key of ours was found.

Kept of a token is that it is genuine, until when, and whom it names; what they may do is read from the snapshot at each call.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import DatabaseError

from keys import authenticate as door
from keys.authenticate import Refusal
from keys.jwt_claims import ClaimNames, Identity, caller_of, identity, invalid, person_of, team_of
from keys.jwt_verify import KeyUnknown, Trust, looks_signed, verified
from keys.snapshot import Caller, Directory
from proxy.errors import GatewayError, of_refusal
from proxy.jwt_keys import Keys

if TYPE_CHECKING:
    from proxy.exchange import Exchange

MAX_KEPT = 10_000
NO_PEOPLE = "The person whom the signed token names cannot be added while the database is away. Gateway's side. Try again."


@dataclass(slots=True)
class Kept:
    """A genuine token. `caller` is what `directory` makes of it; it was checked with the keys of the change `of_keys`."""

    who: Identity
    ends_at: float
    caller: Caller
    directory: Directory
    of_keys: int


@dataclass(frozen=True, slots=True)
class Admission:
    """How people come in: `admit` makes one that is not known here, in a thread, and returns once the snapshot can have them."""

    admit: Callable[[Identity, str], None]
    default_team: str = ""
    email_domain: str = ""
    makes_people: bool = True
    default_parallel: int = 0


@dataclass(slots=True)
class SignedTokens:
    """What one process knows of them."""

    keys: Keys
    trust: Trust
    names: ClaimNames
    admission: Admission
    _kept: dict[str, Kept] = field(default_factory=dict)
    _admitting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def caller(self, tokens: list[bytes], exchange: "Exchange") -> Caller:
        """The caller of the first signed token that is good here; raises the first one's Refusal, or GatewayError."""
        first: Refusal | None = None
        for token in dict.fromkeys(tokens):
            if looks_signed(token):
                try:
                    return await self._one(token, exchange)
                except Refusal as refusal:
                    first = first or refusal
        raise first or Refusal("key_invalid", door.UNKNOWN)

    async def _one(self, token: bytes, exchange: "Exchange") -> Caller:
        name = hashlib.sha256(token).hexdigest()
        kept, directory = self._kept.get(name), exchange.snapshot.keys.directory
        if kept is None or kept.ends_at <= exchange.received_at or kept.of_keys != self.keys.changes:
            kept = await self._checked(token, exchange)
            self._keep(name, kept)
        elif kept.directory is not directory:
            kept.caller, kept.directory = await self._caller(kept.who, exchange), directory
        return kept.caller

    async def _checked(self, token: bytes, exchange: "Exchange") -> Kept:
        keys = await self.keys.current()
        try:
            claims = verified(token, keys, self.trust)
        except KeyUnknown:
            try:
                claims = verified(token, await self.keys.newer(), self.trust)
            except KeyUnknown:
                raise invalid("is not signed with a key that is known here") from None
        who, of_keys = identity(claims, self.names), self.keys.changes
        caller = await self._caller(who, exchange)
        return Kept(who, float(claims["exp"]) + self.trust.leeway_s, caller, exchange.snapshot.keys.directory, of_keys)

    def _keep(self, name: str, kept: Kept) -> None:
        """The oldest goes first: a token lives for an hour or so, whoever sends it."""
        self._kept.pop(name, None)
        self._kept[name] = kept
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    async def _caller(self, who: Identity, exchange: "Exchange") -> Caller:
        directory, admission = exchange.snapshot.keys.directory, self.admission
        team = team_of(who, directory, admission.default_team)
        person = person_of(who, directory) or await self._admitted(who, team, exchange)
        return caller_of(who, person, team, admission.default_parallel)

    async def _admitted(self, who: Identity, team: Caller, exchange: "Exchange") -> Caller:
        """Somebody new, made in the team that the token names; the snapshot has them when the change is committed."""
        admission, plane = self.admission, exchange.plane
        if not admission.makes_people or not _is_of_domain(who, admission.email_domain):
            text = f"The signed token names {who.user}, who is not known here. Your side. Ask your gateway's administrator to add you."
            raise Refusal("user_unknown", text)
        if team.blocked:
            raise Refusal("key_blocked", f"{team.blocked} is blocked. Your side. Ask your gateway's administrator.")
        async with self._admitting:
            person = person_of(who, plane.snapshot.keys.directory)
            if person is None:
                try:
                    await asyncio.to_thread(admission.admit, who, team.team_id)
                except DatabaseError as error:
                    raise GatewayError(503, "people_unavailable", NO_PEOPLE, retry_after_s=5) from error
                person = person_of(who, plane.snapshot.keys.directory)
        if person is None:
            raise GatewayError(503, "people_unavailable", NO_PEOPLE, retry_after_s=1)
        return person


def _is_of_domain(who: Identity, domain: str) -> bool:
    ending = f"@{domain.lower().removeprefix('@')}"
    return not domain or (who.email or who.user.lower()).endswith(ending)


async def signed_in(exchange: "Exchange") -> Caller:
    """The caller by a signed token, fit to call now and from here, where no key of ours came with the call."""
    plane, client = exchange.plane, exchange.client
    if plane.signed_tokens is None:
        raise of_refusal(Refusal("key_invalid", door.UNKNOWN))
    tokens = door.tokens(client.headers, plane.key_header)
    try:
        exchange.caller = caller = await plane.signed_tokens.caller(tokens, exchange)
        door.check(caller, exchange.client_ip, exchange.received_at, client.headers)
    except Refusal as refusal:
        raise of_refusal(refusal) from None
    return caller

"""The keys that signed tokens are checked with: set here for good, or fetched from an identity provider and kept while it is away."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from keys.jwt_verify import VerifyingKey, WrongKey, of_jwks
from proxy.errors import GatewayError
from routing.egress import EgressRefused, checked_address, resolve, url_problem

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(5)
WHOLE_S = 10.0
MAX_BYTES = 256 * 1024
UNAVAILABLE = (
    "The keys that signed tokens are checked with cannot be fetched. Gateway's side. Try again; the administrator sees why in the log."
)


class NotFetched(Exception):
    """The identity provider has not given its keys; the text says why, to the operator."""


@dataclass(slots=True)
class Keys:
    """`fixed` keys never change. Those of `urls` are fetched anew when older than `ttl_s`, or for a name that is not among them, and at
    most once in `apart_s`; while nobody gives new ones the last ones hold."""

    fixed: tuple[VerifyingKey, ...] = ()
    urls: tuple[str, ...] = ()
    egress_allow: Sequence[str] = ()
    ttl_s: float = 600.0
    apart_s: float = 10.0
    changes: int = 0
    _known: dict[str, tuple[VerifyingKey, ...]] = field(default_factory=dict)
    _tried_at: float = float("-inf")
    _fetching: "asyncio.Task[None] | None" = None

    async def current(self) -> tuple[VerifyingKey, ...]:
        """Raises GatewayError when there have never been any."""
        if not self.urls:
            return self.fixed
        if not self._known:
            await self._fetched()
        elif time.monotonic() - self._tried_at > self.ttl_s:
            self._begin()
        if not self._known:
            raise GatewayError(503, "token_keys_unavailable", UNAVAILABLE, retry_after_s=int(self.apart_s))
        return self._all()

    async def newer(self) -> tuple[VerifyingKey, ...]:
        """For a token that names a key which is not among the current ones: perhaps it was made since."""
        await self._fetched()
        return self._all()

    def _all(self) -> tuple[VerifyingKey, ...]:
        return tuple(key for keys in self._known.values() for key in keys)

    def _begin(self) -> "asyncio.Task[None] | None":
        """The fetch under way, or one begun now; none so shortly after the last."""
        if self._fetching is None and self.urls and time.monotonic() - self._tried_at >= self.apart_s:
            self._fetching = asyncio.create_task(self._fetch_all())
        return self._fetching

    async def _fetched(self) -> None:
        if task := self._begin():
            # a caller who leaves must not end it for the others
            await asyncio.shield(task)

    async def _fetch_all(self) -> None:
        try:
            found = await asyncio.gather(*(asyncio.to_thread(_told, url, self.egress_allow) for url in self.urls))
        finally:
            self._tried_at, self._fetching = time.monotonic(), None
        new = self._known | {url: keys for url, keys in zip(self.urls, found, strict=True) if keys}
        if _names(new) != _names(self._known):
            self.changes += 1
        self._known = new


def _names(known: dict[str, tuple[VerifyingKey, ...]]) -> list[tuple[str, str, object]]:
    """What sets of keys are told apart by: public keys are equal when their numbers are."""
    return [(url, key.kid, key.key) for url, keys in known.items() for key in keys]


def _told(url: str, allowed: Sequence[str]) -> tuple[VerifyingKey, ...]:
    """One set, or nothing and a line in the log. In a thread of its own."""
    try:
        return of_jwks(fetch(url, allowed))
    except (NotFetched, WrongKey) as error:
        told = {"host": urlsplit(url).hostname, "error": str(error)}
        logger.warning("keys for signed tokens were not fetched; the last ones hold", extra={"fields": told})
        return ()


def fetch(url: str, allowed: Sequence[str] = ()) -> bytes:
    """The operator's own address: private networks are open to it, metadata services are not. Goes where the check said it leads."""
    if problem := url_problem(url.partition("?")[0], allowed, is_operators=True):
        raise NotFetched(problem)
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        address = checked_address(resolve(host, parts.port or (443 if parts.scheme == "https" else 80)), allowed, is_operators=True)
        target = httpx.URL(url).copy_with(host=address)
        with httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
            named = {"host": parts.netloc, "accept": "application/json", "accept-encoding": "identity"}
            with client.stream("GET", target, headers=named, extensions={"sni_hostname": host}) as answer:
                return _body(answer)
    except (EgressRefused, httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise NotFetched(str(error) if isinstance(error, EgressRefused) else type(error).__name__) from error


def _body(answer: httpx.Response) -> bytes:
    if answer.status_code != 200:
        raise NotFetched(f"it answered {answer.status_code}")
    body, end = b"", time.monotonic() + WHOLE_S
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > MAX_BYTES or time.monotonic() > end:
            raise NotFetched("its answer is too large or too slow")
    return body

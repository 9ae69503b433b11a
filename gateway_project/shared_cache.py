"""Django's cache, in which attempts to sign in are counted: one for all processes where Redis is; each one's own while it is silent."""

import json
import logging
import time
from functools import lru_cache
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

Result = TypeVar("Result")

logger = logging.getLogger(__name__)
ANSWER_S, SILENCE_S = 0.5, 10.0
SPACE = "tallygate:cache"


class Unshared(Exception):
    """What was asked is not in Redis, or Redis does not answer."""


class Link:
    """One to a Redis for the whole process. After no answer it is left alone for a while: nobody waits for it at every step."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)
        self._silent_until = 0.0

    def ask(self, *command: str | int) -> Any:
        if time.monotonic() < self._silent_until:
            raise Unshared
        try:
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis types only its methods
        except (RedisError, OSError) as error:
            self._silent_until = time.monotonic() + SILENCE_S
            logger.warning("Redis does not answer (%s): attempts to sign in count for each process by itself", type(error).__name__)
            raise Unshared from error


@lru_cache(maxsize=4)
def link_to(url: str) -> Link:
    return Link(url)


class SharedCache(LocMemCache):
    """Only words, numbers and lists of them are shared: who writes to Redis must not bring code, nor a certificate that signs people in.

    What is cleared is this process's own: Redis holds more than this.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__("default", params)
        self._link = link_to(location)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        try:
            return self._written(key, value, timeout, version, "NX")
        except Unshared:
            return super().add(key, value, timeout, version)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        try:
            self._written(key, value, timeout, version)
        except Unshared:
            super().set(key, value, timeout, version)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        try:
            found = self._link.ask("GET", self._named(key, version))
        except Unshared:
            found = None
        return super().get(key, default, version) if found is None else _read(found, default)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        named = self._named(key, version)
        try:
            return int(self._link.ask("INCRBY", named, delta)) if self._link.ask("EXISTS", named) else super().incr(key, delta, version)
        except Unshared:
            return super().incr(key, delta, version)

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        here = super().touch(key, timeout, version)
        try:
            return bool(self._link.ask("PEXPIRE", self._named(key, version), self._lasts(timeout))) or here
        except Unshared:
            return here

    def delete(self, key: str, version: int | None = None) -> bool:
        here = super().delete(key, version)
        try:
            return bool(self._link.ask("DEL", self._named(key, version))) or here
        except Unshared:
            return here

    def has_key(self, key: str, version: int | None = None) -> bool:
        missing = object()
        return self.get(key, missing, version) is not missing

    def _written(self, key: str, value: Any, timeout: Any, version: int | None, *when: str) -> bool:
        if not _is_plain(value):
            raise Unshared
        return bool(self._link.ask("SET", self._named(key, version), json.dumps(value), "PX", self._lasts(timeout), *when))

    def _named(self, key: str, version: int | None) -> str:
        return f"{SPACE}{self.make_and_validate_key(key, version=version)}"

    def _lasts(self, timeout: Any) -> int:
        """In ms; what has no end ends in a day."""
        seconds = self.default_timeout if timeout == DEFAULT_TIMEOUT else timeout
        return max(1, int(1000 * (86_400 if seconds is None else seconds)))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) or (isinstance(value, list) and all(isinstance(item, str | int | float) for item in value))


def _read(found: bytes, default: Any) -> Any:
    try:
        value = json.loads(found)
    except ValueError:
        return default
    return value if _is_plain(value) else default

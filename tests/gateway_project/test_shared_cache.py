"""The cache that processes share through Redis, and what becomes of it without."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings
from redis import Redis

from gateway_project.shared_cache import SPACE, SharedCache
from tests.factories import PASSWORD, make_user

NOWHERE = "redis://127.0.0.1:1/0"
services = pytest.mark.services


@pytest.fixture
def shared() -> str:
    if "REDIS_URL" not in os.environ:
        pytest.skip("REDIS_URL is not set")
    return os.environ["REDIS_URL"]


@pytest.fixture
def redis(shared: str) -> Iterator[Redis]:
    with Redis.from_url(shared) as client:
        yield client


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}"


def cache_at(url: str, prefix: str = "") -> SharedCache:
    """As another process sees it: what is its own is forgotten."""
    found = SharedCache(url, {"KEY_PREFIX": prefix})
    found.clear()
    return found


def used(cache: SharedCache) -> list[object]:
    cache.delete("lock")
    first, second = cache.add("lock", True, 60), cache.add("lock", True, 60)
    cache.set("count", 1, 60)
    cache.set("times", [1.5, 2.25], 60)
    touched = cache.touch("times", 60)
    return [
        first,
        second,
        cache.incr("count"),
        cache.get("times"),
        touched,
        "times" in cache,
        cache.delete("count"),
        cache.get("count", "-"),
    ]


USED = [True, False, 2, [1.5, 2.25], True, True, True, "-"]


def test_without_an_answer_each_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    assert used(cache_at(NOWHERE)) == USED
    assert caplog.text.count("Redis does not answer") <= 1


@services
def test_with_redis_it_is_a_cache_like_any_other(shared: str, prefix: str) -> None:
    assert used(cache_at(shared, prefix)) == USED


@services
def test_what_one_process_counts_another_sees(shared: str, prefix: str) -> None:
    cache_at(shared, prefix).set("times", [1.5], 60)
    assert cache_at(shared, prefix).get("times") == [1.5]


@services
def test_every_key_ends(shared: str, prefix: str, redis: Redis) -> None:
    here = cache_at(shared, prefix)
    here.set("for-ever", 1, None)
    here.set("a-minute", 1, 60)
    lasting = [redis.ttl(f"{SPACE}{prefix}:1:{name}") for name in ("for-ever", "a-minute")]
    assert (86_000 < lasting[0] <= 86_400, 50 < lasting[1] <= 60) == (True, True)


@services
@pytest.mark.parametrize("planted", [json.dumps({"idp": {"x509cert": "evil"}}), "cos\nsystem\n(S'true'\ntR.", json.dumps([{"a": 1}])])
def test_what_somebody_put_into_redis_is_neither_run_nor_believed(shared: str, prefix: str, redis: Redis, planted: str) -> None:
    redis.set(f"{SPACE}{prefix}:1:saml", planted, ex=60)
    assert cache_at(shared, prefix).get("saml", "nothing") == "nothing"


@services
def test_configuration_stays_in_the_process(shared: str, prefix: str, redis: Redis) -> None:
    here = cache_at(shared, prefix)
    here.set("saml", {"idp": "ours"}, 60)
    assert here.get("saml") == {"idp": "ours"}
    assert not redis.exists(f"{SPACE}{prefix}:1:saml")


def is_kept_out(settings: Settings, url: str, prefix: str) -> bool:
    """Five wrong passwords at one process, the right one at another."""
    settings.CACHES = {"default": {"BACKEND": f"{SharedCache.__module__}.SharedCache", "LOCATION": url, "KEY_PREFIX": prefix}}
    make_user()
    client = Client()
    for password in (*["wrong"] * 5, PASSWORD):
        cache_at(url)
        client.post("/accounts/login/", {"login": "alice", "password": password})
    return "_auth_user_id" not in client.session


@services
@pytest.mark.django_db
def test_attempts_at_several_processes_are_limited_together(shared: str, settings: Settings, prefix: str) -> None:
    assert is_kept_out(settings, shared, prefix)


@pytest.mark.django_db
def test_silent_redis_keeps_nobody_out(settings: Settings, prefix: str) -> None:
    assert not is_kept_out(settings, NOWHERE, prefix)


@pytest.mark.parametrize(("url", "kind"), [(NOWHERE, "SharedCache"), ("", "LocMemCache")])
def test_settings_share_it_where_there_is_redis(tmp_path: Path, url: str, kind: str) -> None:
    look = "from django.core.cache import caches; print(type(caches['default']).__name__)"
    environment = {"PATH": os.environ["PATH"], "TALLYGATE_HOME": str(tmp_path), "REDIS_URL": url}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", look]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split()[-1] == kind

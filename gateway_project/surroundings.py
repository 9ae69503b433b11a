"""What `tallygate doctor` looks at around the gateway: settings, address, disk, Redis, background work; and rows that nobody can use."""

import ipaddress
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from celery.exceptions import CeleryError
from django.conf import settings
from django.db.models import Exists, OuterRef
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerUnreachable
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from console.client_setups import is_local
from gateway_project import celery
from gateway_project.config_file import ConfigFile
from gateway_project.diagnosis import Line
from gateway_project.management.commands.check_config import problems_of
from keys.models import VirtualKey
from routing.models import Route, RouteTarget

PATIENCE_S = 2
GB = 1_000_000_000
LEAST_FREE, FEW_FREE = GB // 5, 2 * GB
EXPIRES_SOON = timedelta(days=7)
SHORTEST_MASTER_KEY = 16
NAMED_AT_MOST = 5


def of_this_machine() -> Iterator[Line]:
    """What needs no database."""
    yield from _settings()
    yield _address()
    yield _disk()
    if settings.REDIS_URL:
        yield _redis()
    yield _background()


def of_the_rows(now: datetime) -> Iterator[Line]:
    yield _routes()
    yield _keys(now)


def _settings() -> Iterator[Line]:
    config: ConfigFile = settings.TALLYGATE_CONFIG
    problems = problems_of(config)
    for problem in problems:
        yield Line("settings", False, problem)
    if config.not_honoured:
        told = f"{config.path}: no effect here have {_some(config.not_honoured)}. `tallygate check-config` lists all."
        yield Line("settings", True, told, is_note=True)
    elif not problems:
        yield Line("settings", True, "every one is known. `tallygate check-config` lists them.")
    for problem in settings.TALLYGATE_SIGN_IN.problems:
        yield Line("sign-in", True, problem, is_note=True)
    if settings.DEBUG:
        yield Line("settings", True, "TALLYGATE_DEBUG shows details to everybody. Unset it where others come.", is_note=True)
    if len(settings.TALLYGATE_MASTER_KEY) < SHORTEST_MASTER_KEY:
        told = f"The master key is shorter than {SHORTEST_MASTER_KEY} signs and may be guessed. Set TALLYGATE_MASTER_KEY to a longer one."
        yield Line("settings", True, told, is_note=True)
    if wide := [network for network in settings.TALLYGATE_EGRESS_ALLOW if not ipaddress.ip_network(network, strict=False).prefixlen]:
        told = f"TALLYGATE_EGRESS_ALLOW holds {wide[0]}: deployments made in pages reach all your network. Name the ranges needed."
        yield Line("settings", True, told, is_note=True)


def _address() -> Line:
    url = settings.TALLYGATE_PUBLIC_URL
    if is_local(url):
        return Line("address", True, f"{url} is for this machine or network. Set TALLYGATE_PUBLIC_URL to what others use.")
    if not settings.IS_HTTPS:
        told = f"{url} is not https: keys travel readable. Put TLS in front of it, or `serve --tls-cert`, and set TALLYGATE_PUBLIC_URL."
        return Line("address", True, told, is_note=True)
    return Line("address", True, f"{url}.")


def _disk() -> Line:
    """The journal lies there: a call whose opening cannot be written is not made."""
    home = settings.TALLYGATE_HOME
    if not os.access(home, os.W_OK | os.X_OK):
        return Line("disk", False, f"{home} cannot be written by this user. Correct its owner, or run this as the gateway's user.")
    free = shutil.disk_usage(home).free
    told = f"{free / GB:,.1f} GB free at {home}."
    if free < FEW_FREE:
        told += " Calls are refused when it is full: make room."
    return Line("disk", free >= LEAST_FREE, told, is_note=LEAST_FREE <= free < FEW_FREE)


def _redis() -> Line:
    try:
        with Redis.from_url(
            settings.REDIS_URL, retry=Retry(NoBackoff(), 0), socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S
        ) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as error:
        told = f"does not answer ({type(error).__name__}): rate limits are each process's own. Start it, or correct REDIS_URL."
        return Line("redis", False, told)
    return Line("redis", True, "answers.")


def _background() -> Line:
    if celery.IS_EMBEDDED:
        return Line("background work", True, "runs inside `tallygate serve`.")
    try:
        with celery.app.connection_for_write(connect_timeout=PATIENCE_S) as broker:
            broker.ensure_connection(max_retries=1, timeout=PATIENCE_S)
            workers = celery.app.control.ping(timeout=PATIENCE_S, connection=broker)
    except (BrokerUnreachable, KombuError, CeleryError, OSError) as error:
        told = f"Its broker does not answer ({type(error).__name__}). Start it, or correct TALLYGATE_BROKER_URL or REDIS_URL."
        return Line("background work", False, told)
    if not workers:
        return Line("background work", False, "Nobody does it. Start `tallygate serve`, or `tallygate worker` and `tallygate beat`.")
    return Line("background work", True, f"done by {len(workers)} worker{'s' if len(workers) > 1 else ''} of the broker.")


def _routes() -> Line:
    leads = RouteTarget.objects.filter(route=OuterRef("pk"), deployment__is_active=True)
    active = Route.objects.filter(is_active=True)
    if dead := list(active.filter(~Exists(leads)).order_by("name").values_list("name", flat=True)):
        return Line("routes", False, f"Nothing answers for {_some(dead)}. Give them an active deployment, or switch them off.")
    if count := active.count():
        return Line("routes", True, f"{count} name{'s' if count > 1 else ''} that callers can ask for.")
    return Line("routes", True, "There is no model that callers could ask for. `tallygate routes` says how to make one.", is_note=True)


def _keys(now: datetime) -> Line:
    live = VirtualKey.objects.filter(revoked_at=None, is_blocked=False)
    soon = live.filter(expires_at__gt=now, expires_at__lte=now + EXPIRES_SOON).order_by("expires_at")
    if names := list(map(str, soon)):
        told = f"Within {EXPIRES_SOON.days} days expire {_some(names)}. Issue others by `tallygate keys create`, or give them a later end."
        return Line("keys", True, told, is_note=True)
    return Line("keys", True, f"none expires within {EXPIRES_SOON.days} days.")


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")

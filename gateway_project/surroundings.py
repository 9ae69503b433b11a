"""What `tallygate doctor` looks at around the gateway: settings, address, disk, Redis, background work; and rows that nobody can use."""

import ipaddress
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from celery.exceptions import CeleryError
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerUnreachable
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from audit.models import RollUp
from audit.rolled import kept_zones
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
    """What needs no database and waits for nobody."""
    yield from _settings()
    yield _address()
    yield _disk()


def of_other_machines() -> Iterator[Line]:
    """What answers late when it does not answer."""
    if settings.REDIS_URL:
        yield _redis()
    yield _background()


def of_the_rows(now: datetime) -> Iterator[Line]:
    yield _routes()
    yield _keys(now)
    yield from _rollups()


def _settings() -> Iterator[Line]:
    config: ConfigFile = settings.TALLYGATE_CONFIG
    problems = problems_of(config)
    for problem in problems:
        yield Line("settings", False, problem)
    if config.not_honoured:
        told = _("%(path)s: no effect here have %(names)s. `tallygate check-config` lists all.")
        told %= {"path": config.path, "names": _some(config.not_honoured)}
        yield Line("settings", True, told, is_note=True)
    elif not problems:
        yield Line("settings", True, _("every one is known. `tallygate check-config` lists them."))
    for problem in settings.TALLYGATE_SIGN_IN.problems:
        yield Line("sign-in", True, problem, is_note=True)
    if settings.DEBUG:
        yield Line("settings", True, _("TALLYGATE_DEBUG shows details to everybody. Unset it where others come."), is_note=True)
    if len(settings.TALLYGATE_MASTER_KEY) < SHORTEST_MASTER_KEY:
        told = _("The master key is shorter than %(n)s signs and may be guessed. Set TALLYGATE_MASTER_KEY to a longer one.")
        told %= {"n": SHORTEST_MASTER_KEY}
        yield Line("settings", True, told, is_note=True)
    if wide := [network for network in settings.TALLYGATE_EGRESS_ALLOW if not ipaddress.ip_network(network, strict=False).prefixlen]:
        told = _("TALLYGATE_EGRESS_ALLOW holds %(range)s: deployments made in pages reach all your network. Name the ranges needed.")
        told %= {"range": wide[0]}
        yield Line("settings", True, told, is_note=True)


def _address() -> Line:
    url = settings.TALLYGATE_PUBLIC_URL
    if is_local(url):
        told = _("%(url)s is for this machine or network. Set TALLYGATE_PUBLIC_URL to what others use.")
        return Line("address", True, told % {"url": url})
    if not settings.IS_HTTPS:
        told = _("%(url)s is not https: keys travel readable. Put TLS in front of it, or `serve --tls-cert`, and set TALLYGATE_PUBLIC_URL.")
        return Line("address", True, told % {"url": url}, is_note=True)
    return Line("address", True, f"{url}.")


def _disk() -> Line:
    """The journal lies there: a call whose opening cannot be written is not made."""
    home = settings.TALLYGATE_HOME
    if not os.access(home, os.W_OK | os.X_OK):
        told = _("%(folder)s cannot be written by this user. Correct its owner, or run this as the gateway's user.")
        return Line("disk", False, told % {"folder": home})
    free = shutil.disk_usage(home).free
    told = _("%(size)s GB free at %(folder)s.") % {"size": number_format(free / GB, 1, force_grouping=True), "folder": home}
    if free < FEW_FREE:
        told = f"{told} {_('Calls are refused when it is full: make room.')}"
    return Line("disk", free >= LEAST_FREE, told, is_note=LEAST_FREE <= free < FEW_FREE)


def _redis() -> Line:
    try:
        with Redis.from_url(
            settings.REDIS_URL, retry=Retry(NoBackoff(), 0), socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S
        ) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as error:
        told = _("does not answer (%(error)s): rate limits are each process's own. Start it, or correct REDIS_URL.")
        return Line("redis", False, told % {"error": type(error).__name__})
    return Line("redis", True, _("answers."))


def _background() -> Line:
    if celery.IS_EMBEDDED:
        return Line("background work", True, _("runs inside `tallygate serve`."))
    try:
        with celery.app.connection_for_write(connect_timeout=PATIENCE_S) as broker:
            broker.ensure_connection(max_retries=1, timeout=PATIENCE_S)
            workers = celery.app.control.ping(timeout=PATIENCE_S, connection=broker)
    except (BrokerUnreachable, KombuError, CeleryError, OSError) as error:
        told = _("Its broker does not answer (%(error)s). Start it, or correct TALLYGATE_BROKER_URL or REDIS_URL.")
        return Line("background work", False, told % {"error": type(error).__name__})
    if not workers:
        return Line("background work", False, _("Nobody does it. Start `tallygate serve`, or `tallygate worker` and `tallygate beat`."))
    told = ngettext("done by %(n)s worker of the broker.", "done by %(n)s workers of the broker.", len(workers))
    return Line("background work", True, told % {"n": len(workers)})


def _routes() -> Line:
    leads = RouteTarget.objects.filter(route=OuterRef("pk"), deployment__is_active=True)
    active = Route.objects.filter(is_active=True)
    if dead := list(active.filter(~Exists(leads)).order_by("name").values_list("name", flat=True)):
        told = _("Nothing answers for %(names)s. Give them an active deployment, or switch them off.")
        return Line("routes", False, told % {"names": _some(dead)})
    if count := active.count():
        told = ngettext("%(n)s name that callers can ask for.", "%(n)s names that callers can ask for.", count)
        return Line("routes", True, told % {"n": count})
    told = _("There is no model that callers could ask for. `tallygate routes` says how to make one.")
    return Line("routes", True, told, is_note=True)


def _keys(now: datetime) -> Line:
    live = VirtualKey.objects.filter(revoked_at=None, is_blocked=False)
    soon = live.filter(expires_at__gt=now, expires_at__lte=now + EXPIRES_SOON).order_by("expires_at")
    if names := list(map(str, soon)):
        told = _("Within %(n)s days expire %(names)s. Issue others by `tallygate keys create`, or give them a later end.")
        return Line("keys", True, told % {"n": EXPIRES_SOON.days, "names": _some(names)}, is_note=True)
    return Line("keys", True, _("none expires within %(n)s days.") % {"n": EXPIRES_SOON.days})


def _rollups() -> Iterator[Line]:
    """Only where pages have to add up quarters of an hour, as after a change of the time zone."""
    if settings.TIME_ZONE not in kept_zones() and RollUp.objects.exists():
        told = _("No sums of days in %(zone)s: months are slow to read. `tallygate money rebuild-rollups --days` makes them, or the night.")
        yield Line("roll-ups", True, told % {"zone": settings.TIME_ZONE}, is_note=True)


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    listed = ", ".join(names[:NAMED_AT_MOST])
    return _("%(names)s and %(n)s more") % {"names": listed, "n": more} if more > 0 else listed

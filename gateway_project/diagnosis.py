"""What `tallygate doctor` looks at besides the providers: database, secrets, clock, background work, prices. One line for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from audit.chain import last_check
from billing.loading import load_prices
from billing.models import Instance
from billing.snapshot import PriceBook
from gateway_project.jwt_settings import TokenSettings
from routing.credentials import resolve_fields
from routing.models import Credential, Deployment
from routing.probe import Outcome, probe
from routing.references import CredentialUnusable

Row = TypeVar("Row", bound=Model)

CLOCK_TOLERANCE_S = 2
ALIVE_S = 10
NO_PRICE = gettext_noop("It has no price: hard budgets refuse it. Set one by `tallygate prices set`.")
# What lines are about; pages look these words up.
SUBJECTS = (
    gettext_noop("settings"), gettext_noop("sign-in"), gettext_noop("address"), gettext_noop("disk"), gettext_noop("redis"),
    gettext_noop("background work"), gettext_noop("routes"), gettext_noop("keys"), gettext_noop("database"), gettext_noop("clock"),
    gettext_noop("secrets"), gettext_noop("processes"), gettext_noop("signed tokens"), gettext_noop("audit trail"),
    gettext_noop("roll-ups"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, with the remedy. `kind` is a class of failure where it is a deployment.

    A note is of something that works and that somebody should know of.
    """

    what: str
    is_ok: bool
    text: str
    kind: str = ""
    ms: int = 0
    is_note: bool = False


def installation() -> Iterator[Line]:
    """What this machine is like, given a database that can be read."""
    yield _clock()
    count = len(settings.TALLYGATE_SECRET_KEYS)
    told = ngettext(
        "%(n)s key to encrypt credentials with; the first encrypts.", "%(n)s keys to encrypt credentials with; the first encrypts.", count
    )
    yield Line("secrets", True, told % {"n": count})
    yield _processes()
    yield from _trail()
    yield from signed_tokens(settings.TALLYGATE_SIGNED_TOKENS)


def _trail() -> Iterator[Line]:
    """What the last check found, if it is bad; the whole trail would take too long to read here."""
    check = last_check()
    if check is not None and not check.is_whole:
        text = _("Event %(n)s, or one before it, was changed or removed in the database. The page Audit shows it.")
        yield Line("audit trail", False, text % {"n": check.broken})


def signed_tokens(said: TokenSettings) -> Iterator[Line]:
    """Only where they are taken, and only of what they let happen."""
    if said.has_secret:
        text = _("Whoever has TALLYGATE_JWT_SECRET can be anybody, in any team. Keep it on one machine that makes the tokens, or use JWKS.")
        yield Line("signed tokens", True, text, is_note=True)
    if said.is_on and not said.trust.audiences and not said.has_secret:
        text = _("Tokens that were made for other programs open this gateway too. Set TALLYGATE_JWT_AUDIENCE to what aud says of yours.")
        yield Line("signed tokens", True, text, is_note=True)
    if any(url.startswith("http://") for url in said.urls):
        text = _("Keys are fetched without TLS: who is on the way can give their own. Write TALLYGATE_JWT_JWKS_URL with https://.")
        yield Line("signed tokens", True, text, is_note=True)


def database() -> Line:
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        told = " ".join(str(error).split()).rstrip(".?")
        return Line("database", False, _("%(error)s. Start it, or correct DATABASE_URL.") % {"error": told})
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        text = _("%(n)s migrations are missing. Run `tallygate migrate`; `serve` does it too.")
        return Line("database", False, text % {"n": len(missing)})
    return Line("database", True, _("%(name)s, migrations complete.") % {"name": connection.vendor})


def _clock() -> Line:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        told = cursor.fetchone()[0]
    there = told if isinstance(told, datetime) else datetime.fromisoformat(str(told)).replace(tzinfo=UTC)
    off_s = abs((timezone.now() - there).total_seconds())
    if off_s > CLOCK_TOLERANCE_S:
        return Line("clock", False, _("This machine and its database differ by %(n)s s. Set both by NTP.") % {"n": f"{off_s:.0f}"})
    return Line("clock", True, _("This machine and its database agree."))


def _processes() -> Line:
    alive = Instance.objects.filter(lost_at=None, beat_at__gte=Now() - timedelta(seconds=ALIVE_S)).count()
    told = ngettext(
        "%(n)s process of the gateway seen in the last %(seconds)s s.",
        "%(n)s processes of the gateway seen in the last %(seconds)s s.",
        alive,
    )
    text = told % {"n": alive, "seconds": ALIVE_S}
    if alive > 1 and not settings.REDIS_URL:
        text = f"{text} {_('Without REDIS_URL each holds rate limits by itself; budgets are exact all the same.')}"
        return Line("processes", True, text, is_note=True)
    return Line("processes", True, text if alive else f"{text} {_('Start one with `tallygate serve`.')}", is_note=not alive)


def credentials(names: list[str]) -> Iterator[Line]:
    for row in _named(Credential.objects.all(), names):
        try:
            resolve_fields(row)
        except CredentialUnusable as error:
            yield Line(_about_credential(row), False, str(error), "credential_unusable")
        else:
            yield Line(_about_credential(row), True, _("can be read."))


def deployments(names: list[str]) -> Iterator[Line]:
    """One tiny real call to each."""
    prices = load_prices()
    for row in _named(Deployment.objects.filter(is_active=True).select_related("credential"), names):
        outcome = probe(row)
        is_priced = _is_priced(row, prices)
        text = _(outcome.sentence) if is_priced else f"{_(outcome.sentence)} {_(NO_PRICE)}"
        yield Line(_about_deployment(row), outcome.ok and is_priced, _told(row, outcome, text), outcome.error, outcome.ms)


def unpriced(names: list[str]) -> Iterator[Line]:
    """What is known of deployments without a call."""
    prices = load_prices()
    for row in _named(Deployment.objects.filter(is_active=True), names):
        if not _is_priced(row, prices):
            yield Line(_about_deployment(row), False, f"{row.provider}/{row.model}: {_(NO_PRICE)}")


def unknown(names: list[str]) -> list[str]:
    """Names that no credential and no active deployment has."""
    known = {*Credential.objects.values_list("name", flat=True), *Deployment.objects.filter(is_active=True).values_list("name", flat=True)}
    return [name for name in names if name not in known]


def _is_priced(row: Deployment, prices: PriceBook) -> bool:
    return row.model == "*" or prices.find(row.provider, row.base_model or row.model, timezone.now().timestamp()) is not None


def _about_credential(row: Credential) -> str:
    return _("credential %(name)s") % {"name": row.name}


def _about_deployment(row: Deployment) -> str:
    return _("deployment %(name)s") % {"name": row.name}


def _told(row: Deployment, outcome: Outcome, text: str) -> str:
    where = f"{row.provider}/{row.model}" + (f", {row.region}" if row.region else "")
    status = f" ({_('status %(status)s') % {'status': outcome.status}})" if outcome.status and not outcome.ok else ""
    return f"{where}: {text}{status}"


def _named(rows: QuerySet[Row], names: list[str]) -> QuerySet[Row]:
    return rows.filter(name__in=names) if names else rows

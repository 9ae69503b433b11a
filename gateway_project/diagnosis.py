"""What `tallygate doctor` looks at besides the providers: database, secrets, clock, background work, prices. One line for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from billing.loading import load_prices
from billing.models import Instance
from routing.credentials import resolve_fields
from routing.models import Credential, Deployment
from routing.probe import Outcome, probe
from routing.references import CredentialUnusable

Row = TypeVar("Row", bound=Model)

CLOCK_TOLERANCE_S = 2
ALIVE_S = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. `kind` is a class of failure where it is a deployment."""

    what: str
    is_ok: bool
    text: str
    kind: str = ""
    ms: int = 0


def installation() -> Iterator[Line]:
    """What this machine and its database are like."""
    yield _database()
    yield _clock()
    count = len(settings.TALLYGATE_SECRET_KEYS)
    yield Line("secrets", True, f"{count} key{'s' if count > 1 else ''} to encrypt credentials with; the first encrypts.")
    yield _processes()


def _database() -> Line:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Line("database", False, f"{len(missing)} migrations are missing. Run `tallygate migrate`.")
    return Line("database", True, f"{connection.vendor}, migrations complete.")


def _clock() -> Line:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        told = cursor.fetchone()[0]
    there = told if isinstance(told, datetime) else datetime.fromisoformat(str(told)).replace(tzinfo=UTC)
    off_s = abs((timezone.now() - there).total_seconds())
    if off_s > CLOCK_TOLERANCE_S:
        return Line("clock", False, f"This machine and its database differ by {off_s:.0f} s. Set both by NTP.")
    return Line("clock", True, "This machine and its database agree.")


def _processes() -> Line:
    alive = Instance.objects.filter(lost_at=None, beat_at__gte=Now() - timedelta(seconds=ALIVE_S)).count()
    text = f"{alive} process{'es' if alive != 1 else ''} of the gateway seen in the last {ALIVE_S} s."
    if alive > 1 and not settings.REDIS_URL:
        return Line("processes", True, f"{text} Without REDIS_URL each holds rate limits by itself; budgets are exact all the same.")
    return Line("processes", True, text if alive else f"{text} Start one with `tallygate serve`.")


def credentials(names: list[str]) -> Iterator[Line]:
    for row in _named(Credential.objects.all(), names):
        try:
            resolve_fields(row)
        except CredentialUnusable as error:
            yield Line(f"credential {row.name}", False, str(error), "credential_unusable")
        else:
            yield Line(f"credential {row.name}", True, "can be read.")


def deployments(names: list[str]) -> Iterator[Line]:
    """One tiny real call to each."""
    prices = load_prices()
    for row in _named(Deployment.objects.filter(is_active=True).select_related("credential"), names):
        outcome = probe(row)
        is_priced = row.model == "*" or prices.find(row.provider, row.base_model or row.model, timezone.now().timestamp()) is not None
        text = outcome.sentence if is_priced else f"{outcome.sentence} It has no price: hard budgets refuse it. See `tallygate prices`."
        yield Line(f"deployment {row.name}", outcome.ok and is_priced, _told(row, outcome, text), outcome.error, outcome.ms)


def _told(row: Deployment, outcome: Outcome, text: str) -> str:
    where = f"{row.provider}/{row.model}{f' in {row.region}' if row.region else ''}"
    status = f" (status {outcome.status})" if outcome.status and not outcome.ok else ""
    return f"{where}: {text}{status}"


def _named(rows: QuerySet[Row], names: list[str]) -> QuerySet[Row]:
    return rows.filter(name__in=names) if names else rows

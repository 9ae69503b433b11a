"""Budget windows → alerts in the outbox. Looks at how windows stand, not at what happened since, so a missed run loses nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from audit.outbox import Note, unwritten, write_once
from billing.alerts import KIND, Alert, crossed
from billing.models import Budget, Window
from billing.periods import window
from billing.scopes import names_of

# Of each budget the newest windows are looked at: the present one, those that ended since the last run, those with late postings.
WINDOWS_BACK = 3
# Well below the time for which the outbox keeps what it told.
LATE = timedelta(days=3)
COLUMNS = ("pk", "scope", "scope_id", "model", "mode", "amount_nano", "thresholds", "period", "time_zone", "anchored_at")


def write_alerts(now: datetime) -> int:
    """Writes what nobody wrote before; how many that looked like. Of several processes at once one writes each alert."""
    alerts = {alert.once_key: alert for alert in _crossings(now)}
    keys = unwritten(alerts)
    new = [alert for key, alert in alerts.items() if key in keys]
    names = names_of((alert.scope, alert.scope_id) for alert in new)
    named = [replace(alert, name=names.get((alert.scope, alert.scope_id), "")) for alert in new]
    write_once([Note(alert.once_key, KIND, alert.payload()) for alert in named], now)
    return len(new)


def _crossings(now: datetime) -> Iterator[Alert]:
    for row in _spent():
        for back in range(WINDOWS_BACK):
            reached = crossed(row[f"posted_{back}"] or 0, row["amount_nano"], row["thresholds"])
            if reached:
                yield from _alerts(row, back, reached, now)


def _alerts(row: dict[str, Any], back: int, reached: list[int], now: datetime) -> Iterator[Alert]:
    starts_at = row[f"starts_{back}"]
    start, end = window(row["period"], row["anchored_at"], starts_at, row["time_zone"])
    # A window that is none of the budget's present period belongs to terms that somebody has changed since.
    if start != starts_at or (end is not None and end < now - LATE):
        return
    for threshold in reached:
        yield Alert(
            budget_id=row["pk"],
            scope=row["scope"],
            scope_id=row["scope_id"],
            model=row["model"],
            mode=row["mode"],
            threshold=threshold,
            amount_nano=row["amount_nano"],
            spent_nano=row[f"posted_{back}"],
            starts_at=starts_at,
            ends_at=end,
        )


def _spent() -> QuerySet[Any, dict[str, Any]]:
    """Every budget with its newest windows. Each is one step in an index, so that the windows of years cost nothing."""
    newest = Window.objects.filter(budget=OuterRef("pk")).order_by("-starts_at")
    figures = {
        f"{name}_{back}": Subquery(newest.values(column)[back : back + 1])
        for back in range(WINDOWS_BACK)
        for name, column in (("starts", "starts_at"), ("posted", "posted_nano"))
    }
    found: QuerySet[Any, dict[str, Any]] = Budget.objects.annotate(**figures).values(*COLUMNS, *figures)
    return found

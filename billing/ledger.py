"""Proves that the money adds up: budget windows against the ledger, the ledger against the request records.

Every comparison is one statement, so that it sees one instant of a database that goes on being written.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, F, Func, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce

from audit.models import RequestRecord
from billing.models import Budget, LedgerEntry, Window
from billing.money import money
from billing.periods import window

# Calls count against a new budget from the moment that their process has heard of it.
HEARD_BY = timedelta(minutes=2)
SCOPE_COLUMNS = {
    Budget.Scope.KEY: "key_id",
    Budget.Scope.USER: "user_id",
    Budget.Scope.TEAM: "team_id",
    Budget.Scope.ORGANISATION: "organisation_id",
}


def prove() -> list[str]:
    """What does not add up, a sentence each; an empty list is the proof."""
    return [*_windows(), *_records()]


def _windows() -> Iterator[str]:
    for budget in Budget.objects.order_by("pk"):
        for starts_at in budget.windows.values_list("starts_at", flat=True).order_by("starts_at"):
            posted, least, most = _compare(budget, starts_at)
            if not least <= posted <= most:
                span = money(most) if least == most else f"{money(least)} to {money(most)}"
                yield f"Budget {budget}, window {starts_at:%Y-%m-%d %H:%M}: {money(posted)} posted, the ledger says {span}."


def _compare(budget: Budget, starts_at: datetime) -> tuple[int, int, int]:
    """What is posted, and what the ledger says at least and at most. They differ only around the birth of a budget.

    A window that does not belong to the present period (the budget was changed since) has nothing to be compared with.
    """
    start, end = window(budget.period, budget.anchored_at, starts_at, budget.time_zone)
    born = budget.anchored_at
    known = Window.objects.filter(budget=budget, starts_at=starts_at)
    if start != starts_at or (end is not None and end <= born):
        posted = known.values_list("posted_nano", flat=True).get()
        return posted, posted, posted
    spent = _in_scope(budget).filter(at__gte=start)
    if end is not None:
        spent = spent.filter(at__lt=end)
    certain = spent if start >= born + HEARD_BY else spent.filter(at__gte=born + HEARD_BY)
    posted, least, most = known.values_list("posted_nano", _total(certain), _total(spent)).get()
    return posted, least, most


def _in_scope(budget: Budget) -> QuerySet[LedgerEntry]:
    column = SCOPE_COLUMNS.get(Budget.Scope(budget.scope))
    return LedgerEntry.objects.filter(**{column: budget.scope_id}) if column else LedgerEntry.objects.all()


def _total(entries: QuerySet[LedgerEntry]) -> Coalesce:
    """Their sum as part of another statement. A plain function and no aggregate, which would be grouped by row."""
    total = Func(F("amount_nano"), function="SUM")
    return Coalesce(Cast(Subquery(entries.order_by().values(total=total)), BigIntegerField()), 0)


def _records() -> Iterator[str]:
    """Priced calls whose ledger entries differ from the cost that their record shows."""
    posted = _total(LedgerEntry.objects.filter(request_id=OuterRef("pk")))
    records = RequestRecord.objects.filter(cost_nano__isnull=False).annotate(posted=posted).exclude(posted=F("cost_nano")).order_by("pk")
    for request_id, cost, amount in records.values_list("pk", "cost_nano", "posted").iterator():
        yield f"Request {request_id}: {money(cost or 0)} on its record, {money(amount)} in the ledger."

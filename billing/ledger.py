"""Proves that the money adds up: budget windows against ledger and shares, the ledger against request records, roll-ups against both.

Every comparison is one statement, so that it sees one instant of a database that goes on being written.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, BooleanField, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat, Left
from django.db.models.lookups import Exact

from audit.models import RequestRecord
from billing.models import Budget, LedgerEntry, Share, Window
from billing.money import money
from billing.periods import window
from billing.rollup_proof import prove_rollups

# Calls count against a new budget from the moment that their process has heard of it.
HEARD_BY = timedelta(minutes=2)
SCOPE_COLUMNS = {
    Budget.Scope.KEY: "key_id",
    Budget.Scope.USER: "user_id",
    Budget.Scope.TEAM: "team_id",
    Budget.Scope.ORGANISATION: "organisation_id",
    Budget.Scope.END_USER: "end_user",
}


class HasTag(Func):
    """Whether a JSON list holds a text; no lookup of Django's asks that of both databases."""

    function = "jsonb_exists"
    output_field = BooleanField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        template = "EXISTS (SELECT 1 FROM json_each(%(expressions)s))"
        return super().as_sql(compiler, connection, template=template, arg_joiner=") WHERE value = (", **extra)


def prove() -> list[str]:
    """What does not add up, a sentence each; an empty list is the proof."""
    budgets = [finding for budget in Budget.objects.order_by("pk") for finding in [*_windows(budget)] or _missing(budget)]
    return [*budgets, *_allotments(), *_records(), *prove_rollups()]


def _windows(budget: Budget) -> Iterator[str]:
    for starts_at in budget.windows.values_list("starts_at", flat=True).order_by("starts_at"):
        posted, least, most = _compare(budget, starts_at)
        if not least <= posted <= most:
            span = _exact(most) if least == most else f"{_exact(least)} to {_exact(most)}"
            yield f"Budget {budget}, window {starts_at:%Y-%m-%d %H:%M}: {_exact(posted)} posted, the ledger says {span}."


def _missing(budget: Budget) -> Iterator[str]:
    """Money of a budget whose windows are right, in no window at all."""
    heard = budget.anchored_at + HEARD_BY
    windows = _total(Window.objects.filter(budget=OuterRef("pk")), "posted_nano")
    spent = _total(entries_of(budget).filter(at__gte=heard))
    for posted, least in Budget.objects.filter(pk=budget.pk).values_list(windows, spent):
        if posted < least:
            yield f"Budget {budget}: {_exact(posted)} in its windows, the ledger says {_exact(least)} since {heard:%Y-%m-%d %H:%M}."


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
    spent = entries_of(budget).filter(at__gte=start)
    if end is not None:
        spent = spent.filter(at__lt=end)
    certain = spent if start >= born + HEARD_BY else spent.filter(at__gte=born + HEARD_BY)
    posted, least, most = known.values_list("posted_nano", _total(certain), _total(spent)).get()
    return posted, least, most


def entries_of(budget: Budget) -> QuerySet[LedgerEntry]:
    """What counts against a budget: its scope's entries for its model, and those that stand in for a lost share of its own."""
    common = Q(budget_id=None) & _scope(budget) & _model(budget.model)
    return LedgerEntry.objects.filter(common | Q(budget_id=budget.pk))


def _scope(budget: Budget) -> Q:
    name = budget.scope_id
    if budget.scope == Budget.Scope.GLOBAL:
        return Q()
    if budget.scope == Budget.Scope.MEMBER:
        return Q(Exact(Concat("team_id", Value("/"), "user_id"), name))
    if budget.scope == Budget.Scope.TAG:
        return Q(HasTag("tags", Value(name)))
    return Q((SCOPE_COLUMNS[Budget.Scope(budget.scope)], name))


def _model(name: str) -> Q:
    """Not by LIKE, which takes capitals for small letters on SQLite."""
    family = name.removesuffix("*")
    if not family:
        return Q()
    return Q(route=name) if family == name else Q(Exact(Left("route", len(family)), family))


def _allotments() -> Iterator[str]:
    shared = _total(Share.objects.filter(window=OuterRef("pk")))
    windows = Window.objects.annotate(shared=shared).exclude(allotted_nano=F("shared")).select_related("budget").order_by("pk")
    for row in windows:
        told = f"{_exact(row.allotted_nano)} allotted, its shares are {_exact(row.shared)}"
        yield f"Budget {row.budget}, window {row.starts_at:%Y-%m-%d %H:%M}: {told}."


def _total(rows: QuerySet[LedgerEntry] | QuerySet[Window] | QuerySet[Share], name: str = "amount_nano") -> Coalesce:
    """Their sum as part of another statement. A plain function and no aggregate, which would be grouped by row."""
    total = Func(F(name), function="SUM")
    return Coalesce(Cast(Subquery(rows.order_by().values(total=total)), BigIntegerField()), 0)


def _records() -> Iterator[str]:
    """Priced calls whose ledger entries differ from the cost that their record shows; a record without a cost shows nothing.

    Adjustments are later truths: the record goes on showing what was known at the end of the call.
    """
    posted = _total(LedgerEntry.objects.filter(request_id=OuterRef("pk")).exclude(kind=LedgerEntry.Kind.ADJUST))
    records = RequestRecord.objects.filter(is_unpriced=False).annotate(shown=Coalesce("cost_nano", 0), posted=posted)
    different = records.exclude(posted=F("shown")).order_by("pk")
    for request_id, shown, amount in different.values_list("pk", "shown", "posted").iterator():
        yield f"Request {request_id}: {_exact(shown)} on its record, {_exact(amount)} in the ledger."


def _exact(amount_nano: int) -> str:
    """To the last digit, so that two amounts that differ never look alike."""
    return money(amount_nano, 9)

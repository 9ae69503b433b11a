"""Opens the present window of each budget that has none, so that pages show a reset although nobody has called since."""

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import OuterRef, Subquery

from billing.models import Budget, Window
from billing.periods import window

BUDGETS_PER_TRANSACTION = 500


def open_present(now: datetime) -> int:
    """How many budgets had none. Any number of processes may do this at once: they open one."""
    missing = list(_without_window(now))
    for start in range(0, len(missing), BUDGETS_PER_TRANSACTION):
        _open(missing[start : start + BUDGETS_PER_TRANSACTION], now)
    return len(missing)


def _without_window(now: datetime) -> Iterator[int]:
    newest = Window.objects.filter(budget=OuterRef("pk")).order_by("-starts_at").values("starts_at")[:1]
    budgets = Budget.objects.annotate(newest=Subquery(newest)).order_by("pk")
    for pk, period, anchor, zone, starts_at in budgets.values_list("pk", "period", "anchored_at", "time_zone", "newest"):
        if starts_at != window(period, anchor, now, zone)[0]:
            yield pk


@transaction.atomic
def _open(budget_ids: list[int], now: datetime) -> None:
    """The lock keeps a budget from being removed meanwhile; it does not stop those who post to its windows."""
    budgets = Budget.objects.select_for_update(no_key=True).filter(pk__in=budget_ids).order_by("pk")
    starts = [(budget, window(budget.period, budget.anchored_at, now, budget.time_zone)[0]) for budget in budgets]
    Window.objects.bulk_create([Window(budget=budget, starts_at=start) for budget, start in starts], ignore_conflicts=True)

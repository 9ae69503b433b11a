"""Opens the window that a budget's new terms begin with.

A calendar period began before anybody set the budget: what the ledger has of it since counts, so that a changed time zone forgives nothing.
"""

from datetime import datetime

from django.db.models import Sum

from billing.ledger import entries_of
from billing.models import Budget, Window
from billing.periods import window


def open_first(budget: Budget, now: datetime) -> Window:
    """Inside the transaction of the change. Calls under way go on counting where they began: see `anchored_at` in `ledger.py`."""
    start, end = window(budget.period, budget.anchored_at, now, budget.time_zone)
    Window.objects.bulk_create([Window(budget=budget, starts_at=start)], ignore_conflicts=True)
    first = Window.objects.select_for_update().get(budget=budget, starts_at=start)
    if start < budget.anchored_at:
        spent = entries_of(budget).filter(at__gte=start)
        if end is not None:
            spent = spent.filter(at__lt=end)
        first.posted_nano = spent.aggregate(total=Sum("amount_nano"))["total"] or 0
        first.save(update_fields=["posted_nano"])
    return first

"""Budgets that go on from another gateway: they end when they did there, and begin with what was spent there.

That spend is a ledger entry of kind `adjust` which counts for its budget alone: it passed through no call of ours, so it is in no roll-up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from audit.many_rows import ROWS_AT_ONCE, add_rows
from audit.rows import ChangeRefused
from audit.trail import Actor
from billing.actions import BudgetTerms, clean_terms
from billing.ledger import SCOPE_COLUMNS
from billing.models import Budget, LedgerEntry, Window
from billing.periods import parse_period, window

NOTE = "spent with LiteLLM before the move"
MONTHS_BACK = 48
A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Opening:
    """A budget that is to be. `resets_at` is when its period ends over there; None: the period begins now."""

    scope: str
    scope_id: str
    terms: BudgetTerms
    resets_at: datetime | None = None
    spent_nano: int = 0
    plan_id: str | None = None


def anchor_of(period: str, resets_at: datetime | None, now: datetime) -> datetime:
    """An anchor not after `now` whose windows end at `resets_at` and a whole number of periods before and after."""
    parsed = parse_period(period)
    if resets_at is None or not (parsed.seconds or parsed.months):
        return now
    start = window(period, resets_at, now)[0]
    for _ in range(MONTHS_BACK if parsed.months else 0):
        # later windows keep the anchor's day, and a short month has no 31st
        if start.day == resets_at.day:
            break
        start = window(period, resets_at, start - A_MOMENT)[0]
    return start


@transaction.atomic
def open_budgets(openings: Sequence[Opening], *, actor: Actor, now: datetime) -> list[Budget]:
    """The scopes exist and have no such budget: the caller saw to that. A scope with calls of ours since then begins its period now."""
    busy = _called_here(openings, now)
    drafts = []
    for one in openings:
        terms = clean_terms(one.terms)
        anchor = now if (one.scope, one.scope_id) in busy else anchor_of(terms.period, one.resets_at, now)
        drafts.append(Budget(scope=one.scope, scope_id=one.scope_id, plan_id=one.plan_id, anchored_at=anchor, **terms.values()))
    add_rows(drafts, event="budget.set", actor=actor)
    spent = {budget: one.spent_nano for budget, one in zip(drafts, openings, strict=True)}
    windows = [Window(budget=budget, starts_at=_start(budget, now), posted_nano=amount) for budget, amount in spent.items()]
    Window.objects.bulk_create(windows, batch_size=ROWS_AT_ONCE)
    LedgerEntry.objects.bulk_create(_entries(spent, now), batch_size=ROWS_AT_ONCE)
    return drafts


def _called_here(openings: Iterable[Opening], now: datetime) -> set[tuple[str, str]]:
    """Scopes with entries since their window would have begun: those of a period that is over before our first call have none."""
    found: set[tuple[str, str]] = set()
    entries = LedgerEntry.objects.filter(budget_id=None).order_by()
    if not entries.exists():
        return found
    by_scope: dict[str, dict[str, datetime]] = {}
    for one in openings:
        by_scope.setdefault(one.scope, {})[one.scope_id] = anchor_of(one.terms.period, one.resets_at, now)
    for scope, anchors in by_scope.items():
        since = entries.filter(at__gte=min(anchors.values()))
        column = SCOPE_COLUMNS.get(Budget.Scope(scope))
        if column:
            found |= {
                (scope, str(name)) for name in since.filter(**{f"{column}__in": list(anchors)}).values_list(column, flat=True).distinct()
            }
        elif since.exists():
            found |= {(scope, name) for name in anchors}
    return found


def _start(budget: Budget, now: datetime) -> datetime:
    return window(budget.period, budget.anchored_at, now, budget.time_zone)[0]


def carried(budgets: Sequence[Budget], now: datetime) -> dict[int, int]:
    """What was carried over into the present windows so far, by budget."""
    starts = {budget.pk: _start(budget, now) for budget in budgets}
    found = dict.fromkeys(starts, 0)
    rows = LedgerEntry.objects.filter(budget_id__in=list(starts), kind=LedgerEntry.Kind.ADJUST, note=NOTE).order_by()
    for budget_id, at, amount in rows.values_list("budget_id", "at", "amount_nano"):
        if budget_id is not None and at >= starts[budget_id]:
            found[budget_id] += amount
    return found


@transaction.atomic
def carry(amounts: Mapping[Budget, int], *, now: datetime) -> None:
    """Adds what was spent elsewhere since to the present windows and to the ledger, which thereby go on saying the same."""
    starts = {budget: _start(budget, now) for budget in amounts}
    missing = [Window(budget=budget, starts_at=start) for budget, start in starts.items()]
    Window.objects.bulk_create(missing, batch_size=ROWS_AT_ONCE, ignore_conflicts=True)
    LedgerEntry.objects.bulk_create(_entries(amounts, now), batch_size=ROWS_AT_ONCE)
    for budget, amount in sorted(amounts.items(), key=lambda pair: pair[0].pk):
        Window.objects.filter(budget=budget, starts_at=starts[budget]).update(posted_nano=F("posted_nano") + amount)


def _entries(amounts: Mapping[Budget, int], now: datetime) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            attempt_id=f"opening:{budget.pk}",
            kind=LedgerEntry.Kind.ADJUST,
            request_id=f"opening:{budget.pk}",
            at=now,
            amount_nano=amount,
            budget_id=budget.pk,
            note=NOTE,
        )
        for budget, amount in amounts.items()
        if amount
    ]


def problem_with_terms(terms: BudgetTerms) -> str:
    """Why there can be no such budget; empty when there can."""
    try:
        clean_terms(terms)
    except ChangeRefused as error:
        return str(error)
    return ""

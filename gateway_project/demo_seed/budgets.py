"""The demo's budgets. Amounts follow from what was spent, so that one is nearly gone and one is over on whatever day they are made."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from audit.many_rows import add_rows
from audit.trail import COMMAND_LINE
from billing.budget_book import BudgetBook, BudgetRow
from billing.limits import BudgetFinder, Spender
from billing.loading import load_budgets
from billing.models import Budget
from billing.money import NANO
from billing.periods import window
from billing.window_opening import open_present
from gateway_project.demo_seed.cast import AOBA, BERLIN, NORDWIND, PEOPLE, ROOMS, TOKYO

HARD, SOFT, STRICT = Budget.Mode.HARD, Budget.Mode.SOFT, Budget.Mode.STRICT
# Windows of 30 days that have four days to go.
ANCHOR = timedelta(days=86)
LEAST_USD = 5
NEARLY_GONE = 90
MEMBER = "member"

# Who spent, when (epoch seconds), how much (nano-USD).
Spent = tuple[Spender, float, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """A budget to be, of which `percent` is spent now.

    No earlier window spent more than all of a hard one, unless it shall be nearly gone.
    """

    scope: str
    scope_id: str
    percent: int
    period: str = "30d"
    mode: str = HARD
    time_zone: str = "UTC"
    model: str = ""
    thresholds: list[int] = field(default_factory=lambda: [50, 80, 100])


def plans(key_ids: dict[str, str]) -> list[Plan]:
    members = [
        Plan(MEMBER, f"{room.id}/{one.id}", 62) for room in ROOMS if room.member_budget for one in PEOPLE if room.id in dict(one.places)
    ]
    return [
        Plan("organisation", NORDWIND, 64, period="month", time_zone=BERLIN),
        Plan("organisation", AOBA, 58, period="month", time_zone=TOKYO),
        Plan("team", "demo-platform", 71),
        Plan("team", "demo-pricing", 96),
        Plan("team", "demo-care", 52),
        Plan("team", "demo-data", 113, mode=SOFT),
        Plan("team", "demo-kaihatsu", 83),
        Plan("team", "demo-support", 35),
        Plan("team", "demo-platform", 44, period="week", model="claude-opus*", mode=SOFT, time_zone=BERLIN),
        Plan("key", key_ids["ci-code-review"], 40, period="day", mode=STRICT, time_zone=BERLIN),
        Plan("key", key_ids["felix-claude-code"], 88),
        Plan("tag", "chatbot", 66, mode=SOFT),
        *members,
    ]


def set_budgets(key_ids: dict[str, str], spent: Iterable[Spent], now: datetime) -> BudgetBook:
    """Inside a transaction, before the spend is posted; returns the book that it is posted by."""
    wanted = plans(key_ids)
    drafts = [_draft(plan, number, now) for number, plan in enumerate(wanted)]
    totals = _totals(BudgetBook.of(drafts), spent)
    amounts = [_amount(plan, draft, totals[draft.id], now) for plan, draft in zip(wanted, drafts, strict=True)]
    of_members = max(amount for plan, amount in zip(wanted, amounts, strict=True) if plan.scope == MEMBER)
    drafts = [
        replace(draft, amount_nano=of_members if draft.scope == MEMBER else amount) for draft, amount in zip(drafts, amounts, strict=True)
    ]
    rows = [_row(draft, plan) for draft, plan in zip(drafts, wanted, strict=True)]
    add_rows(rows, event="budget.set", actor=COMMAND_LINE)
    open_present(now)
    return load_budgets()


def _draft(plan: Plan, number: int, now: datetime) -> BudgetRow:
    """The budget as calls are counted by it, without an amount yet."""
    return BudgetRow(number, plan.scope, plan.scope_id, 0, plan.period, plan.time_zone, now - ANCHOR, plan.mode, plan.model)


def _totals(book: BudgetBook, spent: Iterable[Spent]) -> dict[int, dict[float, int]]:
    """By budget, then by the start of its window."""
    totals: dict[int, dict[float, int]] = {number: {} for number in book.by_id}
    finder = BudgetFinder()
    for who, at, amount in spent:
        for one in finder.applying(who, book, at):
            windows = totals[one.row.id]
            windows[one.start] = windows.get(one.start, 0) + amount
    return totals


def _amount(plan: Plan, draft: BudgetRow, windows: dict[float, int], now: datetime) -> int:
    """A round number of dollars."""
    present = window(plan.period, draft.anchored_at, now, plan.time_zone)[0].timestamp()
    least = windows.get(present, 0) * 100 // plan.percent
    if plan.mode != SOFT and plan.percent < NEARLY_GONE:
        least = max(least, *windows.values(), 0)
    return NANO * max(LEAST_USD, _round(least // NANO, is_up=plan.mode != SOFT))


def _round(usd: int, *, is_up: bool) -> int:
    """To two figures, or to three where the first is a one."""
    step: int = 10 ** max(0, len(str(usd)) - (3 if str(usd)[0] == "1" else 2))
    return -(-(usd + 1) // step) * step if is_up else usd // step * step


def _row(draft: BudgetRow, plan: Plan) -> Budget:
    return Budget(
        scope=draft.scope,
        scope_id=draft.scope_id,
        model=draft.model,
        amount_nano=draft.amount_nano,
        period=draft.period,
        time_zone=draft.time_zone,
        mode=draft.mode,
        thresholds=plan.thresholds,
        anchored_at=draft.anchored_at,
    )

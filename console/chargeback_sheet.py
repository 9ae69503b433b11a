"""A month's chargeback as a file: every line with its cost centre, team and key. The column of sums adds up to the month's total."""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from billing.month_bills import Amounts, Bill, Lines, bills
from console.chargeback import names_then
from console.chargeback_filter import ChargebackFilter
from console.spreadsheets import Cell, Sheet, usd

# What came since is no part of this month: it has a column of its own, and is counted with its requests where it is charged.
COLUMNS = ("cost_centre", "team_id", "key_id")


def sheet(asked: ChargebackFilter) -> Sheet:
    [bill] = bills(asked.month, asked.month, COLUMNS, asked.narrow)
    heads = [_("Month"), _("Time zone"), _("Line"), _("Adjusts"), _("Cost centre"), _("Team"), _("Team id"), _("Key"), _("Key id")]
    heads += [_("Spend (USD)"), _("Since frozen (USD)"), _("Requests"), _("Unpriced requests"), _("Estimated requests"), "SHA-256"]
    return Sheet(f"chargeback-{asked.month.key}", heads, list(_rows(bill)))


def _rows(bill: Bill) -> Iterator[Sequence[Cell]]:
    called = _called(bill)
    for line, amounts in _sorted(bill.own):
        yield _row(bill, _("allocated") if line[0] else _("unallocated"), "", called, line, amounts)
    for of, lines in bill.adjustments.items():
        for line, amounts in _sorted(lines):
            yield _row(bill, _("adjustment"), of, called, line, amounts)
    for line, amounts in _sorted(bill.since):
        row = _row(bill, _("since frozen"), "", called, line, amounts)
        yield [*row[:9], None, usd(amounts.cost_nano), None, None, None, row[-1]]


def _row(bill: Bill, kind: str, of: str, called: dict[tuple[str, str], str], line: tuple[str, ...], amounts: Amounts) -> list[Cell]:
    centre, team, key = line
    whose: list[Cell] = [centre, called.get(("team", team), ""), team, called.get(("key", key), ""), key]
    counts: list[Cell] = [amounts.calls, amounts.unpriced_calls, amounts.estimated_calls]
    frozen = bill.frozen.sha256 if bill.frozen else ""
    return [bill.month.key, bill.month.zone.key, kind, of, *whose, usd(amounts.cost_nano), None, *counts, frozen]


def _sorted(lines: Lines) -> list[tuple[tuple[str, ...], Amounts]]:
    return sorted(lines.items(), key=lambda pair: (not pair[0][0], pair[0][0], -pair[1].cost_nano, pair[0]))


def _called(bill: Bill) -> dict[tuple[str, str], str]:
    lines = [line for group in (bill.own, *bill.adjustments.values(), bill.since) for line in group]
    called = {("team", value): name for value, name in names_then("team", {line[1] for line in lines}, bill.frozen).items() if value}
    return called | {("key", value): name for value, name in names_then("key", {line[2] for line in lines}, bill.frozen).items() if value}

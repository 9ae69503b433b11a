"""Compares the provider's bill with the gateway's ledger, call by call and window by window. Pure.

A budget may be passed by what attempts cost beyond their holds and by nothing else; here only `Part.excess_tokens` can.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.periods import window
from tests.chaos.answers import FIRST_GRANT, INPUT_NANO, OUTPUT_NANO
from tests.chaos.book import Book, Line, WindowRow
from tests.chaos.load import FIRST_BYTES, Call
from tests.fakes.bill import BillRow

# A call may wait this long for money before it is admitted.
WAIT = timedelta(seconds=2)


@dataclass(slots=True)
class Account:
    """One call on both sides: what the provider billed and what the ledger has."""

    call: Call
    bill: list[BillRow] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def billed(self) -> int:
        return sum(price(row) for row in self.bill)

    @property
    def posted(self) -> int:
        return sum(line.amount_nano for line in self.lines)

    @property
    def is_marked(self) -> bool:
        return any(line.is_estimated for line in self.lines)

    @property
    def was_reaped(self) -> bool:
        return any(line.kind == "reap" for line in self.lines)

    @property
    def excess(self) -> int:
        """What it cost beyond all that could be held for it."""
        if not self.call.part.excess_tokens:
            return 0
        return sum(max(0, int(row.usage["output_tokens"]) - FIRST_GRANT) * OUTPUT_NANO for row in self.bill)

    @property
    def under(self) -> int:
        """Billed and not in the ledger. What nobody saw, because it was made beyond its grant when the gateway died, is told apart."""
        return max(0, self.billed - self.posted - self.unseen)

    @property
    def unseen(self) -> int:
        return min(self.excess, max(0, self.billed - self.posted)) if self.was_reaped else 0

    @property
    def over(self) -> int:
        return max(0, self.posted - self.billed)


@dataclass(frozen=True, slots=True)
class WindowAccount:
    """One budget window: what was billed in it against its limit, and how far it may be passed."""

    name: str
    limit: int
    billed: int
    posted: int
    bound: int

    @property
    def overshoot(self) -> int:
        return max(0, self.billed - self.limit)


def price(row: BillRow) -> int:
    return int(row.usage["input_tokens"]) * INPUT_NANO + int(row.usage["output_tokens"]) * OUTPUT_NANO


def accounts(calls: Sequence[Call], bill: Iterable[BillRow], book: Book) -> list[Account]:
    """Those calls that the provider billed or the ledger knows."""
    known = [Account(call) for call in calls]
    by_marker = {account.call.marker: account for account in known}
    for row in bill:
        by_marker[row.marker].bill.append(row)
    for line in book.lines:
        if line.request_bytes is not None:
            known[line.request_bytes - FIRST_BYTES].lines.append(line)
    return [account for account in known if account.bill or account.lines]


def strangers(book: Book) -> int:
    """What the ledger has beside calls: shares of lost processes, which must be taken back once their journals are found."""
    return sum(line.amount_nano for line in book.lines if line.request_bytes is None)


def wrong_attempts(found: Iterable[Account]) -> tuple[int, list[str]]:
    """How many attempts could be told apart on both sides, and those with known figures that differ all the same."""
    matched, wrong = 0, []
    for account in found:
        rows = {f"req_{row.call_id}": row for row in account.bill}
        for line in account.lines:
            row = rows.get(line.upstream_id)
            if row is not None:
                matched += 1
                if not line.is_estimated and line.amount_nano != price(row):
                    wrong.append(f"attempt {line.attempt_id}: {line.amount_nano} in the ledger, {price(row)} billed")
    return matched, wrong


def windows(found: Sequence[Account], rows: Iterable[WindowRow]) -> list[WindowAccount]:
    return [_window(row, [account for account in found if account.lines and _is_in(row, account.lines[0])]) for row in rows]


def _is_in(row: WindowRow, line: Line) -> bool:
    start, end = window(row.period, row.anchored_at, row.starts_at)
    return line.scopes[row.scope] == row.scope_id and start <= line.at and (end is None or line.at < end)


def _window(row: WindowRow, found: Sequence[Account]) -> WindowAccount:
    name = f"{row.mode} {row.scope} {row.scope_id[:8]} {row.starts_at:%H:%M:%S}"
    billed = sum(account.billed for account in found)
    return WindowAccount(name, row.amount_nano, billed, row.posted_nano, bound(found, is_hard=row.mode == "hard"))


def bound(found: Sequence[Account], *, is_hard: bool) -> int:
    """X: per process what its attempts in flight at one time cost beyond their holds, and what dead ones had made unseen.

    A hard window with little left admits one call for the last of it, whatever that costs.
    """
    unseen = sum(account.excess for account in found if account.was_reaped)
    by_place: Mapping[int, list[Account]] = defaultdict(list)
    for account in found:
        if not account.was_reaped:
            by_place[account.call.place].append(account)
    in_flight = sum(_most_at_once(at_one_place) for at_one_place in by_place.values())
    return unseen + max(in_flight, _last_money(found) if is_hard else 0)


def _most_at_once(found: Sequence[Account]) -> int:
    """The largest sum of excess under way at one time: it can only rise where a call begins."""
    spans = [(*_span(account), account.excess) for account in found if account.excess]
    return max((sum(excess for start, end, excess in spans if start <= moment <= end) for moment, _, _ in spans), default=0)


def _span(account: Account) -> tuple[datetime, datetime]:
    line = account.lines[0]
    return line.at, line.at + timedelta(milliseconds=line.duration_ms)


def _last_money(found: Sequence[Account]) -> int:
    """The dearest of the calls that may have been the last to be let in."""
    last = max((account.lines[0].at for account in found), default=None)
    return max((account.billed for account in found if last and account.lines[0].at >= last - WAIT), default=0)

"""Moves money from shares to what is posted, inside the transaction that writes the ledger entries.

A process's own settlements come out of the share that it held for them; what cost more than was held is posted all the same.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from django.db import connection, transaction

from billing.bank import Moved
from billing.budget_book import WindowKey
from billing.journal import Closing
from billing.limits import BudgetFinder, Spender
from billing.loading import load_budgets
from billing.models import Budget, LedgerEntry, Share, Window
from billing.rollup_posting import post_adjustments

WINDOWS_PER_QUERY = 200

_windows = msgspec.json.Decoder(list[tuple[int, float]]).decode


class Gains:
    """What a batch brings to budget windows: by entries that are new, and by those that were posted before.

    Calls of one spender count in the same windows: they are told apart by the text that names these, and read once for all.
    """

    def __init__(self) -> None:
        self._new: dict[bytes, int] = {}
        self._repeated: dict[bytes, int] = {}

    def add(self, calls: Sequence[Closing], new_attempts: Collection[str]) -> None:
        """Nothing twice, should a batch name an attempt twice."""
        uncounted = set(new_attempts)
        for call in calls:
            for one in call.postings:
                gains = self._new if one.attempt_id in uncounted else self._repeated
                uncounted.discard(one.attempt_id)
                if one.amount_nano:
                    windows = bytes(call.windows)
                    gains[windows] = gains.get(windows, 0) + one.amount_nano

    def totals(self) -> tuple[dict[WindowKey, int], dict[WindowKey, int]]:
        """What is new and what is repeated, by window."""
        return _by_window(self._new), _by_window(self._repeated)


def _by_window(gains: Mapping[bytes, int]) -> dict[WindowKey, int]:
    totals: dict[WindowKey, int] = {}
    for windows, amount in gains.items():
        for key in _windows(windows):
            totals[key] = totals.get(key, 0) + amount
    return totals


def post_windows(gains: Gains, instance_id: str) -> list[Moved]:
    """Adds what is new to the windows, taken out of the shares of the process that made the calls.

    An entry that was there already counts for nobody but its process, which may not have heard that it was posted.
    """
    totals, repeated = gains.totals()
    taken = _add(totals, instance_id)
    return [Moved(key, totals.get(key, 0) + repeated.get(key, 0), taken.get(key, 0) + repeated.get(key, 0)) for key in totals | repeated]


def _add(totals: Mapping[WindowKey, int], instance_id: str) -> dict[WindowKey, int]:
    """Posts the amounts; returns what was taken from the process's shares."""
    taken: dict[WindowKey, int] = {}
    for part in _parts(sorted(totals)):
        windows = _locked(part)
        found = Share.objects.filter(instance_id=instance_id, window_id__in=windows.values())
        shares = {window_id: (pk, amount) for window_id, pk, amount in found.values_list("window_id", "pk", "amount_nano")}
        of_shares: list[tuple[int, int]] = []
        of_windows: list[tuple[int, int, int]] = []
        for key, window_id in windows.items():
            share, amount = shares.get(window_id, (0, 0))
            out = taken[key] = max(0, min(amount, totals[key]))
            of_windows.append((totals[key], out, window_id))
            if out:
                of_shares.append((out, share))
        _write(of_windows, of_shares)
    return taken


def _parts(keys: Sequence[WindowKey]) -> Iterator[Sequence[WindowKey]]:
    for start in range(0, len(keys), WINDOWS_PER_QUERY):
        yield keys[start : start + WINDOWS_PER_QUERY]


def _locked(keys: Sequence[WindowKey]) -> dict[WindowKey, int]:
    """The windows' ids, their rows ours until the transaction ends; opened where nobody had. A removed budget has none."""
    asked = {key: datetime.fromtimestamp(key[1], UTC) for key in keys}
    found = _find(asked)
    missing = asked.keys() - found.keys()
    if missing:
        existing = set(Budget.objects.filter(pk__in={budget_id for budget_id, _ in missing}).values_list("pk", flat=True))
        rows = [Window(budget_id=key[0], starts_at=asked[key]) for key in sorted(missing) if key[0] in existing]
        Window.objects.bulk_create(rows, ignore_conflicts=True)
        found = _find(asked)
    return found


def _find(asked: Mapping[WindowKey, datetime]) -> dict[WindowKey, int]:
    """Pairs cannot be asked for portably: by budgets and by starts, and what was asked for is picked from it."""
    rows = Window.objects.select_for_update().filter(budget_id__in={key[0] for key in asked}, starts_at__in=set(asked.values()))
    wanted = {(key[0], at): key for key, at in asked.items()}
    found = rows.order_by("budget_id", "starts_at").values_list("pk", "budget_id", "starts_at")
    return {wanted[budget_id, at]: pk for pk, budget_id, at in found if (budget_id, at) in wanted}


def _write(windows: Sequence[tuple[int, int, int]], shares: Sequence[tuple[int, int]]) -> None:
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        window, share = quote(Window._meta.db_table), quote(Share._meta.db_table)
        moving = f"UPDATE {window} SET posted_nano = posted_nano + %s, allotted_nano = allotted_nano - %s WHERE id = %s"  # noqa: S608 - our table
        cursor.executemany(moving, windows)
        if shares:
            cursor.executemany(f"UPDATE {share} SET amount_nano = amount_nano - %s WHERE id = %s", shares)  # noqa: S608 - our table


@transaction.atomic
def adjust(entries: Sequence[LedgerEntry]) -> None:
    """Posts later truths about attempts (kind `adjust`, amount is the difference), in every window that their calls counted in."""
    LedgerEntry.objects.bulk_create(entries, batch_size=100)
    post_adjustments(entries)
    totals: dict[WindowKey, int] = {}
    finder, book = BudgetFinder(), load_budgets()
    for entry in entries:
        who = Spender(
            entry.key_id, entry.user_id, entry.team_id, entry.organisation_id, tuple(entry.tags), entry.end_user, entry.route
        )  # fmt: skip
        for one in finder.applying(who, book, entry.at.timestamp()):
            if one.row.anchored_at <= entry.at:
                totals[one.key] = totals.get(one.key, 0) + entry.amount_nano
    for part in _parts(sorted(totals)):
        _write([(totals[key], 0, window_id) for key, window_id in _existing(part).items()], [])


def _existing(keys: Sequence[WindowKey]) -> dict[WindowKey, int]:
    return _find({key: datetime.fromtimestamp(key[1], UTC) for key in keys})

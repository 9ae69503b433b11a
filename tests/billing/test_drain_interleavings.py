"""Whatever happens in whatever order, each call is in the ledger once: at its cost, or at its estimate when nobody saw its end."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import disk_sync
from billing import journal as journal_module
from billing.drain import Drainer
from billing.journal import Journal
from billing.ledger import prove
from billing.models import Budget, LedgerEntry, Window
from tests.billing.lines import AT, ESTIMATE, closing, opening

BORN = datetime.fromtimestamp(AT, UTC) - timedelta(days=1)
CALLS = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["open", "close", "close_free", "repeat"]), CALLS),
    st.tuples(st.sampled_from(["drain", "forget", "turn", "crash", "kill"]), st.just(0)),
)


class House:
    """A machine on which processes come and go, and what each call must cost in the end.

    What happens is on record when the event loop's turn ends; a process that is killed before had told no provider of it.
    """

    def __init__(self, root: Path, budget: Budget) -> None:
        self.root, self.windows, self.life = root, [(budget.pk, budget.anchored_at.timestamp())], 0
        self.expected: dict[str, int] = {}
        self.due: list[Callable[[], None]] = []
        self.turns: list[tuple[str, int]] = []
        self.born()

    def born(self) -> None:
        self.life += 1
        self.journal = Journal(self.root, self.due.append)
        self.drainer = Drainer(self.root, self.journal.folder)
        self.attempts: dict[str, int] = {}
        self.closed: dict[str, list[int]] = {}

    def open(self, call: str) -> None:
        if call not in self.closed:
            self.attempts[call] = self.attempts.get(call, 0) + 1
            self.journal.open(f"{call}.{self.attempts[call]}", opening(call, self.windows))
            self.turns.append((call, self.attempts[call] * ESTIMATE))

    def close(self, call: str) -> None:
        self._close(call, [len(call) + number for number in range(self.attempts.get(call, 0))])

    def close_free(self, call: str) -> None:
        self._close(call, [0] * self.attempts.get(call, 0))

    def _close(self, call: str, amounts: list[int]) -> None:
        if call not in self.closed:
            self.closed[call] = amounts
            self.turns.append((call, sum(amounts)))
            self.repeat(call)

    def repeat(self, call: str) -> None:
        if call in self.closed:
            entry = closing(call, self.closed[call], self.windows)
            entry.postings = [one for one in entry.postings if one.amount_nano]
            self.journal.close(call, entry)

    def drain(self, _: str) -> None:
        self.drainer.drain_once()

    def forget(self, _: str) -> None:
        """A crash between the commit and the note of it: everything is read again."""
        self.drainer = Drainer(self.root, self.journal.folder)

    def turn(self, _: str) -> None:
        while self.due:
            self.due.pop()()
        self.expected.update(self.turns)
        self.turns.clear()

    def end(self) -> None:
        self.journal.stop()
        self.turn("")

    def crash(self, _: str) -> None:
        self.end()
        self.born()

    def kill(self, _: str) -> None:
        self.turns.clear()
        self.journal._late.clear()
        self.crash("")


# R5
@pytest.mark.django_db
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), rotate=st.sampled_from([1, 2_000, 10**6]))
def test_every_call_is_in_the_ledger_once(steps: list[tuple[str, int]], rotate: int) -> None:
    shortened = mock.patch.object(journal_module, "ROTATE_BYTES", rotate)
    synced = mock.patch.object(disk_sync, "SYNC_EVERY_S", 0)
    with transaction.atomic(), tempfile.TemporaryDirectory() as folder, shortened, synced:
        budget = Budget.objects.create(scope="team", scope_id="team-1", amount_nano=10**12, period="", anchored_at=BORN)
        house = House(Path(folder), budget)
        for name, call in steps:
            step: Callable[[str], None] = getattr(house, name)
            step(f"req_{house.life}_{call}")
        house.end()
        Drainer(house.root, None).drain_once()
        found = dict(LedgerEntry.objects.order_by().values_list("request_id").annotate(Sum("amount_nano")))
        assert found == {call: amount for call, amount in house.expected.items() if amount}
        assert sum(Window.objects.values_list("posted_nano", flat=True)) == sum(found.values())
        assert prove() == []
        assert list(house.root.iterdir()) == []
        transaction.set_rollback(True)

"""Shares in the database: each process's slice of a budget window, one mechanism for SQLite and PostgreSQL.

A window never allots more than is left of its amount: posted + allotted <= amount, save what calls cost beyond their holds. Whoever changes
a share locks its window's row first, windows in the order of budget and start; the database's clock rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Now

from billing.bank import Taken, Wish
from billing.budget_book import WindowKey
from billing.models import Budget, Instance, LedgerEntry, Share, Window

RECALL = timedelta(seconds=3)
# Of what is left, each process asks for this part at most: the others find something, and little is stuck where nobody uses it.
PARTS = 4
WINDOWS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process tells others with its heartbeat about one of its shares."""

    window_id: int
    held: int
    unposted: int


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat learned, by window id. `is_lost`: the others had given this process up and have posted its shares.

    `at` is the database's time, `own` what the database has as our shares.
    """

    is_lost: bool
    at: float = 0.0
    windows: dict[int, Taken] = field(default_factory=dict)
    own: dict[int, int] = field(default_factory=dict)
    recalled: frozenset[int] = frozenset()


def enrol(instance_id: str, host: str) -> None:
    """Makes this process known, once more if it was given up; it may take shares from now on.

    On SQLite there is one process, and the journals of those before it are posted by now: what still stands of them is without a journal.
    """
    if is_one_disk():
        for gone in Instance.objects.exclude(pk=instance_id).values_list("pk", flat=True):
            _give_up(gone)
    Instance.objects.update_or_create(pk=instance_id, defaults={"host": host, "started_at": Now(), "beat_at": Now(), "lost_at": None})


def lease() -> timedelta:
    """How long a process may spend its shares after its last heartbeat."""
    return timedelta(seconds=settings.TALLYGATE_LEASE_S)


def is_one_disk() -> bool:
    """Whether database and journal lie on one disk, with one process: then neither can get lost without the other."""
    return connection.vendor == "sqlite"


def database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        moment = cursor.fetchone()[0]
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(moment).replace(tzinfo=UTC)


def take(instance_id: str, wish: Wish) -> Taken:
    """Allots a slice of the window to this process; less than needed, or nothing, where less is left."""
    with transaction.atomic():
        window = _locked(*wish.key)
        if window is None:  # its budget was removed a moment ago: nothing binds any more
            return Taken(wish.need, 0, 0)
        rows = window.shares.values_list("instance_id", "amount_nano", "held_nano", "unposted_nano")
        shares = {owner: figures for owner, *figures in rows}
        own = shares.pop(instance_id, None)
        left = window.budget.amount_nano - window.posted_nano - window.allotted_nano
        amount = _slice(window.budget, wish, left)
        if amount:
            Window.objects.filter(pk=window.pk).update(allotted_nano=F("allotted_nano") + amount)
            if own is None:
                Share.objects.create(window=window, instance_id=instance_id, amount_nano=amount)
            else:
                Share.objects.filter(window=window, instance_id=instance_id).update(amount_nano=F("amount_nano") + amount)
        share, held, unposted = (sum(figures) for figures in zip((0, 0, 0), *shares.values(), strict=True))
        if amount < wish.need and share:
            Window.objects.filter(pk=window.pk).update(wanted_at=Now())
        return Taken(amount, window.posted_nano, left - amount, share, held, unposted, window_id=window.pk)


def _locked(budget_id: int, start: float) -> Window | None:
    """The window's row and its budget, the row ours until the transaction's end; opened if nobody had opened it. None without a budget."""
    starts_at = datetime.fromtimestamp(start, UTC)
    rows = Window.objects.select_for_update(of=("self",)).select_related("budget").filter(budget_id=budget_id, starts_at=starts_at)
    window = rows.first()
    if window is None and Budget.objects.filter(pk=budget_id).exists():
        Window.objects.bulk_create([Window(budget_id=budget_id, starts_at=starts_at)], ignore_conflicts=True)
        window = rows.first()
    return window


def _slice(budget: Budget, wish: Wish, left: int) -> int:
    """All that is left, where no other process could want it."""
    if left <= 0:
        return 0
    if is_one_disk():
        return left
    if budget.mode == Budget.Mode.STRICT:
        return min(left, wish.need)
    part = left // (PARTS * max(1, alive().count()))
    return min(left, max(wish.need, min(part, wish.burn)))


def alive() -> "QuerySet[Instance]":
    return Instance.objects.filter(lost_at=None, beat_at__gte=Now() - lease())


def give_back(instance_id: str, amounts: dict[WindowKey, int]) -> None:
    """Returns what is not used to its windows."""
    with transaction.atomic():
        for (budget_id, start), amount in sorted(amounts.items()):
            window = _locked(budget_id, start)
            share = window.shares.filter(instance_id=instance_id).first() if window else None
            part = min(amount, share.amount_nano) if share else 0
            if window and share and part > 0:
                Share.objects.filter(pk=share.pk).update(amount_nano=F("amount_nano") - part)
                Window.objects.filter(pk=window.pk).update(allotted_nano=F("allotted_nano") - part)


def beat(instance_id: str, figures: Sequence[Figures], watched: Sequence[int]) -> Beat:
    """One heartbeat: says that we live and what our shares hold; learns how the watched windows stand."""
    if not Instance.objects.filter(pk=instance_id, lost_at=None).update(beat_at=Now()):
        return Beat(is_lost=True)
    _publish(instance_id, figures)
    windows: dict[int, Taken] = {}
    own: dict[int, int] = {}
    recalled: set[int] = set()
    for start in range(0, len(watched), WINDOWS_PER_QUERY):
        part = watched[start : start + WINDOWS_PER_QUERY]
        windows |= _seen(instance_id, part)
        own |= dict(Share.objects.filter(window_id__in=part, instance_id=instance_id).values_list("window_id", "amount_nano"))
        recalled.update(Window.objects.filter(pk__in=part, wanted_at__gte=Now() - RECALL).values_list("pk", flat=True))
    return Beat(False, database_time().timestamp(), windows, own, frozenset(recalled))


def _publish(instance_id: str, figures: Sequence[Figures]) -> None:
    rows = [(one.held, one.unposted, one.window_id, instance_id) for one in figures]
    table = connection.ops.quote_name(Share._meta.db_table)
    telling = f"UPDATE {table} SET held_nano = %s, unposted_nano = %s WHERE window_id = %s AND instance_id = %s"  # noqa: S608 - our table
    with connection.cursor() as cursor:
        cursor.executemany(telling, rows)


def _seen(instance_id: str, window_ids: Sequence[int]) -> dict[int, Taken]:
    """How these windows stand."""
    rows = Window.objects.filter(pk__in=window_ids).values_list("pk", "posted_nano", "allotted_nano", "budget__amount_nano")
    windows = {pk: Taken(0, posted, amount - posted - allotted, window_id=pk) for pk, posted, allotted, amount in rows}
    others = Share.objects.filter(window_id__in=window_ids).exclude(instance_id=instance_id).values_list("window_id")
    for pk, share, held, unposted in others.annotate(Sum("amount_nano"), Sum("held_nano"), Sum("unposted_nano")):
        if pk in windows:
            windows[pk] = windows[pk]._replace(others_share=share, others_held=held, others_unposted=unposted)
    return windows


def retire(instance_id: str) -> None:
    """A process whose journal is posted to its end: its shares go home, and what others had posted in its stead is taken back."""
    with transaction.atomic():
        for share in _shares_of(instance_id):
            Window.objects.filter(pk=share.window_id).update(allotted_nano=F("allotted_nano") - share.amount_nano)
        forgive(instance_id)
        Instance.objects.filter(pk=instance_id).delete()


def _shares_of(instance_id: str) -> list[Share]:
    """Its shares, with their windows locked."""
    shares = Share.objects.filter(instance_id=instance_id).order_by("window_id")
    list(Window.objects.select_for_update().filter(pk__in=shares.values_list("window_id")).order_by("budget_id", "starts_at"))
    return list(shares)


def reap_lost(now: datetime | None = None) -> int:
    """Gives up processes that were silent for longer than their lease: all that their shares may have been spent on is posted as `reap`.

    How many were given up. `now` is the database's time unless a test says otherwise.
    """
    if is_one_disk():  # a pause of the only process is no loss
        return 0
    before = (now or database_time()) - lease()
    lost = list(Instance.objects.filter(lost_at=None, beat_at__lt=before).values_list("pk", flat=True))
    return sum(_give_up(instance_id, beat_at__lt=before) for instance_id in lost)


@transaction.atomic
def _give_up(instance_id: str, **conditions: datetime) -> int:
    if not Instance.objects.filter(pk=instance_id, lost_at=None, **conditions).update(lost_at=Now()):
        return 0  # it spoke up, or somebody else was faster
    moment = database_time()
    for share in _shares_of(instance_id):
        # Cut off from the database, a process may have spent all it had; beside its own database it told us each second.
        known = share.held_nano + share.unposted_nano
        amount = min(known, share.amount_nano) if is_one_disk() else share.amount_nano
        windows = Window.objects.filter(pk=share.window_id)
        windows.update(allotted_nano=F("allotted_nano") - share.amount_nano, posted_nano=F("posted_nano") + amount)
        Share.objects.filter(pk=share.pk).update(amount_nano=0, held_nano=0, unposted_nano=0)
        if amount > 0:
            _stand_in(share, windows.get(), amount, moment)
    return 1


def _stand_in(share: Share, window: Window, amount: int, moment: datetime) -> None:
    LedgerEntry.objects.create(
        attempt_id=f"lost:{share.pk}:{int(moment.timestamp())}",
        kind=LedgerEntry.Kind.REAP,
        request_id=share.instance_id[:40],
        at=window.starts_at,
        amount_nano=amount,
        is_estimated=True,
        budget_id=window.budget_id,
        note="The share of a process that was lost; taken back when its journal is found.",
    )


@transaction.atomic
def forgive(instance_id: str) -> int:
    """The truth of a lost process is in the ledger now: what stood in for it is taken back by adjusting entries. Returns how many."""
    stand_ins = LedgerEntry.objects.filter(request_id=instance_id[:40], kind=LedgerEntry.Kind.REAP, budget_id__isnull=False)
    taken_back = LedgerEntry.objects.filter(request_id=instance_id[:40], kind=LedgerEntry.Kind.ADJUST).values_list("attempt_id", flat=True)
    open_ones = list(stand_ins.exclude(attempt_id__in=list(taken_back)).order_by("budget_id", "at"))
    for entry in open_ones:
        Window.objects.filter(budget_id=entry.budget_id or 0, starts_at=entry.at).update(posted_nano=F("posted_nano") - entry.amount_nano)
        LedgerEntry.objects.create(
            attempt_id=entry.attempt_id,
            kind=LedgerEntry.Kind.ADJUST,
            request_id=entry.request_id,
            at=entry.at,
            amount_nano=-entry.amount_nano,
            budget_id=entry.budget_id,
            note="The lost process's journal was found.",
        )
    return len(open_ones)

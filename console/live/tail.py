"""Finished calls out of the request records, each once, in whichever process they were served: the drainers write them within a second.

Read from the database and not told by processes: nothing is added to a call, nothing told can get lost, and calls that a dead process left
in its journal come too. A record is found by when its call came in and appears when the call ends, so the last seconds are looked at each
time and longer times ever less often. A look reads ids alone, which the index holds; the rest is read once a call.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from django.db.models import Q

from audit.models import RequestRecord
from audit.rollups import is_token_count
from console.attempts import read_attempts
from console.figures import records
from console.live.board import Call, Try
from console.outcomes import SIDES, Ending

# How often one looks how far back, in seconds; the last is what a fresh start reads.
LOOKS = ((0.0, 15.0), (10.0, 120.0), (60.0, 2700.0))
# Rows of one look, the newest. Where there are more, the page begins later.
MOST = 20_000
CHUNK = 500
UNFAILED = ("ok", "client_left", "")
COLUMNS = (
    "received_at", "first_byte_ms", "duration_ms", "endpoint", "status", "outcome", "error_source", "error_code", "error_message",
    "team_id", "user_id", "route", "is_unpriced", "attempts",
)  # fmt: skip


class Tail:
    """`calls` are those known by id; None for what the page does not count."""

    def __init__(self) -> None:
        self.calls: dict[str, Call | None] = {}
        self._looked: dict[float, float] = {}

    def read(self, now: float) -> list[Call]:
        """Those that came since the last time."""
        back = max(back for every, back in LOOKS if now - self._looked.get(back, 0.0) >= every)
        is_whole = back == LOOKS[-1][1]
        for _, shorter in LOOKS:
            if shorter <= back:
                self._looked[shorter] = now
        since = datetime.fromtimestamp(now - back, UTC)
        ids = list(records(Q(received_at__gte=since)).order_by("-received_at", "-id").values_list("id", flat=True)[:MOST])
        found = {record.id: _call(record) for record in _fetched(one for one in ids if one not in self.calls)}
        self.calls.update(found)
        if is_whole:
            self.calls = {name: self.calls[name] for name in ids if name in self.calls}
        return [call for call in found.values() if call]


def _fetched(ids: Iterable[str]) -> Iterator[RequestRecord]:
    coming = iter(ids)
    while part := list(islice(coming, CHUNK)):
        yield from records(Q(pk__in=part)).order_by().only(*COLUMNS)


def _call(record: RequestRecord) -> Call | None:
    if is_token_count(record.endpoint):
        return None
    side = "" if record.outcome in UNFAILED else _side(record)
    return Call(
        id=record.id,
        ended_s=record.received_at.timestamp() + record.duration_ms / 1000,
        first_ms=record.first_byte_ms,
        total_ms=record.duration_ms,
        side=side,
        status=record.status,
        code=(record.error_code or record.outcome) if side else "",
        team_id=record.team_id,
        user_id=record.user_id,
        tries=tuple(
            Try(one.deployment, one.failed and one.side != "client", one.until_first_byte_ms)
            for one in read_attempts(record)
            if one.deployment
        ),
    )


def _side(record: RequestRecord) -> str:
    """As the request's page says; what nobody can be blamed for is ours."""
    side = Ending(record).side
    return next((name for name, one in SIDES.items() if one is side), "gateway")

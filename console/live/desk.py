"""What the Live page shows, by scope and look: the one place of a process where it is worked out, at most once a second for each.

Page views and the sockets' thread share it. Boards live as long as somebody looks; without anybody the process forgets all of it.
"""

import threading
from dataclasses import dataclass, field

from console.live.board import Board
from console.live.look import Look
from console.live.parts import Parts, Rows, Shown, parts_of
from console.live.reports import Report, Reports
from console.live.scope import is_seen
from console.live.tail import Tail
from keys.access import Reach

FRESH_S = 0.8
UNSEEN_S = 120.0


@dataclass(slots=True)
class _Seat:
    """One scope's board, and what its looks were shown last."""

    board: Board
    asked_at: float = 0.0
    shown: dict[Look, tuple[float, Parts]] = field(default_factory=dict)
    rows: dict[Look, Rows] = field(default_factory=dict)


class Desk:
    def __init__(self) -> None:
        self.reports = Reports()
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._tail = Tail()
        self._seats: dict[Reach, _Seat] = {}
        self._read_at = 0.0

    def tidy(self, now: float) -> None:
        """Forgets everything once nobody has looked for a while. Waits for nobody: it is called from the event loop."""
        if self._read_at and now - self._read_at > UNSEEN_S and self._lock.acquire(blocking=False):
            try:
                self._forget()
            finally:
                self._lock.release()

    def parts(self, scope: Reach, look: Look, now: float) -> Parts:
        """The page's parts as HTML, by name. What was shown within the second is shown again."""
        with self._lock:
            self._read(now)
            seat = self._seat(scope)
            seat.asked_at = now
            at, shown = seat.shown.get(look, (0.0, {}))
            if at < self._read_at:
                reports = self.reports.at(now)
                seat.board.saw(_under_way(reports, scope), now)
                seat.board.forget(now)
                rows = seat.rows.setdefault(look, Rows())
                shown = parts_of(Shown(scope, look, now, seat.board, reports, rows))
                seat.shown[look] = (self._read_at, shown)
            return shown

    def _read(self, now: float) -> None:
        if now - self._read_at < FRESH_S:
            return
        self._seats = {scope: seat for scope, seat in self._seats.items() if now - seat.asked_at < UNSEEN_S}
        new = self._tail.read(now)
        for scope, seat in self._seats.items():
            for call in new:
                if is_seen(scope, call.team_id, call.user_id):
                    seat.board.add(call)
        self._read_at = now

    def _seat(self, scope: Reach) -> _Seat:
        seat = self._seats.get(scope)
        if seat is None:
            known = (call for call in self._tail.calls.values() if call and is_seen(scope, call.team_id, call.user_id))
            seat = self._seats[scope] = _Seat(Board(known))
        return seat


def _under_way(reports: list[Report], scope: Reach) -> int:
    callers = (one for report in reports for one in report.under_way.items())
    return sum(count for (team_id, person), count in callers if is_seen(scope, team_id, person))

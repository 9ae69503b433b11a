"""The report of sessions: agent runs, newest first, with the figures of the Sessions page. Runs are sums, paged in their own way."""

from collections.abc import Iterator

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from audit.models import RequestRecord
from console.reports.base import CURRENCY, Listing
from console.reports.filters import Asked, Payers, text
from console.reports.readers import may_see
from console.reports.tables import Column, Row, Table, money_cells, money_columns, row_of
from console.sessions import Place, Run, Sought, complete

CHUNK = 500
_NO_PLACE = "This is no cursor of this report. Take the one of `next`, or leave it out."


class SessionsAsked(Payers):
    client = text("client")
    session = text("session_id")


class Sessions(Listing):
    title = "Sessions"
    meaning = (
        "Agent runs, newest first: the calls of one session id by one key, person and team, added up. A run is told whole, in the period "
        "that its last call lies in, and where one of its calls is as the filters say."
    )
    kind = RequestRecord
    filters = SessionsAsked
    columns = (
        Column("session_id", "what the client calls it", "session_id"),
        Column("request_id", "one of its calls; /sessions/ and this is its page", "one_id"),
        Column("first_at", "when its first call came, in UTC", "first_at"),
        Column("last_at", "when its last call came, in UTC", "last_at"),
        Column("duration_ms", "milliseconds from the start of its first call to the end of its last"),
        Column("team_id", "id of the team", "team_id"),
        Column("user_id", "id of the person", "user_id"),
        Column("key_id", "id of the key: the SHA-256 of its first secret", "key_id"),
        Column("team", "the team's name at that time", "team"),
        Column("user", "the person's name at that time", "user"),
        Column("key", "the key's name at that time", "key"),
        Column("client", "the program that called", "program"),
        Column("models", "the names that were called, the commonest first", "models"),
        Column("tools", "the tools that the model called, the commonest first"),
        Column("agents", "how many subagents took part", "agents"),
        *money_columns("cost", "what it cost"),
        Column("requests", "its calls"),
        Column("failed_requests", "those that did not end well", "problems"),
        Column("unpriced_requests", "those without a price"),
        Column("input_tokens", "tokens sent that no cache knew or took"),
        Column("cache_read_tokens", "tokens read from the provider's cache"),
        Column("cache_write_tokens", "tokens written to the provider's cache"),
        Column("output_tokens", "tokens answered, thinking included"),
        Column("thinking_tokens", "output tokens that were thinking", "thinking"),
    )

    def table(self, asked: Asked | None) -> Table:
        if asked is None:
            raise NotImplementedError
        told = asked.form.cleaned_data
        named = [(one.field_name, told[name]) for name, one in asked.filters.items() if told[name]]
        sought = Sought(may_see(self.reader), told["span"].start, told["span"].end, Q(*named) if named else None)
        walk = _Walk(sought, self._place(), self._page_size())

        def following() -> str | None:
            return self.address_behind(walk.cursor) if walk.cursor else None

        return Table("sessions", self.columns, walk.rows(self.columns), {**told["span"].facts, "currency": CURRENCY}, following)

    def _place(self) -> Place | None:
        cursor = self.request.query_params.get("cursor", "")
        place = Place.read(cursor)
        if cursor and place is None:
            raise ValidationError({"cursor": [_NO_PLACE]})
        return place


class _Walk:
    """Some hundred runs at a time; `cursor` is known after the last."""

    def __init__(self, sought: Sought, place: Place | None, size: int) -> None:
        self._sought, self._place, self._left = sought, place, size
        self.cursor = ""

    def rows(self, columns: tuple[Column, ...]) -> Iterator[Row]:
        while self._left and (found := self._sought.newest(min(CHUNK, self._left), self._place)):
            self._left -= len(found)
            self._place = Place.in_time(found[-1])
            for run in complete(found, self._sought.seen):
                yield _row(run, columns)
        if not self._left and self._sought.newest(1, self._place):
            self.cursor = str(self._place)


def _row(run: Run, columns: tuple[Column, ...]) -> Row:
    used = run.usage
    counts: Row = {"requests": used.calls, "unpriced_requests": used.unpriced, "duration_ms": round(run.duration_ms)}
    tokens: Row = {
        "input_tokens": used.fresh,
        "cache_read_tokens": used.cache_read,
        "cache_write_tokens": used.cache_write,
        "output_tokens": used.output,
    }
    return row_of(run, columns) | {"tools": [name for name, _times in run.tools]} | money_cells("cost", used.cost_nano) | counts | tokens

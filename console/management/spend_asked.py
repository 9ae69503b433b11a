"""What the spend addresses are asked: days, and filters that only ever narrow what the reader may see."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Schema
from pydantic import Field

from console.management.errors import Refused
from console.management.fields import name_ignored
from console.management.spend_access import Reader
from keys.models import VirtualKey
from keys.secrets import hash_token

YEARS = range(2000, 3000)
DAY = timedelta(days=1)
# Nothing that PostgreSQL could not compare with.
Text = Annotated[str, Field(max_length=600, pattern=r"^[^\x00]*$")]
Spanned = tuple[datetime, datetime]


class Days(Schema):
    start_date: Text = ""
    end_date: Text = ""

    def span(self) -> Spanned:
        """From the start of the first day to the end of the last, in UTC."""
        if not self.start_date or not self.end_date:
            raise Refused("Please provide start_date and end_date.", param="start_date" if not self.start_date else "end_date")
        return _moment("start_date", self.start_date), _moment("end_date", self.end_date, is_end=True)

    def span_or(self, start: datetime, end: datetime) -> Spanned:
        """What is not named is as told."""
        first = _moment("start_date", self.start_date) if self.start_date else start
        return first, _moment("end_date", self.end_date, is_end=True) if self.end_date else end


def last_days(days: int, now: datetime) -> Spanned:
    return now - days * DAY, now + DAY


def _moment(name: str, text: str, *, is_end: bool = False) -> datetime:
    """A day, or a moment of it; the end of a span named by its day alone is that day's."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{name} is a day, YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS.", param=name) from None
    if found.year not in YEARS:
        raise Refused(f"{name} lies outside of the years {YEARS.start} to {YEARS.stop - 1}.", param=name)
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    is_day = ":" not in text and "T" not in text
    return found + DAY if is_end and is_day else found


def during(span: Spanned, column: str = "starts_at") -> Q:
    return Q((f"{column}__gte", span[0]), (f"{column}__lt", span[1]))


def by_key(reader: Reader, api_key: str) -> Q:
    """A key by itself, its hash or its id. Figures of keys that are gone stand under their ids."""
    if not api_key:
        return Q()
    named = hash_token(api_key) if api_key.startswith("sk-") else api_key
    found = VirtualKey.objects.filter(Q(pk=named) | Q(token_hash=named)).values_list("pk", flat=True).first()
    key_id = found or named
    reader.check_key(key_id)
    return Q(key_id=key_id)


def by_user(reader: Reader, user_id: str) -> Q:
    if not user_id:
        return Q()
    reader.check_user(user_id)
    return Q(user_id=user_id)


def by_teams(reader: Reader, team_ids: str) -> Q:
    """One team's id, or several with commas between them."""
    named = listed(team_ids)
    if not named:
        return Q()
    reader.check_teams(named)
    return Q(team_id__in=named)


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def name_unused(request: HttpRequest, response: HttpResponse, asked: Schema) -> None:
    """Filters that we do not know are named: the answer is wider than who sent them may think."""
    known = type(asked).model_fields
    name_ignored(response, {name: value for name, value in request.GET.items() if name not in known and value})

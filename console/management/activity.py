"""/user, /team, /customer and /tag/daily/activity: what was used day by day, and by what it was used, in LiteLLM's shape.

Models stand under the public names that were called; a page holds at most DAYS_PER_PAGE days.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router

from console.management.customer_figures import customer_tallies
from console.management.errors import Refused
from console.management.spend_access import reader, reader_of
from console.management.spend_asked import DAY, Days, Text, by_key, by_teams, by_user, during, listed, name_unused
from console.management.spend_figures import Group, KeyNames, Tally, tag_scope, tag_tallies, tallies, team_names, total

router = Router(tags=["spend"], auth=reader)

DAYS_PER_PAGE = 31
FURTHEST_ZONE_MIN = 14 * 60
# What is not counted by tag.
UNKNOWN_BY_TAG = dict.fromkeys(("cache_read_input_tokens", "cache_creation_input_tokens", "successful_requests", "failed_requests"))
BREAKDOWNS = ("models", "model_groups", "providers", "api_keys", "entities", "mcp_servers", "endpoints")

Row = dict[str, Any]
# Which calls, grouped by what, in which time zone.
Read = Callable[[Q, Sequence[str], tzinfo], list[Group]]


class Paged(Days):
    model: Text = ""
    api_key: Text = ""
    page: int = Field(1, ge=1, le=10**6)
    page_size: int = Field(10, ge=1, le=1000)

    @property
    def size(self) -> int:
        return min(self.page_size, DAYS_PER_PAGE)

    def by_model(self) -> Q:
        return Q(route=self.model) if self.model else Q()

    def metadata(self, days: Mapping[date, Tally]) -> Row:
        sums = metrics(total(((day,), tally) for day, tally in days.items()))
        names = {"spend": "total_spend", "total_tokens": "total_tokens"}
        pages = -(-len(days) // self.size)
        told = {names.get(name, f"total_{name}"): value for name, value in sums.items()}
        return told | {"page": self.page, "total_pages": pages, "has_more": self.page < pages}

    def cut(self, days: Mapping[date, Tally]) -> list[date]:
        """The newest first."""
        return sorted(days, reverse=True)[(self.page - 1) * self.size : self.page * self.size]


class UserActivity(Paged):
    user_id: Text = ""
    timezone: int = Field(0, ge=-FURTHEST_ZONE_MIN, le=FURTHEST_ZONE_MIN, multiple_of=15, description="minutes from local time to UTC")


class TeamActivity(Paged):
    team_ids: Text = ""


class CustomerActivity(Paged):
    end_user_ids: Text = ""
    exclude_end_user_ids: Text = ""


class TagActivity(Paged):
    tags: Text = ""


@router.get("/user/daily/activity", summary="What people used, day by day")
def user_activity(request: HttpRequest, response: HttpResponse, asked: Query[UserActivity]) -> Row:
    who, zone = reader_of(request), timezone(timedelta(minutes=-asked.timezone))
    name_unused(request, response, asked)
    start, end = asked.span()
    local = (start.replace(tzinfo=zone), end.replace(tzinfo=zone))
    where = who.scope() & during(local) & by_key(who, asked.api_key) & by_user(who, asked.user_id) & asked.by_model()
    return _activity(asked, where, "user_id", zone)


@router.get("/team/daily/activity", summary="What teams used, day by day")
def team_activity(request: HttpRequest, response: HttpResponse, asked: Query[TeamActivity]) -> Row:
    who = reader_of(request)
    name_unused(request, response, asked)
    where = who.scope() & during(asked.span()) & by_key(who, asked.api_key) & by_teams(who, asked.team_ids) & asked.by_model()
    return _activity(asked, where, "team_id", UTC)


@router.get("/customer/daily/activity", summary="What was used for customers, day by day")
@router.get("/end_user/daily/activity", include_in_schema=False)
def customer_activity(request: HttpRequest, response: HttpResponse, asked: Query[CustomerActivity]) -> Row:
    """Out of the single calls, as long as those are kept; money out of the ledger."""
    who = reader_of(request)
    name_unused(request, response, asked)
    where = who.scope() & during(asked.span()) & by_key(who, asked.api_key) & asked.by_model() & ~Q(end_user="")
    if named := listed(asked.end_user_ids):
        where &= Q(end_user__in=named)
    where &= ~Q(end_user__in=listed(asked.exclude_end_user_ids))
    return _activity(asked, where, "end_user", UTC, customer_tallies)


@router.get("/tag/daily/activity", summary="What was used under tags, day by day")
def tag_activity(request: HttpRequest, response: HttpResponse, asked: Query[TagActivity]) -> Row:
    """A call with two tags counts under both, in the day's sums too. Cached tokens and failures are not counted by tag: null."""
    who = reader_of(request)
    name_unused(request, response, asked)
    if asked.api_key:
        raise Refused("What tags cost is not counted by key.", param="api_key")
    if not who.sees_all and not who.team_ids:
        raise Refused("Tags are counted by team, and this key manages none.", type="permission_error", status=403)
    where = tag_scope(who) & during(asked.span()) & asked.by_model()
    if tags := listed(asked.tags):
        where &= Q(tag__in=tags)
    days = _by_day(tag_tallies(where, ["day"]))
    shown = asked.cut(days)
    results = {day: _day(day, days[day], UNKNOWN_BY_TAG) for day in shown}
    if shown:
        span = during((_midnight(shown[-1]), _midnight(shown[0]) + DAY))
        for name, column in (("models", "route"), ("model_groups", "route"), ("entities", "tag")):
            for (day, value), tally in tag_tallies(where & span, ["day", column]):
                results[day]["breakdown"][name][value] = {"metrics": metrics(tally) | UNKNOWN_BY_TAG, "metadata": {}}
    return {"results": list(results.values()), "metadata": asked.metadata(days) | {f"total_{name}": None for name in UNKNOWN_BY_TAG}}


def metrics(tally: Tally) -> Row:
    usage = tally.usage
    return {
        "spend": tally.dollars,
        "prompt_tokens": usage.sent,
        "completion_tokens": usage.output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "total_tokens": usage.tokens,
        "successful_requests": tally.answered,
        "failed_requests": usage.calls - tally.answered,
        "api_requests": usage.calls,
    }


def _activity(asked: Paged, where: Q, entity: str, zone: tzinfo, read: Read = tallies) -> Row:
    """Four queries of sums, whatever the number of calls."""
    days = _by_day(read(where, ["day"], zone))
    shown = asked.cut(days)
    results = {day: _day(day, days[day]) for day in shown}
    if shown:
        where &= during((_midnight(shown[-1], zone), _midnight(shown[0], zone) + DAY))
        found = {column: read(where, ["day", column, "key_id"], zone) for column in ("route", "provider", entity)}
        keys = KeyNames(key_id for (_, _, key_id), _ in found["route"])
        teams = team_names(team_id for (_, team_id, _), _ in found.get("team_id", ()))
        for name, column in (("models", "route"), ("model_groups", "route"), ("providers", "provider"), ("entities", entity)):
            for (day, value), by_keys in _nested(found[column]).items():
                metadata = {"team_alias": teams[value]} if column == "team_id" else {}
                results[day]["breakdown"][name][value] = _broken_down(by_keys, keys, metadata)
        for (day, key_id), tally in _summed(((day, key_id), tally) for (day, _, key_id), tally in found["route"]).items():
            results[day]["breakdown"]["api_keys"][keys.of(key_id).token] = _of_key(key_id, tally, keys)
    return {"results": list(results.values()), "metadata": asked.metadata(days)}


def _broken_down(by_keys: list[tuple[str, Tally]], keys: KeyNames, metadata: Row) -> Row:
    summed = total(((key_id,), tally) for key_id, tally in by_keys)
    of_keys = {keys.of(key_id).token: _of_key(key_id, tally, keys) for key_id, tally in by_keys}
    return {"metrics": metrics(summed), "metadata": metadata, "api_key_breakdown": of_keys}


def _of_key(key_id: str, tally: Tally, keys: KeyNames) -> Row:
    named = keys.of(key_id)
    return {"metrics": metrics(tally), "metadata": {"key_alias": named.alias, "team_id": named.team_id}}


def _day(day: date, tally: Tally, unknown: Mapping[str, None] = MappingProxyType({})) -> Row:
    return {"date": day.isoformat(), "metrics": metrics(tally) | dict(unknown), "breakdown": {name: {} for name in BREAKDOWNS}}


def _by_day(groups: Iterable[Group]) -> dict[date, Tally]:
    return {day: tally for (day,), tally in groups}


def _nested(groups: Iterable[Group]) -> dict[tuple[Any, Any], list[tuple[str, Tally]]]:
    found: dict[tuple[Any, Any], list[tuple[str, Tally]]] = {}
    for (day, value, key_id), tally in groups:
        found.setdefault((day, value), []).append((key_id, tally))
    return found


def _summed(groups: Iterable[Group]) -> dict[tuple[Any, ...], Tally]:
    found: dict[tuple[Any, ...], Tally] = {}
    for group, tally in groups:
        found.setdefault(group, Tally()).add(tally)
    return found


def _midnight(day: date, zone: tzinfo = UTC) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)

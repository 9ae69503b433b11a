"""/spend/… at LiteLLM's paths: single calls, and what keys, people and tags cost. Nothing here changes anything."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router

from audit.querysets import RequestQuerySet
from billing.actions import nano_of
from billing.models import Budget
from console.figures import records
from console.management.errors import Refused
from console.management.fields import Dollars
from console.management.key_rows import key_rows
from console.management.spend_access import Reader, reader, reader_of
from console.management.spend_asked import DAY, Days, Spanned, Text, by_key, by_teams, by_user, during, last_days, name_unused
from console.management.spend_calculate import Calculation, calculated_nano
from console.management.spend_figures import Tally, dearest, tag_scope, tag_tallies, tallies
from console.management.spend_logs import log_rows
from console.management.terms import MoneyRows
from console.management.wire import usd
from keys.models import User, VirtualKey

router = Router(tags=["spend"], auth=reader)

ROWS = 1000
# Where the newest calls are looked for when no days are named, and how long a span of single calls may be.
LATELY, LONGEST = 30, 92
# Further on a list is not counted.
COUNTED = 10_000
ANSWERED = Q(outcome="ok", status__lt=400)

Row = dict[str, Any]


class Logs(Days):
    api_key: Text = ""
    user_id: Text = ""
    request_id: Text = ""
    summarize: bool = True


class PagedLogs(Days):
    api_key: Text = ""
    user_id: Text = ""
    request_id: Text = ""
    team_id: Text = ""
    session_id: Text = ""
    model: Text = ""
    model_id: Text = ""
    model_group: Text = ""
    key_alias: Text = ""
    end_user: Text = ""
    error_code: Text = ""
    status_filter: Text = ""
    min_spend: Dollars | None = None
    max_spend: Dollars | None = None
    sort_by: Text = "startTime"
    sort_order: Text = "desc"
    page: int = Field(1, ge=1, le=COUNTED)
    page_size: int = Field(50, ge=1, le=100)


# A filter's column of RequestRecord.
COLUMNS = {
    "session_id": "session_id", "model": "served_model", "model_id": "deployment_id", "model_group": "route", "key_alias": "key_name",
    "end_user": "end_user", "error_code": "error_code",
}  # fmt: skip


@router.get("/spend/logs", summary="Single calls, or sums by day")
def spend_logs(request: HttpRequest, asked: Query[Logs]) -> list[Row]:
    """With both days and `summarize`, which it is unless told otherwise: a sum for each day. Else the newest calls, a thousand at most."""
    who = reader_of(request)
    where = who.scope() & by_key(who, asked.api_key) & by_user(who, asked.user_id)
    if asked.request_id:
        return log_rows(records(where).filter(pk=asked.request_id))
    if asked.start_date and asked.end_date and asked.summarize:
        return _daily(where, asked.span())
    if not asked.api_key or asked.start_date or asked.end_date:
        where &= during(_short(asked.span_or(*last_days(LATELY, timezone.now()))), "received_at")
    return log_rows(_newest(records(where))[:ROWS])


@router.get("/spend/logs/v2", summary="Single calls, page by page")
@router.get("/spend/logs/ui", include_in_schema=False)
def paged_logs(request: HttpRequest, response: HttpResponse, asked: Query[PagedLogs]) -> Row:
    """`total` is told up to ten thousand."""
    who = reader_of(request)
    name_unused(request, response, asked)
    if asked.sort_by != "startTime" or asked.sort_order not in {"asc", "desc"}:
        raise Refused("Calls are sorted by startTime, asc or desc.", param="sort_by")
    found = records(_wanted(who, asked)).filter(during(_short(asked.span()), "received_at"))
    total = found.order_by()[:COUNTED].count()
    ordered = _newest(found) if asked.sort_order == "desc" else _newest(found).reverse()
    first = (asked.page - 1) * asked.page_size
    shown = ordered[first : first + asked.page_size] if first < COUNTED else ordered.none()
    pages = -(-total // asked.page_size)
    return {"data": log_rows(shown), "total": total, "page": asked.page, "page_size": asked.page_size, "total_pages": pages}


@router.post("/spend/calculate", summary="What a call costs")
def calculate(request: HttpRequest, asked: Calculation) -> Row:
    return {"cost": usd(calculated_nano(asked))}


@router.get("/spend/keys", summary="Keys, the dearest first")
def spend_keys(request: HttpRequest) -> list[Row]:
    """A thousand at most, each as /key/info tells it."""
    who = reader_of(request)
    totals = {key_id: tally.usage.cost_nano for (key_id,), tally in tallies(who.scope(), ["key_id"])}
    keys = sorted(VirtualKey.objects.filter(who.keys(), revoked_at=None), key=lambda key: (-totals.get(key.pk, 0), key.pk))[:ROWS]
    return [row | {"token": key.token_hash} for key, row in zip(keys, key_rows(keys, timezone.now()), strict=True)]


@router.get("/spend/users", summary="People, the dearest first")
def spend_users(request: HttpRequest, user_id: Text = "") -> list[Row]:
    """What people cost as far as the reader may see it; who sees everything sees their budgets, too."""
    who = reader_of(request)
    totals = {name: tally for (name,), tally in tallies(who.scope() & by_user(who, user_id), ["user_id"]) if name}
    people = User.objects.filter(pk=user_id) if user_id else User.objects.all()
    if not who.sees_all:
        people = people.filter(Q(pk=who.user_id) | Q(memberships__team_id__in=who.team_ids)).distinct()
    shown = sorted(people, key=lambda user: (-totals.get(user.pk, Tally()).usage.cost_nano, user.pk))[:ROWS]
    moneys = MoneyRows(Budget.Scope.USER, [user.pk for user in shown], timezone.now()) if who.sees_all else None
    rows = []
    for user in shown:
        row: Row = {"user_id": user.pk, "user_email": user.email or None, "user_role": user.role}
        row |= {"spend": totals.get(user.pk, Tally()).dollars, "models": [], "metadata": user.metadata if moneys else {}}
        rows.append(row | (moneys.row(user.pk) if moneys else {}))
    return rows


@router.get("/spend/tags", summary="What was spent under tags")
def spend_tags(request: HttpRequest, asked: Query[Days]) -> list[Row]:
    """A call with two tags counts under both."""
    who = reader_of(request)
    if not who.sees_all and not who.team_ids:
        raise Refused("Tags are counted by team, and this key manages none.", type="permission_error", status=403)
    where = tag_scope(who) & during(asked.span_or(*last_days(LATELY, timezone.now())))
    found = dearest(tag_tallies(where, ["tag"]), ROWS)
    return [{"individual_request_tag": tag, "log_count": tally.usage.calls, "total_spend": tally.dollars} for (tag,), tally in found]


def _newest(found: RequestQuerySet) -> RequestQuerySet:
    """Without the columns that a log does not show."""
    return found.order_by("-received_at", "-id").defer("attempts", "price_lines", "tools", "error_message")


def _wanted(who: Reader, asked: PagedLogs) -> Q:
    where = who.scope() & by_key(who, asked.api_key) & by_user(who, asked.user_id) & by_teams(who, asked.team_id)
    where &= Q(**{column: getattr(asked, name) for name, column in COLUMNS.items() if getattr(asked, name)})
    if asked.request_id:
        where &= Q(pk=asked.request_id)
    if asked.min_spend is not None:
        where &= Q(cost_nano__gte=nano_of(asked.min_spend))
    if asked.max_spend is not None:
        where &= Q(cost_nano__lte=nano_of(asked.max_spend))
    if asked.status_filter not in {"", "success", "failure"}:
        raise Refused("status_filter is success or failure.", param="status_filter")
    if asked.status_filter:
        where &= ANSWERED if asked.status_filter == "success" else ~ANSWERED
    return where


def _short(span: Spanned) -> Spanned:
    if span[1] - span[0] > timedelta(days=LONGEST):
        text = f"Single calls are listed for {LONGEST} days at a time. Sums by day have no such bound: summarize=true, /global/…."
        raise Refused(text, param="start_date")
    return span


def _daily(where: Q, span: Spanned) -> list[Row]:
    """One row for each day that has calls, then, as LiteLLM does, empty ones up to the last day asked for."""
    days: dict[date, Row] = {}
    for (day, route, user_id), tally in tallies(where & during(span), ["day", "route", "user_id"]):
        row = days.setdefault(day, {"nano": 0, "users": {}, "models": {}})
        row["nano"] += tally.usage.cost_nano
        for name, value in (("users", user_id), ("models", route)):
            row[name][value] = row[name].get(value, 0) + tally.usage.cost_nano
    rows = [_summary(day, row) for day, row in sorted(days.items())]
    return rows + [_summary(day, {}) for day in _missing(days, span)]


def _summary(day: date, row: Row) -> Row:
    users, models = ({name: usd(nano) for name, nano in row.get(kind, {}).items()} for kind in ("users", "models"))
    return {"startTime": day.isoformat(), "spend": usd(row.get("nano", 0)), "users": users, "models": models}


def _missing(days: Iterable[date], span: Spanned) -> Iterable[date]:
    last: date | None = max(days, default=None)
    end: datetime = min(span[1], timezone.now() + DAY)
    while last is not None and (last := last + DAY) < end.date():
        yield last

"""/global/spend… and /global/activity…: what all that the reader may see cost and used, out of the roll-ups, in LiteLLM's shapes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Literal

from django.db.models import Q, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router

from billing.models import Budget, LedgerEntry
from console.management.errors import Refused
from console.management.spend_access import Reader, reader, reader_of
from console.management.spend_asked import Days, Spanned, Text, by_key, by_teams, by_user, during, last_days
from console.management.spend_figures import Group, KeyNames, Tally, dearest, tallies, team_names, total
from console.management.wire import usd
from console.use_cases import budgets_of, main_budget

router = Router(tags=["spend"], auth=reader)

# What LiteLLM's views look back.
LAST_DAYS = 30
MODELS_SHOWN = 10

Row = dict[str, Any]


class Top(Days):
    limit: int = Field(10, ge=1, le=1000)


class Report(Days):
    group_by: Literal["team", "customer", "api_key"] = "team"
    api_key: Text = ""
    internal_user_id: Text = ""
    team_id: Text = ""
    customer_id: Text = ""


@router.get("/global/spend", summary="What the last 30 days cost")
def global_spend(request: HttpRequest) -> Row:
    who = reader_of(request)
    found = total(tallies(_lately(who), ["provider"]))
    main = main_budget(budgets_of(Budget.Scope.GLOBAL, "")) if who.sees_all else None
    return {"spend": found.dollars, "max_budget": usd(main.amount_nano) if main else 0}


@router.get("/global/spend/keys", summary="The dearest keys of the last 30 days")
def global_keys(request: HttpRequest, asked: Query[Top]) -> list[Row]:
    found = dearest(tallies(_lately(reader_of(request), asked), ["key_id"]), asked.limit)
    keys = KeyNames(key_id for (key_id,), _ in found)
    named = [(keys.of(key_id), tally) for (key_id,), tally in found]
    return [{"api_key": key.token, "key_alias": key.alias, "key_name": key.hint, "total_spend": tally.dollars} for key, tally in named]


@router.get("/global/spend/models", summary="The dearest models of the last 30 days")
def global_models(request: HttpRequest, asked: Query[Top]) -> list[Row]:
    found = dearest(tallies(_lately(reader_of(request), asked), ["route"]), asked.limit)
    return [{"model": route, "total_spend": tally.dollars} for (route,), tally in found]


@router.get("/global/spend/teams", summary="What teams cost in the last 30 days, day by day")
def global_teams(request: HttpRequest, asked: Query[Days]) -> Row:
    where = _lately(reader_of(request), asked)
    totals = dearest(tallies(where, ["team_id"]))
    names = team_names(team_id for (team_id,), _ in totals)
    days: dict[date, dict[str, Tally]] = {}
    for (day, team_id), tally in tallies(where, ["day", "team_id"]):
        days.setdefault(day, {}).setdefault(names[team_id], Tally()).add(tally)
    return {
        "daily_spend": [
            {name: tally.dollars for name, tally in by_name.items()} | {"date": day.isoformat()} for day, by_name in sorted(days.items())
        ],
        "teams": list(dict.fromkeys(names[team_id] for (team_id,), _ in totals)),
        "total_spend_per_team": [{"team_id": names[team_id], "total_spend": tally.dollars} for (team_id,), tally in totals],
    }


@router.get("/global/spend/report", summary="What teams, customers or keys cost")
def global_report(request: HttpRequest, asked: Query[Report]) -> list[Row]:
    """LiteLLM's narrowing by key, person, team and customer works with each way of grouping."""
    who = reader_of(request)
    span = asked.span()
    where = who.scope() & by_key(who, asked.api_key) & by_user(who, asked.internal_user_id) & by_teams(who, asked.team_id)
    if asked.group_by == "customer":
        return _by_customer(where, span, asked.customer_id)
    if asked.customer_id:
        raise Refused("customer_id goes with group_by=customer.", param="customer_id")
    return _by_key(where & during(span)) if asked.group_by == "api_key" else _by_team(where & during(span))


@router.get("/global/activity", summary="Calls and tokens day by day")
def global_activity(request: HttpRequest, asked: Query[Days]) -> Row:
    return _active(tallies(reader_of(request).scope() & during(asked.span()), ["day"]))


@router.get("/global/activity/model", summary="Calls and tokens of the busiest models, day by day")
def model_activity(request: HttpRequest, asked: Query[Days]) -> list[Row]:
    by_model: dict[str, list[Group]] = {}
    for (day, route), tally in tallies(reader_of(request).scope() & during(asked.span()), ["day", "route"]):
        by_model.setdefault(route, []).append(((day,), tally))
    rows: list[Row] = [{"model": route} | _active(groups) for route, groups in by_model.items()]
    return sorted(rows, key=lambda row: (-row["sum_api_requests"], row["model"]))[:MODELS_SHOWN]


def _lately(who: Reader, asked: Days | None = None) -> Q:
    span = last_days(LAST_DAYS, timezone.now())
    return who.scope() & during(asked.span_or(*span) if asked else span)


def _active(groups: Iterable[Group]) -> Row:
    found = sorted(groups, key=lambda group: group[0])
    rows = [{"date": f"{day:%b %d}", "api_requests": tally.usage.calls, "total_tokens": tally.usage.tokens} for (day,), tally in found]
    summed = total(found).usage
    return {"daily_data": rows, "sum_api_requests": summed.calls, "sum_total_tokens": summed.tokens}


def _by_team(where: Q) -> list[Row]:
    found = tallies(where, ["day", "team_id", "route", "key_id"])
    names, keys = team_names(team_id for (_, team_id, _, _), _ in found), KeyNames(key_id for (_, _, _, key_id), _ in found)
    days: dict[date, dict[str, list[Group]]] = {}
    for (day, team_id, route, key_id), tally in found:
        days.setdefault(day, {}).setdefault(team_id, []).append(((route, keys.of(key_id).token), tally))
    return [
        {
            "group_by_day": _day(day),
            "teams": [
                {"team_name": names[team_id], "total_spend": total(groups).dollars, "metadata": [_of_model(*group) for group in groups]}
                for team_id, groups in sorted(teams.items())
            ],
        }
        for day, teams in sorted(days.items())
    ]


def _of_model(group: tuple[Any, ...], tally: Tally) -> Row:
    return {"model": group[0], "spend": tally.dollars, "total_tokens": tally.usage.tokens, "api_key": group[1]}


def _by_key(where: Q) -> list[Row]:
    by_key: dict[str, list[Group]] = {}
    for (key_id, route), tally in tallies(where, ["key_id", "route"]):
        by_key.setdefault(key_id, []).append(((route,), tally))
    keys = KeyNames(by_key)
    ranked = dearest(((key_id,), total(groups)) for key_id, groups in by_key.items())
    return [
        {"api_key": keys.of(key_id).token}
        | _cost(summed)
        | {"model_details": [{"model": route} | _cost(tally) for (route,), tally in dearest(by_key[key_id])]}
        for (key_id,), summed in ranked
    ]


def _cost(tally: Tally) -> Row:
    return {"total_cost": tally.dollars, "total_input_tokens": tally.usage.sent, "total_output_tokens": tally.usage.output}


def _by_customer(where: Q, span: Spanned, customer_id: str) -> list[Row]:
    """Out of the ledger, which knows end users and money but no tokens. What stands in for one budget's lost share is nobody's spend."""
    entries = LedgerEntry.objects.filter(where & during(span, "at"), budget_id=None).exclude(end_user="").order_by()
    if customer_id:
        entries = entries.filter(end_user=customer_id)
    by_day = entries.annotate(day=TruncDate("at", tzinfo=UTC)).values_list("day", "end_user", "route", "key_id")
    found = list(by_day.annotate(nano=Sum("amount_nano")))
    keys = KeyNames(row[3] for row in found)
    days: dict[date, dict[str, list[tuple[int, Row]]]] = {}
    for day, end_user, route, key_id, nano in found:
        detail = {"model": route, "spend": usd(int(nano)), "total_tokens": None, "api_key": keys.of(key_id).token}
        days.setdefault(day, {}).setdefault(end_user, []).append((int(nano), detail))
    return [
        {
            "group_by_day": _day(day),
            "customers": [
                {"customer": name, "total_spend": usd(sum(nano for nano, _ in rows)), "metadata": [detail for _, detail in rows]}
                for name, rows in sorted(customers.items())
            ],
        }
        for day, customers in sorted(days.items())
    ]


def _day(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)

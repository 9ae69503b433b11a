"""Reports of rows: ledger entries, requests, budgets, keys and teams, each as far as the reader may see them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.models import RequestRecord
from billing.models import Budget, LedgerEntry
from billing.standing import sentence
from billing.status import burns, standings
from console.figures import records
from console.reports.base import CUT_IN, Listing
from console.reports.filters import NO, Asked, BudgetsAsked, KeysAsked, LedgerAsked, RequestsAsked, TeamsAsked
from console.reports.readers import budgets_of, keys_of, may_see
from console.reports.span import Span
from console.reports.sums import names_by_id, spent_by
from console.reports.tables import Column, Row, money_cells, money_columns, row_of
from keys.models import Team, VirtualKey

PAYERS = (
    Column("organisation_id", "id of the organisation", "organisation_id"),
    Column("team_id", "id of the team", "team_id"),
    Column("user_id", "id of the person", "user_id"),
    Column("key_id", "id of the key: the SHA-256 of its first secret", "key_id"),
    Column("cost_centre", "the cost centre of key or team at that time", "cost_centre"),
)
SPENT = (*money_columns("cost", "what it cost in the period, as far as you may see"), Column("requests", "its calls in the period"))


class Ledger(Listing):
    title = "Ledger"
    meaning = (
        "Entries of the ledger, newest first: what each attempt cost (base), what stands in for one whose end nobody saw (reap), later "
        "corrections (adjust). Entries that count for one budget alone are nobody's spend; one_budget=true lists them."
    )
    kind = LedgerEntry
    filters = LedgerAsked
    order = ("-at", "-id")
    columns = (
        Column("id", "number of the entry", "id"),
        Column("at", "when, in UTC", "at"),
        Column("kind", "base, reap or adjust", "kind"),
        Column("amount_usd", "amount in US dollars, exact", "amount_nano"),
        Column("amount_nano", "amount in nano-dollars", "amount_nano"),
        Column("request_id", "the call", "request_id"),
        Column("attempt_id", "the attempt", "attempt_id"),
        Column("model", "the name that was called", "route"),
        Column("provider", "who served it", "provider"),
        Column("served_model", "the provider's model", "model"),
        *PAYERS,
        Column("end_user", "the customer that the call named", "end_user"),
        Column("tags", "tags of the call", "tags"),
        Column("is_unpriced", "whether the model had no price", "is_unpriced"),
        Column("is_estimated", "whether the usage had to be estimated", "is_estimated"),
        Column("price_version", "which prices", "price_version"),
        Column("budget_id", "the one budget that it counts for, if so", "budget_id"),
        Column("note", "why, of corrections", "note"),
    )

    def listed(self) -> QuerySet[Any]:
        return LedgerEntry.objects.filter(may_see(self.reader))

    def narrowed(self, asked: Asked | None) -> QuerySet[Any]:
        rows = _within(super().narrowed(asked), asked, "at")
        return rows if asked and asked.form.cleaned_data["one_budget"] else rows.filter(budget_id=None)

    def describe(self, chunk: Sequence[Any], span: Span | None) -> list[Row]:
        return [row_of(entry, self.columns) for entry in chunk]


class Requests(Listing):
    title = "Requests"
    meaning = "Calls as they were served, newest first; never what was asked or answered. Calls that only count tokens are left out."
    kind = RequestRecord
    filters = RequestsAsked
    order = ("-received_at", "-id")
    columns = (
        Column("id", "the call", "id"),
        Column("received_at", "when, in UTC", "received_at"),
        Column("outcome", "ok, refused, failed, truncated, interrupted or client_left", "outcome"),
        Column("status", "the HTTP status that the caller got", "status"),
        Column("error_source", "whose side a failure was on: client, gateway or provider", "error_source"),
        Column("error_code", "the failure's code", "error_code"),
        Column("endpoint", "the address that was called", "endpoint"),
        Column("model", "the name that was called", "route"),
        Column("provider", "who served it", "provider"),
        Column("served_model", "the provider's model", "served_model"),
        *PAYERS,
        Column("team", "the team's name at that time", "team_name"),
        Column("user", "the person's name at that time", "user_name"),
        Column("key", "the key's name at that time", "key_name"),
        Column("end_user", "the customer that the call named", "end_user"),
        Column("session_id", "the session that the client named", "session_id"),
        Column("client", "the program that called", "client"),
        Column("tags", "tags of the call", "tags"),
        Column("cost_usd", "cost in US dollars, exact; empty without a price", "cost_nano"),
        Column("cost_nano", "cost in nano-dollars", "cost_nano"),
        Column("is_unpriced", "whether the model had no price", "is_unpriced"),
        Column("is_estimated", "whether the usage had to be estimated", "is_estimated"),
        Column("input_tokens", "tokens sent that no cache knew or took", "input_tokens"),
        Column("cache_read_tokens", "tokens read from the provider's cache", "cache_read_tokens"),
        Column("cache_write_5m_tokens", "tokens written to the cache for five minutes", "cache_write_5m_tokens"),
        Column("cache_write_1h_tokens", "tokens written to the cache for an hour", "cache_write_1h_tokens"),
        Column("output_tokens", "tokens answered, thinking included", "output_tokens"),
        Column("thinking_tokens", "output tokens that were thinking", "thinking_tokens"),
        Column("first_byte_ms", "milliseconds to the answer's first byte"),
        Column("duration_ms", "milliseconds to the answer's end"),
    )

    def listed(self) -> QuerySet[Any]:
        shown = {column.source for column in self.columns if column.source}
        return records(may_see(self.reader)).only(*shown, "first_byte_ms", "duration_ms")

    def narrowed(self, asked: Asked | None) -> QuerySet[Any]:
        rows = _within(super().narrowed(asked), asked, "received_at")
        return rows if asked and asked.form.cleaned_data["token_counts"] not in ("", NO) else rows & records(Q()).without_token_counts()

    def describe(self, chunk: Sequence[Any], span: Span | None) -> list[Row]:
        return [row_of(one, self.columns) | {name: _ms(getattr(one, name)) for name in ("first_byte_ms", "duration_ms")} for one in chunk]


class Budgets(Listing):
    title = "Budgets"
    meaning = "Budgets as they stand now: the same figures as refusals and pages show, calls under way included."
    kind = Budget
    filters = BudgetsAsked
    order = ("id", "id")
    columns = (
        Column("id", "number of the budget", "id"),
        Column("scope", "whom it is for: key, user, team, member, organisation, tag, end_user or global", "scope"),
        Column("scope_id", "their id", "scope_id"),
        Column("name", "their name"),
        Column("model", "the only model that counts; empty: all", "model"),
        Column("mode", "hard, strict or soft", "mode"),
        Column("period", "after which it begins anew; empty: never", "period"),
        *money_columns("amount", "what may be spent"),
        *money_columns("spent", "what was spent"),
        *money_columns("held", "what calls under way may still cost"),
        *money_columns("left", "what is left"),
        Column("used_percent", "how much of it was spent, in whole percent"),
        Column("starts_at", "when its present period began, in UTC"),
        Column("resets_at", "when it begins anew, in UTC; empty: never"),
        *money_columns("per_day", "what it loses a day, by the last week"),
        Column("runs_out_at", "when it will be used up at that rate, in UTC; empty: not before it begins anew"),
        Column("told", "the sentence that a refused caller reads"),
    )

    def listed(self) -> QuerySet[Any]:
        return Budget.objects.filter(budgets_of(self.reader))

    def describe(self, chunk: Sequence[Any], span: Span | None) -> list[Row]:
        now = timezone.now()
        standing = standings(chunk, now)
        burning = burns(chunk, standing, now)
        names = names_by_id((budget.scope, budget.scope_id) for budget in chunk)
        rows = []
        for budget in chunk:
            one, burn = standing[budget.pk], burning[budget.pk]
            name = names.get((budget.scope, budget.scope_id), budget.scope_id)
            amounts = {"amount": one.amount_nano, "spent": one.spent_nano, "held": one.held_nano, "left": one.left_nano}
            row = row_of(budget, self.columns) | {"name": name, "used_percent": one.used_percent, "told": sentence(one, name)}
            row |= {"starts_at": _at(one.starts_at), "resets_at": _at(one.resets_at), "runs_out_at": _at(burn.runs_out_at)}
            for kind, nano in {**amounts, "per_day": burn.per_day_nano}.items():
                row |= money_cells(kind, nano)
            rows.append(row)
        return rows


class Keys(Listing):
    title = "Keys"
    meaning = "Virtual keys by name, whose they are, whether they work, and what they cost in a period; never a secret or a part of one."
    kind = VirtualKey
    filters = KeysAsked
    in_rows = CUT_IN
    order = ("name", "id")
    columns = (
        Column("id", "id of the key: the SHA-256 of its first secret", "id"),
        Column("name", "its name", "name"),
        Column("state", "active, blocked, expired or revoked"),
        Column("organisation_id", "id of the organisation that it was given to directly", "organisation_id"),
        Column("team_id", "id of its team", "team_id"),
        Column("team", "its team"),
        Column("user_id", "id of its owner", "user_id"),
        Column("user", "its owner"),
        Column("cost_centre", "its own cost centre, else the team's"),
        Column("created_at", "when it was issued, in UTC", "created_at"),
        Column("expires_at", "when it ends, in UTC", "expires_at"),
        *SPENT,
    )

    def listed(self) -> QuerySet[Any]:
        return VirtualKey.objects.filter(keys_of(self.reader)).select_related("team", "user")

    def narrowed(self, asked: Asked | None) -> QuerySet[Any]:
        state = asked.form.cleaned_data["state"] if asked else ""
        return super().narrowed(asked).filter(_in_state(state, timezone.now()))

    def describe(self, chunk: Sequence[Any], span: Span | None) -> list[Row]:
        now = timezone.now()
        spent = spent_by("key_id", [key.pk for key in chunk], span, may_see(self.reader)) if span else {}
        return [
            row_of(key, self.columns)
            | {"state": key.state(now), "team": key.team.name if key.team else "", "user": str(key.user or "")}
            | {"cost_centre": key.cost_centre or (key.team.cost_centre if key.team else "")}
            | _spent(spent.get(key.pk))
            for key in chunk
        ]


class Teams(Listing):
    title = "Teams"
    meaning = "Teams by name, their cost centre, and what they cost in a period, as far as you may see."
    kind = Team
    filters = TeamsAsked
    in_rows = CUT_IN
    order = ("name", "id")
    columns = (
        Column("id", "id of the team", "id"),
        Column("name", "its name", "name"),
        Column("state", "active or blocked"),
        Column("organisation_id", "id of its organisation", "organisation_id"),
        Column("organisation", "its organisation"),
        Column("cost_centre", "its cost centre", "cost_centre"),
        Column("created_at", "since when, in UTC", "created_at"),
        *SPENT,
    )

    def listed(self) -> QuerySet[Any]:
        return self.reader.teams().select_related("organisation")

    def narrowed(self, asked: Asked | None) -> QuerySet[Any]:
        state = asked.form.cleaned_data["state"] if asked else ""
        rows = super().narrowed(asked)
        return rows.filter(is_blocked=state == "blocked") if state else rows

    def describe(self, chunk: Sequence[Any], span: Span | None) -> list[Row]:
        spent = spent_by("team_id", [team.pk for team in chunk], span, may_see(self.reader)) if span else {}
        return [
            row_of(team, self.columns)
            | {"state": "blocked" if team.is_blocked else "active", "organisation": team.organisation.name if team.organisation else ""}
            | _spent(spent.get(team.pk))
            for team in chunk
        ]


def _within(rows: QuerySet[Any], asked: Asked | None, column: str) -> QuerySet[Any]:
    if asked is None:
        return rows
    span = asked.form.cleaned_data["span"]
    return rows.filter((f"{column}__gte", span.start), (f"{column}__lt", span.end))


def _in_state(state: str, now: datetime) -> Q:
    """As VirtualKey.state tells it: what is revoked is nothing else, what is blocked is not told as expired."""
    live, expired = Q(revoked_at=None), Q(expires_at__lte=now)
    return {
        "": Q(),
        "revoked": ~live,
        "blocked": live & Q(is_blocked=True),
        "expired": live & Q(is_blocked=False) & expired,
        "active": live & Q(is_blocked=False) & (Q(expires_at=None) | Q(expires_at__gt=now)),
    }[state]


def _spent(found: tuple[int, int] | None) -> Row:
    cost, calls = found or (0, 0)
    return {**money_cells("cost", cost), "requests": calls}


def _at(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)

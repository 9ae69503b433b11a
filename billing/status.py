"""How budgets stand: rows → Standing, for the API, the pages and the command line. Any number of budgets costs the same few queries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Min, Q, Sum

from audit.models import RollUp, TagRollUp
from billing.budget_book import covers
from billing.models import Budget, Share, Window
from billing.periods import window
from billing.scopes import Scoped, member_id, names_of
from billing.standing import Standing, sentence

LOOK_BACK = timedelta(days=7)
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Shares:
    """Of a window, over all processes, as of their last heartbeats; the oldest of those counts."""

    held: int = 0
    unposted: int = 0
    beat_at: datetime | None = None


def standings(budgets: Iterable[Budget], now: datetime) -> dict[int, Standing]:
    """By budget id. A window that nobody has opened yet has had no spend."""
    bounds = {budget.pk: (budget, *window(budget.period, budget.anchored_at, now, budget.time_zone)) for budget in budgets}
    starts = {start for _, start, _ in bounds.values()}
    rows = Window.objects.filter(budget_id__in=bounds, starts_at__in=starts).values_list("pk", "budget_id", "starts_at", "posted_nano")
    present = {budget_id: (pk, posted) for pk, budget_id, starts_at, posted in rows if bounds[budget_id][1] == starts_at}
    shares = _shares(pk for pk, _ in present.values())
    found = {}
    for pk, (budget, start, end) in bounds.items():
        window_id, posted = present.get(pk, (0, 0))
        share = shares.get(window_id, _Shares())
        found[pk] = Standing(
            budget_id=pk,
            scope=budget.scope,
            scope_id=budget.scope_id,
            model=budget.model,
            mode=budget.mode,
            amount_nano=budget.amount_nano,
            spent_nano=posted + share.unposted,
            held_nano=share.held,
            starts_at=start.timestamp(),
            resets_at=end.timestamp() if end else None,
            age_s=max(0.0, (now - share.beat_at).total_seconds()) if share.beat_at else 0.0,
        )
    return found


def standing_of(budget: Budget, now: datetime) -> Standing:
    return standings([budget], now)[budget.pk]


def told(budget: Budget, now: datetime) -> str:
    """The sentence that a refused caller reads, too."""
    scoped = (budget.scope, budget.scope_id)
    return sentence(standing_of(budget, now), names_of([scoped]).get(scoped, budget.scope_id))


def _shares(window_ids: Iterable[int]) -> dict[int, _Shares]:
    rows = Share.objects.filter(window_id__in=list(window_ids)).values_list("window_id")
    sums = rows.annotate(Sum("held_nano"), Sum("unposted_nano"), Min("instance__beat_at"))
    return {window_id: _Shares(held, unposted, beat_at) for window_id, held, unposted, beat_at in sums}


@dataclass(frozen=True, slots=True)
class Burn:
    """What a budget loses a day, and when it runs out at that rate: None when it lasts until its reset, or nothing is being spent."""

    per_day_nano: int
    runs_out_at: float | None = None

    def days_left(self, now: datetime) -> int | None:
        return None if self.runs_out_at is None else int(max(0.0, self.runs_out_at - now.timestamp()) // DAY_S)


@dataclass(slots=True)
class _Spend:
    amount: int = 0
    since: datetime | None = None

    def add(self, amount: int, since: datetime) -> None:
        self.amount += amount
        self.since = since if self.since is None else min(self.since, since)


def burns(budgets: Iterable[Budget], standing: Mapping[int, Standing], now: datetime) -> dict[int, Burn]:
    """By budget id, from the quarter-hours of the last week, or since the scope's first call if that is less."""
    wanted = list(budgets)
    by_scope = _spend_by_scope(wanted, now)
    found = {}
    for budget in wanted:
        one = standing[budget.pk]
        spend = _Spend()
        for route, part in by_scope.get((budget.scope, budget.scope_id), {}).items():
            if part.since and covers(budget.model, route):
                spend.add(part.amount, part.since)
        if budget.scope == Budget.Scope.END_USER:  # in no roll-up
            spend.add(one.spent_nano, datetime.fromtimestamp(one.starts_at, UTC))
        found[budget.pk] = _burn(one, spend, now)
    return found


def _burn(one: Standing, spend: _Spend, now: datetime) -> Burn:
    """In whole seconds, and over a day at least: one call of a minute ago is no trend."""
    seconds = max(DAY_S, int((now - spend.since).total_seconds())) if spend.since else DAY_S
    rate = spend.amount * DAY_S // seconds
    if one.left_nano == 0:
        return Burn(rate, now.timestamp())
    if rate <= 0:
        return Burn(max(0, rate))
    runs_out_at = now.timestamp() + one.left_nano * DAY_S // rate
    return Burn(rate, None if one.resets_at is not None and runs_out_at >= one.resets_at else runs_out_at)


# (scope, its id) → public model name → spend
_ByScope = dict[Scoped, dict[str, _Spend]]


def _spend_by_scope(budgets: list[Budget], now: datetime) -> _ByScope:
    wanted = {(budget.scope, budget.scope_id) for budget in budgets}
    found: _ByScope = {scoped: {} for scoped in wanted}
    since = now - LOOK_BACK
    columns = ("key_id", "user_id", "team_id", "organisation_id", "route")
    rows = RollUp.objects.filter(_concerns(wanted), starts_at__gte=since, cost_nano__gt=0).order_by().values_list(*columns)
    for key, user, team, organisation, route, amount, first in rows.annotate(Sum("cost_nano"), Min("starts_at")):
        scopes = [("key", key), ("user", user), ("team", team), ("organisation", organisation), ("global", "")]
        for scoped in (*scopes, ("member", member_id(team, user))):
            if scoped in wanted:
                found[scoped].setdefault(route, _Spend()).add(amount, first)
    if tags := _ids(wanted, Budget.Scope.TAG):
        tagged = TagRollUp.objects.filter(starts_at__gte=since, tag__in=tags, cost_nano__gt=0).order_by().values_list("tag", "route")
        for tag, route, amount, first in tagged.annotate(Sum("cost_nano"), Min("starts_at")):
            found["tag", tag].setdefault(route, _Spend()).add(amount, first)
    return found


def _concerns(wanted: Iterable[Scoped]) -> Q:
    """Roll-ups that some scope looks at."""
    scopes = set(wanted)
    if (Budget.Scope.GLOBAL, "") in scopes:
        return Q()
    teams = _ids(scopes, Budget.Scope.TEAM) + [member.partition("/")[0] for member in _ids(scopes, Budget.Scope.MEMBER)]
    keys, users = _ids(scopes, Budget.Scope.KEY), _ids(scopes, Budget.Scope.USER)
    return Q(key_id__in=keys) | Q(user_id__in=users) | Q(team_id__in=teams) | Q(organisation_id__in=_ids(scopes, Budget.Scope.ORGANISATION))


def _ids(scopes: Iterable[Scoped], kind: str) -> list[str]:
    return sorted(scope_id for scope, scope_id in scopes if scope == kind)

"""The list of keys: what its address asks for, and each key with its money, its limits and its last call, in a few queries a page."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import Budget
from console.access import traffic
from console.budget_list import BudgetRow, rows_of
from console.figures import Source, records
from console.filters import Chip
from console.key_states import STATES, Mark, in_state, mark
from console.paging import page_number
from console.use_cases import budgets_of, main_budget
from keys.access import Reach
from keys.models import VirtualKey

PAGE = 50
# Before any call.
EVER = datetime(2000, 1, 1, tzinfo=UTC)
EVERY = "all"
SORTS = {"newest": ("-created_at", "pk"), "name": ("name", "pk"), "expires": ("expires_at", "pk")}
USUAL_SORT = "newest"
_SEARCHED = ("name", "last_four", "team__name", "user__username", "user__email")


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Without a state, all but revoked keys."""

    search: str = ""
    team: str = ""
    owner: str = ""
    state: str = ""
    sort: str = USUAL_SORT
    page: int = 1

    @classmethod
    def read(cls, query: QueryDict) -> "KeyFilter":
        """A value that means nothing is as if it were not there."""
        given = {name: query.get(name, "").replace("\x00", "").strip() for name in query}
        state, sort = given.get("state", ""), given.get("sort", "")
        return cls(
            search=given.get("q", ""),
            team=given.get("team", ""),
            owner=given.get("owner", ""),
            state=state if state in STATES or state == EVERY else "",
            sort=sort if sort in SORTS else USUAL_SORT,
            page=page_number(given.get("page", "")),
        )

    @property
    def query(self) -> str:
        pairs = [("q", self.search), ("team", self.team), ("owner", self.owner), ("state", self.state)]
        pairs += [("sort", "" if self.sort == USUAL_SORT else self.sort), ("page", str(self.page) if self.page > 1 else "")]
        return urlencode([pair for pair in pairs if pair[1]])

    def at(self, page: int) -> str:
        return replace(self, page=page).query

    @property
    def is_narrow(self) -> bool:
        return bool(self.search or self.team or self.owner or self.state)

    @property
    def chips(self) -> list[Chip]:
        first = replace(self, page=1)
        chips = []
        if self.search:
            chips.append(Chip(_("Text"), self.search, replace(first, search="").query))
        if self.owner:
            chips.append(Chip(_("Owner"), self.owner, replace(first, owner="").query))
        return chips

    def rows(self, keys: QuerySet[VirtualKey], now: datetime) -> QuerySet[VirtualKey]:
        """Of the keys that the visitor may see, those asked for."""
        found = in_state(keys, self.state, now) if self.state else keys.filter(revoked_at=None)
        if self.team:
            found = found.filter(team_id=self.team)
        if self.owner:
            found = found.filter(Q(user__username=self.owner) | Q(user__email__iexact=self.owner) | Q(user_id=self.owner))
        for word in self.search.split():
            part = Q()
            for column in _SEARCHED:
                part |= Q((f"{column}__icontains", word))
            found = found.filter(part)
        return found.select_related("team", "user").order_by(*SORTS[self.sort])


@dataclass(frozen=True, slots=True)
class KeyRow:
    """`budget` is its main one, or the first of those it has; `spent_nano` what that one counts, or all that the key ever cost."""

    key: VirtualKey
    budget: BudgetRow | None
    spent_nano: int
    last_used: datetime | None
    mark: Mark


def key_rows(keys: Iterable[VirtualKey], reach: Reach, now: datetime) -> list[KeyRow]:
    """Calls and money as far as the visitor may see them."""
    listed = list(keys)
    ids, seen = [key.pk for key in listed], traffic(reach)
    newest = records(seen).filter(key_id=OuterRef("pk")).order_by("-received_at").values("received_at")[:1]
    calls = VirtualKey.objects.filter(pk__in=ids).order_by().values_list("pk", Subquery(newest))
    sums = Source(seen, timezone.get_current_timezone()).sums((EVER, now), "key_id", only=("key_id", ids))
    budgets, last, costs = _budgets(ids, now), dict(calls), {key_id: usage.cost_nano for (key_id,), usage in sums}
    return [_row(key, budgets.get(key.pk), costs.get(key.pk, 0), last.get(key.pk), now) for key in listed]


def _row(key: VirtualKey, budget: BudgetRow | None, spent_nano: int, last_used: datetime | None, now: datetime) -> KeyRow:
    return KeyRow(key, budget, budget.spent_nano if budget else spent_nano, last_used, mark(key, budget, last_used, now))


def _budgets(key_ids: Iterable[str], now: datetime) -> dict[str, BudgetRow]:
    found: dict[str, list[Budget]] = {}
    for budget in budgets_of(Budget.Scope.KEY, *key_ids):
        found.setdefault(budget.scope_id, []).append(budget)
    chosen = [main_budget(budgets) or budgets[0] for budgets in found.values()]
    return {row.budget.scope_id: row for row in rows_of(chosen, now)}

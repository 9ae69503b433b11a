"""People as their page lists them: found by the URL's filters, with teams, last sign-in and this month's spend."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from console.paging import page_number
from console.team_figures import people_spend
from keys.models import Membership, User

PAGE = 50
STATES: dict[str, Promise] = {"active": _("active"), "blocked": _("blocked"), "never": _("never signed in")}


@dataclass(frozen=True, slots=True)
class PersonRow:
    person: User
    places: list[Membership]
    spend_nano: int

    @property
    def is_out(self) -> bool:
        return self.person.is_blocked or not self.person.is_active


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    search: str = ""
    role: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: QueryDict) -> "PeopleFilter":
        role, state = query.get("role", ""), query.get("state", "")
        return cls(
            search=query.get("q", "").replace("\x00", "").strip(),
            role=role if role in User.Role.values else "",
            state=state if state in STATES else "",
            page=page_number(query.get("page", "")),
        )

    @property
    def is_set(self) -> bool:
        return bool(self.search or self.role or self.state)

    def address(self, page: int) -> str:
        pairs = {"q": self.search, "role": self.role, "state": self.state, "page": str(page) if page > 1 else ""}
        return urlencode({name: value for name, value in pairs.items() if value})

    @property
    def next(self) -> str:
        return self.address(self.page + 1)

    @property
    def first(self) -> str:
        return self.address(1)

    def people(self) -> QuerySet[User]:
        words = Q()
        for name in ("username", "email", "first_name", "last_name"):
            words |= Q(**{f"{name}__icontains": self.search})
        found = User.objects.filter(words) if self.search else User.objects.all()
        if self.role:
            found = found.filter(role=self.role)
        out = Q(is_blocked=True) | Q(is_active=False)
        states = {"active": ~out, "blocked": out, "never": Q(last_login=None)}
        return found.filter(states.get(self.state, Q())).order_by("username", "pk")


def people_rows(people: list[User], now: datetime, zone: tzinfo) -> list[PersonRow]:
    """Any number of people costs the same few queries."""
    places: dict[str, list[Membership]] = {}
    for one in Membership.objects.filter(user__in=people).select_related("team").order_by("team__name"):
        places.setdefault(one.user_id, []).append(one)
    spend = people_spend(people, now, zone)
    return [PersonRow(person, places.get(person.pk, []), spend.get(person.pk, 0)) for person in people]

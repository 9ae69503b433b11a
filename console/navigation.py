"""The menu: what a person may open, and nothing else."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.access import sees_everything
from keys.models import User


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu. `pages` are the URL names under which it counts as current; the first is where it leads."""

    label: Promise
    icon: str
    pages: tuple[str, ...]

    @property
    def leads_to(self) -> str:
        return self.pages[0]


@dataclass(frozen=True, slots=True)
class Group:
    label: Promise | str
    entries: tuple[Entry, ...]


_PAGES = (
    Group("", (Entry(_("Home"), "home", ("home",)),)),
    Group(_("Money"), (Entry(_("Spend"), "spend", ("spend",)),)),
    Group(_("Traffic"), (Entry(_("Requests"), "list", ("requests", "request")),)),
)
_SYSTEM = Group(_("System"), (Entry(_("Manage"), "gear", ("admin:index",)),))


def menu(user: User | AnonymousUser) -> list[Group]:
    groups = list(_PAGES) if sees_everything(user) else []
    return [*groups, _SYSTEM] if user.is_staff and user.is_active else groups

"""The menu: what a person may open, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.access import everybody, reach
from keys.access import Reach


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu. `pages` are the URL names under which it counts as current; the first is where it leads.

    `allows` is what guards these pages: `everybody`, or what stands in their `@page(...)`.
    """

    label: Promise
    icon: str
    pages: tuple[str, ...]
    allows: Callable[[Reach], bool] = everybody

    @property
    def leads_to(self) -> str:
        return self.pages[0]


@dataclass(frozen=True, slots=True)
class Group:
    label: Promise | str
    entries: tuple[Entry, ...]


_PAGES = (
    Group("", (Entry(_("Home"), "home", ("home",)),)),
    Group(_("Money"), (Entry(_("Spend"), "spend", ("spend",)), Entry(_("Budgets"), "budget", ("budgets", "budget", "budget_new")))),
    Group(
        _("Access"),
        (
            Entry(_("Keys"), "key", ("keys", "key", "key_new", "key_change", "key_rotate", "key_revoke")),
            Entry(_("Teams & people"), "people", ("teams", "team", "team_new", "team_change", "people", "person")),
            Entry(_("Models & routes"), "route", ("models", "model")),
            Entry(_("Connect"), "plug", ("connect",)),
        ),
    ),
    Group(_("Traffic"), (Entry(_("Requests"), "list", ("requests", "request")),)),
)
_SYSTEM = Group(_("System"), (Entry(_("Manage"), "gear", ("admin:index",)),))


def menu(request: HttpRequest) -> list[Group]:
    """The groups with what the visitor's reach opens. Manage is Django's own door, so it opens for staff."""
    known = reach(request)
    if not known.person_id:
        return []
    opened = (Group(group.label, tuple(entry for entry in group.entries if entry.allows(known))) for group in _PAGES)
    groups = [group for group in opened if group.entries]
    return [*groups, _SYSTEM] if request.user.is_staff else groups

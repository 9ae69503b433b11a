"""The menu: what a person may open, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.access import administrators, everybody, keeps_books, reach
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


_REPORTS = (
    "reports",
    *(f"report_{name}" for name in ("spend", "chargeback", "ledger", "requests", "sessions", "budgets", "keys", "teams")),
)
_PAGES = (
    Group("", (Entry(_("Home"), "home", ("home",)),)),
    Group(
        _("Money"),
        (
            Entry(_("Spend"), "spend", ("spend",)),
            Entry(_("Chargeback"), "back", ("chargeback",), keeps_books),
            Entry(_("Budgets"), "budget", ("budgets", "budget", "budget_new")),
            Entry(_("Reports"), "export", _REPORTS),
        ),
    ),
    Group(
        _("Access"),
        (
            Entry(_("Keys"), "key", ("keys", "key", "key_new", "key_change", "key_rotate", "key_revoke")),
            Entry(_("Teams & people"), "people", ("teams", "team", "team_new", "team_change", "people", "person")),
            Entry(_("Models & routes"), "route", ("models", "model")),
            Entry(_("Connect"), "plug", ("connect",)),
        ),
    ),
    Group(
        _("Traffic"),
        (
            Entry(_("Requests"), "list", ("requests", "request")),
            Entry(_("Sessions"), "layers", ("sessions", "session")),
            Entry(_("Live"), "live", ("live",)),
        ),
    ),
)
_SYSTEM = (
    Entry(_("Audit"), "audit", ("audit", "audit_event"), administrators),
    Entry(_("Settings"), "gear", ("settings", "settings_doctor", "settings_notice"), administrators),
)
_MANAGE = Entry(_("Manage"), "screen", ("admin:index",))


def menu(request: HttpRequest) -> list[Group]:
    """The groups with what the visitor's reach opens. Manage is Django's own door, so it opens for staff."""
    known = reach(request)
    if not known.person_id:
        return []
    system = Group(_("System"), (*_SYSTEM, _MANAGE) if request.user.is_staff else _SYSTEM)
    opened = (Group(group.label, tuple(entry for entry in group.entries if entry.allows(known))) for group in (*_PAGES, system))
    return [group for group in opened if group.entries]

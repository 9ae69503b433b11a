"""Every way to change something in the admin, read off the admin itself: what a page may do, its actions, its lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import reverse

from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget, BudgetPlan, Price
from billing.plans import make_plan
from keys.models import EndUser, Organisation, Tag, Team, User, VirtualKey
from keys.people_actions import create_tag, known_end_user
from routing.actions import create_policy
from routing.models import Credential, Deployment, Route, RoutingPolicy
from tests.console.admin_pages import inline, page
from tests.factories import make_credential, make_deployment, make_key, make_organisation, make_route, make_team, make_user

SECRET = "kept-secret-canary-5512"
TIMEOUTS = {"connect_timeout_s": "5", "first_byte_timeout_s": "600", "idle_timeout_s": "120"}
BUDGET = {"scope": "global", "amount_nano": "3", "period": "30d", "mode": "hard", "time_zone": "UTC", "thresholds": "50"}
PRICE = {
    "provider": "anthropic",
    "model": "claude-*",
    "starts_at_0": "2026-01-01",
    "starts_at_1": "00:00",
    "input_pico": "3",
    "output_pico": "9",
}

# What is typed into each form, to make a row or to change the one that MAKE makes.
FORMS: dict[type[Any], dict[str, Any]] = {
    VirtualKey: {"name": "desktop", "budget_period": "", "metadata": "{}"},
    Team: {"name": "Sales", "metadata": "{}"} | inline("memberships"),
    Organisation: {"name": "Globex", "metadata": "{}"} | inline("memberships"),
    User: {"username": "carol", "role": "member", "is_active": "on", "metadata": "{}"},
    EndUser: {"id": "carol", "name": "Carol", "metadata": "{}"},
    Tag: {"name": "weekly", "description": "Sundays", "metadata": "{}"},
    Budget: BUDGET | inline("windows"),
    BudgetPlan: {"id": "gold", "amount_nano": "7", "period": "7d"},
    Price: PRICE | {"input_pico": "3", "output_pico": "9"},
    Credential: {"name": "other", "provider": "anthropic", "new_secret": SECRET},
    Deployment: {"name": "other", "provider": "demo", "model": "demo-haiku", "is_active": "on"} | TIMEOUTS,
    Route: {"name": "claude-haiku", "is_active": "on"} | inline("targets"),
    RoutingPolicy: {"strategy": "least-busy", "retries": "4", "allowed_fails": "3", "cooldown_s": "5", "health_check_interval_s": "300"},
}
MAKE: dict[type[Any], Callable[[], Any]] = {
    VirtualKey: lambda: make_key()[0],
    Team: make_team,
    Organisation: make_organisation,
    User: make_user,
    EndUser: lambda: known_end_user("eve", actor=SYSTEM),
    Tag: lambda: create_tag(Tag(name="nightly"), actor=SYSTEM),
    Budget: lambda: set_budget("team", make_team().pk, BudgetTerms(10**9, "30d"), actor=SYSTEM),
    BudgetPlan: lambda: make_plan(BudgetPlan(id="trial", amount_nano=10**9), actor=SYSTEM),
    Price: lambda: Price.objects.create(provider="anthropic", model="x", input_pico=1, output_pico=2),
    Credential: make_credential,
    Deployment: make_deployment,
    Route: make_route,
    RoutingPolicy: lambda: create_policy(RoutingPolicy(), actor=SYSTEM),
    SocialAccount: lambda: SocialAccount.objects.create(user=make_user(), provider="gone", uid="u-1", extra_data={"token": SECRET}),
    Authenticator: lambda: Authenticator.objects.create(user=make_user(), type="totp", data={"secret": SECRET}),
    UserSession: lambda: a_session(make_user()),
}
# What must be so before an action has something to do.
FIRST: dict[tuple[type[Any], str], Callable[[Any], object]] = {
    **{(model, name): lambda row: type(row).objects.filter(pk=row.pk).update(is_blocked=True)
       for model in (VirtualKey, Team, Organisation, EndUser, User) for name in ("unblock_selected", "unblock")},
    (User, "sign_out_selected"): lambda row: a_session(row),
    (Credential, "test_selected"): lambda row: make_deployment(credential=row),
}  # fmt: skip


def a_session(user: User, session_key: str = SECRET) -> UserSession:
    return UserSession.objects.create(user=user, ip="192.0.2.7", user_agent="Firefox", session_key=session_key)


@dataclass(frozen=True)
class Way:
    model: type[Any]
    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.model.__name__} {self.kind} {self.name}".strip()

    def prepared(self) -> Any:
        row = MAKE[self.model]()
        FIRST.get((self.model, self.name), lambda _row: None)(row)
        if self.kind == "add":
            row.delete()
        if self.kind in {"line", "gone"}:
            row.line = LINES[self.name]()
        if self.kind == "gone":
            prefix, told = row.line
            columns = {f"{name}_id" if name in PARTS else name: value for name, value in told.items()}
            told["id"] = getattr(row, prefix).create(**columns).pk
        return row

    def taken(self, web: Client, row: Any) -> Any:
        """As somebody at a browser would, up to the answer."""
        return getattr(self, f"_{self.kind}")(web, row)

    def _add(self, web: Client, row: Any) -> Any:
        return web.post(page(self.model, "add"), FORMS[self.model])

    def _change(self, web: Client, row: Any) -> Any:
        return web.post(page(self.model, "change", str(row.pk)), FORMS[self.model])

    def _delete(self, web: Client, row: Any) -> Any:
        return web.post(page(self.model, "delete", str(row.pk)), {"post": "yes"})

    def _list(self, web: Client, row: Any) -> Any:
        return web.post(page(self.model, "changelist"), {"action": self.name, "_selected_action": [row.pk], "post": "yes"})

    def _detail(self, web: Client, row: Any) -> Any:
        return web.post(reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_{self.name}", args=[row.pk]), {"overlap": "24"})

    def _submit(self, web: Client, row: Any) -> Any:
        button = f"{row._meta.label_lower.replace('.', '_')}_{self.name}"
        return web.post(page(self.model, "change", str(row.pk)), FORMS[self.model] | {button: "1"})

    def _line(self, web: Client, row: Any) -> Any:
        prefix, told = row.line
        return web.post(page(self.model, "change", str(row.pk)), FORMS[self.model] | inline(prefix, told))

    def _gone(self, web: Client, row: Any) -> Any:
        prefix, told = row.line
        gone = told | {row._meta.model_name: row.pk, "DELETE": "on"}
        return web.post(page(self.model, "change", str(row.pk)), FORMS[self.model] | inline(prefix, gone, initial=1))


PARTS = {"user", "deployment"}
LINES: dict[str, Callable[[], tuple[str, dict[str, Any]]]] = {
    "Membership": lambda: ("memberships", {"user": make_user("dora").pk, "role": "member"}),
    "OrganisationMembership": lambda: ("memberships", {"user": make_user("dora").pk, "role": "member"}),
    "RouteTarget": lambda: ("targets", {"deployment": make_deployment().pk, "order": "1", "weight": "1"}),
}


def ways(*models: type[Any]) -> Iterator[Way]:
    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True, is_active=True, is_staff=True)
    for model in models or admin.site._registry:
        found: Any = admin.site.get_model_admin(model)
        for kind in ("add", "change", "delete"):
            if getattr(found, f"has_{kind}_permission")(request):
                yield Way(model, kind)
        for kind, names in (("list", found.get_actions(request)), ("detail", found.actions_detail), ("submit", found.actions_submit_line)):
            for name in names:
                yield Way(model, kind, name)
        for line in found.get_inline_instances(request):
            if line.has_add_permission(request, None):
                yield Way(model, "line", line.model.__name__)
                yield Way(model, "gone", line.model.__name__)


@contextmanager
def undone() -> Iterator[None]:
    """What happens in here never did."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)

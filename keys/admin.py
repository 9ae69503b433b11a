"""Admin pages of how people sign in: shown, and taken away. Those of people, keys and teams are in `console/`: they know budgets."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from audit.admin_base import AuditedAdmin
from audit.admin_filters import TimesFilter
from audit.trail import Actor
from keys import sign_in_actions

# Roles take the place of groups. allauth's own pages would show secrets, and change who signs in as whom without an audit event.
for _unwanted in (Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession):
    if admin.site.is_registered(_unwanted):
        admin.site.unregister(_unwanted)

PEOPLE = ["user__username", "user__email"]


class WayInAdmin(AuditedAdmin):
    """People make these themselves, by signing in; administrators look, and take them away."""

    list_select_related = ["user"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SocialAccount)
class SocialAccountAdmin(WayInAdmin):
    list_display = ["user", "provider", "uid", "last_login", "date_joined"]
    list_filter = ["provider"]
    search_fields = [*PEOPLE, "uid"]
    fields = ["user", "provider", "uid", "last_login", "date_joined"]
    ordering = ["-last_login"]

    def delete_row(self, row: SocialAccount, actor: Actor) -> None:
        sign_in_actions.unlink(row, actor=actor)


@admin.register(Authenticator)
class AuthenticatorAdmin(WayInAdmin):
    list_display = ["user", "kind", "created_at", "last_used_at"]
    list_filter = ["type"]
    search_fields = PEOPLE
    fields = ["user", "type", "created_at", "last_used_at"]
    ordering = ["-created_at"]

    @display(description=_("factor"), ordering="type")
    def kind(self, row: Authenticator) -> str:
        return str(row)

    def delete_row(self, row: Authenticator, actor: Actor) -> None:
        sign_in_actions.remove_authenticator(row, actor=actor)


@admin.register(UserSession)
class UserSessionAdmin(WayInAdmin):
    list_display = ["user", "ip", "user_agent", "created_at", "last_seen_at"]
    list_filter = [("last_seen_at", TimesFilter)]
    search_fields = [*PEOPLE, "ip"]
    fields = ["user", "ip", "user_agent", "created_at", "last_seen_at"]
    ordering = ["-last_seen_at"]

    def delete_row(self, row: UserSession, actor: Actor) -> None:
        sign_in_actions.end_session(row, actor=actor)

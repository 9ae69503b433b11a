"""Admin pages of people and organisations. Those of keys and teams are in `console/`: they know budgets."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminPasswordWidget

from audit.admin_base import AuditedAdmin, actor_of
from audit.trail import Actor
from keys import actions, people_actions
from keys.forms import NamesField, ObjectField
from keys.models import Organisation, OrganisationMembership, User

# Their pages would write without an audit event; roles take the place of groups.
# allauth's forms would show secrets, and change who signs in as whom without an audit event.
for _unwanted in (Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession):
    if admin.site.is_registered(_unwanted):
        admin.site.unregister(_unwanted)

MODELS_HELP = _("Model names, with commas between them; empty means all.")


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    allowed_models = NamesField(label=_("Models"), help_text=MODELS_HELP)
    metadata = ObjectField(label=_("Metadata"))

    class Meta:
        model = Organisation
        fields = ["name", "allowed_models", "is_blocked", "metadata"]


class OrganisationMembershipInline(TabularInline):
    model = OrganisationMembership
    extra = 0
    fields = ["user", "role"]
    autocomplete_fields = ["user"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return []


@admin.register(Organisation)
class OrganisationAdmin(AuditedAdmin):
    form = OrganisationForm
    verb_fields = actions.ORGANISATION_FIELDS
    list_display = ["name", "is_blocked", "created_at"]
    search_fields = ["name", "id"]
    inlines = [OrganisationMembershipInline]

    def create_row(self, row: Organisation, form: Any, actor: Actor) -> None:
        actions.create_organisation(row, actor=actor)

    def change_row(self, row: Organisation, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_organisation(row, changes, actor=actor)

    def delete_row(self, row: Organisation, actor: Actor) -> None:
        actions.delete_organisation(row, actor=actor)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = actor_of(request)
        added = formset.save(commit=False)
        for gone in formset.deleted_objects:
            people_actions.remove_organisation_member(gone, actor=actor)
        for membership, _names in formset.changed_objects:
            self._change_member(membership, actor)
        for membership in added:
            if membership._state.adding:
                people_actions.add_organisation_member(membership, actor=actor)

    def _change_member(self, membership: OrganisationMembership, actor: Actor) -> None:
        """Another person in the same line is one member less and one more."""
        known = OrganisationMembership.objects.get(pk=membership.pk)
        if known.user_id == membership.user_id:
            people_actions.change_organisation_member(known, membership.role, actor=actor)
            return
        people_actions.remove_organisation_member(known, actor=actor)
        place = OrganisationMembership(organisation=membership.organisation, user=membership.user, role=membership.role)
        people_actions.add_organisation_member(place, actor=actor)


class UserForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    new_password = forms.CharField(
        label=_("New password"), required=False, strip=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Leave empty to keep what is. Without a password people sign in by single sign-on or a one-time link."),
    )  # fmt: skip
    metadata = ObjectField(label=_("Metadata"))

    class Meta:
        model = User
        fields = [
            "username", "email", "first_name", "last_name", "role", "is_active", "is_blocked", "rpm_limit", "tpm_limit", "parallel_limit",
            "metadata",
        ]  # fmt: skip

    def clean_new_password(self) -> str:
        password = str(self.cleaned_data["new_password"] or "")
        if password:
            validate_password(password, self.instance)
        return password


@admin.register(User)
class UserAdmin(AuditedAdmin):
    form = UserForm
    verb_fields = actions.USER_FIELDS
    list_display = ["username", "email", "role", "is_active", "is_blocked", "last_login"]
    list_filter = ["role", "is_active", "is_blocked"]
    search_fields = ["username", "email", "first_name", "last_name", "id"]
    ordering = ["username"]

    def create_row(self, row: User, form: Any, actor: Actor) -> None:
        actions.create_user(row, actor=actor, password=form.cleaned_data["new_password"])

    def change_row(self, row: User, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_user(row, changes, actor=actor)
        if password := form.cleaned_data["new_password"]:
            actions.set_password(row, password, actor=actor)

    def delete_row(self, row: User, actor: Actor) -> None:
        actions.delete_user(row, actor=actor)

"""Admin pages of people and organisations. They live here, not in `keys/`, because their lists show budgets and they leave with theirs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from audit.admin_base import BlockableAdmin
from audit.trail import Actor
from billing.models import Budget
from billing.standing_columns import StandingColumns
from console import use_cases
from console.budget_columns import attach_budgets
from console.members_admin import MembersAdmin, PlaceInline
from keys import actions, people_actions
from keys.forms import MODELS_HELP, NamesField, ObjectField
from keys.models import Organisation, OrganisationMembership, User
from keys.sign_in_actions import sign_out


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    allowed_models = NamesField(label=_("Models"), help_text=MODELS_HELP)
    metadata = ObjectField(label=_("Metadata"))

    class Meta:
        model = Organisation
        fields = ["name", "allowed_models", "is_blocked", "metadata"]


class OrganisationMembershipInline(PlaceInline):
    model = OrganisationMembership


@admin.register(Organisation)
class OrganisationAdmin(StandingColumns, MembersAdmin):
    form = OrganisationForm
    verb_fields = actions.ORGANISATION_FIELDS
    list_display = ["name", "used", "burn", "lasts", "is_blocked", "created_at"]
    list_filter = ["is_blocked"]
    search_fields = ["name", "id"]
    inlines = [OrganisationMembershipInline]

    def attach(self, rows: list[Any]) -> None:
        attach_budgets(rows, Budget.Scope.ORGANISATION)

    def create_row(self, row: Organisation, form: Any, actor: Actor) -> None:
        actions.create_organisation(row, actor=actor)

    def change_row(self, row: Organisation, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_organisation(row, changes, actor=actor)

    def delete_row(self, row: Organisation, actor: Actor) -> None:
        use_cases.delete_organisation_with_budgets(row, actor=actor)

    def add_place(self, place: OrganisationMembership, actor: Actor) -> None:
        people_actions.add_organisation_member(place, actor=actor)

    def change_place(self, place: OrganisationMembership, role: str, actor: Actor) -> None:
        people_actions.change_organisation_member(place, role, actor=actor)

    def remove_place(self, place: OrganisationMembership, actor: Actor) -> None:
        people_actions.remove_organisation_member(place, actor=actor)


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
class UserAdmin(StandingColumns, BlockableAdmin):
    form = UserForm
    verb_fields = actions.USER_FIELDS
    list_display = ["username", "email", "role", "used", "lasts", "is_active", "is_blocked", "last_login"]
    list_filter = ["role", "is_active", "is_blocked"]
    search_fields = ["username", "email", "first_name", "last_name", "id"]
    ordering = ["username"]
    actions = ["block_selected", "unblock_selected", "sign_out_selected"]

    def attach(self, rows: list[Any]) -> None:
        attach_budgets(rows, Budget.Scope.USER)

    def create_row(self, row: User, form: Any, actor: Actor) -> None:
        actions.create_user(row, actor=actor, password=form.cleaned_data["new_password"])

    def change_row(self, row: User, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_user(row, changes, actor=actor)
        if form is not None and (password := form.cleaned_data["new_password"]):
            actions.set_password(row, password, actor=actor)

    def delete_row(self, row: User, actor: Actor) -> None:
        use_cases.delete_user_with_budgets(row, actor=actor)

    @admin.action(description=_("Sign out everywhere"), permissions=["change"])
    def sign_out_selected(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self.act_on_each(request, queryset, sign_out)

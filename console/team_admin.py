"""Admin page of teams. It lives here, not in `keys/`, because its list shows budgets and members leave with theirs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from audit.trail import Actor
from billing.models import Budget
from billing.standing_columns import StandingColumns
from console import use_cases
from console.budget_columns import attach_budgets
from console.members_admin import MembersAdmin, PlaceInline
from keys import actions
from keys.forms import MODELS_HELP, NamesField, ObjectField
from keys.models import Membership, Team, check_model_limits

LIMITS_HELP = _('Such as {"claude-opus*": {"rpm": 10, "tpm": 100000, "parallel": 2}}.')


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    allowed_models = NamesField(label=_("Models"), help_text=MODELS_HELP)
    tags = NamesField(label=_("Tags"), help_text=_("Go with every call of the team."))
    model_limits = ObjectField(label=_("Limits for single models"), help_text=LIMITS_HELP)
    metadata = ObjectField(label=_("Metadata"))

    class Meta:
        model = Team
        fields = [
            "name", "organisation", "allowed_models", "cost_centre", "tags", "rpm_limit", "tpm_limit", "parallel_limit", "model_limits",
            "is_blocked", "metadata",
        ]  # fmt: skip

    def clean_model_limits(self) -> dict[str, Any]:
        limits: dict[str, Any] = self.cleaned_data["model_limits"]
        check_model_limits(limits)
        return limits


class MembershipInline(PlaceInline):
    model = Membership


@admin.register(Team)
class TeamAdmin(StandingColumns, MembersAdmin):
    form = TeamForm
    verb_fields = actions.TEAM_FIELDS
    list_display = ["name", "organisation", "cost_centre", "key_count", "member_count", "used", "burn", "lasts", "is_blocked"]
    list_filter = ["is_blocked", "organisation"]
    list_select_related = ["organisation"]
    search_fields = ["name", "id", "cost_centre"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        counts = {"keys_n": Count("keys", distinct=True), "members_n": Count("memberships", distinct=True)}
        return super().get_queryset(request).annotate(**counts)  # type: ignore[no-any-return]  # unfold is untyped

    @display(description=_("keys"), ordering="keys_n")
    def key_count(self, team: Any) -> int:
        return int(team.keys_n)

    @display(description=_("members"), ordering="members_n")
    def member_count(self, team: Any) -> int:
        return int(team.members_n)

    def attach(self, rows: list[Any]) -> None:
        attach_budgets(rows, Budget.Scope.TEAM)

    def create_row(self, row: Team, form: Any, actor: Actor) -> None:
        actions.create_team(row, actor=actor)

    def change_row(self, row: Team, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_team(row, changes, actor=actor)

    def delete_row(self, row: Team, actor: Actor) -> None:
        use_cases.delete_team_with_budgets(row, actor=actor)

    def add_place(self, place: Membership, actor: Actor) -> None:
        actions.add_member(place, actor=actor)

    def change_place(self, place: Membership, role: str, actor: Actor) -> None:
        actions.change_member(place, role, actor=actor)

    def remove_place(self, place: Membership, actor: Actor) -> None:
        use_cases.remove_member_with_budget(place, actor=actor)

"""Admin page of teams. It lives here, not in `keys/`, because its list shows budgets and members leave with theirs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from audit.admin_base import AuditedAdmin, actor_of
from audit.trail import Actor
from billing.models import Budget
from billing.standing_columns import StandingColumns
from console import use_cases
from console.budget_columns import attach_budgets
from keys import actions
from keys.admin import MODELS_HELP
from keys.forms import NamesField, ObjectField
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


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    fields = ["user", "role"]
    autocomplete_fields = ["user"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return []


@admin.register(Team)
class TeamAdmin(StandingColumns, AuditedAdmin):
    form = TeamForm
    verb_fields = actions.TEAM_FIELDS
    list_display = ["name", "organisation", "cost_centre", "key_count", "member_count", "used", "burn", "lasts", "is_blocked"]
    list_filter = ["is_blocked", "organisation"]
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

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = actor_of(request)
        added = formset.save(commit=False)
        for gone in formset.deleted_objects:
            use_cases.remove_member_with_budget(gone, actor=actor)
        for membership, _names in formset.changed_objects:
            self._change_member(membership, actor)
        for membership in added:
            if membership._state.adding:
                actions.add_member(membership, actor=actor)

    def _change_member(self, membership: Membership, actor: Actor) -> None:
        """Another person in the same line is one member less and one more."""
        known = Membership.objects.get(pk=membership.pk)
        if known.user_id == membership.user_id:
            actions.change_member(known, membership.role, actor=actor)
            return
        use_cases.remove_member_with_budget(known, actor=actor)
        actions.add_member(Membership(team=membership.team, user=membership.user, role=membership.role), actor=actor)

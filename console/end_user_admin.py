"""Admin page of end users. It lives here, not in `keys/`, because its list shows budgets and they leave with theirs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.admin_base import BlockableAdmin
from audit.trail import Actor
from billing.models import Budget
from billing.standing_columns import StandingColumns
from console import use_cases
from console.budget_columns import attach_budgets
from keys import people_actions
from keys.forms import ObjectField, no_control_characters
from keys.models import EndUser


class EndUserForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    metadata = ObjectField(label=_("Metadata"))

    class Meta:
        model = EndUser
        fields = ["id", "name", "is_blocked", "default_model", "metadata"]
        labels = {"id": _("Name in calls")}
        help_texts = {
            "id": _("As calls name them: user, or metadata.user_id."),
            "is_blocked": _("Calls that name them are refused."),
            "default_model": _("A note for your own tools: calls name their model themselves."),
        }

    def clean_id(self) -> str:
        name = str(self.cleaned_data["id"])
        no_control_characters(name)
        return name


@admin.register(EndUser)
class EndUserAdmin(StandingColumns, BlockableAdmin):
    form = EndUserForm
    verb_fields = people_actions.END_USER_FIELDS
    list_display = ["id", "name", "is_blocked", "used", "burn", "lasts", "created_at"]
    list_filter = ["is_blocked"]
    search_fields = ["id", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["id"] if obj else []

    def attach(self, rows: list[Any]) -> None:
        attach_budgets(rows, Budget.Scope.END_USER)

    def create_row(self, row: EndUser, form: Any, actor: Actor) -> None:
        people_actions.create_end_user(row, actor=actor)

    def change_row(self, row: EndUser, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        people_actions.change_end_user(row, changes, actor=actor)

    def delete_row(self, row: EndUser, actor: Actor) -> None:
        use_cases.delete_end_user_with_budgets(row, actor=actor)

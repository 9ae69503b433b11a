"""Admin page of declared tags. It lives here, not in `keys/`, because its list shows budgets and they leave with theirs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.admin_base import AuditedAdmin
from audit.trail import Actor
from billing.models import Budget
from billing.standing_columns import StandingColumns
from console import use_cases
from console.budget_columns import attach_budgets
from keys import people_actions
from keys.forms import NamesField, ObjectField, no_control_characters
from keys.models import Tag


class TagForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    allowed_models = NamesField(label=_("Models"), help_text=_("A note for your own tools: a tag keeps no call from any model."))
    metadata = ObjectField(label=_("Metadata"))

    class Meta:
        model = Tag
        fields = ["name", "description", "allowed_models", "metadata"]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        no_control_characters(name)
        return name


@admin.register(Tag)
class TagAdmin(StandingColumns, AuditedAdmin):
    form = TagForm
    verb_fields = people_actions.TAG_FIELDS
    list_display = ["name", "description", "used", "burn", "lasts", "created_at"]
    search_fields = ["name", "description"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []

    def attach(self, rows: list[Any]) -> None:
        attach_budgets(rows, Budget.Scope.TAG)

    def create_row(self, row: Tag, form: Any, actor: Actor) -> None:
        people_actions.create_tag(row, actor=actor)

    def change_row(self, row: Tag, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        people_actions.change_tag(row, changes, actor=actor)

    def delete_row(self, row: Tag, actor: Actor) -> None:
        use_cases.delete_tag_with_budgets(row, actor=actor)

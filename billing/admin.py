"""Admin pages of budgets and prices, in dollars; the ledger, read-only."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from audit.admin_base import AuditedAdmin, ReadOnlyAdmin
from audit.rows import ChangeRefused
from audit.trail import Actor
from billing import actions
from billing.forms import PICO_PER_THOUSAND_SEARCHES, ScaledField
from billing.models import Budget, LedgerEntry, Price, Window
from billing.money import NANO, PICO_PER_USD_PER_MILLION, money

PER_MILLION = _("USD per million tokens")


class BudgetForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    amount_nano = ScaledField(scale=NANO, label=_("Amount in USD"))

    class Meta:
        model = Budget
        fields = ["scope", "scope_id", "amount_nano", "period", "mode", "time_zone"]

    def terms(self) -> actions.BudgetTerms:
        data = self.cleaned_data
        return actions.BudgetTerms(data["amount_nano"], data["period"], data["mode"], data["time_zone"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                actions.check_terms(data.get("scope", self.instance.scope), data.get("scope_id", self.instance.scope_id), self.terms())
            except ChangeRefused as refusal:
                self.add_error(refusal.field if refusal.field in self.fields else NON_FIELD_ERRORS, str(refusal))
        return data


class WindowInline(TabularInline):
    model = Window
    extra = 0
    max_num = 0
    can_delete = False
    fields = readonly_fields = ["starts_at", "spent"]

    @display(description=_("spent"))
    def spent(self, window: Window) -> str:
        return money(window.posted_nano)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Budget)
class BudgetAdmin(AuditedAdmin):
    form = BudgetForm
    list_display = ["scope", "who", "amount", "period_shown", "spent", "mode"]
    list_filter = ["scope", "mode", "period"]
    search_fields = ["scope_id"]
    inlines = [WindowInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["scope", "scope_id"] if obj else []

    @display(description=_("for"))
    def who(self, budget: Budget) -> str:
        if budget.scope == Budget.Scope.GLOBAL:
            return str(_("everyone"))
        row = actions.SCOPES[budget.scope]._default_manager.filter(pk=budget.scope_id).first()
        return str(row) if row else str(_("(deleted)"))

    @display(description=_("amount"), ordering="amount_nano")
    def amount(self, budget: Budget) -> str:
        return money(budget.amount_nano)

    @display(description=_("period"), ordering="period")
    def period_shown(self, budget: Budget) -> str:
        return budget.period or str(_("once and for all"))

    @display(description=_("spent in the newest period"))
    def spent(self, budget: Budget) -> str:
        newest = budget.windows.first()
        return money(newest.posted_nano if newest else 0)

    def create_row(self, row: Budget, form: Any, actor: Actor) -> None:
        budget = actions.set_budget(row.scope, row.scope_id, form.terms(), actor=actor)
        row.pk = budget.pk

    def change_row(self, row: Budget, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_budget(row, form.terms(), actor=actor)

    def delete_row(self, row: Budget, actor: Actor) -> None:
        actions.remove_budget(row, actor=actor)


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    input_pico = ScaledField(scale=PICO_PER_USD_PER_MILLION, label=_("Input"), help_text=PER_MILLION)
    output_pico = ScaledField(scale=PICO_PER_USD_PER_MILLION, label=_("Output"), help_text=PER_MILLION)
    cache_read_pico = ScaledField(scale=PICO_PER_USD_PER_MILLION, label=_("Cache read"), help_text=PER_MILLION, required=False)
    cache_write_5m_pico = ScaledField(
        scale=PICO_PER_USD_PER_MILLION, label=_("Cache write, 5 minutes"), help_text=PER_MILLION, required=False
    )
    cache_write_1h_pico = ScaledField(scale=PICO_PER_USD_PER_MILLION, label=_("Cache write, 1 hour"), help_text=PER_MILLION, required=False)
    web_search_pico = ScaledField(
        scale=PICO_PER_THOUSAND_SEARCHES, label=_("Web search"), help_text=_("USD per thousand searches"), required=False
    )  # fmt: skip

    class Meta:
        model = Price
        fields = [
            "provider", "model", "starts_at", "input_pico", "output_pico", "cache_read_pico",
            "cache_write_5m_pico", "cache_write_1h_pico", "web_search_pico", "note",
        ]  # fmt: skip


@admin.register(Price)
class PriceAdmin(AuditedAdmin):
    form = PriceForm
    list_display = ["provider", "model", "starts_at", "input", "output", "note"]
    list_filter = ["provider"]
    search_fields = ["model", "note"]

    @display(description=_("input, USD per million"), ordering="input_pico")
    def input(self, price: Price) -> str:
        return money(price.input_pico * 1000, 4)

    @display(description=_("output, USD per million"), ordering="output_pico")
    def output(self, price: Price) -> str:
        return money(price.output_pico * 1000, 4)

    def create_row(self, row: Price, form: Any, actor: Actor) -> None:
        actions.set_price(row, actor=actor)

    def change_row(self, row: Price, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.set_price(row, actor=actor)

    def delete_row(self, row: Price, actor: Actor) -> None:
        actions.remove_price(row, actor=actor)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "kind", "amount", "team_id", "key_id", "cost_centre", "route", "provider", "model", "is_unpriced", "is_estimated"]
    list_filter = [("at", RangeDateTimeFilter), "kind", "provider", "is_unpriced", "is_estimated"]
    search_fields = ["request_id", "attempt_id", "key_id", "team_id", "user_id", "cost_centre"]

    @display(description=_("amount"), ordering="amount_nano")
    def amount(self, entry: LedgerEntry) -> str:
        return money(entry.amount_nano, 6)

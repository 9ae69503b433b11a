"""Admin pages of budgets, plans and prices, in dollars. What was counted has a file beside it."""

from dataclasses import fields
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from audit.admin_base import AuditedAdmin, actor_of
from audit.rows import ChangeRefused
from audit.trail import Actor
from billing import actions, plans
from billing.forms import PICO_PER_THOUSAND_SEARCHES, PercentagesField, ScaledField
from billing.frozen_admin import FrozenMonthAdmin
from billing.models import Budget, BudgetPlan, Price, Window
from billing.money import NANO, PICO_PER_USD_PER_MILLION, money
from billing.records_admin import InstanceAdmin, LedgerEntryAdmin, ShareAdmin, WindowAdmin
from billing.scopes import names_of
from billing.standing import moment
from billing.standing_columns import StandingColumns, shown
from billing.status import told

__all__ = ["BudgetAdmin", "FrozenMonthAdmin", "InstanceAdmin", "LedgerEntryAdmin", "PlanAdmin", "PriceAdmin", "ShareAdmin", "WindowAdmin"]

PER_MILLION = _("USD per million tokens")


class BudgetForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    from_plan = forms.ModelChoiceField(
        BudgetPlan.objects.all(), required=False, label=_("Plan"), widget=UnfoldAdminSelectWidget,
        help_text=_("Amount and period are the plan's, and change with it."),
    )  # fmt: skip
    amount_nano = ScaledField(scale=NANO, label=_("Amount in USD"), required=False)
    thresholds = PercentagesField(label=_("Alerts at percentages"), help_text=_("Such as 50, 80, 100; empty means none."))

    class Meta:
        model = Budget
        fields = ["scope", "scope_id", "model", "amount_nano", "period", "mode", "time_zone", "thresholds", "clamp_output"]
        labels = {"scope": _("For a"), "scope_id": _("Its id"), "clamp_output": _("Shorten answers near the end")}
        help_texts = {"scope_id": _("Id of the key, user, team or organisation; name of the tag or end user; team id/user id of a member.")}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.setdefault("from_plan", self.instance.plan_id)

    def terms(self) -> actions.BudgetTerms:
        values = {item.name: self.cleaned_data.get(item.name, getattr(self.instance, item.name)) for item in fields(actions.BudgetTerms)}
        return actions.BudgetTerms(**values | {"thresholds": tuple(values["thresholds"])})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("from_plan"):
            data["amount_nano"] = data.get("amount_nano") or 0
        elif data.get("amount_nano") is None and "amount_nano" not in self.errors:
            self.add_error("amount_nano", _("An amount or a plan is needed."))
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
class BudgetAdmin(StandingColumns, AuditedAdmin):
    form = BudgetForm
    list_display = ["scope", "who", "model_shown", "used", "burn", "lasts", "resets", "mode_shown", "plan"]
    list_filter = ["scope", "mode", "period", "plan"]
    list_select_related = ["plan"]
    search_fields = ["scope_id", "model"]
    fields = [
        ("scope", "scope_id"), "model", ("amount_nano", "period", "time_zone"), "mode", "clamp_output", "thresholds", "from_plan",
    ]  # fmt: skip
    inlines = [WindowInline]
    actions = ["reset_selected"]
    actions_detail = ["reset"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["scope", "scope_id", "model"] if obj else []

    def attach(self, rows: list[Any]) -> None:
        by_id, names = shown(rows, timezone.now()), names_of((row.scope, row.scope_id) for row in rows)
        for row in rows:
            row.shown = by_id[row.pk]
            row.who = names.get((row.scope, row.scope_id), str(_("(deleted)"))) or str(_("everyone"))

    @display(description=_("for"))
    def who(self, budget: Any) -> str:
        return str(budget.who)

    @display(description=_("model"), ordering="model")
    def model_shown(self, budget: Budget) -> str:
        return budget.model or str(_("all"))

    @display(description=_("mode"), ordering="mode")
    def mode_shown(self, budget: Budget) -> str:
        return budget.mode

    @display(description=_("resets"))
    def resets(self, budget: Any) -> str:
        resets_at = budget.shown.standing.resets_at
        return moment(resets_at) if resets_at else str(_("never"))

    def create_row(self, row: Budget, form: Any, actor: Actor) -> None:
        if plan := form.cleaned_data["from_plan"]:
            row.pk = plans.take_plan(plan, row.scope, row.scope_id, actor=actor)[0].pk
            return
        row.pk = actions.set_budget(row.scope, row.scope_id, form.terms(), actor=actor).pk

    def change_row(self, row: Budget, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        """A plan that is chosen gives its terms; one that stays chosen is left when the terms are changed by hand."""
        if form.cleaned_data["from_plan"] and "from_plan" in form.changed_data:
            plans.take_plan(form.cleaned_data["from_plan"], row.scope, row.scope_id, actor=actor)
            return
        actions.change_budget(row, form.terms(), actor=actor)
        if not form.cleaned_data["from_plan"]:
            plans.let_go(row, actor=actor)

    def delete_row(self, row: Budget, actor: Actor) -> None:
        actions.remove_budget(row, actor=actor)

    @admin.action(description=_("Start a new period now"), permissions=["change"])
    def reset_selected(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        self.act_on_each(request, queryset, actions.reset_budget)

    @action(description=_("Start a new period now"), url_path="reset", permissions=["change"])
    def reset(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET asks, POST does."""
        budget: Budget | None = self.get_object(request, object_id)
        if budget is None:
            raise Http404
        back = reverse("admin:billing_budget_change", args=[budget.pk])
        if request.method != "POST":
            title, note = _("Start a new period of this budget now?"), _("What was spent stays on record and no longer counts.")
            asked = {"opts": self.opts, "back": back, "title": title, "told": f"{told(budget, timezone.now())} {note}"}
            context = self.admin_site.each_context(request) | asked
            return TemplateResponse(request, "admin/billing/confirm.html", context)
        try:
            actions.reset_budget(budget, actor=actor_of(request))
            messages.success(request, _("A new period has begun."))
        except ChangeRefused as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(back)


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    amount_nano = ScaledField(scale=NANO, label=_("Amount in USD"), required=False)
    soft_amount_nano = ScaledField(scale=NANO, label=_("Soft amount in USD"), required=False, help_text=_("Alerts only."))

    class Meta:
        model = BudgetPlan
        fields = ["id", "amount_nano", "soft_amount_nano", "period", "rpm_limit", "tpm_limit", "parallel_limit"]
        labels = {"id": _("Name")}

    def clean_period(self) -> str:
        try:
            return actions.clean_period(self.cleaned_data["period"])
        except ChangeRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


@admin.register(BudgetPlan)
class PlanAdmin(AuditedAdmin):
    form = PlanForm
    verb_fields = plans.PLAN_FIELDS
    list_display = ["id", "amount", "period", "rpm_limit", "tpm_limit", "parallel_limit", "holders"]
    search_fields = ["id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(holders_n=Count("budgets"))  # type: ignore[no-any-return]  # unfold is untyped

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["id"] if obj else []

    @display(description=_("amount"), ordering="amount_nano")
    def amount(self, plan: BudgetPlan) -> str:
        return "–" if plan.amount_nano is None else money(plan.amount_nano)

    @display(description=_("budgets of it"), ordering="holders_n")
    def holders(self, plan: Any) -> int:
        return int(plan.holders_n)

    def create_row(self, row: BudgetPlan, form: Any, actor: Actor) -> None:
        plans.make_plan(row, actor=actor)

    def change_row(self, row: BudgetPlan, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        plans.change_plan(row, changes, actor=actor)

    def delete_row(self, row: BudgetPlan, actor: Actor) -> None:
        plans.remove_plan(row, actor=actor)


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
            "provider", "model", "variant", "starts_at", "input_pico", "output_pico", "cache_read_pico",
            "cache_write_5m_pico", "cache_write_1h_pico", "web_search_pico", "note",
        ]  # fmt: skip


@admin.register(Price)
class PriceAdmin(AuditedAdmin):
    form = PriceForm
    list_display = ["provider", "model", "variant", "starts_at", "input", "output", "note"]
    list_filter = ["provider", "variant"]
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

"""The form of a key with its budget, as the admin shows it."""

from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.actions import BudgetTerms
from billing.forms import ScaledField
from billing.models import Budget
from billing.money import NANO
from console.key_cleaning import KeyCleaning
from console.team_admin import LIMITS_HELP
from console.use_cases import budgets_of
from keys.forms import NamesField, ObjectField
from keys.models import VirtualKey, check_model_limits
from keys.required_headers import COLUMNS, LONGEST
from routing.models import Route

PERIODS = [
    ("", _("never: once and for all")),
    ("day", _("each day")),
    ("week", _("each week")),
    ("month", _("each month")),
    ("1d", _("every 24 hours")),
    ("7d", _("every 7 days")),
    ("30d", _("every 30 days")),
]
OVERLAPS = [("0", _("none: the old secret stops at once")), ("1", _("1 hour")), ("24", _("1 day")), ("168", _("7 days"))]


class KeyForm(KeyCleaning, forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    name = forms.CharField(
        label=_("Key name"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("What people will recognise it by, such as “search team, production”."),
    )
    allowed_models = NamesField(label=_("Models"))
    max_budget = ScaledField(scale=NANO, label=_("Max budget in USD"), required=False, help_text=_("Empty means no budget of its own."))
    budget_period = forms.ChoiceField(label=_("Reset budget"), choices=PERIODS, required=False, widget=UnfoldAdminSelectWidget)
    allowed_ips = NamesField(
        label=_("Allowed addresses"), help_text=_("Addresses or ranges such as 10.0.0.0/8, with commas between them; empty means any.")
    )
    required_header = forms.CharField(
        label=_("Required header"), max_length=100, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("For runners without a fixed address: a header of your own, such as X-Runner-Secret. It opens the key besides the "
                    "addresses, if there are any; without addresses every call needs it."),
    )  # fmt: skip
    required_header_value = forms.CharField(
        label=_("Its secret value"), max_length=LONGEST, required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Never shown again. Empty keeps what is."),
    )  # fmt: skip
    tags = NamesField(label=_("Tags"), help_text=_("Go with every call made with this key, to cut spend by."))
    model_limits = ObjectField(label=_("Limits for single models"), help_text=LIMITS_HELP)
    metadata = ObjectField(label=_("Metadata"), help_text=_("A JSON object of your own. cost_center in it fills the cost centre."))

    class Meta:
        model = VirtualKey
        fields = [
            "name", "team", "user", "organisation", "allowed_models", "tpm_limit", "rpm_limit", "parallel_limit",
            "model_limits", "expires_at", "allowed_ips", "required_header", "tags", "cost_centre", "metadata",
        ]  # fmt: skip
        labels = {
            "tpm_limit": _("Tokens per minute"), "rpm_limit": _("Requests per minute"), "parallel_limit": _("Calls at the same time"),
            "expires_at": _("Expires"), "cost_centre": _("Cost centre"),
        }  # fmt: skip
        help_texts = {
            "team": _("The team's models, budget and cost centre apply too."),
            "user": _("The person who uses the key, if it is one person's."),
            "expires_at": _("Empty means never."),
            "cost_centre": _("Empty means the team's."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.own_id = self.instance.pk or ""
        known = ", ".join(Route.objects.filter(is_active=True).values_list("name", flat=True)[:30])
        self.fields["allowed_models"].help_text = _(
            "Names with commas between them; empty means all that the team may use. There are: %s"
        ) % escape(known or "–")  # help texts are printed as HTML
        own = budgets_of(Budget.Scope.KEY, self.instance.pk) if self.instance.pk else []
        budgets = [budget for budget in own if budget.mode != Budget.Mode.SOFT and not budget.model]
        self.has_many_budgets = len(budgets) > 1
        if budgets and "max_budget" in self.fields:
            self._show(budgets[0])

    def _show(self, budget: Budget) -> None:
        amount, period = self.fields["max_budget"], self.fields["budget_period"]
        amount.initial, period.initial = budget.amount_nano, budget.period
        if isinstance(period, forms.ChoiceField) and budget.period not in dict(PERIODS):
            period.choices = [*PERIODS, (budget.period, budget.period)]
        if self.has_many_budgets:
            amount.disabled = period.disabled = True
            amount.help_text = _("This key has budgets of several periods; change them under Budgets.")

    def clean_model_limits(self) -> dict[str, Any]:
        limits: dict[str, Any] = self.cleaned_data["model_limits"]
        check_model_limits(limits)
        return limits

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        self.hash_header(cleaned)
        return cleaned

    def header(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in COLUMNS}

    def terms(self) -> BudgetTerms | None:
        amount = self.cleaned_data["max_budget"]
        return None if amount is None else BudgetTerms(amount, self.cleaned_data["budget_period"])

    def is_budget_changed(self) -> bool:
        return not self.has_many_budgets and bool({"max_budget", "budget_period"} & set(self.changed_data))


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(
        label=_("Time in which the old secret still works"), choices=OVERLAPS, initial="24", widget=UnfoldAdminSelectWidget
    )  # fmt: skip

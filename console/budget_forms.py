"""The forms of the Budgets page: other terms for a budget, and a new one."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.rows import ChangeRefused
from billing.actions import BudgetTerms, clean_terms
from billing.forms import ScaledField
from billing.models import Budget
from billing.money import NANO
from console.key_form import PERIODS
from keys.forms import no_control_characters

LONGEST_REASON = 300
# Names of the form's fields where a refusal names another.
FIELDS = {"amount_nano": "amount", "scope_id": "subject"}


class TermsForm(forms.Form):
    """Amount, period and mode; why they change is asked for, because others will want to know."""

    amount = ScaledField(
        scale=NANO, label=_("Amount in USD"), widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )  # fmt: skip
    period = forms.ChoiceField(label=_("Starts anew"), choices=PERIODS, required=False)
    mode = forms.ChoiceField(label=_("What happens at the end"), choices=Budget.Mode.choices, initial=Budget.Mode.HARD)
    reason = forms.CharField(
        label=_("Reason"), max_length=LONGEST_REASON, validators=[no_control_characters],
        help_text=_("Kept in the audit trail with your name."), widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def offer_period(self, known: str) -> None:
        """A period that somebody set elsewhere can stay."""
        period = self.fields["period"]
        if isinstance(period, forms.ChoiceField) and known not in dict(PERIODS):
            period.choices = [*PERIODS, (known, known)]

    def refuse(self, error: ChangeRefused) -> None:
        name = FIELDS.get(error.field, error.field)
        self.add_error(name if name in self.fields else None, str(error))

    def changes(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {"amount_nano": data["amount"], "period": data["period"], "mode": data["mode"]}


class NewBudgetForm(TermsForm):
    """For one of the scopes that the visitor gives budgets to. `subjects` are its rows; None where the scope is named by text."""

    subject = forms.CharField(label=_("For"), max_length=400, validators=[no_control_characters])
    model = forms.CharField(
        label=_("Only for a model"), max_length=200, required=False, validators=[no_control_characters],
        help_text=_("A public name, or a family with * at its end; empty means all."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    field_order = ("subject", "amount", "period", "mode", "model", "reason")

    def __init__(self, *args: Any, subjects: list[tuple[str, str]] | None, scope: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["period"].initial = "month"
        if scope == Budget.Scope.GLOBAL:
            del self.fields["subject"]
        elif subjects is not None:
            self.fields["subject"] = forms.ChoiceField(label=_("For"), choices=[("", _("choose")), *subjects])
            self.order_fields(self.field_order)

    def terms(self) -> BudgetTerms:
        return BudgetTerms(model=self.cleaned_data["model"].strip(), **self.changes())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                clean_terms(self.terms())
            except ChangeRefused as refusal:
                self.refuse(refusal)
        return cleaned

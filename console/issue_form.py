"""The forms of a key on our own pages: what a new one is to be, and what of one that there is may change."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.rows import ChangeRefused
from billing.actions import BudgetTerms
from billing.forms import ScaledField
from billing.models import Budget
from billing.money import NANO
from console.asker import Asker
from console.key_cleaning import KeyCleaning
from console.key_form import PERIODS
from console.use_cases import budgets_of
from keys.actions import KeySpec
from keys.durations import WrongDuration, after
from keys.forms import NamesField, no_control_characters
from keys.models import Team, User, VirtualKey
from keys.required_headers import COLUMNS, LONGEST

ALL, SOME = "all", "some"
KEEP = "keep"
EXPIRIES = [("", _("never")), ("7d", _("in 7 days")), ("30d", _("in 30 days")), ("90d", _("in 90 days")), ("365d", _("in a year"))]
LARGEST = 2**31 - 1
# What verbs call a field → what these forms do.
FIELDS = {
    "allowed_models": "models",
    "amount_nano": "max_budget",
    "expires_at": "expires",
    "user": "owner",
    "required_header_hash": "required_header",
}


def limit(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=1, max_value=LARGEST, required=False, widget=forms.TextInput(attrs={"inputmode": "numeric"})
    )


def names(label: Any, **options: Any) -> NamesField:
    return NamesField(label=label, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}), **options)


class TermsForm(KeyCleaning, forms.Form):
    """What a key may do and how much it may spend."""

    name = forms.CharField(label=_("Key name"), max_length=200, validators=[no_control_characters])
    scope = forms.ChoiceField(
        label=_("Models"), choices=[(ALL, _("All team models")), (SOME, _("Only these"))], initial=ALL, widget=forms.RadioSelect
    )
    models = names(_("Model names"), validators=[no_control_characters])
    max_budget = ScaledField(scale=NANO, label=_("Max budget"), required=False, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    period = forms.CharField(label=_("Reset budget"), required=False, initial="month", widget=forms.Select(choices=PERIODS))
    tpm_limit = limit(_("Tokens per minute"))
    rpm_limit = limit(_("Requests per minute"))
    parallel_limit = limit(_("Calls at the same time"))
    expires = forms.CharField(label=_("Expires"), required=False, widget=forms.Select(choices=EXPIRIES))
    expires_on = forms.DateField(label=_("or after this day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    tags = names(_("Tags"), validators=[no_control_characters])
    allowed_ips = names(_("Allowed addresses"))
    required_header = forms.CharField(label=_("Required header"), max_length=100, required=False)
    required_header_value = forms.CharField(
        label=_("Its secret value"), max_length=LONGEST, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        listed = cleaned.get("models", [])
        if cleaned.get("scope") == SOME and not listed and "models" not in self.errors:
            self.add_error("models", _("Name at least one model, or choose all team models."))
        if cleaned.get("scope") == ALL and listed:
            self.add_error("models", _("These names count only with “Only these”. Choose it, or empty the field."))
        try:
            cleaned["expires_at"] = self._expiry(cleaned, timezone.now())
        except WrongDuration as error:
            self.add_error("expires", str(error))
        self.hash_header(cleaned)
        return cleaned

    def _expiry(self, cleaned: Mapping[str, Any], now: datetime) -> datetime | None:
        """A day counts to its end, where the page's clock stands."""
        if day := cleaned.get("expires_on"):
            end = timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
            if end <= now:
                self.add_error("expires_on", _("This day is over. Choose a later one."))
            return end
        chosen = cleaned.get("expires", "")
        return after(chosen, now) if chosen else None

    def values(self) -> dict[str, Any]:
        """What a key's row takes."""
        kept = ("name", "tpm_limit", "rpm_limit", "parallel_limit", "expires_at", "tags", "allowed_ips", *COLUMNS)
        return {name: self.cleaned_data[name] for name in kept} | {"allowed_models": self.cleaned_data["models"]}

    def terms(self) -> BudgetTerms | None:
        amount = self.cleaned_data["max_budget"]
        return None if amount is None else BudgetTerms(amount, self.cleaned_data["period"])

    def refuse(self, refusal: ChangeRefused) -> None:
        """A verb's refusal, beside the field that it is about."""
        field = FIELDS.get(refusal.field, refusal.field)
        self.add_error(field if field in self.fields else None, str(refusal))


class IssueForm(TermsForm):
    """A new key. Which teams and people may be named hangs on who asks."""

    team = forms.ModelChoiceField(Team.objects.none(), label=_("Team"))
    owner = forms.CharField(label=_("Owner"), max_length=254, required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, by: Asker, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.by = by
        team = self.fields["team"]
        assert isinstance(team, forms.ModelChoiceField)  # noqa: S101 - as declared above
        team.queryset = teams_to_issue_in(by)
        team.required = not by.sees_all
        team.empty_label = _("no team") if by.sees_all else None
        if not names_owners(by):
            del self.fields["owner"]

    def clean_owner(self) -> User | None:
        """By e-mail address or user name. Of somebody in no team of theirs, people learn the same as of nobody."""
        asked = str(self.cleaned_data["owner"]).strip()
        if not asked:
            return None
        found = list(people_to_name(self.by).filter(Q(email__iexact=asked) | Q(username=asked))[:2])
        if not found:
            raise forms.ValidationError(_("Nobody whom you may name has this e-mail address or user name."))
        if len(found) > 1:
            raise forms.ValidationError(_("Several people have this e-mail address. Write the user name."))
        return found[0]

    def spec(self) -> KeySpec:
        return KeySpec(team=self.cleaned_data["team"], user=self.cleaned_data.get("owner"), **self.values())


class ChangeForm(TermsForm):
    """A key that there is. Team and owner stay: whoever needs another issues a new key."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, key: VirtualKey) -> None:
        self.own_id = key.pk
        budgets = [budget for budget in budgets_of(Budget.Scope.KEY, key.pk) if budget.mode != Budget.Mode.SOFT and not budget.model]
        self.key, self.has_many_budgets = key, len(budgets) > 1
        super().__init__(data, initial=_initial(key, budgets[0] if budgets else None))
        self.fields["expires"].widget = forms.Select(choices=[(KEEP, _kept(key.expires_at)), *EXPIRIES])
        if budgets and budgets[0].period not in dict(PERIODS):
            self.fields["period"].widget = forms.Select(choices=[*PERIODS, (budgets[0].period, budgets[0].period)])
        if self.has_many_budgets:
            self.fields["max_budget"].disabled = self.fields["period"].disabled = True

    def _expiry(self, cleaned: Mapping[str, Any], now: datetime) -> datetime | None:
        is_kept = cleaned.get("expires") == KEEP and not cleaned.get("expires_on")
        return self.key.expires_at if is_kept else super()._expiry(cleaned, now)

    def is_budget_changed(self) -> bool:
        return not self.has_many_budgets and bool({"max_budget", "period"} & set(self.changed_data))


def _kept(expires_at: datetime | None) -> str:
    """What stands now, as a choice."""
    when = date_format(timezone.localtime(expires_at), "DATETIME_FORMAT") if expires_at else _("never")
    return gettext("as it is: %s") % when


def _initial(key: VirtualKey, budget: Budget | None) -> dict[str, Any]:
    kept = ("name", "tpm_limit", "rpm_limit", "parallel_limit", "tags", "allowed_ips", "required_header")
    return {name: getattr(key, name) for name in kept} | {
        "scope": SOME if key.allowed_models else ALL,
        "models": key.allowed_models,
        "max_budget": budget.amount_nano if budget else None,
        "period": budget.period if budget else "month",
        "expires": KEEP,
    }


# ── whom and what they may name ───────────────────────────────────────────────
def teams_to_issue_in(by: Asker) -> QuerySet[Team]:
    reach = by.reach
    if reach.is_admin:
        return Team.objects.all()
    return Team.objects.filter(pk__in=reach.joined if reach.keeps_keys else reach.managed)


def names_owners(by: Asker) -> bool:
    """Whoever does not manage a team issues keys for nobody but themselves."""
    return by.reach.is_admin or bool(by.reach.managed)


def people_to_name(by: Asker) -> QuerySet[User]:
    if by.reach.is_admin:
        return User.objects.all()
    return User.objects.filter(Q(memberships__team_id__in=by.reach.managed) | Q(pk=by.reach.person_id)).distinct()

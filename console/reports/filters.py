"""What reports can be asked for. Every name is checked: what is unknown, wrong or given twice is told under its name and never ignored."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Value
from django.utils import timezone
from django_filters import CharFilter, ChoiceFilter, FilterSet, NumberFilter

from billing.ledger import HasTag
from billing.models import Budget, LedgerEntry
from console.reports.span import end_of, is_quarter, span_of, start_of, zone_of
from console.reports.sums import GROUPS, TAG_GROUPS, TIMES

YES, NO = "true", "false"
LONGEST_TEXT = 200
# In days: how long a period may be, and how long in steps of an hour.
LONGEST, LONGEST_BY_HOUR = 1100, 31
MOST_GROUPS = 4
NOT_THERE = "%(value)s is none of: {}."


class SpanForm(forms.Form):
    """The period that all reports of spend share; `from` and `to` are no names that a class can have."""

    time_zone = forms.CharField(required=False, max_length=LONGEST_TEXT, help_text="Where days begin; the gateway's own unless told.")
    order: tuple[str, ...] = ("from", "to", "time_zone")
    is_of_sums = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from"] = forms.CharField(
            required=False, max_length=40, label="From", help_text="A day, a month or a moment. Unless told: this month's first day."
        )
        self.fields["to"] = forms.CharField(
            required=False,
            max_length=40,
            label="To",
            help_text="The last day or month, or the moment it ends before. Unless told: today.",
        )
        self.order_fields(self.order)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            zone = zone_of(cleaned["time_zone"]) if cleaned["time_zone"] else zone_of(timezone.get_current_timezone_name())
        except ValidationError as error:
            self.add_error("time_zone", error)
            return cleaned
        today = timezone.now().astimezone(zone).date()
        for name, read in (("from", start_of), ("to", end_of)):
            try:
                cleaned[name] = read(cleaned[name], zone, today)
                self._check_cut(cleaned[name])
            except ValidationError as error:
                self.add_error(name, error)
        if not self.errors:
            self._set_span(cleaned, zone)
        return cleaned

    def _check_cut(self, moment: Any) -> None:
        if self.is_of_sums and not is_quarter(moment):
            raise ValidationError("Sums are kept by quarters of an hour: name a moment such as 09:00, 09:15, 09:30 or 09:45.")

    def _set_span(self, cleaned: dict[str, Any], zone: Any) -> None:
        try:
            cleaned["span"] = span_of(cleaned["from"], cleaned["to"], zone)
        except ValidationError as error:
            self.add_error("to", error)
            return
        if cleaned["span"].days > LONGEST:
            self.add_error("from", f"A report covers {LONGEST} days at most; this period has {cleaned['span'].days}.")


class SumsForm(SpanForm):
    is_of_sums = True


class SpendForm(SumsForm):
    group_by = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        help_text=f"Up to {MOST_GROUPS} of {', '.join((*TIMES, *GROUPS, 'tag'))}; else day.",
    )
    order = ("group_by", "from", "to", "time_zone")

    def clean_group_by(self) -> tuple[str, ...]:
        groups = tuple(part.strip() for part in (self.cleaned_data["group_by"] or "day").split(","))
        unknown = [one for one in groups if one not in {*TIMES, *GROUPS, "tag"}]
        if unknown:
            raise ValidationError(f"{unknown[0]!r} is none of: {', '.join((*TIMES, *GROUPS, 'tag'))}.")
        if len(set(groups)) < len(groups) or len(groups) > MOST_GROUPS:
            raise ValidationError(f"Name at most {MOST_GROUPS}, each once.")
        if len([one for one in groups if one in TIMES]) > 1:
            raise ValidationError(f"Name one of {', '.join(TIMES)}, not several.")
        return groups

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        groups, span = cleaned["group_by"], cleaned["span"]
        if "hour" in groups and span.days > LONGEST_BY_HOUR:
            self.add_error("group_by", f"By hour a report covers {LONGEST_BY_HOUR} days at most; this period has {span.days}.")
        if self.is_by_tag:
            self._check_tags(cleaned, groups)
        return cleaned

    @property
    def is_by_tag(self) -> bool:
        return "tag" in self.cleaned_data.get("group_by", ()) or bool(self.cleaned_data.get("tag"))

    def _check_tags(self, cleaned: dict[str, Any], groups: Sequence[str]) -> None:
        why = f"Sums by tag are kept by {', '.join(TAG_GROUPS)} and time alone."
        wrong = [name for name in GROUPS if name not in TAG_GROUPS and cleaned.get(name)]
        for name in wrong:
            self.add_error(name, why)
        if any(one in GROUPS and one not in TAG_GROUPS for one in groups):
            self.add_error("group_by", why)


class Truth(ChoiceFilter):
    """`true` or `false`; anything else is told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, choices=[(YES, YES), (NO, NO)], **kwargs)

    def filter(self, rows: Any, value: str) -> Any:
        return super().filter(rows, value == YES) if value else rows


class Tagged(CharFilter):
    def filter(self, rows: Any, value: str) -> Any:
        return rows.filter(HasTag("tags", Value(value))) if value else rows


class Asked(FilterSet):
    """What one report is asked. `rows` narrows what the reader may see, and never widens it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, one in self.filters.items():
            one.label = name.replace("_", " ").capitalize()

    def rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        for name, one in self.filters.items():
            rows = one.filter(rows, self.form.cleaned_data[name])
        return rows

    def wrong(self, known: Sequence[str] = ()) -> dict[str, list[str]]:
        """What cannot be answered, by name."""
        names = [*self.form.fields, *known]
        told = {name: [str(text) for text in texts] for name, texts in self.form.errors.items()}
        for name in self.data:
            if name not in names:
                told[name] = [no_such(names)]
            elif len(self.data.getlist(name)) > 1:
                told[name] = ["It is given more than once."]
        return told


def no_such(names: Sequence[str]) -> str:
    return f"There is no such filter here. There are: {', '.join(names)}."


def text(column: str) -> CharFilter:
    return CharFilter(field_name=column, max_length=LONGEST_TEXT, strip=False)


def choice(column: str, values: Sequence[str]) -> ChoiceFilter:
    told = {"invalid_choice": NOT_THERE.format(", ".join(values))}
    return ChoiceFilter(field_name=column, choices=[(one, one) for one in values], error_messages=told)


class Payers(Asked):
    """Ids, as the columns `..._id` of reports tell them."""

    organisation = text("organisation_id")
    team = text("team_id")
    cost_centre = text("cost_centre")
    user = text("user_id")
    key = text("key_id")
    model = text("route")
    provider = text("provider")

    class Meta:
        form = SpanForm


class SpendAsked(Payers):
    client = text("client")
    tag = text("tag")

    class Meta:
        form = SpendForm


class ChargebackAsked(Asked):
    organisation = text("organisation_id")
    team = text("team_id")
    cost_centre = text("cost_centre")

    class Meta:
        form = SumsForm


class LedgerAsked(Payers):
    kind = choice("kind", LedgerEntry.Kind.values)
    request = text("request_id")
    end_user = text("end_user")
    tag = Tagged(max_length=LONGEST_TEXT)
    unpriced = Truth(field_name="is_unpriced")
    estimated = Truth(field_name="is_estimated")
    one_budget = Truth(field_name="budget_id", lookup_expr="isnull", exclude=True)


class RequestsAsked(Payers):
    client = text("client")
    end_user = text("end_user")
    session = text("session_id")
    outcome = choice("outcome", ("ok", "refused", "failed", "truncated", "interrupted", "client_left"))
    status = NumberFilter(field_name="status", min_value=100, max_value=599, decimal_places=0)
    tag = Tagged(max_length=LONGEST_TEXT)
    unpriced = Truth(field_name="is_unpriced")
    token_counts = ChoiceFilter(choices=[(YES, YES), (NO, NO)], method="keep")

    def keep(self, rows: Any, name: str, value: str) -> Any:
        """The view looks at it."""
        return rows


class BudgetsAsked(Asked):
    scope = choice("scope", Budget.Scope.values)
    scope_id = text("scope_id")
    mode = choice("mode", Budget.Mode.values)
    model = text("model")


class KeysAsked(Asked):
    team = text("team_id")
    user = text("user_id")
    cost_centre = text("cost_centre")
    state = ChoiceFilter(choices=[(one, one) for one in ("active", "blocked", "expired", "revoked")], method="keep")
    keep = RequestsAsked.keep

    class Meta:
        form = SumsForm


class TeamsAsked(Asked):
    organisation = text("organisation_id")
    cost_centre = text("cost_centre")
    state = ChoiceFilter(choices=[(one, one) for one in ("active", "blocked")], method="keep")
    keep = RequestsAsked.keep

    class Meta:
        form = SumsForm

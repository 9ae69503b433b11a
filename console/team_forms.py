"""The forms of the team pages: what a team is, and somebody to add to it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.rows import ChangeRefused
from keys.forms import NamesField, no_control_characters
from keys.models import Membership, Team

# What managers may touch, downwards: console.team_rules looks at what comes of it.
FOR_MANAGERS = frozenset({"name", "allowed_models", "rpm_limit", "tpm_limit", "parallel_limit"})


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    name = forms.CharField(label=_("Name"), max_length=200, validators=[no_control_characters])
    allowed_models = NamesField(
        label=_("Models"), widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Names with commas between them, such as claude-sonnet, gpt-5*; empty means all."),
    )  # fmt: skip

    class Meta:
        model = Team
        fields = ["name", "organisation", "cost_centre", "allowed_models", "rpm_limit", "tpm_limit", "parallel_limit"]
        labels = {
            "organisation": _("Organisation"), "cost_centre": _("Cost centre"), "rpm_limit": _("Requests per minute"),
            "tpm_limit": _("Tokens per minute"), "parallel_limit": _("Calls at once"),
        }  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        organisation = self.fields["organisation"]
        assert isinstance(organisation, forms.ModelChoiceField)  # noqa: S101 - as the model declares it
        organisation.empty_label = _("none")

    def keep_for_managers(self) -> None:
        for name in set(self.fields) - FOR_MANAGERS:
            del self.fields[name]

    def refuse(self, error: ChangeRefused) -> None:
        self.add_error(error.field if error.field in self.fields else None, str(error))

    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}


class MemberForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), max_length=150, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role"), choices=Membership.Role.choices, initial=Membership.Role.MEMBER)

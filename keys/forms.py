"""Form fields that show lists as text, one name per line or between commas."""

import re
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

MODELS_HELP = _("Model names, with commas between them; empty means all.")


class NamesField(forms.CharField):
    """A list of names, typed with commas or line ends between them."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", UnfoldAdminTextInputWidget())
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(item) for item in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        names = value if isinstance(value, list) else re.split(r"[,\n]", super().to_python(value) or "")
        return list(dict.fromkeys(str(name).strip() for name in names if str(name).strip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or []) != self.to_python(data))

    def run_validators(self, value: Any) -> None:
        for name in value:
            super().run_validators(name)


class ObjectField(forms.JSONField):
    """A JSON object; left empty it is `{}`."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 3}))
        super().__init__(**options)

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if cleaned in (None, ""):
            return {}
        if not isinstance(cleaned, dict):
            raise forms.ValidationError(_('A JSON object is needed, such as {"project": "search"}.'))
        return cleaned


no_control_characters = RegexValidator(r"^[^\x00-\x1f\x7f]*$", "A name has no control characters.")

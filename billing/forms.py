"""Form fields that show integers of nano- or pico-USD as dollars, and lists of percentages as text."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from billing.money import MAX_USD

PICO_PER_THOUSAND_SEARCHES = 10**9


class ScaledField(forms.DecimalField):
    """Dollars for the person, `dollars * scale` as an integer for us. `scale` is a power of ten, so nothing is rounded."""

    def __init__(self, *, scale: int, **options: Any) -> None:
        self.scale = scale
        options.setdefault("widget", UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}))
        super().__init__(min_value=0, max_value=MAX_USD, decimal_places=len(str(scale)) - 1, **options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        dollars = Decimal(value) / self.scale
        return f"{dollars:f}".rstrip("0").rstrip(".") if "." in f"{dollars:f}" else f"{dollars:f}"

    def clean(self, value: Any) -> int | None:
        dollars = super().clean(value)
        return None if dollars is None else int(dollars * self.scale)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(initial != self.clean(data))
        except forms.ValidationError:
            return True


class PercentagesField(forms.CharField):
    """A list of whole percentages, typed with commas between them."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", UnfoldAdminTextInputWidget())
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(item) for item in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[int]:
        words = [str(item) for item in value] if isinstance(value, list) else re.split(r"[,\s%]+", str(value or ""))
        try:
            return sorted({int(word) for word in words if word})
        except ValueError as error:
            raise forms.ValidationError(_("Whole percentages are needed, such as 50, 80, 100.")) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(initial) != self.clean(data))
        except forms.ValidationError:
            return True

"""What the admin's form of a key and the one of our own pages refuse alike: its name, its addresses, its required header."""

from typing import Any

from django import forms

from audit.rows import ChangeRefused
from keys.actions import check_key_name
from keys.models import VirtualKey, check_networks
from keys.required_headers import COLUMNS, WrongHeader, columns


class KeyCleaning(forms.BaseForm):
    """`own_id` is the key's that is being changed; a new one has none."""

    own_id = ""

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        try:
            check_key_name(name, own_id=self.own_id)
        except ChangeRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return name

    def clean_allowed_ips(self) -> list[str]:
        networks: list[str] = self.cleaned_data["allowed_ips"]
        check_networks(networks)
        return networks

    def hash_header(self, cleaned: dict[str, Any]) -> None:
        """The header's value becomes its hash here; nothing else of the form ever holds it."""
        row = VirtualKey.objects.filter(pk=self.own_id).values_list(*COLUMNS).first() if self.own_id else None
        try:
            cleaned |= columns(cleaned.get("required_header", ""), cleaned.pop("required_header_value", ""), row)
        except WrongHeader as error:
            self.add_error("required_header", str(error))

"""Admin pages of frozen months with their lines, read-only: they are closed and opened under Chargeback."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from audit.admin_base import ReadOnlyAdmin
from audit.events import EVENTS
from audit.models import AuditEvent
from billing.frozen_text import is_intact
from billing.models import FrozenLine, FrozenMonth
from billing.money import money


class FrozenLineInline(TabularInline):
    model = FrozenLine
    extra = 0
    max_num = 0
    per_page = 50
    can_delete = False
    fields = readonly_fields = ["adjusts", "cost_centre", "team_name", "user_name", "key_name", "cost", "calls", "unpriced_calls"]

    @display(description=_("cost"))
    def cost(self, line: FrozenLine) -> str:
        return money(line.cost_nano, 9)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FrozenMonth)
class FrozenMonthAdmin(ReadOnlyAdmin):
    list_display = ["month", "time_zone", "cost", "calls", "unpriced_calls", "frozen_by_name", "frozen_at"]
    list_filter = ["time_zone"]
    search_fields = ["month", "time_zone", "sha256", "frozen_by_name"]
    fields = [
        "month", "time_zone", "starts_at", "ends_at", "cost", "currency", "calls", "unpriced_calls", "estimated_calls", "frozen_by_name",
        "frozen_at", "sha256", "verified", "history",
    ]  # fmt: skip
    readonly_fields = ["cost", "verified", "history"]
    inlines = [FrozenLineInline]

    @display(description=_("cost"), ordering="cost_nano")
    def cost(self, month: FrozenMonth) -> str:
        return money(month.cost_nano, 9)

    @display(description=_("verified"), boolean=True)
    def verified(self, month: FrozenMonth) -> bool:
        return is_intact(month)

    @display(description=_("history"))
    def history(self, month: FrozenMonth) -> str:
        """Of the month in its zone, however often it was frozen."""
        events = AuditEvent.objects.filter(object_type="frozenmonth", object_name=str(month)).order_by("id")
        return "; ".join(f"{event.at:%Y-%m-%d %H:%M} UTC: {event.actor_name or event.actor_kind} {EVENTS[event.event]}" for event in events)

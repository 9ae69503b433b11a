"""Admin pages of what was counted: the ledger, budgets' windows, and the processes that hold shares of them. Read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.decorators import display

from audit.admin_base import ReadOnlyAdmin
from audit.admin_filters import TimesFilter
from billing.models import Instance, LedgerEntry, Share, Window
from billing.money import money

INSTANCE_COLOURS = {"alive": "success", "lost": "danger"}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = [
        "at",
        "kind",
        "amount",
        "request_id",
        "team_id",
        "key_id",
        "cost_centre",
        "route",
        "provider",
        "model",
        "is_unpriced",
        "is_estimated",
    ]
    list_filter = [
        ("at", TimesFilter),
        "kind",
        ("provider", FieldTextFilter),
        ("model", FieldTextFilter),
        ("cost_centre", FieldTextFilter),
        "is_unpriced",
        "is_estimated",
    ]
    search_fields = ["request_id__exact", "key_id__exact", "team_id__exact", "end_user__exact"]
    search_help_text = _("A whole id of a request, key or team, or an end user's name. Lists end after 10,000 rows: narrow them by time.")

    @display(description=_("amount"), ordering="amount_nano")
    def amount(self, entry: LedgerEntry) -> str:
        return money(entry.amount_nano, 6)


@admin.register(Window)
class WindowAdmin(ReadOnlyAdmin):
    """Its budget's page starts a new one."""

    list_display = ["budget", "starts_at", "spent", "allotted", "wanted_at"]
    list_filter = [("starts_at", TimesFilter), "budget__scope"]
    list_select_related = ["budget"]
    search_fields = ["budget__scope_id__exact"]
    fields = ["budget", "starts_at", "spent", "allotted", "wanted_at"]
    readonly_fields = ["spent", "allotted"]

    @display(description=_("spent"), ordering="posted_nano")
    def spent(self, window: Window) -> str:
        return money(window.posted_nano, 6)

    @display(description=_("allotted"), ordering="allotted_nano")
    def allotted(self, window: Window) -> str:
        return money(window.allotted_nano, 6)


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    list_display = ["id", "host", "state", "started_at", "beat_at", "lost_at"]
    list_filter = [("beat_at", TimesFilter)]
    search_fields = ["id", "host"]

    @display(description=_("state"), label=INSTANCE_COLOURS)
    def state(self, instance: Instance) -> str:
        return "lost" if instance.lost_at else "alive"


@admin.register(Share)
class ShareAdmin(ReadOnlyAdmin):
    list_display = ["window", "instance", "amount", "held", "unposted"]
    list_select_related = ["window__budget", "instance"]
    list_filter = ["window__budget__scope"]
    search_fields = ["instance__id", "window__budget__scope_id__exact"]
    ordering = ["-window__starts_at", "instance_id"]
    fields = ["window", "instance", "amount", "held", "unposted"]
    readonly_fields = ["amount", "held", "unposted"]

    @display(description=_("may spend"), ordering="amount_nano")
    def amount(self, share: Share) -> str:
        return money(share.amount_nano, 6)

    @display(description=_("held"), ordering="held_nano")
    def held(self, share: Share) -> str:
        return money(share.held_nano, 6)

    @display(description=_("on its way to the ledger"), ordering="unposted_nano")
    def unposted(self, share: Share) -> str:
        return money(share.unposted_nano, 6)

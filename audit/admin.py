"""Admin pages of what happened: the audit trail, the served calls, and what people are told of it. Read-only."""

import json
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from audit.admin_base import ReadOnlyAdmin
from audit.events import EVENTS
from audit.models import AuditEvent, Outbox, RequestRecord
from audit.outbox import state

OUTCOME_COLOURS = {"ok": "success", "error": "danger", "refused": "warning", "cancelled": "info"}
STATE_COLOURS = {"sent": "success", "waiting": "info", "trying": "warning", "given up": "danger"}


def shown_json(value: Any) -> SafeString:
    return format_html('<pre class="whitespace-pre-wrap">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "who", "sentence", "object_shown", "ip"]
    list_filter = [("at", RangeDateTimeFilter), "event", "actor_kind", "object_type"]
    search_fields = ["actor_name", "object_name", "object_id", "event"]
    fields = ["at", "event", "who", "ip", "request_id", "object_type", "object_id", "object_name", "was", "became", "previous_hash", "hash"]
    readonly_fields = ["who", "was", "became"]

    @display(description=_("who"), ordering="actor_name")
    def who(self, event: AuditEvent) -> str:
        return event.actor_name or event.actor_id or event.actor_kind

    @display(description=_("did"), ordering="event")
    def sentence(self, event: AuditEvent) -> str:
        return EVENTS.get(event.event, event.event)

    @display(description=_("what"), ordering="object_name")
    def object_shown(self, event: AuditEvent) -> str:
        return event.object_name or event.object_id

    @display(description=_("before"))
    def was(self, event: AuditEvent) -> SafeString:
        return shown_json(event.before)

    @display(description=_("after"))
    def became(self, event: AuditEvent) -> SafeString:
        return shown_json(event.after)


@admin.register(RequestRecord)
class RequestRecordAdmin(ReadOnlyAdmin):
    list_display = [
        "received_at",
        "outcome_shown",
        "status",
        "duration",
        "session_id",
        "id",
        "cost",
        "key_name",
        "team_name",
        "user_name",
        "route",
        "tokens",
    ]
    list_filter = [
        ("received_at", RangeDateTimeFilter),
        "outcome",
        "status",
        "error_source",
        "error_code",
        "endpoint",
        "route",
        "provider",
        "is_stream",
        "is_unpriced",
    ]
    search_fields = ["id", "session_id", "key_name", "key_id", "team_name", "user_name", "end_user", "upstream_request_id"]
    list_per_page = 50

    @display(description=_("outcome"), ordering="outcome", label=OUTCOME_COLOURS)
    def outcome_shown(self, record: RequestRecord) -> str:
        return record.outcome

    @display(description=_("duration"), ordering="duration_ms")
    def duration(self, record: RequestRecord) -> str:
        return f"{record.duration_ms / 1000:.2f} s"

    @display(description=_("cost"), ordering="cost_nano")
    def cost(self, record: RequestRecord) -> str:
        if record.cost_nano is None:
            return str(_("no price"))
        return f"${record.cost_nano // 10**9}.{record.cost_nano % 10**9 // 1000:06d}"

    @display(description=_("tokens in / out"))
    def tokens(self, record: RequestRecord) -> str:
        read = record.input_tokens + record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens
        return f"{read} / {record.output_tokens}"


@admin.register(Outbox)
class OutboxAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "text", "state_shown", "sent_at", "last_error"]
    list_filter = [("created_at", RangeDateTimeFilter), "kind"]
    search_fields = ["once_key"]
    fields = ["created_at", "kind", "text", "state_shown", "sent_at", "last_error", "once_key", "content"]
    readonly_fields = ["text", "state_shown", "content"]

    @display(description=_("says"))
    def text(self, note: Outbox) -> str:
        return str(note.payload.get("text", note.once_key))

    @display(description=_("delivery"), label=STATE_COLOURS)
    def state_shown(self, note: Outbox) -> str:
        return state(note, timezone.now())

    @display(description=_("content"))
    def content(self, note: Outbox) -> SafeString:
        return shown_json(note.payload)

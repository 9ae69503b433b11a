"""Admin pages of what happened: the audit trail, the served calls, and what people are told of it. Read-only."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter, SingleNumericFilter
from unfold.decorators import display

from audit.admin_base import ReadOnlyAdmin
from audit.admin_filters import OneOfFilter, TimesFilter
from audit.events import EVENTS
from audit.models import AuditEvent, Outbox, RequestBody, RequestRecord, RollUp, TagRollUp
from audit.outbox import state

OUTCOME_COLOURS = {
    "ok": "success",
    "failed": "danger",
    "truncated": "danger",
    "interrupted": "danger",
    "refused": "warning",
    "client_left": "info",
}
OUTCOMES = {
    "ok": _("answered"),
    "failed": _("failed"),
    "truncated": _("cut off"),
    "interrupted": _("interrupted"),
    "refused": _("refused"),
    "client_left": _("client left"),
}
SIDES = {"client": _("client"), "gateway": _("gateway"), "provider": _("provider")}
STATE_COLOURS = {"sent": "success", "waiting": "info", "trying": "warning", "given up": "danger"}
STATES = {"sent": _("sent"), "waiting": _("waiting"), "trying": _("trying"), "given up": _("given up")}
SENTENCES = {event: _(sentence) for event, sentence in EVENTS.items()}


def shown_json(value: Any) -> SafeString:
    return format_html('<pre class="whitespace-pre-wrap">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


def dollars(nano: int) -> str:
    """To the millionth; `billing` knows money better, and this app does not know `billing`."""
    sign, micro = "-" if nano < 0 else "", abs(nano) // 1000
    return f"{sign}${micro // 10**6}.{micro % 10**6:06d}"


class OutcomeFilter(OneOfFilter):
    title, parameter_name, words = _("outcome"), "outcome", OUTCOMES


class SideFilter(OneOfFilter):
    title, parameter_name, words = _("whose side"), "error_source", SIDES


class EventFilter(OneOfFilter):
    title, parameter_name, words = _("did"), "event", SENTENCES


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "who", "sentence", "object_shown", "ip"]
    list_filter = [("at", TimesFilter), EventFilter, ("actor_kind", FieldTextFilter), ("object_type", FieldTextFilter)]
    search_fields = ["actor_name", "object_name", "object_id", "event"]
    fields = ["at", "event", "who", "ip", "request_id", "object_type", "object_id", "object_name", "was", "became", "previous_hash", "hash"]
    readonly_fields = ["who", "was", "became"]

    @display(description=_("who"), ordering="actor_name")
    def who(self, event: AuditEvent) -> str:
        return event.actor_name or event.actor_id or event.actor_kind

    @display(description=_("did"), ordering="event")
    def sentence(self, event: AuditEvent) -> str:
        return str(SENTENCES.get(event.event, event.event))

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
        ("received_at", TimesFilter),
        OutcomeFilter,
        SideFilter,
        ("status", SingleNumericFilter),
        ("error_code", FieldTextFilter),
        ("route", FieldTextFilter),
        ("provider", FieldTextFilter),
        ("endpoint", FieldTextFilter),
        ("key_name", FieldTextFilter),
        ("team_name", FieldTextFilter),
        ("user_name", FieldTextFilter),
        ("upstream_request_id", FieldTextFilter),
        "is_stream",
        "is_unpriced",
    ]
    search_fields = ["id__exact", "session_id__exact", "key_id__exact", "team_id__exact", "end_user__exact"]
    search_help_text = _(
        "A whole id of a request, session, key or team, or an end user's name. Lists end after 10,000 rows: narrow them by time."
    )

    @display(description=_("outcome"), ordering="outcome", label=OUTCOME_COLOURS)
    def outcome_shown(self, record: RequestRecord) -> tuple[str, Any]:
        return record.outcome, OUTCOMES.get(record.outcome, record.outcome)

    @display(description=_("duration"), ordering="duration_ms")
    def duration(self, record: RequestRecord) -> str:
        return f"{record.duration_ms / 1000:.2f} s"

    @display(description=_("cost"), ordering="cost_nano")
    def cost(self, record: RequestRecord) -> str:
        if record.cost_nano is None:
            return str(_("no price"))
        return dollars(record.cost_nano)

    @display(description=_("tokens in / out"))
    def tokens(self, record: RequestRecord) -> str:
        read = record.input_tokens + record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens
        return f"{read} / {record.output_tokens}"


@admin.register(Outbox)
class OutboxAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "text", "state_shown", "sent_at", "last_error"]
    list_filter = [("created_at", TimesFilter), "kind"]
    search_fields = ["once_key"]
    fields = ["created_at", "kind", "text", "state_shown", "sent_at", "last_error", "once_key", "content"]
    readonly_fields = ["text", "state_shown", "content"]

    @display(description=_("says"))
    def text(self, note: Outbox) -> str:
        return str(note.payload.get("text", note.once_key))

    @display(description=_("delivery"), label=STATE_COLOURS)
    def state_shown(self, note: Outbox) -> tuple[str, Any]:
        word = state(note, timezone.now())
        return word, STATES[word]

    @display(description=_("content"))
    def content(self, note: Outbox) -> SafeString:
        return shown_json(note.payload)


@admin.register(RollUp)
class RollUpAdmin(ReadOnlyAdmin):
    list_display = ["starts_at", "team_id", "user_id", "key_id", "route", "provider", "client", "status_class", "calls", "cost"]
    list_filter = [("starts_at", TimesFilter), ("route", FieldTextFilter), ("provider", FieldTextFilter)]

    @display(description=_("cost"), ordering="cost_nano")
    def cost(self, row: RollUp) -> str:
        return dollars(row.cost_nano)


@admin.register(TagRollUp)
class TagRollUpAdmin(ReadOnlyAdmin):
    list_display = ["starts_at", "tag", "team_id", "route", "calls", "cost"]
    list_filter = [("starts_at", TimesFilter), ("tag", FieldTextFilter)]

    @display(description=_("cost"), ordering="cost_nano")
    def cost(self, row: TagRollUp) -> str:
        return dollars(row.cost_nano)


@admin.register(RequestBody)
class RequestBodyAdmin(ReadOnlyAdmin):
    """That a body is kept and since when; not what is in it, which no list of operators needs."""

    list_display = ["request_id", "stored_at", "is_cut"]
    list_filter = [("stored_at", TimesFilter), "is_cut"]
    search_fields = ["request_id__exact"]
    fields = ["request_id", "stored_at", "is_cut"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RequestBody]:
        return super().get_queryset(request).defer("request", "response")  # type: ignore[no-any-return]  # unfold is untyped

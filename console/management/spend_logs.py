"""Single calls as LiteLLM's spend logs. The only spend addresses that read request records: along an index, in pages, with a cap."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from audit.models import RequestRecord
from console.management.spend_figures import KeyNames
from console.management.wire import usd

UNUSED: dict[str, Any] = {
    "api_base": "", "cache_hit": "False", "cache_key": "", "messages": {}, "response": {}, "proxy_server_request": {},
}  # fmt: skip


def log_rows(records: Iterable[RequestRecord]) -> list[dict[str, Any]]:
    shown = list(records)
    keys = KeyNames(record.key_id for record in shown)
    return [_row(record, keys) for record in shown]


def _row(record: RequestRecord, keys: KeyNames) -> dict[str, Any]:
    """`spend` is null for a call that has no price."""
    start, first = record.received_at, record.first_byte_ms
    sent = record.input_tokens + record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens
    return UNUSED | {
        "request_id": record.id,
        "call_type": record.endpoint,
        "api_key": keys.of(record.key_id).token,
        "spend": usd(record.cost_nano),
        "total_tokens": sent + record.output_tokens,
        "prompt_tokens": sent,
        "completion_tokens": record.output_tokens,
        "startTime": start,
        "endTime": start + timedelta(milliseconds=record.duration_ms),
        "completionStartTime": None if first is None else start + timedelta(milliseconds=first),
        "request_duration_ms": round(record.duration_ms),
        "model": record.served_model or record.route,
        "model_id": record.deployment_id,
        "model_group": record.route,
        "custom_llm_provider": record.provider,
        "user": record.user_id,
        "metadata": _metadata(record),
        "request_tags": record.tags,
        "team_id": record.team_id or None,
        "organization_id": record.organisation_id or None,
        "end_user": record.end_user or None,
        "requester_ip_address": record.client_ip or None,
        "session_id": record.session_id or None,
        "status": "success" if record.outcome == "ok" and record.status < 400 else "failure",
    }


def _metadata(record: RequestRecord) -> dict[str, Any]:
    return {
        "user_api_key_alias": record.key_name or None,
        "user_api_key_user_id": record.user_id or None,
        "user_api_key_team_id": record.team_id or None,
        "user_api_key_team_alias": record.team_name or None,
        "cost_center": record.cost_centre or None,
        "usage_object": {
            "cache_read_input_tokens": record.cache_read_tokens,
            "cache_creation_input_tokens": record.cache_write_5m_tokens + record.cache_write_1h_tokens,
            "reasoning_tokens": record.thinking_tokens,
        },
        "status": record.outcome,
        "error_information": {"error_code": record.error_code, "error_class": record.error_source} if record.error_code else None,
    }

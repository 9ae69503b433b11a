"""Virtual keys as LiteLLM's rows, without token or secret. Any number of keys costs the same few queries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.models import Budget
from console.management.fields import echoed, limits_row
from console.management.terms import MoneyRows
from console.management.wire import usd
from console.use_cases import spent_in_ledger
from keys.models import VirtualKey

# What LiteLLM's answer holds when nothing was sent. Fields that we keep without acting on them are echoed in their place.
UNUSED: dict[str, Any] = {
    "project_id": None, "aliases": {}, "config": {}, "permissions": {}, "guardrails": None, "allowed_routes": [],
    "allowed_cache_controls": [], "key_type": "default",
}  # fmt: skip


def key_row(key: VirtualKey, now: datetime) -> dict[str, Any]:
    return key_rows([key], now)[0]


def key_rows(keys: Sequence[VirtualKey], now: datetime) -> list[dict[str, Any]]:
    ids = [key.pk for key in keys]
    moneys, totals = MoneyRows(Budget.Scope.KEY, ids, now), spent_in_ledger("key_id", ids)
    return [_row(key) | {"spend": usd(totals.get(key.pk, 0))} | moneys.row(key.pk) for key in keys]


def _row(key: VirtualKey) -> dict[str, Any]:
    return echoed(UNUSED, key.extra) | limits_row(key.model_limits) | {
        "key_name": key.hint,
        "key_alias": key.name or None,
        "expires": key.expires_at,
        "user_id": key.user_id,
        "team_id": key.team_id,
        "organization_id": key.organisation_id,
        "models": key.allowed_models,
        "max_parallel_requests": key.parallel_limit,
        "tpm_limit": key.tpm_limit,
        "rpm_limit": key.rpm_limit,
        "allowed_ips": key.allowed_ips,
        "required_header": {"name": key.required_header} if key.required_header else None,
        "metadata": key.metadata,
        "tags": key.tags,
        "blocked": key.is_blocked or key.revoked_at is not None,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "created_by": key.created_by,
        "updated_by": key.created_by,
    }  # fmt: skip

"""LiteLLM's columns → ours, one value at a time. Pure; what cannot be read is refused with a reason."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from billing.money import BadAmount, nano
from billing.periods import BadPeriod, parse_period
from gateway_project.litellm_import.wanted import Terms

Row = Mapping[str, Any]
LARGEST_INT, LARGEST_BIG = 2**31, 2**63
LIMITS = {
    "rpm_limit": ("rpm_limit", LARGEST_INT),
    "tpm_limit": ("tpm_limit", LARGEST_BIG),
    "max_parallel_requests": ("parallel_limit", LARGEST_INT),
}
# In metadata LiteLLM keeps what is a column of its own here, and the secrets of logging services.
OF_COLUMNS = ("tags", "model_rpm_limit", "model_tpm_limit")
WITH_SECRETS = ("logging", "callback_settings", "callback_vars")


class Refusal(ValueError):
    """Why a row cannot be taken."""


def text_of(row: Row, name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""


def names_of(row: Row, name: str) -> list[str]:
    value = row.get(name)
    return list(dict.fromkeys(one for one in value if isinstance(one, str) and one)) if isinstance(value, list) else []


def mapping_of(row: Row, name: str) -> dict[str, Any]:
    """A JSON column; older versions wrote some of them as text."""
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def moment_of(row: Row, name: str) -> datetime | None:
    """LiteLLM keeps times in UTC without saying so."""
    value = row.get(name)
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def amount_of(value: object, name: str) -> int | None:
    """Dollars as nano-USD, below nothing as nothing; None where nothing is written."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return max(0, nano(str(value)))
    except BadAmount as error:
        raise Refusal(f"{name}: {error}") from None


def limits_of(*rows: Row) -> dict[str, int | None]:
    """The first row that says something counts. What is beyond our numbers limits nobody."""
    return {ours: next(filter(lambda one: one is not None, (_limit(row, theirs, largest) for row in rows)), None)
            for theirs, (ours, largest) in LIMITS.items()}  # fmt: skip


def _limit(row: Row, name: str, largest: int) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < largest else None


def model_limits_of(metadata: Row) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for kind in ("rpm", "tpm"):
        limits = metadata.get(f"model_{kind}_limit")
        for model, limit in (limits if isinstance(limits, dict) else {}).items():
            if model and isinstance(limit, int) and not isinstance(limit, bool) and 0 <= limit < LARGEST_INT:
                found.setdefault(model, {})[kind] = limit
    return found


def plain_metadata(metadata: Row) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in (*OF_COLUMNS, *WITH_SECRETS)}


def cost_centre_of(metadata: Row) -> str:
    named = (metadata.get(name) for name in ("cost_centre", "cost_center"))
    return next((str(value)[:100] for value in named if isinstance(value, str | int) and value != ""), "")


def period_of(text: str) -> tuple[str, str]:
    """(our period, what is to be told of it). One that means nothing here never begins anew, which lets nobody spend more."""
    period = text.strip().lower()
    try:
        parse_period(period)
    except BadPeriod:
        return "", f"its period {text[:20]!r} means nothing here, so its budget holds once and for all"
    return period, ""


# ── money ─────────────────────────────────────────────────────────────────────
def terms_of(row: Row, plan: Row, now: datetime) -> tuple[list[Terms], list[str]]:
    """The budgets of a row, and what is to be told of them. What stands on the row itself comes before its plan."""
    main, notes = [], []
    for name, is_soft in (("max_budget", False), ("soft_budget", True)):
        source = row if row.get(name) is not None else plan
        amount = amount_of(source.get(name), name)
        if amount is None:
            continue
        period, note = period_of(text_of(source, "budget_duration") or text_of(row, "budget_duration"))
        resets_at = moment_of(source, "budget_reset_at") or moment_of(row, "budget_reset_at")
        # what was spent in a period that is over: LiteLLM had not come round to its reset
        is_over = bool(period and resets_at and resets_at <= now)
        spent = 0 if is_over else amount_of(row.get("spend"), "spend") or 0
        main.append(Terms(amount, period, is_soft, "", resets_at, spent, text_of(plan, "budget_id") if source is plan else ""))
        notes.append(note)
    others, told = _others(row, plan)
    return _each_once([*main, *others]), list(dict.fromkeys(one for one in [*notes, *told] if one))


def _others(row: Row, plan: Row) -> tuple[list[Terms], list[str]]:
    """Budgets by model and further windows. LiteLLM counts their spend outside its database, so they begin at nothing."""
    by_model = mapping_of(row, "model_max_budget") or mapping_of(plan, "model_max_budget")
    windows = row.get("budget_limits")
    asked = [(model, one) for model, one in by_model.items() if model] + [
        ("", one) for one in (windows if isinstance(windows, list) else [])
    ]
    found, told = [], []
    for model, one in asked:
        fields = one if isinstance(one, dict) else {"max_budget": one}
        amount = amount_of(fields.get("budget_limit", fields.get("max_budget")), "model_max_budget")
        period, note = period_of(text_of(fields, "time_period") or text_of(fields, "budget_duration"))
        if amount is not None:
            found.append(Terms(amount, period, model=model))
            told += [note] if note else []
    return found, told


def _each_once(terms: Iterable[Terms]) -> list[Terms]:
    """Of two for the same model and period the smaller amount counts, as it does where both are enforced."""
    found: dict[tuple[str, str, bool], Terms] = {}
    for one in terms:
        known = found.get((one.model, one.period, one.is_soft))
        if known is None or one.amount_nano < known.amount_nano:
            found[one.model, one.period, one.is_soft] = one
    return list(found.values())

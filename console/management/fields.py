"""Fields that the bodies of several addresses share, as LiteLLM's scripts send them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from django.http import HttpResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Dollars = Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=0, lt=2**31)]
BigLimit = Annotated[int, Field(ge=0, lt=2**63)]
# Sent by LiteLLM's own tools with these values, which ask for nothing.
ASKS_NOTHING: tuple[Any, ...] = (None, [], {}, "", False, 0, "default")
# Fields of such names may hold what nobody should be able to read again.
SECRET = re.compile(r"passw|secret|authorization|(^|[_-])(api|access|private)[_-]?key|(^|(?<!_per)[_-])token$", re.IGNORECASE)


class ModelBudget(BaseModel):
    budget_limit: Dollars = Field(validation_alias=AliasChoices("budget_limit", "max_budget"))
    time_period: str = Field("", validation_alias=AliasChoices("time_period", "budget_duration"))


class Body(BaseModel):
    """What we act on. Every other field is taken, named in `x-tallygate-ignored-fields` and kept."""

    model_config = ConfigDict(extra="allow")

    def ignored(self) -> dict[str, Any]:
        return self._unknown()

    def _unknown(self) -> dict[str, Any]:
        return {name: value for name, value in (self.model_extra or {}).items() if value not in ASKS_NOTHING}

    def kept(self, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The change to a row's `extra`, which is `known` so far: empty where there is none."""
        extra = self.kept_over(known or {})
        return {"extra": extra} if extra != (known or {}) else {}

    def kept_over(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Unknown fields over those `known`, of which null takes one away. Secrets are not kept."""
        sent = self.model_extra or {}
        stays = {name: value for name, value in known.items() if name not in sent}
        told: dict[str, Any] = without_secrets({name: value for name, value in sent.items() if value is not None})
        return stays | told


class Money(Body):
    max_budget: Dollars | None = None
    soft_budget: Dollars | None = None
    budget_duration: str | None = None


class MoneyByModel(Money):
    budget_id: str | None = Field(None, max_length=64)
    model_max_budget: dict[str, ModelBudget] | None = None


class Limits(Body):
    tpm_limit: BigLimit | None = None
    rpm_limit: Limit | None = None
    max_parallel_requests: Limit | None = None


class LimitsByModel(Limits):
    model_rpm_limit: dict[str, Limit] | None = None
    model_tpm_limit: dict[str, BigLimit] | None = None

    def model_limits(self, known: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        """`known` with the kinds that were sent; null takes a kind away."""
        kinds = {"rpm": self.model_rpm_limit, "tpm": self.model_tpm_limit}
        sent = {kind: limits or {} for kind, limits in kinds.items() if f"model_{kind}_limit" in self.model_fields_set}
        models = dict.fromkeys([*known, *(model for limits in sent.values() for model in limits)])
        merged: dict[str, dict[str, int]] = {}
        for model in models:
            kept = {kind: limit for kind, limit in known.get(model, {}).items() if kind not in sent}
            merged[model] = kept | {kind: limits[model] for kind, limits in sent.items() if model in limits}
        return {model: limits for model, limits in merged.items() if limits}


def limits_row(model_limits: dict[str, dict[str, int]]) -> dict[str, Any]:
    def of(kind: str) -> dict[str, int] | None:
        return {model: limits[kind] for model, limits in model_limits.items() if kind in limits} or None

    return {"model_rpm_limit": of("rpm"), "model_tpm_limit": of("tpm")}


def kept_with_parts(body: Body, parts: Mapping[str, Body], known: Mapping[str, Any]) -> dict[str, Any]:
    """As `kept_over`, with the unknown fields of bodies inside this one under the name that each part has."""
    extra = Body.kept_over(body, {name: value for name, value in known.items() if name not in parts})
    inner = {name: part.kept_over(known.get(name, {})) for name, part in parts.items()}
    return extra | {name: value for name, value in inner.items() if value}


def without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_secrets(inner) for name, inner in value.items() if not SECRET.search(name)}
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def echoed(unused: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of LiteLLM's answer on which we do not act, as they were sent, and all that was kept under `extra`."""
    told = {name: extra.get(name, value) for name, value in unused.items()}
    return told | ({"extra": dict(extra)} if extra else {})


def name_ignored(response: HttpResponse, names: dict[str, Any]) -> None:
    shown = sorted(name for name in names if name.isascii() and name.isprintable())
    if shown:
        response["x-tallygate-ignored-fields"] = ", ".join(shown)

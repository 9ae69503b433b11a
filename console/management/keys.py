"""POST /key/generate and GET /key/info at LiteLLM's paths, in LiteLLM's shapes."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from audit.trail import Actor
from billing.actions import BudgetTerms, nano_of
from console import use_cases
from console.management.auth import actor_by_key, administrator
from console.management.errors import Refused
from console.management.wire import usd
from keys.actions import KeySpec, known_user
from keys.durations import WrongDuration, after
from keys.models import Organisation, Team, VirtualKey
from keys.secrets import hash_token

router = Router(tags=["keys"], auth=administrator)

Dollars = Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=0, lt=2**31)]

# What LiteLLM's answer holds when nothing was sent. Fields that we keep without acting on them are echoed in their place.
UNUSED: dict[str, Any] = {
    "project_id": None, "soft_budget": None, "budget_id": None, "aliases": {}, "config": {}, "permissions": {}, "model_max_budget": {},
    "model_rpm_limit": None, "model_tpm_limit": None, "guardrails": None, "allowed_routes": [], "allowed_cache_controls": [],
    "key_type": "default", "litellm_budget_table": None,
}  # fmt: skip
# Sent by LiteLLM's own tools with these values, which ask for nothing.
ASKS_NOTHING: tuple[Any, ...] = (None, [], {}, "", False, 0, "default")


class GenerateKey(BaseModel):
    """What we act on. Every other field is taken, kept, and named in `x-tallygate-ignored-fields`."""

    model_config = ConfigDict(extra="allow")

    key: str | None = None
    key_alias: str | None = Field(None, max_length=200)
    duration: str | None = None
    models: list[str] | None = None
    max_budget: Dollars | None = None
    budget_duration: str | None = None
    user_id: str | None = Field(None, max_length=64)
    team_id: str | None = None
    organization_id: str | None = None
    max_parallel_requests: Limit | None = None
    tpm_limit: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    rpm_limit: Limit | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    blocked: bool | None = None
    allowed_ips: list[str] | None = None


def _expiry(duration: str | None, now: datetime) -> datetime | None:
    if duration in (None, "", "-1"):
        return None
    try:
        return after(str(duration), now)
    except WrongDuration as error:
        raise Refused(str(error), param="duration") from error


def _team(team_id: str | None) -> Team | None:
    team = Team.objects.filter(pk=team_id).first() if team_id else None
    if team_id and team is None:
        raise Refused(f"There is no team with team_id={team_id}. Create it first.", param="team_id")
    return team


def _organisation(organisation_id: str | None) -> Organisation | None:
    found = Organisation.objects.filter(pk=organisation_id).first() if organisation_id else None
    if organisation_id and found is None:
        raise Refused(f"There is no organization with organization_id={organisation_id}. Create it first.", param="organization_id")
    return found


def _spec(asked: GenerateKey, actor: Actor, now: datetime) -> KeySpec:
    extra = {name: value for name, value in (asked.model_extra or {}).items() if value not in ASKS_NOTHING}
    return KeySpec(
        name=asked.key_alias or "",
        team=_team(asked.team_id),
        organisation=_organisation(asked.organization_id),
        user=known_user(asked.user_id, actor=actor) if asked.user_id else None,
        allowed_models=asked.models or [],
        expires_at=_expiry(asked.duration, now),
        is_blocked=bool(asked.blocked),
        allowed_ips=asked.allowed_ips or [],
        rpm_limit=asked.rpm_limit,
        tpm_limit=asked.tpm_limit,
        parallel_limit=asked.max_parallel_requests,
        tags=asked.tags or [],
        metadata=asked.metadata or {},
        extra=extra,
    )


def _terms(asked: GenerateKey) -> list[BudgetTerms]:
    if asked.max_budget is None:
        return []
    return [BudgetTerms(nano_of(asked.max_budget), asked.budget_duration or "")]


@router.post("/key/generate")
def generate_key(request: HttpRequest, response: HttpResponse, asked: GenerateKey) -> dict[str, Any]:
    """Issues a key. Its secret is in this answer and nowhere else."""
    actor, now = actor_by_key(request), timezone.now()
    if asked.key is not None and not asked.key.startswith("sk-"):
        raise Refused("A key of your own choice must start with 'sk-'.", param="key")
    with transaction.atomic():
        key, token = use_cases.issue_key_with_budget(_spec(asked, actor, now), _terms(asked), actor=actor, token=asked.key)
    if key.extra:
        response["x-tallygate-ignored-fields"] = ", ".join(sorted(name for name in key.extra if name.isascii() and name.isprintable()))
    response["Cache-Control"] = "no-store"
    row = described(key, now)
    return row | {"key": token, "token": key.token_hash, "token_id": key.token_hash}


@router.get("/key/info")
def key_info(request: HttpRequest, response: HttpResponse, key: str = "") -> dict[str, Any]:
    """What is known about a key, named by itself, its hash or its id."""
    if not key:
        raise Refused("Name the key: /key/info?key=sk-…", param="key", status=422)
    named = hash_token(key) if key.startswith("sk-") else key
    row = VirtualKey.objects.filter(Q(id=named) | Q(token_hash=named)).first()
    if row is None:
        raise Refused("Key not found in database.", type="not_found_error", param="key", status=404)
    response["Cache-Control"] = "no-store"
    # LiteLLM repeats what was asked with; a secret is not repeated here
    return {"key": row.token_hash if key.startswith("sk-") else key, "info": described(row, timezone.now())}


def described(key: VirtualKey, now: datetime) -> dict[str, Any]:
    """The key as LiteLLM's row, without token or secret."""
    budget = use_cases.only_budget(key.pk)
    spent = use_cases.spent_of(budget, now) if budget else use_cases.spent_in_ledger(key.pk)
    return UNUSED | {name: value for name, value in key.extra.items() if name in UNUSED} | {
        "key_name": key.hint,
        "key_alias": key.name or None,
        "expires": key.expires_at,
        "user_id": key.user_id,
        "team_id": key.team_id,
        "organization_id": key.organisation_id,
        "models": key.allowed_models,
        "spend": usd(spent),
        "max_budget": usd(budget.amount_nano) if budget else None,
        "budget_duration": (budget.period or None) if budget else None,
        "budget_reset_at": use_cases.window_of(budget, now)[1] if budget else None,
        "max_parallel_requests": key.parallel_limit,
        "tpm_limit": key.tpm_limit,
        "rpm_limit": key.rpm_limit,
        "allowed_ips": key.allowed_ips,
        "metadata": key.metadata,
        "tags": key.tags,
        "blocked": key.is_blocked or key.revoked_at is not None,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "created_by": key.created_by,
        "updated_by": key.created_by,
    }  # fmt: skip

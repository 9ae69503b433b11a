"""/key/… at LiteLLM's paths, in LiteLLM's shapes."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from billing.models import Budget
from console import use_cases
from console.asker import Asker
from console.key_rules import KeyChange, check_issued, kept, seen
from console.management.askers import asker, asker_of
from console.management.errors import Refused
from console.management.fields import name_ignored
from console.management.key_access import aliased_key, asked_by, check_asked, check_filter, named_key
from console.management.key_fields import KeyFields, RotatedKey, changes_of, overlap_of, spec_of
from console.management.key_rows import key_row, key_rows
from console.management.terms import set_money
from keys.actions import block_key, change_key, issue_key, rotate_key, unblock_key
from keys.models import VirtualKey

router = Router(tags=["keys"], auth=asker)

LARGEST_PAGE = 100
# What a list may be sorted by, as LiteLLM names it.
SORTED = {"created_at": "created_at", "updated_at": "updated_at", "key_alias": "name", "expires": "expires_at"}


class NamedKey(Schema):
    key: str


class NamedKeys(Schema):
    keys: list[str] | None = None
    key_aliases: list[str] | None = None


class Aliases(Schema):
    page: int = Field(1, ge=1, le=10**6)
    size: int = Field(50, ge=1, le=LARGEST_PAGE)
    search: str = ""
    team_id: str = ""


class Listed(Schema):
    page: int = Field(1, ge=1, le=10**6)
    size: int = Field(10, ge=1, le=LARGEST_PAGE)
    user_id: str = ""
    team_id: str = ""
    organization_id: str = ""
    key_hash: str = ""
    key_alias: str = ""
    return_full_object: bool = False
    sort_by: str = "created_at"
    sort_order: str = "desc"


@router.post("/key/generate")
def generate_key(request: HttpRequest, response: HttpResponse, asked: KeyFields) -> dict[str, Any]:
    """Issues a key. Its secret is in this answer and nowhere else."""
    by, now = asker_of(request), timezone.now()
    asked = asked_by(by, asked)
    if asked.key is not None and not asked.key.startswith("sk-"):
        raise Refused("A key of your own choice must start with 'sk-'.", param="key")
    with transaction.atomic():
        key, token = issue_key(spec_of(asked, by.actor, now), actor=by.actor, token=asked.key)
        set_money(Budget.Scope.KEY, key.pk, asked, actor=by.actor)
        check_issued(by, key)
    key.refresh_from_db()
    name_ignored(response, asked.ignored())
    return _with_secret(response, key, token)


@router.post("/key/update")
def update_key(request: HttpRequest, response: HttpResponse, asked: KeyFields) -> dict[str, Any]:
    """Fields that are not sent stay as they are; null takes a value away."""
    by, now = asker_of(request), timezone.now()
    key = named_key(by, asked.key or "")
    check_asked(by, asked)
    with transaction.atomic():
        change = KeyChange.of(by, key)
        key = change_key(key, changes_of(asked, by.actor, now, key), actor=by.actor)
        set_money(Budget.Scope.KEY, key.pk, asked, actor=by.actor)
        change.check(key)
    key.refresh_from_db()
    name_ignored(response, asked.ignored())
    return {"key": _repeatable(asked.key or "", key)} | key_row(key, timezone.now())


@router.post("/key/regenerate")
def regenerate_key(request: HttpRequest, response: HttpResponse, key: str = "", asked: RotatedKey | None = None) -> dict[str, Any]:
    """A new secret for the same key; the old one stops at once, or when `grace_period` is over. Other fields are those of /key/update."""
    asked, by, now = asked or RotatedKey.model_validate({}), asker_of(request), timezone.now()
    row = named_key(by, key or asked.key or "", kept)
    check_asked(by, asked)
    overlap = overlap_of(asked.grace_period, now)
    if asked.new_key is not None and not asked.new_key.startswith("sk-"):
        raise Refused("A key of your own choice must start with 'sk-'.", param="new_key")
    with transaction.atomic():
        change = KeyChange.of(by, row)
        token = rotate_key(row, actor=by.actor, overlap=overlap, now=now, token=asked.new_key)
        row = change_key(row, changes_of(asked, by.actor, now, row), actor=by.actor)
        set_money(Budget.Scope.KEY, row.pk, asked, actor=by.actor)
        change.check(row, tells_secret=True)
    row.refresh_from_db()
    name_ignored(response, asked.ignored())
    return _with_secret(response, row, token)


@router.post("/key/{path:key}/regenerate")
def regenerate_named_key(request: HttpRequest, response: HttpResponse, key: str, asked: RotatedKey | None = None) -> dict[str, Any]:
    return regenerate_key(request, response, key, asked)


@router.post("/key/delete")
def delete_keys(request: HttpRequest, asked: NamedKeys) -> dict[str, Any]:
    """All of them or none."""
    by = asker_of(request)
    keys = [named_key(by, name) for name in asked.keys or []]
    keys += [aliased_key(by, alias) for alias in asked.key_aliases or []]
    if not keys:
        raise Refused("Name the keys: keys or key_aliases.", param="keys")
    deleted = [key.token_hash for key in keys] if asked.keys else list(asked.key_aliases or [])
    with transaction.atomic():
        for key in dict.fromkeys(keys):
            use_cases.delete_key_with_budget(key, actor=by.actor)
    return {"deleted_keys": deleted}


@router.post("/key/block")
def block(request: HttpRequest, asked: NamedKey) -> dict[str, Any]:
    by = asker_of(request)
    return _with_token(block_key(named_key(by, asked.key, kept), actor=by.actor))


@router.post("/key/unblock")
def unblock(request: HttpRequest, asked: NamedKey) -> dict[str, Any]:
    """Not for those who only own the key: it may have been blocked against them."""
    by = asker_of(request)
    return _with_token(unblock_key(named_key(by, asked.key), actor=by.actor))


@router.get("/key/info")
def key_info(request: HttpRequest, response: HttpResponse, key: str = "") -> dict[str, Any]:
    """What is known about a key, named by itself, its hash or its id; without a name, about the one that asks."""
    by = asker_of(request)
    name = key or by.reach.key_id
    if not name:
        raise Refused("Name the key: /key/info?key=sk-…", param="key", status=422)
    row = named_key(by, name, seen)
    response["Cache-Control"] = "no-store"
    return {"key": _repeatable(name, row), "info": key_row(row, timezone.now())}


@router.post("/key/health")
def key_health(request: HttpRequest) -> dict[str, Any]:
    """For whoever holds the key. One that may not call was refused before; keys have no callbacks of their own here."""
    return {"key": "healthy", "logging_callbacks": None}


@router.get("/key/aliases")
def list_aliases(request: HttpRequest, asked: Query[Aliases]) -> dict[str, Any]:
    by = asker_of(request)
    keys = by.reach.keys().filter(revoked_at=None, name__icontains=asked.search).exclude(name="").order_by("name")
    if asked.team_id:
        check_filter(by, team_id=asked.team_id)
        keys = keys.filter(team_id=asked.team_id)
    total, first = keys.count(), (asked.page - 1) * asked.size
    return {
        "aliases": list(keys.values_list("name", flat=True)[first : first + asked.size]),
        "total_count": total,
        "current_page": asked.page,
        "total_pages": -(-total // asked.size),
        "size": asked.size,
    }


@router.get("/key/list")
def list_keys(request: HttpRequest, asked: Query[Listed]) -> dict[str, Any]:
    keys = _matching(asker_of(request), asked)
    total = keys.count()
    shown = list(keys[(asked.page - 1) * asked.size : asked.page * asked.size])
    rows: list[Any] = [key.token_hash for key in shown]
    if asked.return_full_object:
        rows = [row | {"token": key.token_hash} for key, row in zip(shown, key_rows(shown, timezone.now()), strict=True)]
    return {"keys": rows, "total_count": total, "current_page": asked.page, "total_pages": -(-total // asked.size)}


def _matching(by: Asker, asked: Listed) -> "QuerySet[VirtualKey]":
    """Revoked keys are gone for LiteLLM's scripts."""
    check_filter(by, team_id=asked.team_id, user_id=asked.user_id, organisation_id=asked.organization_id)
    wanted = {
        "user_id": asked.user_id, "team_id": asked.team_id, "organisation_id": asked.organization_id, "token_hash": asked.key_hash,
        "name": asked.key_alias,
    }  # fmt: skip
    keys = by.reach.keys().filter(revoked_at=None, **{name: value for name, value in wanted.items() if value})
    if asked.sort_by not in SORTED:
        raise Refused(f"sort_by is one of {', '.join(SORTED)}.", param="sort_by")
    return keys.order_by(("" if asked.sort_order == "asc" else "-") + SORTED[asked.sort_by], "pk")


def _repeatable(asked: str, key: VirtualKey) -> str:
    """LiteLLM repeats what was asked with; a secret is not repeated here."""
    return key.token_hash if asked.startswith("sk-") else asked


def _with_secret(response: HttpResponse, key: VirtualKey, token: str) -> dict[str, Any]:
    """The only answers that hold a secret."""
    response["Cache-Control"] = "no-store"
    return key_row(key, timezone.now()) | {"key": token, "token": key.token_hash, "token_id": key.token_hash}


def _with_token(key: VirtualKey) -> dict[str, Any]:
    return key_row(key, timezone.now()) | {"token": key.token_hash}

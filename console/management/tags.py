"""/tag/… at LiteLLM's paths, in LiteLLM's shapes: declared tags with their budgets. Calls may bear others, which /tag/list tells."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from audit.models import TagRollUp
from audit.rollups import OTHER_TAG
from billing.models import Budget
from console import use_cases
from console.management.askers import any_administrator
from console.management.auth import actor_by_key
from console.management.budget_table import budget_table
from console.management.errors import Refused
from console.management.fields import MoneyByModel, echoed, name_ignored
from console.management.key_fields import plain_changes
from console.management.terms import MoneyRows, set_money
from console.management.wire import usd
from keys.models import Tag
from keys.people_actions import change_tag, create_tag

router = Router(tags=["tags"], auth=any_administrator)

# Their field → ours, and what ours is without a value.
PLAIN: dict[str, tuple[str, Any]] = {"description": ("description", ""), "models": ("allowed_models", [])}
UNDECLARED: dict[str, Any] = {
    "description": "Calls bear it; nobody declared it.",
    "models": [],
    "model_info": {},
    "litellm_budget_table": None,
    "budgets": [],
}

Row = dict[str, Any]
TagName = Annotated[str, Field(min_length=1, max_length=200)]


class TagFields(MoneyByModel):
    name: TagName
    description: str | None = Field(None, max_length=300)
    models: list[str] | None = None

    def ignored(self) -> dict[str, Any]:
        """The list of models is kept and shown, and keeps no call from any model: so it is named as well."""
        return super().ignored() | ({"models": self.models} if self.models else {})


class NamedTag(Schema):
    name: TagName


class NamedTags(Schema):
    names: list[TagName]


@router.post("/tag/new")
def new_tag(request: HttpRequest, response: HttpResponse, asked: TagFields) -> Row:
    actor = actor_by_key(request)
    if Tag.objects.filter(pk=asked.name).exists():
        raise Refused(f"There is a tag {asked.name} already.", param="name")
    with transaction.atomic():
        tag = create_tag(Tag(name=asked.name, **plain_changes(asked, PLAIN), **asked.kept()), actor=actor)
        set_money(Budget.Scope.TAG, tag.pk, asked, actor=actor)
    name_ignored(response, asked.ignored())
    return {"message": f"Tag {tag} was made.", "tag": _one(tag)}


@router.post("/tag/update")
def update_tag(request: HttpRequest, response: HttpResponse, asked: TagFields) -> Row:
    """Fields that are not sent stay as they are; null takes a value away."""
    actor = actor_by_key(request)
    with transaction.atomic():
        known = named_tag(asked.name)
        tag = change_tag(known, plain_changes(asked, PLAIN) | asked.kept(known.extra), actor=actor)
        set_money(Budget.Scope.TAG, tag.pk, asked, actor=actor)
    name_ignored(response, asked.ignored())
    return {"message": f"Tag {tag} was changed.", "tag": _one(tag)}


@router.post("/tag/delete")
def delete_tag(request: HttpRequest, asked: NamedTag) -> Row:
    """With its budgets. Calls may go on bearing it."""
    tag = named_tag(asked.name)
    use_cases.delete_tag_with_budgets(tag, actor=actor_by_key(request))
    return {"message": f"Tag {tag} was deleted."}


@router.post("/tag/info")
def tag_info(request: HttpRequest, asked: NamedTags) -> dict[str, Row]:
    """By name."""
    if not asked.names:
        raise Refused("Name the tags: names.", param="names")
    tags = [named_tag(name) for name in dict.fromkeys(asked.names)]
    return {row["name"]: row for row in tag_rows(tags, timezone.now())}


@router.get("/tag/list")
def list_tags(request: HttpRequest, response: HttpResponse) -> list[Row]:
    """Those declared, then those that calls bore besides."""
    name_ignored(response, {name: value for name, value in request.GET.items() if value})
    declared = tag_rows(list(Tag.objects.all()), timezone.now())
    borne = _spent(TagRollUp.objects.exclude(tag__in=[OTHER_TAG, *(row["name"] for row in declared)]))
    return declared + [{"name": name, "spend": usd(nano)} | UNDECLARED for name, nano in sorted(borne.items())]


def named_tag(name: str) -> Tag:
    found = Tag.objects.filter(pk=name).first()
    if found is None:
        raise Refused(f"Tag not found, passed name={name}.", type="not_found_error", param="name", status=404)
    return found


def tag_rows(tags: Sequence[Tag], now: datetime) -> list[Row]:
    """Any number of tags costs the same few queries."""
    names = [tag.pk for tag in tags]
    moneys, totals = MoneyRows(Budget.Scope.TAG, names, now), _spent(TagRollUp.objects.filter(tag__in=names))
    return [_row(tag, moneys.row(tag.pk), totals.get(tag.pk, 0)) for tag in tags]


def _spent(rows: Any) -> dict[str, int]:
    """What calls cost that bore each tag, in nano-USD; a call with two tags counts under both."""
    return dict(rows.order_by().values_list("tag").annotate(Sum("cost_nano")))


def _one(tag: Tag) -> Row:
    return tag_rows([tag], timezone.now())[0]


def _row(tag: Tag, money: dict[str, Any], spent_nano: int) -> Row:
    return echoed({"model_info": {}}, tag.extra) | {
        "name": tag.name,
        "description": tag.description or None,
        "models": tag.allowed_models,
        "spend": money.get("spend", usd(spent_nano)),
        "budget_id": money["budget_id"],
        "litellm_budget_table": budget_table(money),
        "budgets": money["budgets"],
        "created_at": tag.created_at,
        "updated_at": tag.updated_at,
        "created_by": tag.created_by,
    }

"""/organization/… at LiteLLM's paths, in LiteLLM's shapes. Who belongs to one: organisation_members.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from audit.rows import ChangeRefused
from billing.models import Budget
from console import use_cases
from console.management.askers import any_administrator
from console.management.auth import actor_by_key
from console.management.budget_table import budget_table
from console.management.errors import Refused
from console.management.fields import MoneyByModel, echoed, name_ignored
from console.management.key_fields import plain_changes
from console.management.organisation_member_rows import members_of
from console.management.team_rows import team_rows
from console.management.terms import MoneyRows, set_money
from console.management.wire import usd
from keys.actions import change_organisation, create_organisation
from keys.models import Organisation, Team, new_id

router = Router(tags=["organizations"], auth=any_administrator)

# Their field → ours, and what ours is without a value.
PLAIN: dict[str, tuple[str, Any]] = {
    "organization_alias": ("name", ""),
    "models": ("allowed_models", []),
    "metadata": ("metadata", {}),
    "blocked": ("is_blocked", False),
}


class OrganisationFields(MoneyByModel):
    organization_id: str | None = Field(None, max_length=64)
    organization_alias: str | None = Field(None, max_length=200)
    models: list[str] | None = None
    metadata: dict[str, Any] | None = None
    blocked: bool | None = None


class NewOrganisation(OrganisationFields):
    organization_alias: str = Field(max_length=200)


class NamedOrganisations(Schema):
    organization_ids: list[str]


class AskedOrganisations(Schema):
    organizations: list[str]


@router.post("/organization/new")
def new_organisation(request: HttpRequest, response: HttpResponse, asked: NewOrganisation) -> dict[str, Any]:
    actor, organisation_id = actor_by_key(request), asked.organization_id or new_id()
    if Organisation.objects.filter(pk=organisation_id).exists():
        raise Refused(f"There is an organization with organization_id={organisation_id} already.", param="organization_id")
    with transaction.atomic(), _naming_the_alias():
        organisation = create_organisation(Organisation(id=organisation_id, **plain_changes(asked, PLAIN), **asked.kept()), actor=actor)
        set_money(Budget.Scope.ORGANISATION, organisation.pk, asked, actor=actor)
    name_ignored(response, asked.ignored())
    return _one(organisation.pk)


@router.patch("/organization/update")
def update_organisation(request: HttpRequest, response: HttpResponse, asked: OrganisationFields) -> dict[str, Any]:
    """Fields that are not sent stay as they are; null takes a value away."""
    organisation, actor = named_organisation(asked.organization_id), actor_by_key(request)
    with transaction.atomic(), _naming_the_alias():
        change_organisation(organisation, plain_changes(asked, PLAIN) | asked.kept(organisation.extra), actor=actor)
        set_money(Budget.Scope.ORGANISATION, organisation.pk, asked, actor=actor)
    name_ignored(response, asked.ignored())
    return _one(organisation.pk)


@router.delete("/organization/delete")
def delete_organisations(request: HttpRequest, asked: NamedOrganisations) -> list[dict[str, Any]]:
    """All of them or none, with their teams and keys."""
    ids = list(dict.fromkeys(asked.organization_ids))
    organisations = [named_organisation(organisation_id) for organisation_id in ids]
    rows = _rows(Organisation.objects.filter(pk__in=ids))
    with transaction.atomic():
        for organisation in organisations:
            use_cases.delete_organisation_with_all(organisation, actor=actor_by_key(request))
    return rows


@router.get("/organization/info")
def organisation_info(request: HttpRequest, organization_id: str) -> dict[str, Any]:
    return _one(named_organisation(organization_id).pk)


@router.post("/organization/info", summary="Several organizations; the older way to ask")
def organisations_info(request: HttpRequest, asked: AskedOrganisations) -> list[dict[str, Any]]:
    if not asked.organizations:
        raise Refused("Name the organizations: a list of ids.", param="organizations")
    return _rows(Organisation.objects.filter(pk__in=asked.organizations))


@router.get("/organization/list")
def list_organisations(request: HttpRequest, org_id: str = "", org_alias: str = "") -> list[dict[str, Any]]:
    found = Organisation.objects.filter(name__icontains=org_alias)
    return _rows(found.filter(pk=org_id) if org_id else found)


def named_organisation(organisation_id: str | None) -> Organisation:
    found = Organisation.objects.filter(pk=organisation_id).first() if organisation_id else None
    if found:
        return found
    if not organisation_id:
        raise Refused("Name the organization: organization_id.", param="organization_id")
    text = f"Organization not found, passed organization_id={organisation_id}."
    raise Refused(text, type="not_found_error", param="organization_id", status=404)


@contextmanager
def _naming_the_alias() -> Iterator[None]:
    """What other addresses call key_alias is organization_alias here."""
    try:
        yield
    except ChangeRefused as error:
        if error.field != "name":
            raise
        raise Refused(str(error), param="organization_alias") from error


def _one(organisation_id: str) -> dict[str, Any]:
    [row] = _rows(Organisation.objects.filter(pk=organisation_id))
    return row


def _rows(found: QuerySet[Organisation]) -> list[dict[str, Any]]:
    """Any number of organisations costs the same few queries."""
    now = timezone.now()
    organisations = list(found.prefetch_related(Prefetch("teams", Team.objects.order_by("name"))))
    ids = [organisation.pk for organisation in organisations]
    moneys, totals = MoneyRows(Budget.Scope.ORGANISATION, ids, now), use_cases.spent_in_ledger("organisation_id", ids)
    members = members_of(ids)
    teams: dict[str, list[dict[str, Any]]] = {}
    for row in team_rows([team for organisation in organisations for team in organisation.teams.all()], now):
        teams.setdefault(row["organization_id"], []).append(row)
    return [
        _row(organisation, moneys.row(organisation.pk), usd(totals.get(organisation.pk, 0)))
        | {"teams": teams.get(organisation.pk, []), "members": members.get(organisation.pk, [])}
        for organisation in organisations
    ]


def _row(organisation: Organisation, money: dict[str, Any], spent: Any) -> dict[str, Any]:
    return echoed({}, organisation.extra) | {
        "organization_id": organisation.pk,
        "organization_alias": organisation.name,
        "budget_id": money["budget_id"],
        "spend": money.get("spend", spent),
        "models": organisation.allowed_models,
        "metadata": organisation.metadata,
        "blocked": organisation.is_blocked,
        "litellm_budget_table": budget_table(money),
        "budgets": money["budgets"],
        "created_at": organisation.created_at,
        "updated_at": organisation.created_at,
        "created_by": "",
        "updated_by": "",
    }

"""Who belongs to organisations, as LiteLLM's rows. Any number of memberships costs one query for their spend."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet, Sum

from billing.models import LedgerEntry
from console.management.fields import echoed
from console.management.wire import usd
from keys.models import OrganisationMembership

# LiteLLM's names of what a person may do in an organisation.
ROLES = {
    "org_admin": OrganisationMembership.Role.MANAGER,
    "internal_user": OrganisationMembership.Role.MEMBER,
    "internal_user_viewer": OrganisationMembership.Role.VIEWER,
}
THEIR_ROLES = {ours: theirs for theirs, ours in ROLES.items()}
# LiteLLM sets a budget for a person in an organisation; here persons and organisations have their own.
UNUSED: dict[str, Any] = {"budget_id": None, "litellm_budget_table": None}

Row = dict[str, Any]


def members_of(organisation_ids: Iterable[str]) -> dict[str, list[Row]]:
    return _grouped(OrganisationMembership.objects.filter(organisation_id__in=list(organisation_ids)), "organization_id")


def places_of(user_ids: Iterable[str]) -> dict[str, list[Row]]:
    return _grouped(OrganisationMembership.objects.filter(user_id__in=list(user_ids)), "user_id")


def member_row(membership: OrganisationMembership) -> Row:
    [row] = member_rows(OrganisationMembership.objects.filter(pk=membership.pk))
    return row


def member_rows(found: QuerySet[OrganisationMembership]) -> list[Row]:
    memberships = list(found.select_related("user").order_by("pk"))
    spent = _spent(memberships)
    return [_row(one, spent.get((one.organisation_id, one.user_id), 0)) for one in memberships]


def _grouped(memberships: QuerySet[OrganisationMembership], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in member_rows(memberships):
        found.setdefault(row[name], []).append(row)
    return found


def _spent(memberships: Iterable[OrganisationMembership]) -> dict[tuple[str, str], int]:
    """What each person cost within each organisation, in nano-USD."""
    organisations, people = ({getattr(one, name) for one in memberships} for name in ("organisation_id", "user_id"))
    entries = LedgerEntry.objects.filter(organisation_id__in=organisations, user_id__in=people).order_by()
    sums = entries.values_list("organisation_id", "user_id").annotate(Sum("amount_nano"))
    return {(organisation_id, user_id): amount for organisation_id, user_id, amount in sums}


def _row(membership: OrganisationMembership, spent_nano: int) -> Row:
    person = membership.user
    return echoed(UNUSED, membership.extra) | {
        "user_id": membership.user_id,
        "organization_id": membership.organisation_id,
        "user_role": THEIR_ROLES[OrganisationMembership.Role(membership.role)],
        "spend": usd(spent_nano),
        "user_email": person.email or None,
        "user": {"user_id": person.pk, "user_email": person.email or None, "user_alias": person.get_full_name() or None},
        "created_at": membership.created_at,
        "updated_at": membership.created_at,
    }

"""What is here already, and what somebody here changed or removed since an earlier import: that stays as they wanted it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q

from audit.many_rows import parts, removed, touched_by_others
from audit.models import AuditEvent
from audit.trail import Actor
from billing.models import Budget, BudgetPlan
from gateway_project.litellm_import.wanted import (
    END_USER,
    KEY,
    MEMBER,
    ORGANISATION,
    ORGANISATION_MEMBER,
    PERSON,
    PLAN,
    TAG,
    TEAM,
    Names,
    Taken,
    Wanted,
)
from keys.models import EndUser, Membership, Organisation, OrganisationMembership, Tag, Team, User, VirtualKey
from keys.secrets import hash_token

IMPORT = Actor("command-line", name="import from LiteLLM")


@dataclass(frozen=True, slots=True)
class Kind:
    """`pair` are the two columns that tell rows apart whose ids are our own numbers."""

    name: str
    model: type[Model]
    made: str
    changed: str
    removed: str
    scope: str = ""
    pair: tuple[str, ...] = ()

    def id_of(self, row: Any) -> str:
        return "/".join(str(getattr(row, column)) for column in self.pair) if self.pair else str(row.pk)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(PLAN, BudgetPlan, "plan.set", "plan.set", "plan.removed"),
        Kind(ORGANISATION, Organisation, "organisation.created", "organisation.changed", "organisation.deleted", "organisation"),
        Kind(PERSON, User, "user.created", "user.changed", "user.deleted", "user"),
        Kind(TEAM, Team, "team.created", "team.changed", "team.deleted", "team"),
        Kind(MEMBER, Membership, "member.added", "member.changed", "member.removed", "member", ("team_id", "user_id")),
        Kind(
            ORGANISATION_MEMBER,
            OrganisationMembership,
            "organisation_member.added",
            "organisation_member.changed",
            "organisation_member.removed",
            pair=("organisation_id", "user_id"),
        ),
        Kind(KEY, VirtualKey, "key.issued", "key.changed", "key.deleted", "key"),
        Kind(END_USER, EndUser, "end_user.created", "end_user.changed", "end_user.deleted", "end_user"),
        Kind(TAG, Tag, "tag.created", "tag.changed", "tag.deleted", "tag"),
    )
}


def taken_names(master_key: str) -> Taken:
    live = VirtualKey.objects.filter(revoked_at=None).exclude(name="").values_list("name", "pk")
    emails = User.objects.exclude(email="").values_list("email", "pk")
    return Taken(
        Names.taken(live.order_by()),
        Names.taken(Organisation.objects.order_by().values_list("name", "pk")),
        Names.taken(User.objects.values_list("username", "pk")),
        Names.taken((email.lower(), pk) for email, pk in emails),
        hash_token(master_key),
    )


def rows_here(kind: Kind, wanted: Sequence[Wanted]) -> dict[str, Any]:
    """Those of one batch that are here, by the id that they have over there."""
    ids = [one.id for one in wanted]
    if kind.pair:
        first = kind.pair[0]
        rows = kind.model._default_manager.filter(**{f"{first}__in": {one.values[first] for one in wanted}})
    else:
        rows = kind.model._default_manager.filter(pk__in=ids)
    found = {kind.id_of(row): row for row in rows}
    return {one: found[one] for one in ids if one in found}


def tokens_elsewhere(wanted: Sequence[Wanted]) -> set[str]:
    """Hashes that are another key's here, of today or before its rotation."""
    ids = [one.id for one in wanted]
    pairs = VirtualKey.objects.filter(Q(token_hash__in=ids) | Q(previous_hash__in=ids)).values_list("pk", "token_hash", "previous_hash")
    return {one for pk, *hashes in pairs.order_by() for one in hashes if one and one != pk}


def imported_keys(besides: Collection[str]) -> list[VirtualKey]:
    """The live keys that an import brought, but for those named."""
    issued = AuditEvent.objects.filter(event="key.issued", actor_kind=IMPORT.kind, actor_name=IMPORT.name).order_by()
    others = [pk for pk in issued.values_list("object_id", flat=True).iterator() if pk not in besides]
    return [key for part in parts(others) for key in VirtualKey.objects.filter(pk__in=part, revoked_at=None)]


def removed_ids(kind: Kind) -> set[str]:
    """Ids of rows that were removed here: they are not made again."""
    if not kind.pair:
        return {one for one, _ in removed(kind.removed)}
    return {"/".join(str(was.get(column)) for column in kind.pair) for _, was in removed(kind.removed)}


def removed_budgets() -> set[tuple[str, str, str, str]]:
    return {
        (str(was.get("scope")), str(was.get("scope_id")), str(was.get("model")), str(was.get("period")))
        for _, was in removed("budget.removed")
    }


def touched(model: type[Model], rows: Iterable[Any]) -> set[str]:
    return touched_by_others(model, [row.pk for row in rows], IMPORT)


def budgets_here(scope: str, scope_ids: Iterable[str]) -> dict[str, list[Budget]]:
    found: dict[str, list[Budget]] = {}
    for part in parts(list(scope_ids)):
        for budget in Budget.objects.filter(scope=scope, scope_id__in=part).order_by("pk"):
            found.setdefault(budget.scope_id, []).append(budget)
    return found

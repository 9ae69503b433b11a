"""What audit events are about: how each kind of thing is called, and the page on which a thing of it is found, if it is still there."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Model
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import AuditEvent
from billing.models import Budget, BudgetPlan, Price
from keys.models import EndUser, Organisation, Tag, Team, User, VirtualKey
from routing.models import Credential, Deployment, Route


@dataclass(frozen=True, slots=True)
class Kind:
    """`page` is the name of an address that takes the thing's id; without one, and without a `model`, nothing leads there."""

    label: Promise
    model: type[Model] | None = None
    page: str = ""


KINDS = {
    "virtualkey": Kind(_("key"), VirtualKey, "key"),
    "team": Kind(_("team"), Team, "team"),
    "membership": Kind(_("member of a team")),
    "user": Kind(_("person"), User, "person"),
    "socialaccount": Kind(_("account of an identity provider")),
    "authenticator": Kind(_("second factor")),
    "usersession": Kind(_("session")),
    "organisation": Kind(_("organisation"), Organisation, "admin:keys_organisation_change"),
    "organisationmembership": Kind(_("member of an organisation")),
    "enduser": Kind(_("end user"), EndUser, "admin:keys_enduser_change"),
    "tag": Kind(_("tag"), Tag, "admin:keys_tag_change"),
    "budget": Kind(_("budget"), Budget, "budget"),
    "budgetplan": Kind(_("budget plan"), BudgetPlan, "admin:billing_budgetplan_change"),
    "price": Kind(_("price"), Price, "admin:billing_price_change"),
    "frozenmonth": Kind(_("frozen month")),
    "credential": Kind(_("credential"), Credential, "admin:routing_credential_change"),
    "deployment": Kind(_("deployment"), Deployment, "admin:routing_deployment_change"),
    "route": Kind(_("route"), Route, "model"),
    "routingpolicy": Kind(_("routing policy")),
    "configurationfile": Kind(_("configuration file")),
    "installation": Kind(_("this installation")),
    "auditevent": Kind(_("audit trail"), AuditEvent, "audit_event"),
}


def links(events: Iterable[AuditEvent]) -> dict[tuple[str, str], str]:
    """By kind and id, the addresses of things that are still there. One query for each kind."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.object_id:
            wanted[event.object_type].add(event.object_id)
    found = {}
    for name, ids in wanted.items():
        kind = KINDS.get(name)
        if kind and kind.model and kind.page:
            for pk in kind.model._default_manager.filter(pk__in=ids).values_list("pk", flat=True):
                found[name, str(pk)] = reverse(kind.page, args=[pk])
    return found

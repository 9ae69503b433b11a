"""Health checks: asks a deployment whether it works, for the figures of the process that wants to know."""

from django.db import close_old_connections

from routing.failures import Reason, reason_of
from routing.models import Deployment
from routing.probe import Outcome, probe

# What stands between us and the call says nothing of the deployment's health.
OURS = frozenset({"credential_unusable", "address_refused", "not_served"})


def check_deployment(deployment_id: str) -> Outcome | None:
    """One tiny real call; None when the deployment is gone."""
    row = Deployment.objects.filter(pk=deployment_id, is_active=True).select_related("credential").first()
    return probe(row) if row is not None else None


def check_apart(deployment_id: str) -> Outcome | None:
    """The same in a thread that serves nothing else, and must not keep a database connection that goes stale."""
    close_old_connections()
    try:
        return check_deployment(deployment_id)
    finally:
        close_old_connections()


def reason_of_outcome(outcome: Outcome) -> Reason | None:
    """What speaks against the deployment, if anything does."""
    if outcome.ok or outcome.error in OURS:
        return None
    reason = reason_of(outcome.status) if outcome.status else Reason.PROVIDER_ERROR
    return reason if reason.counts else None

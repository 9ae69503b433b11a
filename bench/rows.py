"""The rows of a benchmarked gateway, made in its own database: run as a module with the gateway's environment, prints the key."""

import os
import secrets
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django.setup()

from audit.trail import Actor  # noqa: E402 - models can be imported only once Django is set up
from billing.actions import BudgetTerms, set_budget  # noqa: E402
from keys.actions import KeySpec, create_organisation, create_team, issue_key  # noqa: E402
from keys.models import Organisation, Team  # noqa: E402

AMOUNT_NANO = 10**15
RPM, TPM = 10**8, 10**12
CALLS_AT_ONCE = 10_000  # more than the key's own default, which 2,000 open streams would meet


def make(*, is_limited: bool) -> str:
    """A key; limited: under hard budgets on four scopes, and limits on requests and tokens."""
    actor = Actor("command-line", name="bench")
    name = f"bench-{secrets.token_hex(4)}"  # the database stays from one round to the next
    organisation = create_organisation(Organisation(name=name), actor=actor)
    team = create_team(Team(name=name, organisation=organisation), actor=actor)
    rpm, tpm = (RPM, TPM) if is_limited else (None, None)
    spec = KeySpec(name=name, team=team, rpm_limit=rpm, tpm_limit=tpm, parallel_limit=CALLS_AT_ONCE)
    key, token = issue_key(spec, actor=actor)
    if is_limited:
        for scope, scope_id in (("key", key.id), ("team", team.id), ("organisation", organisation.id), ("global", "")):
            set_budget(scope, scope_id, BudgetTerms(AMOUNT_NANO, "month"), actor=actor)
    return token


if __name__ == "__main__":
    print(make(is_limited="limited" in sys.argv))

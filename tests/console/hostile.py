"""A gateway where every name, and every text that a caller can choose, is markup: `python -m tests.console.hostile` seeds one.

A script that ran has set the global `canary`. The database is that of TALLYGATE_HOME or DATABASE_URL.
"""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django.setup()

from audit.models import Outbox, RequestRecord  # noqa: E402 - models can be imported only once Django is set up
from audit.trail import SYSTEM, Actor  # noqa: E402
from billing.actions import BudgetTerms, set_budget  # noqa: E402
from keys.actions import add_member, change_key, change_user  # noqa: E402
from keys.models import Membership, Tag, User, VirtualKey  # noqa: E402
from keys.people_actions import create_tag, known_end_user  # noqa: E402
from tests.console.rows import PRICE_LINES, attempt, served  # noqa: E402
from tests.factories import make_deployment, make_key, make_organisation, make_route, make_team, make_user  # noqa: E402

MARKUP = '"><img src=x onerror=canary=1><script>canary=1</script>'
NOT_CHOSEN = {"id", "outcome", "error_source", "organisation_id", "team_id", "user_id", "key_id", "deployment_id", "provider", "client_ip"}


def chosen_by_callers() -> dict[str, str]:
    """Every text column of a record that somebody outside can fill."""
    fields = [field for field in RequestRecord._meta.concrete_fields if field.get_internal_type() == "CharField"]
    return {field.name: MARKUP[: field.max_length] for field in fields if field.name not in NOT_CHOSEN}


def people() -> tuple[User, VirtualKey]:
    actor = Actor("user", id="x", name=MARKUP)
    organisation = make_organisation(MARKUP)
    team = make_team(MARKUP, organisation=organisation, cost_centre=MARKUP, tags=[MARKUP], metadata={MARKUP: MARKUP})
    user = change_user(make_user("mallory"), {"first_name": MARKUP, "last_name": MARKUP, "metadata": {MARKUP: MARKUP}}, actor=actor)
    add_member(Membership(team=team, user=user, role="manager"), actor=actor)
    key, _token = make_key(MARKUP, team=team, user=user, tags=[MARKUP], cost_centre=MARKUP, metadata={MARKUP: MARKUP})
    change_key(key, {"rpm_limit": 5}, actor=actor)
    return user, key


def limits(user: User, key: VirtualKey) -> None:
    create_tag(Tag(name=MARKUP, description=MARKUP), actor=SYSTEM)
    known_end_user(MARKUP, actor=SYSTEM)
    for scope, scope_id in (("team", key.team_id), ("key", key.pk), ("user", user.pk), ("tag", MARKUP), ("end_user", MARKUP)):
        set_budget(scope, str(scope_id), BudgetTerms(10**9, "30d"), actor=SYSTEM)
    Outbox.objects.create(once_key=MARKUP, kind="budget", created_at=key.created_at, payload={"text": MARKUP}, last_error=MARKUP)


def traffic(user: User, key: VirtualKey) -> None:
    deployment = make_deployment(MARKUP, model="demo-sonnet")
    route = make_route("claude-sonnet", deployment)
    type(route).objects.filter(pk=route.pk).update(name=MARKUP, description=MARKUP)
    ids: dict[str, Any] = {"team_id": key.team_id, "user_id": user.pk, "key_id": key.pk, "deployment_id": deployment.pk}
    tried = attempt(deployment=MARKUP, model=MARKUP, error_code=MARKUP, outcome="failed", status=529)
    texts: dict[str, Any] = {**chosen_by_callers(), "tags": [MARKUP], "tools": [MARKUP]}
    texts["price_lines"] = [line | {"model": MARKUP} for line in PRICE_LINES]
    served(**texts | ids, attempts=[tried, attempt()])
    served(**texts | ids, outcome="failed", status=529, error_source="provider", attempts=[tried])


def seed() -> None:
    user, key = people()
    limits(user, key)
    traffic(user, key)


if __name__ == "__main__":
    seed()

"""Puts the rig's rows into a gateway's database, by the verbs that people use: `python -m tests.chaos.seed UPSTREAM_URL < cast.json`.

A process of its own, because Django reads its settings once; the database is that of TALLYGATE_HOME or DATABASE_URL.
"""

import os
import sys

import django
import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django.setup()

from audit.trail import SYSTEM  # noqa: E402 - models can be imported only once Django is set up
from billing.actions import BudgetTerms, set_budget, set_price  # noqa: E402
from billing.models import Price  # noqa: E402
from keys.actions import KeySpec, create_organisation, create_team, issue_key  # noqa: E402
from keys.models import Organisation, Team  # noqa: E402
from routing.actions import Target, create_credential, create_deployment, create_route  # noqa: E402
from routing.models import Credential, Deployment, Route  # noqa: E402
from tests.chaos.answers import FAMILY, INPUT_NANO, OUTPUT_NANO  # noqa: E402
from tests.chaos.scopes import ORGANISATION, TEAMS, Cast, Limit  # noqa: E402
from tests.fakes.provider import DEFAULT_KEY  # noqa: E402

PICO_PER_NANO = 1000


def seed(upstream: str, cast: Cast) -> None:
    set_price(
        Price(provider="anthropic", model=FAMILY, input_pico=INPUT_NANO * PICO_PER_NANO, output_pico=OUTPUT_NANO * PICO_PER_NANO),
        actor=SYSTEM,
    )
    _route(upstream)
    organisation = create_organisation(Organisation(id=ORGANISATION, name=ORGANISATION), actor=SYSTEM)
    teams = {name: create_team(Team(id=name, name=name, organisation=organisation), actor=SYSTEM) for name in TEAMS}
    ids = {}
    for key in cast.keys:
        spec = KeySpec(name=key.name, team=teams[key.team], rpm_limit=key.rpm, parallel_limit=1000)
        row, _ = issue_key(spec, actor=SYSTEM, token=key.token)
        ids[key.name] = row.pk
    for limit in cast.limits:
        _limit(limit, ids.get(limit.name, limit.name))


def _limit(limit: Limit, scope_id: str) -> None:
    set_budget(limit.scope, scope_id, BudgetTerms(limit.amount_nano, limit.period, mode=limit.mode), actor=SYSTEM)


def _route(upstream: str) -> None:
    credential = create_credential(Credential(name="fake", provider="anthropic"), DEFAULT_KEY, actor=SYSTEM)

    def deployment(name: str, model: str) -> Deployment:
        row = Deployment(name=name, provider="anthropic", model=model, base_url=upstream, credential=credential)
        return create_deployment(row, actor=SYSTEM)

    create_route(Route(name=FAMILY), [Target(deployment("all", "*"))], actor=SYSTEM)
    overloaded, quick = deployment("overloaded", "chaos-overloaded"), deployment("quick", "chaos-quick")
    create_route(Route(name="chaos-busy"), [Target(overloaded, order=1), Target(quick, order=2)], actor=SYSTEM)


if __name__ == "__main__":
    seed(sys.argv[1], msgspec.json.decode(sys.stdin.buffer.read(), type=Cast))

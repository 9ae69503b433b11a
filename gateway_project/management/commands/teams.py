"""`tallygate teams create|list`."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Count

from audit.rows import ChangeRefused
from audit.trail import COMMAND_LINE
from billing.actions import BudgetTerms, nano_of, set_budget
from billing.models import Budget
from gateway_project.named_rows import organisation_named, words_of
from gateway_project.tables import Table, show
from keys.actions import create_team
from keys.models import Team

EMPTY = "No teams yet. Make one with `teams create --name …`."


class Command(BaseCommand):
    help = "Creates and lists teams."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="create a team")
        create.add_argument("--name", required=True)
        create.add_argument("--organisation", default="", help="organisation id or name")
        create.add_argument("--models", default="", help="model names with commas between them; none means all")
        create.add_argument("--cost-centre", default="")
        create.add_argument("--max-budget", default="", metavar="USD", help="such as 500; more under `budgets`")
        create.add_argument("--period", default="", help="when the budget starts anew: 7d, 30d, 1mo, day, week, month; without it never")
        for one in (create, verbs.add_parser("list", help="list teams")):
            one.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        teams = [self._create(options)] if options["verb"] == "create" else list(Team.objects.annotate(keys_n=Count("keys")))
        rows = [{"id": team.pk, "name": team.name, "cost_centre": team.cost_centre, "keys": getattr(team, "keys_n", 0)} for team in teams]
        if options["as_json"]:
            self.stdout.write(json.dumps(rows if options["verb"] == "list" else rows[0], indent=2))
        elif rows:
            lines = [(team.name, team.cost_centre, str(row["keys"]), team.pk) for team, row in zip(teams, rows, strict=True)]
            show(self.stdout, Table(("name", "cost centre", "keys", "id"), lines, {"keys"}), options)
        else:
            self.stdout.write(EMPTY)

    def _create(self, options: dict[str, Any]) -> Team:
        if options["period"] and not options["max_budget"]:
            raise CommandError("--period needs --max-budget.")
        team = Team(name=options["name"].strip(), allowed_models=words_of(options["models"]), cost_centre=options["cost_centre"])
        team.organisation = organisation_named(options["organisation"]) if options["organisation"] else None
        try:
            with transaction.atomic():
                create_team(team, actor=COMMAND_LINE)
                if options["max_budget"]:
                    terms = BudgetTerms(nano_of(options["max_budget"]), options["period"])
                    set_budget(Budget.Scope.TEAM, team.pk, terms, actor=COMMAND_LINE)
            return team
        except ChangeRefused as refusal:
            raise CommandError(str(refusal)) from refusal

"""`tallygate teams create|list`."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from audit.rows import ChangeRefused
from audit.trail import COMMAND_LINE
from keys.actions import create_team
from keys.models import Organisation, Team


class Command(BaseCommand):
    help = "Creates and lists teams."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="create a team")
        create.add_argument("--name", required=True)
        create.add_argument("--organisation", default="", help="organisation id or name")
        create.add_argument("--models", default="", help="model names with commas between them; none means all")
        create.add_argument("--cost-centre", default="")
        for one in (create, verbs.add_parser("list", help="list teams")):
            one.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        teams = [self._create(options)] if options["verb"] == "create" else list(Team.objects.annotate(keys_n=Count("keys")))
        rows = [{"id": team.pk, "name": team.name, "cost_centre": team.cost_centre, "keys": getattr(team, "keys_n", 0)} for team in teams]
        if options["as_json"]:
            self.stdout.write(json.dumps(rows if options["verb"] == "list" else rows[0], indent=2))
            return
        for row in rows:
            self.stdout.write(f"{row['id']}  {row['name']}")

    def _create(self, options: dict[str, Any]) -> Team:
        models = [name.strip() for name in options["models"].split(",") if name.strip()]
        team = Team(name=options["name"].strip(), allowed_models=models, cost_centre=options["cost_centre"])
        team.organisation = _organisation(options["organisation"])
        try:
            return create_team(team, actor=COMMAND_LINE)
        except ChangeRefused as refusal:
            raise CommandError(str(refusal)) from refusal


def _organisation(name: str) -> Organisation | None:
    if not name:
        return None
    found = Organisation.objects.filter(pk=name).first() or Organisation.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no organisation {name!r}.")
    return found

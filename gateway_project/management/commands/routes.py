"""`tallygate routes [list|show]`."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from gateway_project.route_lines import fallbacks, route_rows, route_table
from gateway_project.tables import facts, show
from routing.models import Route

EMPTY = "No routes yet. Name models in a config.yaml and `apply -f` it, or add a deployment and a route in the admin."


class Command(BaseCommand):
    help = "Shows the model names that callers can ask for and the deployments behind them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        listing = verbs.add_parser("list", help="every name; so does `routes` alone")
        showing = verbs.add_parser("show", help="one name with all that is set of it")
        showing.add_argument("name", help="the public model name")
        for one in (listing, showing):  # without a default of their own they would undo `routes --json list`
            one.add_argument("--json", action="store_true", dest="as_json", default=argparse.SUPPRESS, help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "show":
            self._show(options)
        else:
            self._list(options)

    def _list(self, options: dict[str, Any]) -> None:
        rows = route_rows(_routes())
        if options["as_json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        elif rows:
            self._table(rows, options)
        else:
            self.stdout.write(EMPTY)

    def _show(self, options: dict[str, Any]) -> None:
        name = options["name"]
        route = _routes().filter(name=name).first()
        if route is None:
            raise CommandError(f"There is no route {name!r}. {_hint(name)}")
        [row] = route_rows([route])
        if options["as_json"]:
            self.stdout.write(json.dumps(row, indent=2))
            return
        self.stdout.write("\n".join(facts({title: value for title, value in row.items() if title != "deployments"})) + "\n\n")
        self._table([row], options)

    def _table(self, rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
        show(self.stdout, route_table(rows), options)
        if told := fallbacks(rows):
            self.stdout.write("\n" + "\n".join(told))


def _routes() -> QuerySet[Route]:
    return Route.objects.prefetch_related("targets__deployment__credential")


def _hint(name: str) -> str:
    """The family that answers for a name without a route of its own."""
    families = Route.objects.filter(name__endswith="*", is_active=True).values_list("name", flat=True)
    found = max((family for family in families if name.startswith(family[:-1])), key=len, default="")
    return f"Calls for it go to {found!r}." if found else "`routes list` shows all."

"""`tallygate audit check`: the whole audit trail, from its first event."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.chain import check_whole_chain
from audit.models import AuditEvent
from audit.trail import COMMAND_LINE
from gateway_project.progress import progress


class Command(BaseCommand):
    help = "Reads the whole audit trail and says whether an event was changed or removed in the database."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        check = verbs.add_parser("check", help="check every event's hash and its link to the one before")
        check.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with progress("Checking", AuditEvent.objects.count()) as step:
            found = check_whole_chain(COMMAND_LINE, step)
        broken = found.broken if found else None
        if options["as_json"]:
            told = {"whole": broken is None, "up_to": found.up_to if found else 0, "broken": broken}
            self.stdout.write(json.dumps(told, indent=2))
        elif broken is None:
            self.stdout.write(f"The chain holds up to event {found.up_to}." if found else "There is nothing to check yet.")
        if broken is not None:
            raise CommandError(f"the chain breaks at event {broken}: that event, or one before it, was changed or removed in the database.")

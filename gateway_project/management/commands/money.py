"""`tallygate money check`: does the money add up?"""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.models import RequestRecord
from billing.ledger import prove
from billing.models import Window


class Command(BaseCommand):
    help = "Proves that budget windows, ledger and request records agree. Exit code 1 when they do not."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        check = verbs.add_parser("check", help="compare every window and call with the ledger")
        check.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = prove()
        windows, calls = Window.objects.count(), RequestRecord.objects.count()
        if options["as_json"]:
            self.stdout.write(json.dumps({"windows": windows, "calls": calls, "findings": findings}, indent=2))
        else:
            self.stdout.write("\n".join(findings) or f"{windows} windows and {calls} calls add up.")
        if findings:
            sys.exit(1)

"""`tallygate secrets rotate|new-key`."""

import json
from dataclasses import asdict
from typing import Any

from cryptography.fernet import Fernet
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.trail import COMMAND_LINE
from gateway_project.progress import progress
from routing.rotation import rotate_seals, sealed_credentials

ALL_DONE = "All are under the first of TALLYGATE_SECRET_KEYS; the others can be taken out once every process has the first."


class Command(BaseCommand):
    help = "Changes the keys that encrypt stored provider keys, while the gateway runs."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        made = verbs.add_parser("new-key", help="print a new key, to be put first into TALLYGATE_SECRET_KEYS")
        rotate = verbs.add_parser("rotate", help="encrypt all stored provider keys with the first of TALLYGATE_SECRET_KEYS")
        for one in (made, rotate):
            one.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "new-key":
            made = Fernet.generate_key().decode()
            self.stdout.write(json.dumps({"key": made}, indent=2) if options["as_json"] else made)
            return
        with progress("Encrypting anew", sealed_credentials().count()) as step:
            rotated = rotate_seals(actor=COMMAND_LINE, tell=step)
        done = f"Credentials encrypted anew: {len(rotated.sealed)}."
        self.stdout.write(json.dumps(asdict(rotated), indent=2) if options["as_json"] else done)
        if rotated.closed:
            names = ", ".join(rotated.closed)
            raise CommandError(f"no key in TALLYGATE_SECRET_KEYS opens {names}. Add the key they were encrypted with, or enter them again.")
        if not options["as_json"]:
            self.stdout.write(ALL_DONE)

"""`tallygate secrets rotate|new-key`."""

from typing import Any

from cryptography.fernet import Fernet
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.trail import COMMAND_LINE
from routing.rotation import rotate_seals


class Command(BaseCommand):
    help = "Changes the keys that encrypt stored provider keys, while the gateway runs."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        verbs.add_parser("new-key", help="print a new key, to be put first into TALLYGATE_SECRET_KEYS")
        verbs.add_parser("rotate", help="encrypt all stored provider keys with the first of TALLYGATE_SECRET_KEYS")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "new-key":
            self.stdout.write(Fernet.generate_key().decode())
            return
        rotated = rotate_seals(actor=COMMAND_LINE)
        self.stdout.write(f"Credentials encrypted anew: {len(rotated.sealed)}.")
        if rotated.closed:
            names = ", ".join(rotated.closed)
            raise CommandError(f"no key in TALLYGATE_SECRET_KEYS opens {names}. Add the key they were encrypted with, or enter them again.")
        self.stdout.write("All are under the first of TALLYGATE_SECRET_KEYS; the others can be taken out once every process has the first.")

"""`tallygate tls dev-cert`: a certificate for `serve --tls-cert --tls-key` on a developer's machine."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway_project.dev_certificate import NAMES, NoName, files, is_usable, make

WORDS = """\
{begin} {certificate}
Start with   tallygate serve --tls-cert {certificate} --tls-key {key}
boto3        export AWS_CA_BUNDLE={certificate}
Claude Code  export NODE_EXTRA_CA_CERTS={certificate}"""


class Command(BaseCommand):
    help = "Makes a certificate for this machine, for clients that insist on TLS. For development: nobody trusts it until told to."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        made = verbs.add_parser("dev-cert", help="make a certificate and its key, where there are none that still hold")
        made.add_argument("--name", action="append", default=[], metavar="HOST", help="a further name or address; may be repeated")
        made.add_argument("--renew", action="store_true", help="make new ones although the old ones still hold")
        made.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        folder, names, now = settings.TALLYGATE_HOME / "tls", [*NAMES, *options["name"]], timezone.now()
        try:
            is_kept = not options["renew"] and is_usable(folder, names, now)
            certificate, key = files(folder) if is_kept else make(folder, names, now)
        except NoName as error:
            raise CommandError(f"--name: {error}", returncode=2) from None
        except OSError as error:
            raise CommandError(f"{folder} cannot be written: {error.strerror}") from None
        if options["as_json"]:
            self.stdout.write(json.dumps({"certificate": str(certificate), "key": str(key), "is_new": not is_kept}, indent=2))
            return
        begin = "There is a certificate already:" if is_kept else "A certificate was made:"
        self.stdout.write(WORDS.format(begin=begin, certificate=certificate, key=key))

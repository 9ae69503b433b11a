"""`tallygate doctor`: what is wrong, in one line each, from the database to every deployment."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gateway_project import diagnosis
from gateway_project.diagnosis import Line


class Command(BaseCommand):
    help = "Says what is wrong, in one line each, from the database to every deployment. Exit code 1 when something is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="only these credentials and deployments")
        parser.add_argument("--no-calls", action="store_true", help="call no provider")
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    def handle(self, *, names: list[str], no_calls: bool, **options: Any) -> None:
        lines = chain(
            () if names else diagnosis.installation(), diagnosis.credentials(names), () if no_calls else diagnosis.deployments(names)
        )
        seen = list(lines) if options["json"] else list(self._told(lines))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(line) for line in seen], indent=2))
        if not all(line.is_ok for line in seen):
            sys.exit(1)

    def _told(self, lines: Iterable[Line]) -> Iterable[Line]:
        """Each as it comes: a provider that does not answer takes its time."""
        for line in lines:
            self.stdout.write(f"{'ok' if line.is_ok else '!!'}  {line.what:<28} {line.text}")
            self.stdout.flush()
            yield line

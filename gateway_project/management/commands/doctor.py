"""`tallygate doctor`: what is wrong, in one line each, from the database to every deployment."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project import diagnosis, doctor
from gateway_project.diagnosis import Line
from gateway_project.tables import Mood, Word, clean, coloured, is_coloured

MARKS = {True: Word("ok", Mood.GOOD), False: Word("!!", Mood.BAD)}
NOTE = Word("! ", Mood.NEAR)


class Command(BaseCommand):
    help = "Says what is wrong, in one line each, from the database to every deployment. Exit code 1 when something is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="only these credentials and deployments")
        parser.add_argument("--no-calls", action="store_true", help="call no provider")
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    def handle(self, *, names: list[str], no_calls: bool, **options: Any) -> None:
        if names and (unknown := diagnosis.unknown(names)):
            raise CommandError(f"There is no credential and no active deployment {unknown[0]!r}. `tallygate routes` shows deployments.")
        lines = doctor.named(names, has_calls=not no_calls) if names else doctor.everything(has_calls=not no_calls)
        seen = list(lines if options["json"] else self._told(lines, options))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(line) for line in seen], indent=2))
        if not all(line.is_ok for line in seen):
            sys.exit(1)

    def _told(self, lines: Iterable[Line], options: dict[str, Any]) -> Iterator[Line]:
        """Each as it comes: a provider that does not answer takes its time."""
        has_colour = is_coloured(self.stdout, options)
        for line in lines:
            mark = NOTE if line.is_ok and line.is_note else MARKS[line.is_ok]
            self.stdout.write(f"{coloured(mark) if has_colour else mark.text}  {clean(line.what):<28} {clean(line.text)}")
            self.stdout.flush()
            yield line
